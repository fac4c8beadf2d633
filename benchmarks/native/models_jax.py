"""The six models in plain JAX, differentiated by ``jax.value_and_grad``."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.models.attention import HEADS


def mlp(X, y, first, second, third):
    """A network of three layers."""
    hidden = jnp.tanh(X @ first)
    hidden = jnp.tanh(hidden @ second)
    return -jnp.mean(jnp.sum(y * jax.nn.log_softmax(hidden @ third), axis=1))


def logistic(X, y, w):
    """Logistic regression with a ridge."""
    return -jnp.mean(jax.nn.log_sigmoid(y * (X @ w))) + 0.01 * jnp.dot(w, w)


def gmm(X, weights, means, log_scales):
    """A mixture of Gaussians."""
    distances = (X[:, None, :] - means) / jnp.exp(log_scales)
    log_densities = -0.5 * jnp.sum(distances**2, axis=2) - jnp.sum(log_scales, axis=1)
    terms = jax.nn.log_softmax(weights) + log_densities
    return -jnp.mean(jax.scipy.special.logsumexp(terms, axis=1))


def gp(x, y, parameters):
    """The marginal likelihood of a Gaussian process."""
    amplitude, scale, noise = jnp.exp(parameters)
    difference = (x[:, None] - x) / scale
    kernel = amplitude * jnp.exp(-0.5 * difference**2) + noise * jnp.eye(len(x))
    factor = jnp.linalg.cholesky(kernel)
    whitened = jax.scipy.linalg.solve_triangular(factor, y, lower=True)
    return 0.5 * jnp.dot(whitened, whitened) + jnp.sum(jnp.log(jnp.diagonal(factor)))


def attention(tokens, projections, output):
    """Causal attention with several heads."""
    length, width = tokens.shape
    queries, keys, values = (
        (tokens @ projection).reshape(length, HEADS, -1).transpose(1, 0, 2)
        for projection in projections
    )
    scores = queries @ keys.mT / (width / HEADS) ** 0.5
    scores = jnp.where(jnp.tri(length, dtype=bool), scores, -1e9)
    mixed = jax.nn.softmax(scores) @ values
    return jnp.mean((mixed.transpose(1, 0, 2).reshape(length, width) @ output) ** 2)


def kalman(measurements, process_noise, measurement_noise):
    """A Kalman filter, step by step."""
    transition = jnp.array([[1.0, 1.0], [0.0, 1.0]])
    drift = jnp.array([[1 / 3, 1 / 2], [1 / 2, 1.0]])
    mean, covariance = jnp.zeros(2), 10.0 * jnp.eye(2)
    total = 0.0
    for measurement in measurements:
        mean = transition @ mean
        covariance = transition @ covariance @ transition.T + jnp.exp(process_noise) * drift
        spread = covariance[0, 0] + jnp.exp(measurement_noise)
        residual = measurement - mean[0]
        gain = covariance[:, 0] / spread
        mean = mean + gain * residual
        covariance = covariance - jnp.outer(gain, covariance[0])
        total = total + 0.5 * (jnp.log(spread) + residual**2 / spread)
    return total


def value_and_gradient(function, differentiated):
    """Return what gives value and gradient."""
    return jax.value_and_grad(function, argnums=differentiated)
