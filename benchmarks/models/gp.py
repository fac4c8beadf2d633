"""The marginal likelihood of a Gaussian process with a squared exponential kernel."""

from __future__ import annotations

import numpy as np

import unigrad as ug

__all__ = ["DIFFERENTIATED", "arguments", "loss"]

DIFFERENTIATED = (2,)


@ug.function
def loss(x, y, parameters):
    """Negative log marginal likelihood; ``parameters`` are logarithms of amplitude, scale, noise.

    Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, algorithm 2.1.
    """
    amplitude, scale, noise = ug.exp(parameters[0]), ug.exp(parameters[1]), ug.exp(parameters[2])
    difference = (x[:, None] - x) / scale
    kernel = amplitude * ug.exp(-0.5 * difference * difference) + noise * np.eye(len(x))
    factor = ug.linalg.cholesky(kernel)
    whitened = ug.linalg.solve_triangular(factor, y, lower=True)
    log_root = ug.sum(ug.log(ug.sum(factor * np.eye(len(x)), axis=1)))  # of the determinant
    return 0.5 * ug.sum(whitened * whitened) + log_root


def arguments() -> tuple[np.ndarray, ...]:
    """Return ``(x, y, parameters)`` in float64, the same every time."""
    random = np.random.default_rng(0)
    x = np.sort(random.uniform(0, 10, 60))
    return x, np.sin(x) + 0.1 * random.normal(size=60), np.array([0.1, -0.2, -3.0])
