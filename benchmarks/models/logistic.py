"""Logistic regression with a ridge."""

from __future__ import annotations

import numpy as np

import unigrad as ug

__all__ = ["DIFFERENTIATED", "arguments", "loss"]

DIFFERENTIATED = (2,)


@ug.function
def loss(X, y, w):
    """Mean logistic loss of the labels ``y``, -1 or 1, and the square of ``w``."""
    margins = y * (X @ w)
    return ug.mean(ug.nn.softplus(-margins)) + 0.01 * ug.sum(w * w)


def arguments() -> tuple[np.ndarray, ...]:
    """Return ``(X, y, w)`` in float64, the same every time."""
    random = np.random.default_rng(0)
    X = random.normal(size=(1000, 20))
    y = np.where(random.uniform(size=1000) < 0.5, -1.0, 1.0)  # noqa: PLR2004  (a fair coin)
    return X, y, random.normal(size=20)
