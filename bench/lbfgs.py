#!/usr/bin/env python3
"""L-BFGS of numann beside SciPy's L-BFGS-B: the same objective from the same weights, on optical digits
(classes) and on a smooth regression.

SciPy takes a number of iterations in double precision; numann as many as bring it within 1 % of
SciPy's objective, in float. What counts is how often each has formed the gradient. Results go to
results/lbfgs.csv, a row a comparison; an interrupted call goes on with the next one.
SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import struct
import sys
import tempfile
from pathlib import Path

from measure import RESULTS, Failure, Table, answer, say

try:
    import numpy as np
    from scipy.optimize import minimize
except ImportError as error:
    say(f"lbfgs: skipped: {error}")
    sys.exit(77)

DECAY = 1e-4
ITERATIONS = [20, 50, 100, 200]
FIELDS = ["problem", "iterations", "scipy_objective", "scipy_gradients", "numann_objective",
          "numann_gradients"]
CONFIG = """data: {{train: {{path: {path}, target: {target}}}, header: false, {data}}}
network: {{layers: {layers}}}
train: {{loss: {loss}, optimizer: {{name: lbfgs, weight_decay: {decay}}}, batch: full, epochs: 1}}
"""
DIGITS = {"target": 64, "data": "scale: 16, targets: classes", "loss": "cross_entropy",
          "layers": "[{neurons: 32, activation: tanh}, {neurons: 10, activation: softmax}]"}
SMOOTH = {"target": 4, "data": "targets: values", "loss": "squared_error",
          "layers": "[{neurons: 20, activation: tanh}, {neurons: 20, activation: tanh}, "
                    "{neurons: 1, activation: identity}]"}


def read(path):
    """Arrays and metadata of a safetensors file."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        data = file.read()
    meta = header.pop("__metadata__")
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        kind = {"F32": "<f4", "F64": "<f8"}[entry["dtype"]]
        arrays[name] = np.frombuffer(data[begin:end], kind).reshape(entry["shape"]).astype(float)
    return arrays, meta


def train(numann, folder, config, *settings):
    command = [numann, "train", config, "--quiet", "--json", "--overwrite", "--out", folder]
    for setting in settings:
        command += ["--set", setting]
    return json.loads(answer(command))


def numbers(folder):
    """Objective and gradient evaluations of the newest checkpoint."""
    names = os.listdir(folder + "/checkpoints")
    newest = max(names, key=lambda name: int(name[3:-12]))
    text = read(f"{folder}/checkpoints/{newest}")[1]["optimizer_numbers"]
    values = [struct.unpack(">d", bytes.fromhex(text[i:i + 16]))[0] for i in range(0, len(text), 16)]
    return values[1], int(values[3])


def objective(flat, x, t, shapes, classes):
    """Mean loss and decay of a tanh network, and its gradient, in double."""
    weights, at = [], 0
    for n_out, n_in in shapes:
        w = flat[at:at + n_out * n_in].reshape(n_out, n_in)
        at += n_out * n_in
        weights.append((w, flat[at:at + n_out]))
        at += n_out
    a = [x]
    for i, (w, b) in enumerate(weights):
        z = a[-1] @ w.T + b
        a.append(np.tanh(z) if i + 1 < len(weights) else z)
    if classes:
        z = a[-1] - a[-1].max(1, keepdims=True)
        e = np.exp(z)
        y = e / e.sum(1, keepdims=True)
        loss = -(z[t.astype(bool)] - np.log(e.sum(1))).mean()
    else:
        y = a[-1]
        loss = 0.5 * ((y - t) ** 2).sum(1).mean()
    delta, gradient = (y - t) / len(x), []
    for i in reversed(range(len(weights))):
        w, b = weights[i]
        loss += 0.5 * DECAY * (w ** 2).sum()
        gradient.insert(0, np.concatenate([(delta.T @ a[i] + DECAY * w).ravel(), delta.sum(0)]))
        delta = (delta @ w) * (1 - a[i] ** 2)
    return loss, np.concatenate(gradient)


