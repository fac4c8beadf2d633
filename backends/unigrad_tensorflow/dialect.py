"""TensorFlow's table: one expression per op, and the fused kernels that a person would call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unigrad.backend import Dialect, Row, predicates
from unigrad.backend.dialect import OURS, Fused
from unigrad.ir.nodes import Node, tensor
from unigrad.ops import (
    apply,
    contraction,
    elementwise,
    linalg,
    nn,
    reduction,
    roots,
    shape,
    special,
)  # fmt: skip
from unigrad.ops.pattern import variables
from unigrad_tensorflow import conditions as of
from unigrad_tensorflow.helpers import APART, ELIMINATION, TO_INTEGER, VALUES
from unigrad_tensorflow.transforms import TRANSFORMS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DIALECT", "XLA"]


# -- fused kernels ---------------------------------------------------------------------------------

c, x, y = variables("c x y")


def _same_shape(node: Node, bound: Mapping[str, Any]) -> bool:
    return all(tensor(one).shape == tensor(node).shape for one in bound.values())


def _same_floats(node: Node, bound: Mapping[str, Any]) -> bool:
    return tensor(node).is_floating and _same_shape(node, bound)


def _matrix_and(ndim: int) -> Any:
    """Whether the first operand is a matrix and the second has so many axes."""

    def serves(node: Node, bound: Mapping[str, Any]) -> bool:
        del node
        return (tensor(bound["x"]).ndim, tensor(bound["y"]).ndim) == (2, ndim)

    return serves


_turned = shape.permute_dims(x, axes=(1, 0))

PRODUCTS = (
    Fused(
        contraction.matmul(_turned, y), 'tf.einsum("ji,j->i", x, y)', when=_matrix_and(1),
    ),
    Fused(
        contraction.matmul(_turned, y), "tf.matmul(x, y, transpose_a=True)", when=_matrix_and(2)
    ),
    Fused(
        contraction.matmul(x, shape.permute_dims(y, axes=(1, 0))),
        "tf.matmul(x, y, transpose_b=True)", when=_matrix_and(2),
    ),
)  # fmt: skip
FUSED = (
    *PRODUCTS,
    Fused(elementwise.where(c, 1, 0), "tf.cast(c, out.dtype)", when=_same_shape),
    Fused(-elementwise.log_sigmoid(-x), "tf.math.softplus(x)"),
    Fused(x * (1 - y * y), "tf.raw_ops.TanhGrad(y=y, dy=x)", when=_same_floats),
)
"""What eager TensorFlow would spend several calls on; each call costs more than a small array."""

# -- the table -------------------------------------------------------------------------------------

e, r, s, p = elementwise, reduction, shape, special

_MAXIMUM = "either(x, y, tf.greater, nan_wins=True)"
_MINIMUM = "either(x, y, tf.less, nan_wins=True)"


def _call(text: str, **keywords: Any) -> Row:
    """A row whose operands must be tensors, also where they are numbers."""
    return Row(text, numbers="", **keywords)


def _last(text: str, **keywords: Any) -> Row:
    """A row whose second operand may be a number; its dtype is that of the first."""
    return Row(text, numbers="y", **keywords)


DIALECT = Dialect(
    "tensorflow",
    imports={
        "tf": "import tensorflow as tf",
        "forwardprop_util": "from tensorflow.python.eager import forwardprop_util",
        "record": "from tensorflow.python.eager import record",
    },
    dtypes="tf.{name}",
    devices=None,
    number="tf.constant({value}, dtype={dtype})",
    helpers=VALUES + TRANSFORMS,
    size="size_of({x}, {axis})",
    larger="tf.maximum",
    rule="differentiated({value}, {pulls}, {pushes})",
    fused=FUSED,
    rows={
        # arithmetic
        e.add: (Row("x | y", when=of.boolean), Row("x + y")),
        e.subtract: "x - y",
        e.multiply: (Row("x & y", when=of.boolean), Row("x * y")),
        e.divide: "x / y",
        e.negative: (_call("~x + 1", when=of.unsigned), Row("-x")),
        e.positive: "x",
        e.absolute: (_call("x", when=of.unsigned), _call("tf.abs(x)")),
        e.sign: (_call("tf.cast(x != 0, out.dtype)", when=of.unsigned), _call("tf.sign(x)")),
        e.square: _call("tf.square(x)"),
        e.reciprocal: _call("tf.math.reciprocal(x)"),
        e.floor_divide: (
            Row("x // y", when=of.by_known_integer),
            _call("floor_divide(x, y)", when=of.integral),
            _call("quotient(x, y)", faithful="quotient(tf.stop_gradient(x), tf.stop_gradient(y))"),
        ),
        e.remainder: (
            Row("x % y", when=of.by_known_integer),
            _call("remainder(x, y)", when=of.integral),
            Row("x % y", gradient=OURS),
        ),
        e.fmod: (
            _call("remainder(x, y)", when=of.unsigned),
            _last("tf.truncatemod(x, y)", when=of.by_known_integer),
            _call("fmod(x, y)", when=of.integral),
            _last("tf.truncatemod(x, y)", gradient=OURS),
        ),
        e.power: (
            Row("x ** y", when=of.to_known_power),
            _call("integer_power(x, y)", when=of.integral),
            Row("x ** y", when=of.to_whole_number, faithful="whole_power(x, y)"),
            _last("half_power(x, y)", when=of.to_half, gradient=OURS),
            Row("x ** y", when=of.to_number),
            Row("x ** y", gradient=OURS),
        ),
        e.floor: (_call("x", when=of.integral), _call("tf.floor(x)")),
        e.ceil: (_call("x", when=of.integral), _call("tf.math.ceil(x)")),
        e.trunc: (_call("x", when=of.integral), _call("trunc(x)")),
        e.round: (_call("x", when=of.integral), _call("tf.round(x)")),
        # transcendental
        # TensorFlow's own derivatives of roots take 0 times infinity as 0.
        e.sqrt: _call("tf.sqrt(x)", gradient=OURS),
        roots.root: _call("tf.sqrt(x)", faithful="root_of_squares(x, tf.sqrt)"),
        roots.root_of_powers: Row("x ** y", faithful="root_of_powers(x, y)"),
        e.rsqrt: _call("tf.math.rsqrt(x)", gradient=OURS),
        e.cbrt: _call("cbrt(x)", gradient=OURS),
        e.exp: _call("tf.exp(x)"),
        e.exp2: Row("2.0 ** x"),
        e.expm1: _call("tf.math.expm1(x)"),
        e.log: _call("tf.math.log(x)"),
        e.log2: _call("tf.math.log(x) / 0.6931471805599453"),
        e.log10: _call("tf.math.log(x) / 2.302585092994046"),
        e.log1p: _call("tf.math.log1p(x)"),
        e.sin: _call("tf.sin(x)"),
        e.cos: _call("tf.cos(x)"),
        e.tan: _call("tf.tan(x)"),
        e.asin: _call("tf.asin(x)"),
        e.acos: _call("tf.acos(x)"),
        e.atan: _call("tf.atan(x)"),
        e.sinh: _call("tf.sinh(x)"),
        e.cosh: _call("tf.cosh(x)"),
        e.tanh: _call("tf.tanh(x)"),
        e.asinh: _call("tf.asinh(x)"),
        e.acosh: _call("tf.acosh(x)", gradient=OURS),
        e.atanh: _call("tf.atanh(x)"),
        e.sigmoid: _call("tf.sigmoid(x)"),
        e.log_sigmoid: _call("tf.math.log_sigmoid(x)"),
        e.softplus: _call("tf.math.softplus(x)"),
        e.relu: _call("tf.nn.relu(x)"),
        # of two
        e.atan2: _call("tf.atan2(x, y)", gradient=OURS),
        e.hypot: _call("hypot(x, y)", gradient=OURS),
        e.maximum: (
            Row("x | y", when=of.boolean),
            _call("tf.maximum(x, y)", when=of.integral),
            _last("tf.maximum(x, y)", when=of.by_number, faithful=_MAXIMUM),
            Row("tf.maximum(y, x)", numbers="x", when=of.of_number, faithful=_MAXIMUM),
            _call("maximum(x, y)", faithful=_MAXIMUM),
        ),
        e.minimum: (
            Row("x & y", when=of.boolean),
            _call("tf.minimum(x, y)", when=of.integral),
            _last("tf.minimum(x, y)", when=of.by_number, faithful=_MINIMUM),
            Row("tf.minimum(y, x)", numbers="x", when=of.of_number, faithful=_MINIMUM),
            _call("minimum(x, y)", faithful=_MINIMUM),
        ),
        e.fmax: (
            Row("x | y", when=of.boolean),
            _call("tf.maximum(x, y)", when=of.integral),
            _call("fmax(x, y)", faithful="either(x, y, tf.greater, nan_wins=False)"),
        ),
        e.fmin: (
            Row("x & y", when=of.boolean),
            _call("tf.minimum(x, y)", when=of.integral),
            _call("fmin(x, y)", faithful="either(x, y, tf.less, nan_wins=False)"),
        ),
        e.copysign: _call("copysign(x, y)", gradient=OURS),
        e.heaviside: _call("heaviside(x, y)"),
        e.logaddexp: _call("logaddexp(x, y)", gradient=OURS),
        e.logaddexp2: _call("logaddexp2(x, y)", gradient=OURS),
        e.clip_between: (
            Row("(x | lower) & upper", when=of.boolean),
            Row(
                "tf.clip_by_value(x, lower, upper)",
                when=of.between_numbers, numbers="lower upper",
            ),
            _call("tf.minimum(tf.maximum(x, lower), upper)", when=of.integral),
            _call(
                "minimum(maximum(x, lower), upper)",
                faithful="clip_above(clip_below(x, lower), upper)",
            ),
        ),
        e.clip_below: (
            Row("x | y", when=of.boolean),
            _call("tf.maximum(x, y)", when=of.integral),
            _last("tf.maximum(x, y)", when=of.by_number),
            _call("maximum(x, y)", faithful="clip_below(x, y)"),
        ),
        e.clip_above: (
            Row("x & y", when=of.boolean),
            _call("tf.minimum(x, y)", when=of.integral),
            _last("tf.minimum(x, y)", when=of.by_number),
            _call("minimum(x, y)", faithful="clip_above(x, y)"),
        ),
        # comparison and logic
        e.equal: "x == y",
        e.not_equal: "x != y",
        e.less: (Row("~x & y", when=of.boolean), Row("x < y")),
        e.less_equal: (Row("~x | y", when=of.boolean), Row("x <= y")),
        e.greater: (Row("x & ~y", when=of.boolean), Row("x > y")),
        e.greater_equal: (Row("x | ~y", when=of.boolean), Row("x >= y")),
        e.isnan: (
            _call("tf.zeros_like(x, dtype=tf.bool)", when=of.integral), _call("tf.math.is_nan(x)")
        ),
        e.isinf: (
            _call("tf.zeros_like(x, dtype=tf.bool)", when=of.integral), _call("tf.math.is_inf(x)")
        ),
        e.isfinite: (
            _call("tf.ones_like(x, dtype=tf.bool)", when=of.integral), _call("tf.math.is_finite(x)")
        ),
        e.signbit: (
            _call("tf.bitcast(x, tf.int64) < 0", when=of.of_bytes(8)),
            _call("tf.bitcast(x, tf.int32) < 0", when=of.of_bytes(4)),
            _call("tf.bitcast(x, tf.int16) < 0"),
        ),
        e.logical_and: _call("x & y"),
        e.logical_or: _call("x | y"),
        e.logical_xor: _call("x ^ y"),
        e.logical_not: _call("~x"),
        e.bitwise_and: "x & y",
        e.bitwise_or: "x | y",
        e.bitwise_xor: "x ^ y",
        e.bitwise_invert: _call("~x"),
        e.bitwise_left_shift: (
            _last("tf.bitwise.left_shift(x, y)", when=of.by_known_places),
            _call("left_shift(x, y)"),
        ),
        e.bitwise_right_shift: (
            _last("tf.bitwise.right_shift(x, y)", when=of.by_known_places),
            _call("right_shift(x, y)"),
        ),
        # selection and casting
        e.where: _last("tf.where(condition, x, y)"),
        e.astype: _call("tf.cast(x, dtype)"),
        e.stop_gradient: _call("tf.stop_gradient(x)"),
        e.barrier: "x",
        # special functions
        p.erf: (_call("erf(x)", when=of.double), _call("tf.math.erf(x)")),
        p.erfc: _call("tf.math.erfc(x)"),
        p.gammaln: _call("tf.math.lgamma(x)", gradient=OURS),
        p.digamma: _call("digamma(x)", gradient=OURS),
        p.polygamma_of: _call("polygamma(n, x)", gradient=OURS),
        p.xlogy: _call("xlogy(x, y)", gradient=OURS),
        p.xlog1py: _call("xlog1py(x, y)", gradient=OURS),
        # reductions
        r.sum_: (
            Row("tf.cast(x, out.dtype)", when=of.no_axis),
            Row(
                "tf.reduce_sum(tf.cast(x, out.dtype), axis=axis, keepdims=keepdims)",
                when=of.grows,
            ),
            # Told no axis, TensorFlow counts them first.
            Row("tf.reduce_sum(x, axis=0, keepdims=keepdims)", when=of.one_axis_of_one),
            Row("tf.reduce_sum(x, axis=axis, keepdims=keepdims)"),
        ),
        r.mean: (
            Row("x", when=of.no_axis),
            Row("tf.reduce_mean(x, axis=0, keepdims=keepdims)", when=of.one_axis_of_one),
            Row("tf.reduce_mean(x, axis=axis, keepdims=keepdims)"),
        ),
        r.prod: (
            Row("tf.cast(x, out.dtype)", when=of.no_axis),
            Row(
                "tf.reduce_prod(tf.cast(x, out.dtype), axis=axis, keepdims=keepdims)",
                when=of.grows,
            ),
            Row("tf.reduce_prod(x, axis=axis, keepdims=keepdims)", gradient=OURS),
        ),
        r.max_: (
            Row("x", when=of.no_axis),
            Row("tf.reduce_max(x, axis=axis, keepdims=keepdims)", when=of.integral),
            Row("extremum(tf.reduce_max, x, axis=axis, keepdims=keepdims)"),
        ),
        r.min_: (
            Row("x", when=of.no_axis),
            Row("tf.reduce_min(x, axis=axis, keepdims=keepdims)", when=of.integral),
            Row("extremum(tf.reduce_min, x, axis=axis, keepdims=keepdims)"),
        ),
        r.var: (
            Row(
                "tf.math.reduce_variance(x, axis=axis, keepdims=keepdims)",
                when=of.population, gradient=OURS,
            ),
            Row("variance(x, axis, correction, keepdims)", when=of.some_axis, gradient=OURS),
        ),
        r.std: (
            Row(
                "tf.math.reduce_std(x, axis=axis, keepdims=keepdims)",
                when=of.population, gradient=OURS,
            ),
            Row("tf.sqrt(variance(x, axis, correction, keepdims))", gradient=OURS),
        ),
        r.logsumexp: (
            Row("x", when=of.no_axis),
            Row("tf.reduce_logsumexp(x, axis=axis, keepdims=keepdims)", gradient=OURS),
        ),
        r.any_: (
            Row("tf.cast(x, tf.bool)", when=of.no_axis),
            Row("tf.reduce_any(x, axis=axis, keepdims=keepdims)", when=of.boolean),
            Row("tf.reduce_any(x != 0, axis=axis, keepdims=keepdims)"),
        ),
        r.all_: (
            Row("tf.cast(x, tf.bool)", when=of.no_axis),
            Row("tf.reduce_all(x, axis=axis, keepdims=keepdims)", when=of.boolean),
            Row("tf.reduce_all(x != 0, axis=axis, keepdims=keepdims)"),
        ),
        r.argmax: Row("index_of(tf.argmax, x, axis=axis, keepdims=keepdims)"),
        r.argmin: Row("index_of(tf.argmin, x, axis=axis, keepdims=keepdims)"),
        nn.softmax: (
            Row("tf.nn.softmax(x, axis=axis)", when=of.double_along_one_axis),
            Row("softmax(x, axis=axis)", when=of.one_axis),
        ),
        nn.log_softmax: Row("tf.nn.log_softmax(x, axis=axis)", when=of.one_axis),
        # products
        contraction.matmul: (
            _call("tf.reduce_sum(x * y, axis=0)", when=of.ndims(1, 1)),
            # TensorFlow makes a matrix of a vector and back, which costs three calls.
            _call('tf.einsum("ij,j->i", x, y)', when=of.ndims(2, 1)),
            _call('tf.einsum("i,ij->j", x, y)', when=of.ndims(1, 2)),
            _call("tf.linalg.matvec(x, y)", when=of.vector_second),
            _call("tf.linalg.matvec(y, x, transpose_a=True)", when=of.vector_first),
            Row("x @ y"),
        ),
        contraction.tensordot: "tf.tensordot(x, y, axes=axes)",
        contraction.contract: "tf.einsum(subscripts, arrays)",
        # shapes
        s.reshape: "tf.reshape(x, shape)",
        s.permute_dims: (
            Row("tf.transpose(x)", when=of.is_reversed),
            Row("tf.linalg.matrix_transpose(x)", when=of.matrices_turned),
            Row("tf.transpose(x, axes)"),
        ),
        s.broadcast_to: (
            Row("tf.constant(x, dtype=out.dtype, shape=shape)", when=of.is_known, numbers="x"),
            Row("tf.broadcast_to(x, shape)"),
        ),
        s.expand_dims: (
            Row("tf.expand_dims(x, axis)", when=of.one_axis), Row("tf.reshape(x, out.shape)")
        ),
        s.squeeze: Row("tf.squeeze(x, axis)"),
        s.flip: (Row("tf.reverse(x, [axis])", when=of.one_axis), Row("tf.reverse(x, axis)")),
        s.reweigh: "x",
        s.concat: "tf.concat([arrays], axis=axis)",
        s.stack: "tf.stack([arrays], axis=axis)",
        s.iota: "iota(shape, axis, dtype)",
        s.dim_value: "tf.cast(size, dtype)",
        s.getitem: "x[key]",
        s.place_at: "place_at(x, key, shape)",
        s.take_within: Row(
            "tf.gather(x, indices, axis=axis)", faithful="tf.gather(dense(x), indices, axis=axis)"
        ),
        s.add_at: (
            Row("tf.math.unsorted_segment_sum(x, indices, size)", when=of.first_axis),
            Row("add_at(x, indices, axis, size)"),
        ),
        # matrices
        linalg.cholesky: Row("cholesky(x)"),
        linalg.solve_matrix: Row("solve(a, b)", gradient=OURS),
        linalg.solve_triangular_matrix: Row(
            "solve_triangular(a, b, lower, transpose, unit_diagonal)"
        ),
        # derivatives that TensorFlow takes
        apply.vjp_of: Row("pull_back(graph, wrt, seeds, operands)", numbers="operands"),
        apply.jvp_of: Row(
            "push_forward(graph, wrt, operands)", numbers="operands",
            faithful="push_forward_by_tapes(graph, wrt, operands)",
        ),
        apply.get: "several[position]",
    },
)  # fmt: skip

XLA = DIALECT.variant(
    {
        e.sign: (_call("tf.cast(x != 0, out.dtype)", when=of.unsigned), _call("sign(x)")),
        linalg.solve_matrix: Row("solve(a, b)", helper=ELIMINATION, gradient=OURS),
        e.divide: (
            Row("kept_apart(x) / kept_apart(y)", when=predicates.divides_quotients, helper=APART),
            Row("kept_apart(x) / y", when=predicates.divides_a_quotient),
            Row("x / kept_apart(y)", when=predicates.divides_by_a_quotient),
            Row("x / y"),
        ),
        e.astype: (
            _call("tf.where(x, tf.constant(1.0, dtype=dtype), 0.0)", when=of.truth_as_float),
            _call("to_integer(x, dtype)", when=of.to_integer, helper=TO_INTEGER),
            _call("tf.cast(x, dtype)"),
        ),
    },
    PRODUCTS,
)
"""What is compiled by XLA.

A singular matrix has another test there, and another solution. A float that an integer does not
hold is cut to the nearest one, where all others cast as C does. A product with a cast of booleans
is taken for a selection, in which a NaN would hide.
"""
