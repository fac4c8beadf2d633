"""The network in HIPS autograd: NumPy code, differentiated by tracing every call."""

from __future__ import annotations

import autograd
import autograd.numpy as np


def loss(X, y, W, b, w):
    """Mean logistic loss, as in plain NumPy."""
    hidden = np.tanh(np.dot(X, W) + b)
    z = np.dot(hidden, w)
    return np.mean(np.logaddexp(0.0, z) - y * z)


gradient = autograd.grad(loss, argnum=(2, 3, 4))
value_and_gradient = autograd.value_and_grad(loss, argnum=(2, 3, 4))
