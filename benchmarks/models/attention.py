"""Causal attention with four heads, and a quadratic loss."""

from __future__ import annotations

import numpy as np

import unigrad as ug

__all__ = ["DIFFERENTIATED", "HEADS", "arguments", "loss"]

DIFFERENTIATED = (1, 2)
HEADS = 4


@ug.function
def loss(tokens, projections, output):
    """Mean square of what attention makes of ``tokens``, of shape (length, width)."""
    length, width = tokens.shape
    queries, keys, values = (
        ug.permute_dims(ug.reshape(tokens @ projections[i], (length, HEADS, -1)), (1, 0, 2))
        for i in range(3)
    )
    scores = queries @ ug.permute_dims(keys, (0, 2, 1)) / np.sqrt(width / HEADS)
    scores = ug.where(np.tri(length, dtype=bool), scores, -1e9)
    mixed = ug.nn.softmax(scores, axis=-1) @ values
    joined = ug.reshape(ug.permute_dims(mixed, (1, 0, 2)), (length, width))
    return ug.mean(ug.square(joined @ output))


def arguments() -> tuple[np.ndarray, ...]:
    """Return ``(tokens, projections, output)`` in float64, the same every time."""
    random = np.random.default_rng(0)
    width = 32
    weights = random.normal(size=(4, width, width)) / np.sqrt(width)
    return random.normal(size=(48, width)), weights[:3], weights[3]
