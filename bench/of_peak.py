#!/usr/bin/env python3
"""Whole training steps as a fraction of the arithmetic peak of the same run, row by row, into
bench/results/fractions.csv: interleaved runs of `numann bench step`. SPDX-License-Identifier: MIT
"""
import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"
KEYS = ["row", "threads", "strategy", "precision", "isa", "samples_per_s", "gflops", "peak_gflops",
        "fraction_of_peak", "peak_spread", "valid"]


def numann(args, *words):
    out = subprocess.run([args.numann, "bench", *words, "--json"], check=True, capture_output=True)
    return json.loads(out.stdout)


def settings(args):
    """Every row on each number of threads, and in bf16 where that pays most."""
    for row in (r["row"] for r in numann(args, "rows")):
        for threads in args.threads.split(","):
            yield row, ["--row", row, "--threads", threads]
    yield "wide", ["--row", "wide", "--threads", args.threads.split(",")[-1], "--set", "train.precision=bf16"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numann", default="numann")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--seconds", default="1", help="of each measurement")
    parser.add_argument("--threads", default="1,2", help="such as 1,2")
    args = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "fractions.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, ["run", *KEYS], extrasaction="ignore", lineterminator="\n")
        out.writeheader()
        for run in range(1, args.runs + 1):
            for row, words in settings(args):
                found = numann(args, "step", *words, "--seconds", args.seconds)
                out.writerow({"run": run, **found, "valid": int(found["valid"])})
                file.flush()
                print(f"run {run}: {row} {found['threads']} threads {found['fraction_of_peak']:.3f}",
                      file=sys.stderr)


if __name__ == "__main__":
    main()
