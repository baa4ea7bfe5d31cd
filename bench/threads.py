#!/usr/bin/env python3
"""More threads than cores: what happens when a user asks for too many.

In each run, row by row: as it comes (auto), auto under OMP_NUM_THREADS=64, as many threads as cores, and
33 threads. Results go to results/threads.csv; an interrupted call goes on where it stopped.
SPDX-License-Identifier: MIT
"""
import argparse
import os
import sys

from measure import RESULTS, Failure, Table, bench, chosen_rows, say, turned

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--numann", default="numann")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--seconds", default="0.15", help="of each measurement")
    parser.add_argument("--rows", help="names, separated by commas (default: all)")
    parser.add_argument("--fresh", action="store_true", help="forget what has been measured before")
    args = parser.parse_args()
    try:
        rows, cores = chosen_rows(args.numann, args.rows), len(os.sched_getaffinity(0))
        table = Table(RESULTS / "threads.csv", FIELDS, args.fresh)
        for run in range(args.runs):
            for row in (row["row"] for row in rows):
                if not table.find(run=run, row=row):
                    table.add(*measure(args, run, row, cores))
    except Failure as error:
        sys.exit(f"threads: {error}")


if __name__ == "__main__":
    main()
