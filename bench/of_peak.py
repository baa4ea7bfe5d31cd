#!/usr/bin/env python3
"""Whole training steps as a fraction of the arithmetic peak, and what threads bring.

In each run, row by row: `numann bench step` with one thread, with all cores, and as it comes (auto); wide
in bf16 as well. Results go to results/fractions.csv; an interrupted call goes on where it stopped.
SPDX-License-Identifier: MIT
"""
import argparse
import os
import sys

from measure import RESULTS, Failure, Table, bench, chosen_rows, say, turned

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--numann", default="numann")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--seconds", default="0.3", help="of each measurement")
    parser.add_argument("--rows", help="names, separated by commas (default: all)")
    parser.add_argument("--fresh", action="store_true", help="forget what has been measured before")
    args = parser.parse_args()
    try:
        rows, cores = chosen_rows(args.numann, args.rows), len(os.sched_getaffinity(0))
        table = Table(RESULTS / "fractions.csv", FIELDS, args.fresh)
        for run in range(args.runs):
            for row in (row["row"] for row in rows):
                if not table.find(run=run, row=row):
                    table.add(*measure(args, run, row, cores))
    except Failure as error:
        sys.exit(f"of_peak: {error}")


if __name__ == "__main__":
    main()
