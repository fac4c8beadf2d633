"""The network of the speed table: 64 inputs, 32 hidden units, a loss of two classes."""

from __future__ import annotations

import numpy as np

import unigrad as ug

__all__ = ["arguments", "loss"]


@ug.function
def loss(X, y, W, b, w):
    """Mean logistic loss of the labels ``y``, 0 or 1."""
    hidden = ug.tanh(X @ W + b)
    z = hidden @ w
    return ug.mean(-ug.nn.log_sigmoid(-z) - y * z)


def arguments(batch: int) -> tuple[np.ndarray, ...]:
    """Return ``(X, y, W, b, w)`` in float64, the same every time."""
    random = np.random.default_rng(0)
    X = random.normal(size=(batch, 64))
    y = random.integers(0, 2, size=batch).astype(np.float64)
    W = random.normal(size=(64, 32)) / np.sqrt(64)
    b = random.normal(size=32) / 10
    w = random.normal(size=32) / np.sqrt(32)
    return X, y, W, b, w
