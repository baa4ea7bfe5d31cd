#!/usr/bin/env python3
"""Time to 98 % test accuracy on MNIST, numann and PyTorch in turn, over several seeds.

The seconds run from the first step to the end of the evaluation that first reaches the accuracy.
Beside them stand the whole process, from its start over reading the data to the written model, and
its peak memory. Results go to results/time_to_accuracy.csv, a row a training; an interrupted call goes on
with the next seed.
SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Failure, Table, say, turned

HERE = Path(__file__).resolve().parent
SETTING = {"epochs": 5, "batch": 128, "rate": 0.1, "momentum": 0.9}
FIELDS = ["seed", "program", "variant", "threads", "accuracy_wanted", "seconds", "epochs",
          "accuracy_reached", "accuracy_end", "process_seconds", "peak_bytes"]
FILES = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
         "t10k-labels-idx1-ubyte.gz"]
CONFIG = """data:
  train: {{images: {folder}/train-images-idx3-ubyte.gz, labels: {folder}/train-labels-idx1-ubyte.gz}}
  validation: {{images: {folder}/t10k-images-idx3-ubyte.gz, labels: {folder}/t10k-labels-idx1-ubyte.gz}}
  scale: 255
network:
  initializer: he_normal
  layers:
    - {{neurons: 512, activation: relu}}
    - {{neurons: 512, activation: relu}}
    - {{neurons: 10, activation: softmax}}
train:
  loss: cross_entropy
  optimizer: {{name: momentum, learning_rate: {rate}, momentum: {momentum}}}
  schedule: {{name: cosine}}
  batch: {batch}
  epochs: {epochs}
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=HERE.parent / "configs/data/mnist",
                        help="the folder with MNIST's four files")
    parser.add_argument("--numann", default="numann", help="the command (default: from PATH)")
    parser.add_argument("--python", default=sys.executable, help="Python with torch")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=SETTING["epochs"])
    parser.add_argument("--accuracy", type=float, default=0.98)
    parser.add_argument("--fresh", action="store_true", help="forget what has been measured before")
    parser.add_argument("--out", type=Path, default=HERE / "results/time_to_accuracy.csv")
    return parser.parse_args()


# ---- one process

def run(command):
    """Standard output, seconds and peak memory of a process that must succeed."""
    with tempfile.TemporaryFile("w+") as out:
        started = time.perf_counter()
        with subprocess.Popen(command, stdout=out) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        if process.returncode:
            sys.exit(f"time_to_accuracy: {' '.join(command)}: exit code {process.returncode}")
        out.seek(0)
        return out.read(), seconds, usage.ru_maxrss * 1024


def numann_run(args, setting, seed, work):
    """metrics.jsonl has the seconds of each epoch with its evaluation: their sum is the clock."""
    config, folder = Path(work) / "mnist.yaml", Path(work) / "run"
    config.write_text(CONFIG.format(folder=args.data.resolve(), **setting))
    text, seconds, memory = run([args.numann, "train", str(config), "--set", f"train.seed={seed}",
                                 "--out", str(folder), "--overwrite", "--quiet", "--json"])
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    result, clock, epochs = json.loads(text), 0.0, []
    for row in rows:
        clock += row["seconds"]
        epochs.append((row["epoch"], clock, row["validation_accuracy"]))
    who = {"program": "numann", "variant": result["strategy"], "threads": result["threads"]}
    return who, epochs, seconds, memory


def torch_run(args, setting, seed, work, way, threads):
    """One JSON object an epoch, with the seconds since the first step."""
    command = [args.python, "-B", str(HERE / "torch_mnist.py"), "--data", str(args.data),
               "--setting", json.dumps(setting), "--seed", str(seed), "--threads", str(threads),
               "--model", f"{work}/model.pt", "--optimizer", way.split("-")[1]]
    text, seconds, memory = run(command + (["--compile"] if way.startswith("compile") else []))
    rows = [json.loads(line) for line in text.splitlines()]
    epochs = [(row["epoch"], row["seconds"], row["accuracy"]) for row in rows]
    return {"program": "pytorch", "variant": way, "threads": threads}, epochs, seconds, memory


# ---- the comparison

def evaluate(args, seed, found):
    who, epochs, seconds, memory = found
    reached = next((e for e in epochs if e[2] >= args.accuracy), ("", "", ""))
    return {"seed": seed, **who, "accuracy_wanted": args.accuracy, "epochs": reached[0],
            "seconds": f"{reached[1]:.4f}" if reached[0] else "",
            "accuracy_reached": reached[2], "accuracy_end": epochs[-1][2],
            "process_seconds": f"{seconds:.3f}", "peak_bytes": memory}


def ways():
    """numann as it comes; PyTorch in each way that may be its fastest here."""
    cores = len(os.sched_getaffinity(0))
    torch_ways = [("eager-foreach", cores), ("eager-fused", cores), ("compile-fused", cores)]
    return [(numann_run, ())] + [(torch_run, way) for way in torch_ways]


def missing(args):
    absent = [name for name in FILES if not (args.data / name).exists()]
    if not absent:
        return ""
    return f"time_to_accuracy: skipped: no {absent[0]} in {args.data}; --data says where it is"


def main():
    args = arguments()
    if missing(args):
        print(missing(args), file=sys.stderr)
        sys.exit(77)
    if subprocess.run([args.python, "-c", "import torch"], capture_output=True, check=False).returncode:
        say(f"time_to_accuracy: skipped: {args.python} has no torch")
        sys.exit(77)
    setting = {**SETTING, "epochs": args.epochs}
    try:
        table = Table(args.out, FIELDS, args.fresh)
    except Failure as error:
        sys.exit(f"time_to_accuracy: {error}")
    with tempfile.TemporaryDirectory() as work:
        for seed in range(1, args.seeds + 1):
            if table.find(seed=seed):
                continue
            found = []
            for train, way in turned(ways(), seed - 1):
                found.append(evaluate(args, seed, train(args, setting, seed, work, *way)))
                say(" ".join(str(found[-1][k]) for k in FIELDS if k != "accuracy_wanted"))
            table.add(*found)


if __name__ == "__main__":
    main()
