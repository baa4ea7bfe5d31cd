#!/usr/bin/env python3
"""More threads than cores: what happens when a user asks for too many.

In each run, row by row: as it comes (auto), auto under OMP_NUM_THREADS=64, as many threads as cores, and
33 threads. Results go to results/threads.csv; an interrupted call goes on where it stopped.
SPDX-License-Identifier: MIT
"""
import os

from measure import bench, measure_rows, say, turned

FIELDS = ["run", "row", "way", "threads", "strategy", "samples_per_s", "valid"]


def ways(cores):
    """Name: options, OMP_NUM_THREADS."""
    return [("auto", [], None), ("OMP 64", [], "64"), ("cores", ["--threads", cores], None),
            ("33", ["--threads", 33], None)]


def measure(args, run, row, cores):
    found = []
    for way, options, omp in turned(ways(cores), run):
        environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
        if omp:
            environment["OMP_NUM_THREADS"] = omp
        line = bench(args.numann, "step", "--row", row, *options, "--seconds", args.seconds, env=environment)
        found.append({"run": run, "way": way, **line})
        say(f"run {run:2} {row:11} {way:6}: {line['threads']:2} threads {line['samples_per_s']:12.0f} samples/s")
    return found


if __name__ == "__main__":
    measure_rows(("threads", "threads"), __doc__, FIELDS, measure, runs=15, seconds="0.15")
