"""TensorFlow's table: one expression per op."""

from __future__ import annotations

from unigrad.backend import Dialect, Row
from unigrad.ops import apply, contraction, elementwise, reduction, shape
from unigrad_tensorflow.helpers import HELPERS

__all__ = ["DIALECT"]

e, r, s, c = elementwise, reduction, shape, contraction


def _ndims(*wanted):
    return lambda node: tuple(operand.ndim for operand in node.operands) == wanted


DIALECT = Dialect(
    "tensorflow",
    imports={"tf": "import tensorflow as tf"},
    dtypes="tf.{name}",
    devices=None,
    number="tf.constant({value}, dtype={dtype})",
    helpers=HELPERS,
    rule="differentiated({value}, {pulls}, {pushes})",
    rows={
        e.add: "x + y",
        e.subtract: "x - y",
        e.multiply: "x * y",
        e.divide: "x / y",
        e.negative: "-x",
        e.absolute: Row("tf.abs(x)"),
        e.sign: "tf.sign(x)",
        e.power: "x ** y",
        e.sqrt: "tf.sqrt(x)",
        e.exp: "tf.exp(x)",
        e.log: "tf.math.log(x)",
        e.sin: "tf.sin(x)",
        e.cos: "tf.cos(x)",
        e.tanh: "tf.tanh(x)",
        e.greater: "x > y",
        e.sigmoid: "tf.sigmoid(x)",
        e.log_sigmoid: "tf.math.log_sigmoid(x)",
        e.square: "tf.square(x)",
        e.where: Row("tf.where(condition, x, y)", numbers=""),
        e.astype: Row("tf.cast(x, dtype)", numbers=""),
        e.stop_gradient: "tf.stop_gradient(x)",
        r.sum_: Row("tf.reduce_sum(x, axis=axis, keepdims=keepdims)", numbers=""),
        r.mean: Row("tf.reduce_mean(x, axis=axis, keepdims=keepdims)", numbers=""),
        c.matmul: (Row("tf.linalg.matvec(x, y)", when=_ndims(2, 1)), Row("x @ y")),
        s.reshape: "tf.reshape(x, shape)",
        s.permute_dims: "tf.transpose(x, axes)",
        s.broadcast_to: Row("tf.broadcast_to(x, shape)", numbers=""),
        s.expand_dims: "tf.reshape(x, out.shape)",
        s.reweigh: "x",
        apply.vjp_of: Row("pull_back(graph, wrt, seeds, operands)", numbers="operands"),
        apply.jvp_of: Row("push_forward(graph, wrt, operands)", numbers="operands"),
        apply.get: "several[position]",
    },
)
