"""The six models in plain TensorFlow, differentiated by a ``GradientTape``."""

from __future__ import annotations

import tensorflow as tf

from benchmarks.models.attention import HEADS


def mlp(X, y, first, second, third):
    """A network of three layers."""
    hidden = tf.tanh(X @ first)
    hidden = tf.tanh(hidden @ second)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, hidden @ third))


def logistic(X, y, w):
    """Logistic regression with a ridge."""
    margins = y * tf.linalg.matvec(X, w)
    return -tf.reduce_mean(tf.math.log_sigmoid(margins)) + 0.01 * tf.reduce_sum(w * w)


def gmm(X, weights, means, log_scales):
    """A mixture of Gaussians."""
    distances = (X[:, None, :] - means) / tf.exp(log_scales)
    squares = tf.reduce_sum(tf.square(distances), 2)
    log_densities = -0.5 * squares - tf.reduce_sum(log_scales, 1)
    return -tf.reduce_mean(tf.reduce_logsumexp(tf.nn.log_softmax(weights) + log_densities, 1))


def gp(x, y, parameters):
    """The marginal likelihood of a Gaussian process."""
    amplitude, scale, noise = tf.unstack(tf.exp(parameters))
    difference = (x[:, None] - x) / scale
    kernel = amplitude * tf.exp(-0.5 * tf.square(difference))
    factor = tf.linalg.cholesky(kernel + noise * tf.eye(len(x), dtype=x.dtype))
    whitened = tf.linalg.triangular_solve(factor, y[:, None])
    log_root = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(factor)))
    return 0.5 * tf.reduce_sum(tf.square(whitened)) + log_root


def attention(tokens, projections, output):
    """Causal attention with several heads."""
    length, width = tokens.shape
    queries, keys, values = (
        tf.transpose(tf.reshape(tokens @ projections[i], (length, HEADS, -1)), (1, 0, 2))
        for i in range(3)
    )
    mask = tf.linalg.band_part(tf.ones((length, length), tf.bool), -1, 0)
    scores = tf.matmul(queries, keys, transpose_b=True) / (width / HEADS) ** 0.5
    mixed = tf.nn.softmax(tf.where(mask, scores, tf.constant(-1e9, scores.dtype))) @ values
    joined = tf.reshape(tf.transpose(mixed, (1, 0, 2)), (length, width))
    return tf.reduce_mean(tf.square(joined @ output))


def kalman(measurements, process_noise, measurement_noise):
    """A Kalman filter, step by step."""
    transition = tf.constant([[1.0, 1.0], [0.0, 1.0]], measurements.dtype)
    drift = tf.constant([[1 / 3, 1 / 2], [1 / 2, 1.0]], measurements.dtype)
    mean = tf.zeros(2, measurements.dtype)
    covariance = 10.0 * tf.eye(2, dtype=measurements.dtype)
    total = tf.zeros((), measurements.dtype)
    for measurement in tf.unstack(measurements):
        mean = tf.linalg.matvec(transition, mean)
        covariance = transition @ covariance @ tf.transpose(transition)
        covariance += tf.exp(process_noise) * drift
        spread = covariance[0, 0] + tf.exp(measurement_noise)
        residual = measurement - mean[0]
        gain = covariance[:, 0] / spread
        mean += gain * residual
        covariance -= gain[:, None] * covariance[0]
        total += 0.5 * (tf.math.log(spread) + residual * residual / spread)
    return total


def value_and_gradient(function, differentiated):
    """Return what gives value and gradient."""

    def both(*arguments):
        chosen = [arguments[i] for i in differentiated]
        with tf.GradientTape() as tape:
            tape.watch(chosen)
            value = function(*arguments)
        return value, tape.gradient(value, chosen)

    return both
