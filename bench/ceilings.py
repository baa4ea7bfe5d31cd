#!/usr/bin/env python3
"""How near the fraction of the peak could come to 1, and where the rest of the time goes.

`numann bench phases` on every row, with one thread and with all cores. Results go to
results/ceilings.csv, times as shares of a step; an interrupted call goes on where it stopped.
SPDX-License-Identifier: MIT
"""
import argparse
import os
import sys

from measure import RESULTS, Failure, Table, bench, chosen_rows, say

HEAD = ["run", "row", "threads", "strategy", "isa", "step_seconds", "peak_gflops", "peak_spread", "valid",
        "fraction_of_peak", "useful_over_padded", "ceiling"]
SHARES = ["useful", "padding", "activation", "derivative", "output", "optimizer", "gather", "barriers",
          "waiting", "joining", "loop", "gather_rest", "output_rest", "update_rest", "forward_rest",
          "delta_rest", "gradient_rest"]


def measure(args, run, row, threads):
    found = bench(args.numann, "phases", "--row", row, "--threads", threads, "--seconds", args.seconds)
    say(f"run {run:2} {row:11} {threads} threads: {found['fraction_of_peak']:.3f} "
        f"of at most {found['ceiling']:.3f}")
    return {"run": run, **found, **found["shares"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--numann", default="numann")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", default="0.5", help="of each measurement")
    parser.add_argument("--rows", help="names, separated by commas (default: all)")
    parser.add_argument("--fresh", action="store_true", help="forget what has been measured before")
    args = parser.parse_args()
    try:
        rows, cores = chosen_rows(args.numann, args.rows), len(os.sched_getaffinity(0))
        table = Table(RESULTS / "ceilings.csv", HEAD + SHARES, args.fresh)
        for run in range(args.runs):
            for row in (row["row"] for row in rows):
                for threads in sorted({1, cores}):
                    if not table.find(run=run, row=row, threads=threads):
                        table.add(measure(args, run, row, threads))
    except Failure as error:
        sys.exit(f"ceilings: {error}")


if __name__ == "__main__":
    main()
