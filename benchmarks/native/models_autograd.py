"""The six models in HIPS autograd: NumPy code, differentiated by tracing every call."""

from __future__ import annotations

import autograd
import autograd.numpy as np
from autograd.scipy.linalg import solve_triangular
from autograd.scipy.special import logsumexp

from benchmarks.models.attention import HEADS


def log_softmax(x):
    """Logarithms of shares, along the last axis."""
    return x - logsumexp(x, axis=-1, keepdims=True)


def mlp(X, y, first, second, third):
    """A network of three layers."""
    hidden = np.tanh(np.dot(X, first))
    hidden = np.tanh(np.dot(hidden, second))
    return -np.mean(np.sum(y * log_softmax(np.dot(hidden, third)), axis=1))


def logistic(X, y, w):
    """Logistic regression with a ridge."""
    return np.mean(np.logaddexp(0.0, -y * np.dot(X, w))) + 0.01 * np.dot(w, w)


def gmm(X, weights, means, log_scales):
    """A mixture of Gaussians."""
    distances = (X[:, None, :] - means) / np.exp(log_scales)
    log_densities = -0.5 * np.sum(distances**2, axis=2) - np.sum(log_scales, axis=1)
    return -np.mean(logsumexp(log_softmax(weights) + log_densities, axis=1))


def gp(x, y, parameters):
    """The marginal likelihood of a Gaussian process."""
    amplitude, scale, noise = np.exp(parameters)
    difference = (x[:, None] - x) / scale
    kernel = amplitude * np.exp(-0.5 * difference**2) + noise * np.eye(len(x))
    factor = np.linalg.cholesky(kernel)
    whitened = solve_triangular(factor, y, lower=True)
    return 0.5 * np.dot(whitened, whitened) + np.sum(np.log(np.diag(factor)))


def attention(tokens, projections, output):
    """Causal attention with several heads."""
    length, width = tokens.shape
    queries, keys, values = (
        np.transpose(np.reshape(np.dot(tokens, projections[i]), (length, HEADS, -1)), (1, 0, 2))
        for i in range(3)
    )
    scores = np.matmul(queries, np.transpose(keys, (0, 2, 1))) / (width / HEADS) ** 0.5
    scores = np.where(np.tri(length, dtype=bool), scores, -1e9)
    mixed = np.matmul(np.exp(log_softmax(scores)), values)
    joined = np.reshape(np.transpose(mixed, (1, 0, 2)), (length, width))
    return np.mean(np.dot(joined, output) ** 2)


def kalman(measurements, process_noise, measurement_noise):
    """A Kalman filter, step by step."""
    transition = np.array([[1.0, 1.0], [0.0, 1.0]])
    drift = np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]])
    mean, covariance = np.zeros(2), 10.0 * np.eye(2)
    total = 0.0
    for measurement in measurements:
        mean = np.dot(transition, mean)
        covariance = np.dot(np.dot(transition, covariance), transition.T)
        covariance = covariance + np.exp(process_noise) * drift
        spread = covariance[0, 0] + np.exp(measurement_noise)
        residual = measurement - mean[0]
        gain = covariance[:, 0] / spread
        mean = mean + gain * residual
        covariance = covariance - np.outer(gain, covariance[0])
        total = total + 0.5 * (np.log(spread) + residual**2 / spread)
    return total


def value_and_gradient(function, differentiated):
    """Return what gives value and gradient."""
    return autograd.value_and_grad(function, argnum=differentiated)
