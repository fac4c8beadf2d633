"""JAX's table: one expression per op."""

from __future__ import annotations

from unigrad.backend import OURS, Dialect, Row
from unigrad.ops import apply, contraction, elementwise, reduction, shape
from unigrad_jax.helpers import HELPERS

__all__ = ["DIALECT"]

e, r, s, c = elementwise, reduction, shape, contraction

DIALECT = Dialect(
    "jax",
    imports={"jax": "import jax", "jnp": "import jax.numpy as jnp"},
    dtypes="jnp.{name}",
    devices=None,
    number="jnp.asarray({value}, dtype={dtype})",
    helpers=HELPERS,
    rule="differentiated({value}, {pulls}, {pushes})",
    rows={
        e.add: "x + y",
        e.subtract: "x - y",
        e.multiply: "x * y",
        e.divide: "x / y",
        e.negative: "-x",
        e.absolute: Row("jnp.abs(x)", gradient=OURS),
        e.sign: "jnp.sign(x)",
        e.power: "x ** y",
        e.sqrt: "jnp.sqrt(x)",
        e.exp: "jnp.exp(x)",
        e.log: "jnp.log(x)",
        e.sin: "jnp.sin(x)",
        e.cos: "jnp.cos(x)",
        e.tanh: "jnp.tanh(x)",
        e.greater: "x > y",
        e.sigmoid: "jax.nn.sigmoid(x)",
        e.log_sigmoid: "jax.nn.log_sigmoid(x)",
        e.square: "jnp.square(x)",
        e.where: Row("jnp.where(condition, x, y)"),
        e.astype: Row("x.astype(dtype)", numbers=""),
        e.stop_gradient: "jax.lax.stop_gradient(x)",
        r.sum_: Row("jnp.sum(x, axis=axis, keepdims=keepdims)", numbers=""),
        r.mean: Row("jnp.mean(x, axis=axis, keepdims=keepdims)", numbers=""),
        c.matmul: "x @ y",
        s.reshape: "jnp.reshape(x, shape)",
        s.permute_dims: "jnp.permute_dims(x, axes)",
        s.broadcast_to: "jnp.broadcast_to(x, shape)",
        s.expand_dims: "jnp.expand_dims(x, axis)",
        s.reweigh: "x",
        apply.vjp_of: Row("pull_back(graph, wrt, seeds, operands)", numbers="operands"),
        apply.jvp_of: Row("push_forward(graph, wrt, operands)", numbers="operands"),
        apply.get: "several[position]",
    },
)
