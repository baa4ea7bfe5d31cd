"""Training steps in PyTorch, each way that it offers: started by bench/peers.py.

The rows lie in memory as tensors; an epoch is a permutation, a batch an index_select. The loss is
added up each step, as any training loop that prints it does. Variants:
  eager-foreach, eager-fused      the framework's two fast optimiser loops
  compile-foreach, compile-fused  forward, loss and backward under torch.compile
  whole                           the whole step, update included, as one compiled graph
SPDX-License-Identifier: MIT
"""
import torch
from torch import nn
from torch.nn import functional

from steps import Clock, Done, serve

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
MOMENTUM = 0.9


def network(row):
    layers = []
    for inputs, neurons in zip(row.sizes, row.sizes[1:]):
        layers += [nn.Linear(inputs, neurons), ACTIVATIONS[row.activation]()]
    # Softmax is in the loss; with squared error a ReLU network ends linear, as numann's does.
    if row.classes or row.activation == "relu":
        layers.pop()
    return nn.Sequential(*layers)


def loss_function(row):
    """(4.9) or cross-entropy, as the mean over the batch."""
    if row.classes:
        return functional.cross_entropy
    scale = 0.5 / row.batch
    return lambda outputs, targets: scale * functional.mse_loss(outputs, targets, reduction="sum")


def optimizer(row, parameters, **way):
    if row.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=row.rate, **way)
    momentum = MOMENTUM if row.optimizer == "momentum" else 0.0
    return torch.optim.SGD(parameters, lr=row.rate, momentum=momentum, **way)


def autograd_step(row, compiled, way):
    """The usual loop: forward, loss, backward, optimizer.step()."""
    model, loss_of = network(row), loss_function(row)
    update = optimizer(row, model.parameters(), **{way: True})

    def loss(inputs, targets):
        return loss_of(model(inputs), targets)

    if compiled:
        loss = torch.compile(loss)

    def step(inputs, targets):
        update.zero_grad(set_to_none=True)
        value = loss(inputs, targets)
        value.backward()
        update.step()
        return value.detach()

    return step


def sgd(row, parameters):
    def update(gradients):
        for p, g in zip(parameters, gradients):
            p.sub_(row.rate * g)
    return update


def momentum(row, parameters):
    velocities = [torch.zeros_like(p) for p in parameters]

    def update(gradients):
        for p, v, g in zip(parameters, velocities, gradients):
            v.mul_(MOMENTUM).add_(g)
            p.sub_(row.rate * v)
    return update


def adam(row, parameters, beta1=0.9, beta2=0.999, epsilon=1e-8):
    moments1 = [torch.zeros_like(p) for p in parameters]
    moments2 = [torch.zeros_like(p) for p in parameters]
    time = torch.zeros(())

    def update(gradients):
        time.add_(1)
        bias1, bias2 = 1 - beta1 ** time, 1 - beta2 ** time
        for p, m, v, g in zip(parameters, moments1, moments2, gradients):
            m.mul_(beta1).add_((1 - beta1) * g)
            v.mul_(beta2).add_((1 - beta2) * g * g)
            p.sub_(row.rate / bias1 * m / ((v / bias2).sqrt() + epsilon))
    return update


def whole_step(row):
    """One graph from the batch to the new weights; autograd's engine is not in the way."""
    model, loss_of = network(row), loss_function(row)
    names, parameters = zip(*((n, p.detach()) for n, p in model.named_parameters()))
    update = {"sgd": sgd, "momentum": momentum, "adam": adam}[row.optimizer](row, parameters)

    def loss(values, inputs, targets):
        outputs = torch.func.functional_call(model, dict(zip(names, values)), (inputs,))
        return loss_of(outputs, targets)

    def step(inputs, targets):
        gradients, value = torch.func.grad_and_value(loss)(parameters, inputs, targets)
        update(gradients)
        return value

    return torch.compile(step)


VARIANTS = {
    "eager-foreach": lambda row: autograd_step(row, False, "foreach"),
    "eager-fused": lambda row: autograd_step(row, False, "fused"),
    "compile-foreach": lambda row: autograd_step(row, True, "foreach"),
    "compile-fused": lambda row: autograd_step(row, True, "fused"),
    "whole": whole_step,
}


def train(row, step, inputs, targets, clock):
    """Epochs without end: a permutation, then its batches."""
    total = torch.zeros(())
    while True:
        for index in torch.randperm(row.rows).split(row.batch):
            total += step(inputs.index_select(0, index), targets.index_select(0, index))
            clock.step()


def measure(row, task):
    torch.set_num_threads(task["threads"])
    torch._dynamo.reset()
    torch.manual_seed(1)
    inputs, targets = (torch.from_numpy(a) for a in row.data())
    step = VARIANTS[task["variant"]](row)
    step(inputs[:row.batch], targets[:row.batch])  # compiles
    clock = Clock(row, task)
    try:
        train(row, step, inputs, targets, clock)
    except Done:
        return clock.result(torch.__version__)


if __name__ == "__main__":
    torch.set_flush_denormal(True)
    serve(measure)
