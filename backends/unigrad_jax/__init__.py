"""JAX: compiled whole by XLA (``jit``), or run operation by operation (``eager``)."""

from __future__ import annotations

from unigrad.backend import Backend
from unigrad_jax.dialect import DIALECT

__all__ = ["BACKEND"]

BACKEND = Backend(
    name="jax",
    dialect=DIALECT,
    runtime="unigrad_jax.runtime",
    package="jax",
    install="pip install 'unigrad[jax]'",
    tested=("0.8", "0.10"),
    modes=("jit", "eager"),
    flat=("jit", "eager"),
    frees=("jit",),
    native=True,
)
