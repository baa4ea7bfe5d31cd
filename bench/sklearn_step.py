"""Training steps in scikit-learn: started by bench/peers.py.

fit() runs its own epochs (shuffle, gather, step, loss); the clock hangs on its step. It has no
sigmoid output with squared error, and gives two classes one output: such rows it cannot express.
SPDX-License-Identifier: MIT
"""
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits

from steps import Clock, Done, serve

SOLVERS = {  # numann's optimiser -> solver and its settings
    "sgd": {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False},
    "momentum": {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
    "adam": {"solver": "adam"},
}
ACTIVATIONS = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}


def clocked(estimator):
    """The estimator with a clock on its step, the one place that every batch passes."""
    class Clocked(estimator):
        clock = None

        def _backprop(self, *args, **kwargs):
            self.clock.step()
            return super()._backprop(*args, **kwargs)

    return Clocked


def measure(row, task):
    inputs, targets = row.data()
    model = clocked(MLPClassifier if row.classes else MLPRegressor)(
        hidden_layer_sizes=row.sizes[1:-1], activation=ACTIVATIONS[row.activation], alpha=0.0,
        batch_size=row.batch, learning_rate_init=row.rate, max_iter=10**9, n_iter_no_change=10**9,
        random_state=1, **SOLVERS[row.optimizer])
    model.clock = Clock(row, task)
    with threadpool_limits(task["threads"]):
        try:
            model.fit(inputs, targets)
        except Done:
            return model.clock.result(sklearn.__version__)


if __name__ == "__main__":
    serve(measure)
