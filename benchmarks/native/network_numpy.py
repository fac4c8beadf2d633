"""The network in plain NumPy."""

from __future__ import annotations

import numpy as np


def loss(X, y, W, b, w):
    """Mean logistic loss; log(1 + exp(z)) is ``logaddexp(0, z)``, which cannot overflow."""
    hidden = np.tanh(X @ W + b)
    z = hidden @ w
    return (np.logaddexp(0.0, z) - y * z).mean()
