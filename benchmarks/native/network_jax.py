"""The network in plain JAX, differentiated by ``jax.value_and_grad``."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def loss(X, y, W, b, w):
    """Mean logistic loss, the same math term by term."""
    hidden = jnp.tanh(X @ W + b)
    z = hidden @ w
    return jnp.mean(-jax.nn.log_sigmoid(-z) - y * z)


value_and_gradient = jax.value_and_grad(loss, argnums=(2, 3, 4))
