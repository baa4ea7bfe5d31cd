#!/usr/bin/env python3
"""What placement costs: each row with `parallel.placement` auto and none, one after the other.

On a machine of one node binding brings next to nothing and must cost nothing; on several nodes this is what
placement gains. Rates are the shipped ones, so that both ways have the same plan but for placement. Results go to results/placement.csv; an interrupted call goes on where it stopped.
SPDX-License-Identifier: MIT
"""
from measure import bench, measure_rows, say, turned

FIELDS = ["run", "row", "way", "threads", "strategy", "samples_per_s", "valid"]


def measure(args, run, row, _cores):
    found = []
    for way in turned(["auto", "none"], run):
        line = bench(args.numann, "step", "--row", row, "--seconds", args.seconds, "--set", "parallel.calibration=off",
                     "--set", f"parallel.placement={way}")
        found.append({"run": run, "way": way, **line})
        say(f"run {run:2} {row:11} {way}: {line['threads']:2} threads {line['samples_per_s']:12.0f} samples/s")
    return found


if __name__ == "__main__":
    measure_rows(("placement", "placement"), __doc__, FIELDS, measure, runs=15, seconds="0.25")
