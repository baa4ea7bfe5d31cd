#!/usr/bin/env python3
"""Ranks against threads on one host: as many ranks of one thread each as cores, and one rank with all threads.

Both train the same rows (tests/same_bits.awk) to the same weights, which is checked; --numann must be built with
MPI, and MPIRUN may name its launcher with options (default: mpirun --bind-to none). Results go to
results/ranks.csv; an interrupted call goes on where it stopped. Rows need a batch of as many grains as cores:
--rows mnist,mnist-adam,tabular,deep,fullbatch,wide on two. SPDX-License-Identifier: MIT
"""
import json
import os
import tempfile
from pathlib import Path

from measure import Failure, answer, bench, measure_rows, say, turned

FIELDS = ["run", "row", "ranks", "threads", "samples_per_s", "bytes_a_step"]
ROWS_OF = Path(__file__).resolve().parent.parent / "tests" / "same_bits.awk"
MPIRUN = os.environ.get("MPIRUN", "mpirun --bind-to none").split()


def make_data(numann, folder):
    listing = answer([numann, "bench", "rows", "--json"])
    answer(["awk", "-f", str(ROWS_OF)], input=listing, cwd=folder)


def train(args, folder, row, ranks, threads, epochs):
    launcher = [*MPIRUN, "-n", str(ranks)] if ranks > 1 else []
    out = answer([*launcher, args.numann, "train", f"{row}.yaml", "--out", "run", "--overwrite", "--quiet", "--json",
                  "--threads", str(threads), "--set", f"train.epochs={epochs}", "--set", "checkpoint.every=3600 s"],
                 cwd=folder)
    return json.loads(out)


def measure(args, run, row, cores):
    found = []
    with tempfile.TemporaryDirectory() as folder:
        make_data(args.numann, folder)
        lines = len((Path(folder) / f"{row}.csv").read_text().splitlines())
        rate = bench(args.numann, "step", "--row", row, "--seconds", "0.1")["samples_per_s"]
        epochs = max(2, round(float(args.seconds) * rate / lines))
        for ranks in turned([1, cores], run):
            line = train(args, folder, row, ranks, cores // ranks, epochs)
            found.append({"run": run, "row": row, "ranks": ranks, "threads": cores // ranks, "hash": line["weights_sha256"],
                          "samples_per_s": line["samples_per_s"], "bytes_a_step": line["bytes_a_step"][1]})
            say(f"run {run:2} {row:11} {ranks} x {cores // ranks}: {line['samples_per_s']:12.0f} samples/s")
    if len({line["hash"] for line in found}) != 1:
        raise Failure(f"{row}: other weights with other ranks")
    return found


if __name__ == "__main__":
    measure_rows(("ranks", "ranks"), __doc__, FIELDS, measure, runs=15, seconds="1")
