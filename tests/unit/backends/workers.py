"""A program that is one of two workers of TensorFlow's, and prints the gradients that it sees.

It prints the mean over both workers' halves of the data, and that of its own half, with the device
named. The arguments: the worker's number, then the addresses of all.
"""

from __future__ import annotations

import json
import os
import sys

import numpy as np

import unigrad as ug


def main(number: int, addresses: list[str]) -> None:
    """Take the worker's part in one step of both."""
    task = {"type": "worker", "index": number}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    import tensorflow as tf  # which reads what was set

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    data = np.arange(12.0).reshape(4, 3)[2 * number : 2 * number + 2]
    loss = ug.function(lambda X, w: ug.mean((X @ w) ** 2))
    with strategy.scope():
        weights = tf.Variable(np.ones(3))

    @tf.function
    def step(X: object) -> object:
        def of_one(X: object) -> object:
            with tf.GradientTape() as tape:
                value = loss(X, weights)
            gradient = tape.gradient(value, weights)
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.MEAN, gradient)

        return strategy.run(of_one, args=(X,))

    both = step(tf.constant(data)).numpy().tolist()
    own = ug.grad(loss, 1, target="tensorflow@cpu:0")(data, np.ones(3)).tolist()
    print(json.dumps({"both": both, "own": own}))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
