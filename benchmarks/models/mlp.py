"""A network of three layers that tells ten classes apart, by cross-entropy."""

from __future__ import annotations

import numpy as np

import unigrad as ug

__all__ = ["DIFFERENTIATED", "arguments", "loss"]

DIFFERENTIATED = (2, 3, 4)


@ug.function
def loss(X, y, first, second, third):
    """Mean cross-entropy of the classes ``y``, given as rows of zeros and a one."""
    hidden = ug.tanh(X @ first)
    hidden = ug.tanh(hidden @ second)
    scores = hidden @ third
    return -ug.mean(ug.sum(y * ug.nn.log_softmax(scores, axis=1), axis=1))


def arguments() -> tuple[np.ndarray, ...]:
    """Return ``(X, y, first, second, third)`` in float64, the same every time."""
    random = np.random.default_rng(0)
    X = random.normal(size=(64, 64))
    y = np.eye(10)[random.integers(0, 10, 64)]
    sizes = ((64, 64), (64, 32), (32, 10))
    return (X, y, *(random.normal(size=size) / np.sqrt(size[0]) for size in sizes))
