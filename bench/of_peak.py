#!/usr/bin/env python3
"""Whole training steps as a fraction of the arithmetic peak, and what threads bring.

In each run, row by row: `numann bench step` with one thread, with all cores, and as it comes (auto); wide
in bf16 as well. Results go to results/fractions.csv; an interrupted call goes on where it stopped.
SPDX-License-Identifier: MIT
"""
from measure import bench, measure_rows, say, turned

FIELDS = ["run", "row", "asked", "threads", "strategy", "precision", "isa", "samples_per_s", "gflops",
          "peak_gflops", "fraction_of_peak", "peak_spread", "shuffle_share", "valid"]


def settings(row, cores):
    """What is measured beside each other: (threads asked for, options)."""
    ways = [(n, []) for n in dict.fromkeys(["1", str(cores), "auto"])]
    if row == "wide":
        ways.append((str(cores), ["--set", "train.precision=bf16"]))
    return ways


def measure(args, run, row, cores):
    found = []
    for asked, options in turned(settings(row, cores), run):
        threads = [] if asked == "auto" else ["--threads", asked]
        line = bench(args.numann, "step", "--row", row, *threads, *options, "--seconds", args.seconds)
        found.append({"run": run, "asked": asked, **line})
        say(f"run {run:2} {row:11} {asked:>4} threads {line['precision']}: {line['fraction_of_peak']:.3f}")
    return found


if __name__ == "__main__":
    measure_rows(("of_peak", "fractions"), __doc__, FIELDS, measure, runs=15, seconds="0.3")
