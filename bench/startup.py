#!/usr/bin/env python3
"""What a start costs: whole processes that compute next to nothing, timed from outside.

A training of XOR over one epoch with all its files (config, checkpoint, model, metrics, report), on this
machine and on made-up ones of 64 and 256 cores; the plan of a network for 256 cores. Results go to
results/startup.csv. SPDX-License-Identifier: MIT
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import RESULTS, Failure, Table, answer, say

FIELDS = ["run", "what", "milliseconds"]
CONFIG = """data:
  train: {path: xor.csv, target: y}
network:
  layers: [{neurons: 4, activation: tanh}, {neurons: 2, activation: softmax}]
train: {loss: cross_entropy, optimizer: {name: sgd, learning_rate: 0.1}, batch: 4, epochs: 1, seed: 1}
"""
CORES_64, CORES_256 = "pack:2 numa:2 l3:2 core:8 pu:2", "pack:2 numa:4 l3:4 core:8 pu:2"


def ways(numann, folder):
    """What: command, environment."""
    train = [numann, "train", str(folder / "xor.yaml"), "--out", str(folder / "run"), "--overwrite", "--quiet"]
    plan = [numann, "plan", "--row", "mnist", "--isa", "avx2", "--topology", CORES_256]
    return {"train XOR, this machine": (train, {}),
            "train XOR, 64 cores": (train, {"HWLOC_SYNTHETIC": CORES_64}),
            "train XOR, 256 cores": (train, {"HWLOC_SYNTHETIC": CORES_256}),
            "plan mnist, 256 cores": (plan, {})}


def milliseconds(command, environment):
    began = time.perf_counter()
    answer(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL)
    return 1e3 * (time.perf_counter() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--numann", default="numann")
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--fresh", action="store_true", help="forget what has been measured before")
    args = parser.parse_args()
    try:
        table = Table(RESULTS / "startup.csv", FIELDS, args.fresh)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "xor.yaml").write_text(CONFIG)
            (folder / "xor.csv").write_text("a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
            for run in range(args.runs):
                if not table.find(run=run):
                    table.add(*({"run": run, "what": what, "milliseconds": milliseconds(*way)}
                                for what, way in ways(str(Path(args.numann).resolve()), folder).items()))
            say(f"startup: {len(table.rows)} starts in {table.path.name}")
    except Failure as error:
        sys.exit(f"startup: {error}")


if __name__ == "__main__":
    main()
