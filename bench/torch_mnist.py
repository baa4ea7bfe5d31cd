"""A training on MNIST in PyTorch, for bench/time_to_accuracy.py: prints one JSON object an epoch.

784-512-512-10, ReLU, cross-entropy, he_normal weights, zero biases, momentum with a cosine schedule;
the data lie in memory as tensors; each epoch ends with the accuracy on the test rows. The seconds
run from the first step. SPDX-License-Identifier: MIT
"""
import argparse
import gzip
import json
import math
import time
from pathlib import Path

import numpy
import torch
from torch import nn


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--setting", type=json.loads, required=True,
                        help="JSON object of epochs, batch, rate, momentum")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--optimizer", choices=["foreach", "fused"], required=True)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--model", help="file for the trained weights")
    return parser.parse_args()


def read_idx(path, header):
    with gzip.open(path) as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=header)


def read_mnist(folder, part):
    pixels = read_idx(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)
    inputs = torch.from_numpy(pixels.astype(numpy.float32)) / 255
    return inputs, torch.from_numpy(labels.astype(numpy.int64))


def network():
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                          nn.Linear(512, 10))
    for layer in model[::2]:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    return model


class Training:
    """The loop and its state; `step` counts over the whole training, for the schedule."""

    def __init__(self, args, rows):
        setting = args.setting
        self.model = network()
        self.batch, self.rate, self.done = setting["batch"], setting["rate"], 0
        self.steps = setting["epochs"] * -(-rows // self.batch)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=self.rate,
                                         momentum=setting["momentum"], **{args.optimizer: True})
        self.loss = torch.compile(self.loss_of) if args.compile else self.loss_of

    def loss_of(self, inputs, labels):
        return nn.functional.cross_entropy(self.model(inputs), labels)

    def step(self, inputs, labels):
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * (1 + math.cos(math.pi * self.done / self.steps)) / 2
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(inputs, labels)
        loss.backward()
        self.optimizer.step()
        self.done += 1
        return loss.detach()

    def epoch(self, inputs, labels):
        """The mean of the batches' losses, as the loop would print it."""
        total, batches = torch.zeros(()), torch.randperm(len(inputs)).split(self.batch)
        for index in batches:
            total += self.step(inputs.index_select(0, index), labels.index_select(0, index))
        return total.item() / len(batches)

    @torch.no_grad()
    def accuracy(self, inputs, labels):
        hits = [(self.model(x).argmax(1) == y).sum()
                for x, y in zip(inputs.split(1000), labels.split(1000))]
        return sum(hits).item() / len(inputs)


def warm_up(args, inputs, labels):
    """Compile outside the clock, on another network: the process's time still has it."""
    spare = Training(args, len(inputs))
    for rows in {spare.batch, len(inputs) % spare.batch} - {0}:
        spare.step(inputs[:rows], labels[:rows])


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(args.seed)
    inputs, labels = read_mnist(args.data, "train")
    test_inputs, test_labels = read_mnist(args.data, "t10k")
    if args.compile:
        warm_up(args, inputs, labels)
    training = Training(args, len(inputs))
    started = time.perf_counter()
    for epoch in range(1, args.setting["epochs"] + 1):
        loss = training.epoch(inputs, labels)
        accuracy = training.accuracy(test_inputs, test_labels)
        print(json.dumps({"epoch": epoch, "train_loss": loss, "accuracy": accuracy,
                          "seconds": time.perf_counter() - started}), flush=True)
    if args.model:
        torch.save(training.model.state_dict(), args.model)


if __name__ == "__main__":
    main()
