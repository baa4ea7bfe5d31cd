#!/usr/bin/env python3
"""How near the fraction of the peak could come to 1, and where the rest of the time goes.

`numann bench phases` on every row, with one thread and with all cores. Results go to
results/ceilings.csv, times as shares of a step; an interrupted call goes on where it stopped.
SPDX-License-Identifier: MIT
"""
from measure import bench, measure_rows, say

HEAD = ["run", "row", "threads", "strategy", "isa", "step_seconds", "peak_gflops", "peak_spread", "valid",
        "fraction_of_peak", "useful_over_padded", "ceiling"]
SHARES = ["useful", "padding", "activation", "derivative", "output", "optimizer", "gather", "barriers",
          "waiting", "joining", "loop", "gather_rest", "output_rest", "update_rest", "forward_rest",
          "delta_rest", "gradient_rest"]


def measure(args, run, row, cores):
    lines = []
    for threads in sorted({1, cores}):
        found = bench(args.numann, "phases", "--row", row, "--threads", threads, "--seconds", args.seconds)
        say(f"run {run:2} {row:11} {threads} threads: {found['fraction_of_peak']:.3f} "
            f"of at most {found['ceiling']:.3f}")
        lines.append({"run": run, **found, **found["shares"]})
    return lines


if __name__ == "__main__":
    measure_rows(("ceilings", "ceilings"), __doc__, HEAD + SHARES, measure, runs=3, seconds="0.5")