def start(numann, work, config):
    """The weights that a training begins with, flat, and the shapes of its layers."""
    train(numann, work + "/start", config, "train.optimizer.name=sgd",
          "train.optimizer.learning_rate=1e-30", "train.optimizer.weight_decay=0")
    arrays, _ = read(work + "/start/model.safetensors")
    n = sum(name.endswith(".weight") for name in arrays)
    shapes = [arrays[f"layers.{l}.weight"].shape for l in range(n)]
    parts = [arrays[f"layers.{l}.{part}"].ravel() for l in range(n) for part in ("weight", "bias")]
    return np.concatenate(parts), shapes


def run(numann, work, config, epochs):
    train(numann, work + "/run", config, f"train.epochs={epochs}")
    return numbers(work + "/run")


def compare(args, work, table, problem, config, x, t):
    flat, shapes = start(args.numann, work, config)
    for limit in ITERATIONS:
        if table.find(problem=problem, iterations=limit):
            continue
        found = minimize(objective, flat, (x, t, shapes, problem == "digits"), "L-BFGS-B", jac=True,
                         options={"maxiter": limit, "maxfun": 10 ** 6, "maxcor": 10, "ftol": 0, "gtol": 0})
        low, high = 1, 4 * limit
        while low < high:  # the fewest iterations that come within 1 %
            middle = (low + high) // 2
            near = run(args.numann, work, config, middle)[0] <= 1.01 * found.fun
            low, high = (low, middle) if near else (middle + 1, high)
        value, gradients = run(args.numann, work, config, low)
        table.add({"problem": problem, "iterations": limit, "scipy_objective": f"{found.fun:.6f}",
                   "scipy_gradients": found.nfev, "numann_objective": f"{value:.6f}",
                   "numann_gradients": gradients})
        say(" ".join(table.rows[-1].values()))


def digits(args, work):
    rows = np.loadtxt(args.data, delimiter=",")
    return rows[:, :64] / 16, np.eye(10)[rows[:, 64].astype(int)], args.data.resolve(), DIGITS


def smooth(_, work):
    x = np.float32(np.random.default_rng(1).uniform(-1, 1, (2000, 4)))
    y = np.sin(3 * x[:, 0]) * x[:, 1] + np.exp(-x[:, 2] ** 2) - 0.5 * x[:, 3] * x[:, 0]
    np.savetxt(work + "/smooth.csv", np.column_stack([x, y]), delimiter=",", fmt="%.9g")
    rows = np.loadtxt(work + "/smooth.csv", delimiter=",")
    return rows[:, :4], rows[:, 4:], work + "/smooth.csv", SMOOTH


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("numann", nargs="?", default="numann", help="the command (default: from PATH)")
    parser.add_argument("data", nargs="?", type=Path, default=RESULTS.parents[1] / "configs/data/optdigits.tra",
                        help="optdigits.tra of the UCI repository: 64 numbers of 0 to 16 and the digit")
    parser.add_argument("--fresh", action="store_true", help="forget what has been measured before")
    return parser.parse_args()


def main():
    args = arguments()
    if not args.data.exists():
        say(f"lbfgs: skipped: no {args.data}; the second argument says where optdigits.tra is")
        sys.exit(77)
    try:
        table = Table(RESULTS / "lbfgs.csv", FIELDS, args.fresh)
        with tempfile.TemporaryDirectory() as work:
            for make in (digits, smooth):
                x, t, path, setting = make(args, work)
                config = f"{work}/{make.__name__}.yaml"
                Path(config).write_text(CONFIG.format(path=path, decay=DECAY, **setting))
                compare(args, work, table, make.__name__, config, x, t)
    except Failure as error:
        sys.exit(f"lbfgs: {error}")


if __name__ == "__main__":
    main()
