"""The likelihood of a track by a Kalman filter, its steps written out."""

from __future__ import annotations

import numpy as np

import unigrad as ug

__all__ = ["DIFFERENTIATED", "arguments", "loss"]

DIFFERENTIATED = (1, 2)


@ug.function
def loss(measurements, process_noise, measurement_noise):
    """Negative log-likelihood of positions; state: position and velocity; noises: logarithms.

    Source: Särkkä, Bayesian Filtering and Smoothing, theorem 4.2.
    """
    transition = np.array([[1.0, 1.0], [0.0, 1.0]])
    drift = np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]])
    mean, covariance = np.zeros(2), 10.0 * np.eye(2)
    total = 0.0
    for measurement in measurements:
        mean = transition @ mean
        covariance = transition @ covariance @ transition.T + ug.exp(process_noise) * drift
        spread = covariance[0, 0] + ug.exp(measurement_noise)
        residual = measurement - mean[0]
        gain = covariance[:, 0] / spread
        mean = mean + gain * residual
        covariance = covariance - gain[:, None] * covariance[0]
        total = total + 0.5 * (ug.log(spread) + residual * residual / spread)
    return total


def arguments() -> tuple[np.ndarray, ...]:
    """Return ``(measurements, process_noise, measurement_noise)``, the same every time."""
    random = np.random.default_rng(0)
    steps = np.arange(20.0)
    return 0.5 * steps + 0.1 * random.normal(size=20), np.array(-2.0), np.array(-1.0)
