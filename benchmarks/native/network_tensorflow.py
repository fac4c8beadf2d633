"""The network in plain TensorFlow, differentiated by a ``GradientTape``."""

from __future__ import annotations

import tensorflow as tf


def loss(X, y, W, b, w):
    """Mean logistic loss, the same math term by term."""
    hidden = tf.tanh(X @ W + b)
    z = tf.linalg.matvec(hidden, w)
    return tf.reduce_mean(-tf.math.log_sigmoid(-z) - y * z)


def value_and_gradient(X, y, W, b, w):
    """Return the loss and its gradient in ``W``, ``b``, ``w``."""
    with tf.GradientTape() as tape:
        tape.watch((W, b, w))
        value = loss(X, y, W, b, w)
    return value, tape.gradient(value, (W, b, w))


def function(python_function, *, jit_compile=None):
    """Make a ``tf.function`` of it, as people write it."""
    return tf.function(python_function, jit_compile=jit_compile)
