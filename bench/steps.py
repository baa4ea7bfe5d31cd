"""What the Python peers of numann share: the row, its data and the clock.

A worker reads tasks, one JSON object a line, and answers each with one line: bench/peers.py lets it
wait while others measure. A row is what `numann bench rows --json` prints, with the number of
generated rows beside it. The clock is that of `numann bench step`: one slice to warm up, then
fifteen, of which the median rate counts. SPDX-License-Identifier: MIT
"""
import json
import statistics
import sys
import time

SLICES = 15


def serve(measure):
    """Answer each task {row, variant, threads, seconds} with what measure(row, task) returns."""
    for line in sys.stdin:
        task = json.loads(line)
        print(json.dumps(measure(Row(task["row"]), task)), flush=True)


class Row:
    """The network and its setting, as numbers."""

    def __init__(self, row):
        self.sizes = [int(n) for n in row["layers"].split(",")]
        self.batch = int(row["batch"])
        self.rate = float(row["learning_rate"])
        self.activation, self.loss = row["activation"], row["loss"]
        self.optimizer = row["optimizer"]
        self.classes = self.loss != "squared_error"
        self.rows = int(row["rows"])

    def data(self, seed=1):
        """Uniform float32 inputs; integer labels or uniform float32 targets."""
        import numpy

        random = numpy.random.default_rng(seed)
        inputs = random.random((self.rows, self.sizes[0]), dtype=numpy.float32)
        if self.classes:
            return inputs, random.integers(self.sizes[-1], size=self.rows)
        return inputs, random.random((self.rows, self.sizes[-1]), dtype=numpy.float32)


class Done(Exception):
    """Raised by the clock out of the training loop, once all slices are measured."""


class Clock:
    """Slices of a training. Where a step is longer than a slice, the task's least number may do."""

    def __init__(self, row, task):
        self.batch, self.seconds, self.least = row.batch, task["seconds"], task["least_slices"]
        self.steps = 0
        self.begun = self.started = None
        self.rates = []

    def step(self):
        now = time.perf_counter()
        if self.started is None:
            self.begun = self.started = now
            self.steps = 0
            return
        self.steps += 1
        if now - self.started < self.seconds / SLICES:
            return
        self.rates.append(self.steps * self.batch / (now - self.started))
        self.started, self.steps = now, 0
        measured = len(self.rates) - 1
        late = now - self.begun > 3 * self.seconds
        if measured >= SLICES or (late and measured >= self.least):
            raise Done

    def result(self, version):
        rates = self.rates[1:]
        return {"version": version, "samples_per_s": statistics.median(rates), "least": min(rates),
                "most": max(rates)}
