"""JAX's table: one expression per op, as a JAX user would write it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from unigrad.backend import OURS, Dialect, Row, predicates
from unigrad.backend.dialect import Fused
from unigrad.backend.predicates import is_number
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
from unigrad.ops.families import as_tuple
from unigrad.ops.pattern import variables
from unigrad_jax.helpers import TRANSFORMS, VALUES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DIALECT"]


# -- for which nodes a row serves ------------------------------------------------------------------


def _integral(node: Node) -> bool:
    return not tensor(node.operands[0]).is_floating


def _by_known_integer(node: Node) -> bool:
    """A division of integers by a number that is not 0, or a power with such an exponent."""
    return _integral(node) and _by_known_number(node)


def _to_known_power(node: Node) -> bool:
    """A power of integers with an exponent that is known and not negative."""
    exponent = node.operands[1]
    return _integral(node) and is_number(exponent) and exponent.params[0].item() >= 0


def _by_known_number(node: Node) -> bool:
    """A division by a number that is not 0."""
    divisor = node.operands[1]
    return is_number(divisor) and divisor.params[0].item() != 0


def _to_integer(node: Node) -> bool:
    """A cast that an integer may not hold."""
    return tensor(node.operands[0]).is_floating and tensor(node).dtype.kind in ("int", "uint")


def _to_float(node: Node) -> bool:
    """A cast of booleans to numbers that a NaN may be multiplied by."""
    return tensor(node.operands[0]).dtype.kind == "bool" and tensor(node).is_floating


def _narrow(node: Node) -> bool:
    """Half precision, for which LAPACK has no routines."""
    return tensor(node).dtype.itemsize < 4  # noqa: PLR2004


def _number_first(node: Node) -> bool:
    return is_number(node.operands[0])


def _number_second(node: Node) -> bool:
    return is_number(node.operands[1])


def _plain_power(node: Node) -> bool:
    """A power with one known side, at which neither derivative is a matter of convention."""
    base, exponent = node.operands
    if is_number(exponent):
        return exponent.params[0].item() != 0
    return is_number(base) and base.params[0].item() > 0


def _two_numbers(node: Node) -> bool:
    """Two numbers have no dtype of their own to give to the result."""
    return is_number(node.operands[1]) and is_number(node.operands[2])


def _no_axis(node: Node) -> bool:
    return not node.params[0]


def _all_axes(node: Node) -> bool:
    return len(node.params[0]) == tensor(node.operands[0]).ndim and not node.params[1]


def _not_empty(node: Node) -> bool:
    """What has a largest element along every axis."""
    return 0 not in tensor(node.operands[0]).shape


def _no_correction(node: Node) -> bool:
    return node.params[2] == 0


def _enough(node: Node) -> bool:
    """A variance over more elements than the correction takes away, of any size that is known."""
    axes, _, correction = node.params
    sizes: list[Any] = [tensor(node.operands[0]).shape[axis] for axis in axes]
    return all(isinstance(size, int) for size in sizes) and math.prod(sizes) > correction


def _column(node: Node) -> bool:
    return node.ndim == 2 and node.params[0] == (1,)  # noqa: PLR2004


def _new_last(node: Node) -> bool:
    return node.params[0] == (node.ndim - 1,) and node.ndim > 1


def _new_first(node: Node) -> bool:
    return node.params[0] == (0,)


def _reversed(node: Node) -> bool:
    return node.params[0] == tuple(reversed(range(node.ndim)))


def _matrices_turned(node: Node) -> bool:
    order: tuple[int, ...] = node.params[0]
    count = len(order)
    return count > 1 and order == (*range(count - 2), count - 1, count - 2)


def _with_steps(node: Node) -> bool:
    """An index that skips or turns around, of an array whose sizes are known."""
    key, sizes = node.params
    return all(isinstance(size, int) for size in sizes) and any(
        isinstance(entry, tuple) and as_tuple(entry)[2] != 1 for entry in key
    )


# -- fused rows ------------------------------------------------------------------------------------

x, y = variables("x y")


def _outer(node: Node, bound: Mapping[str, Any]) -> bool:
    return tensor(bound["x"]).ndim == 1 and tensor(bound["y"]).ndim == 1 and tensor(node).ndim == 2  # noqa: PLR2004


def _by_vector(node: Node, bound: Mapping[str, Any]) -> bool:
    del node
    return tensor(bound["y"]).ndim == 1


(_standing,) = variables("shape", lambda new: len(new) == 2 and new[1] == 1)  # noqa: PLR2004
(_lying,) = variables("other", lambda new: len(new) == 2 and new[0] == 1)  # noqa: PLR2004

FUSED = (
    # XLA copies a matrix that is turned before it meets a vector.
    Fused(contraction.matmul(shape.permute_dims(x, axes=(1, 0)), y), "y @ x", when=_by_vector),
    Fused(shape.expand_dims(x, axis=(1,)) * y, "jnp.outer(x, y)", when=_outer),
    Fused(
        shape.reshape(x, shape=_standing) * shape.reshape(y, shape=_lying),
        "jnp.outer(x, y)", when=_outer,
    ),
)  # fmt: skip

# -- the table -------------------------------------------------------------------------------------

e, r, s, p = elementwise, reduction, shape, special


def _call(text: str, **keywords: Any) -> Row:
    """A row whose operands must be arrays, also where they are numbers."""
    return Row(text, numbers="", **keywords)


DIALECT = Dialect(
    "jax",
    imports={"jax": "import jax", "jnp": "import jax.numpy as jnp"},
    dtypes="jnp.{name}",
    dtype_names={"bool": "bool_"},
    devices=None,  # what is compiled is placed whole
    number="jnp.asarray({value}, dtype={dtype})",
    helpers=VALUES + TRANSFORMS,
    rule="differentiated({value}, {pulls}, {pushes})",
    fused=FUSED,
    rows={
        # arithmetic
        e.add: "x + y",
        e.subtract: "x - y",
        e.multiply: "x * y",
        e.divide: (
            Row("kept_apart(x) / kept_apart(y)", when=predicates.divides_quotients),
            Row("kept_apart(x) / y", when=predicates.divides_a_quotient),
            Row("x / kept_apart(y)", when=predicates.divides_by_a_quotient),
            Row("x / y"),
        ),
        e.negative: "-x",
        e.positive: "+x",
        e.absolute: (
            _call("jnp.abs(x)", when=_integral),
            _call("jnp.abs(x)", faithful="absolute(x)"),
        ),
        e.sign: (
            _call("jnp.sign(x)", when=_integral),
            _call("sign(x)", faithful="jnp.sign(x)"),
        ),
        e.square: _call("jnp.square(x)"),
        e.reciprocal: _call("jnp.reciprocal(x)"),
        e.floor_divide: (
            Row("x // y", when=_by_known_integer),
            _call("floor_divide(x, y)", when=_integral),
            Row("x // y", when=_by_known_number),
            _call("float_floor_divide(x, y)"),
        ),
        e.remainder: (
            Row("x % y", when=_by_known_integer),
            _call("remainder(x, y)", when=_integral),
            Row("x % y", when=_number_second),
            Row("x % y", gradient=OURS),
        ),
        e.fmod: (
            Row("jnp.fmod(x, y)", when=_by_known_integer),
            _call("fmod(x, y)", when=_integral),
            Row("jnp.fmod(x, y)", when=_number_second),
            Row("jnp.fmod(x, y)", gradient=OURS),
        ),
        e.power: (
            Row("x ** y", when=_to_known_power),
            _call("power(x, y)", when=_integral),
            Row("x ** y", when=_plain_power),
            Row("x ** y", gradient=OURS),
        ),
        e.floor: (Row("x", when=_integral), _call("jnp.floor(x)")),
        e.ceil: (Row("x", when=_integral), _call("jnp.ceil(x)")),
        e.trunc: (Row("x", when=_integral), _call("jnp.trunc(x)")),
        e.round: (Row("x", when=_integral), _call("jnp.round(x)")),
        # transcendental
        e.sqrt: _call("jnp.sqrt(x)"),
        roots.root: _call("jnp.sqrt(x)", faithful="root_of_squares(x, jnp.sqrt)"),
        roots.root_of_powers: Row("x ** y", faithful="root_of_powers(x, y)"),
        e.rsqrt: _call("jax.lax.rsqrt(x)", faithful="1.0 / jnp.sqrt(x)"),
        e.cbrt: _call("jnp.cbrt(x)"),
        e.exp: _call("jnp.exp(x)"),
        e.exp2: _call("2.0 ** x"),  # jnp.exp2 rounds its argument to a multiple of log(2) first
        e.expm1: _call("jnp.expm1(x)"),
        e.log: _call("jnp.log(x)"),
        e.log2: _call("jnp.log2(x)"),
        e.log10: _call("jnp.log10(x)"),
        e.log1p: _call("jnp.log1p(x)"),
        e.sin: _call("jnp.sin(x)"),
        e.cos: _call("jnp.cos(x)"),
        e.tan: _call("jnp.tan(x)"),
        e.asin: _call("jnp.arcsin(x)"),
        e.acos: _call("jnp.arccos(x)"),
        e.atan: _call("jnp.arctan(x)"),
        e.sinh: _call("jnp.sinh(x)"),
        e.cosh: _call("jnp.cosh(x)"),
        e.tanh: _call("jnp.tanh(x)"),
        e.asinh: _call("jnp.arcsinh(x)"),
        e.acosh: _call("jnp.arccosh(x)", gradient=OURS),
        e.atanh: _call("jnp.arctanh(x)"),
        e.sigmoid: _call("jax.nn.sigmoid(x)"),
        e.log_sigmoid: _call("jax.nn.log_sigmoid(x)"),
        e.softplus: _call("jax.nn.softplus(x)"),
        e.relu: _call("jax.nn.relu(x)"),
        # of two
        e.atan2: Row("jnp.arctan2(x, y)", gradient=OURS),
        e.hypot: Row("jnp.hypot(x, y)", gradient=OURS),
        e.maximum: (
            Row("jnp.maximum(x, y)", when=_integral),
            Row("jnp.maximum(x, y)", faithful="nan_first(x, y, jnp.maximum)"),
        ),
        e.minimum: (
            Row("jnp.minimum(x, y)", when=_integral),
            Row("jnp.minimum(x, y)", faithful="nan_first(x, y, jnp.minimum)"),
        ),
        e.fmax: (
            Row("jnp.maximum(x, y)", when=_integral),
            Row("jnp.fmax(x, y)", faithful="nan_last(x, y, jnp.fmax, jnp.maximum)"),
        ),
        e.fmin: (
            Row("jnp.minimum(x, y)", when=_integral),
            Row("jnp.fmin(x, y)", faithful="nan_last(x, y, jnp.fmin, jnp.minimum)"),
        ),
        e.copysign: Row("jnp.copysign(x, y)", faithful="copysign(x, y)"),
        e.heaviside: Row("heaviside(x, y)", numbers="y"),
        # Half precision loses most of its digits between the steps of these.
        e.logaddexp: (
            _call("in_float32(jnp.logaddexp, x, y)", when=_narrow, gradient=OURS),
            Row("jnp.logaddexp(x, y)", gradient=OURS),
        ),
        e.logaddexp2: (
            _call("in_float32(jnp.logaddexp2, x, y)", when=_narrow, gradient=OURS),
            Row("jnp.logaddexp2(x, y)", gradient=OURS),
        ),
        e.clip_between: Row(
            "jnp.clip(x, lower, upper)", numbers="lower upper",
            faithful="clip_above(clip_below(x, lower), upper)",
        ),
        e.clip_below: Row("jnp.maximum(x, y)", faithful="clip_below(x, y)"),
        e.clip_above: Row("jnp.minimum(x, y)", faithful="clip_above(x, y)"),
        # comparison and logic
        e.equal: "x == y",
        e.not_equal: "x != y",
        e.less: "x < y",
        e.less_equal: "x <= y",
        e.greater: "x > y",
        e.greater_equal: "x >= y",
        e.isnan: _call("jnp.isnan(x)"),
        e.isinf: _call("jnp.isinf(x)"),
        e.isfinite: _call("jnp.isfinite(x)"),
        e.signbit: _call("jnp.signbit(x)"),
        e.logical_and: "x & y",
        e.logical_or: "x | y",
        e.logical_xor: "x ^ y",
        e.logical_not: _call("~x"),
        e.bitwise_and: "x & y",
        e.bitwise_or: "x | y",
        e.bitwise_xor: "x ^ y",
        e.bitwise_invert: _call("~x"),
        e.bitwise_left_shift: "x << y",
        e.bitwise_right_shift: "x >> y",
        # selection and casting
        e.where: (
            Row("jnp.where(condition, x, y).astype(out.dtype)", when=_two_numbers, numbers="x y"),
            Row("jnp.where(condition, x, y)", numbers="x y"),
        ),
        e.astype: (
            _call("to_integer(x, dtype)", when=_to_integer),
            # A product with a cast of booleans XLA takes for a selection, in which NaN would hide.
            _call("jnp.where(x, 1.0, 0.0).astype(dtype)", when=_to_float),
            _call("x.astype(dtype)"),
        ),
        e.stop_gradient: _call("jax.lax.stop_gradient(x)"),
        e.barrier: _call("jax.lax.optimization_barrier(x)"),
        # special functions
        p.erf: _call("jax.scipy.special.erf(x)"),
        p.erfc: _call("jax.scipy.special.erfc(x)"),
        p.gammaln: (
            _call("in_float32(gammaln, x)", when=_narrow, gradient=OURS),
            _call("gammaln(x)", gradient=OURS),
        ),
        p.digamma: _call("digamma(x)", gradient=OURS),
        p.polygamma_of: (
            _call("in_float32(polygamma, x, n)", when=_narrow),
            _call("polygamma(x, n)", gradient=OURS),
        ),
        p.xlogy: Row("log_product(jax.scipy.special.xlogy, x, y)", gradient=OURS),
        p.xlog1py: Row("log_product(jax.scipy.special.xlog1py, x, y)", gradient=OURS),
        # reductions
        r.sum_: (
            Row("x.astype(out.dtype)", when=_no_axis),
            Row("x.sum(axis=axis, dtype=out.dtype, keepdims=keepdims)", when=_integral),
            Row("x.sum()", when=_all_axes),
            Row("x.sum(axis, keepdims=keepdims)"),
        ),
        r.mean: (
            Row("x", when=_no_axis),
            Row("x.mean()", when=_all_axes),
            Row("x.mean(axis, keepdims=keepdims)"),
        ),
        r.prod: (
            Row("x.astype(out.dtype)", when=_no_axis),
            Row("x.prod(axis=axis, dtype=out.dtype, keepdims=keepdims)", when=_integral),
            Row("x.prod(axis=axis, keepdims=keepdims)", gradient=OURS),
        ),
        r.max_: (
            Row("x", when=_no_axis),
            Row("x.max(axis=axis, keepdims=keepdims)", when=_integral),
            Row("x.max(axis=axis, keepdims=keepdims)", gradient=OURS),
        ),
        r.min_: (
            Row("x", when=_no_axis),
            Row("x.min(axis=axis, keepdims=keepdims)", when=_integral),
            Row("x.min(axis=axis, keepdims=keepdims)", gradient=OURS),
        ),
        r.var: (
            Row("x.var(axis=axis, keepdims=keepdims)", when=_no_correction, gradient=OURS),
            Row(
                "x.var(axis=axis, ddof=correction, keepdims=keepdims)", when=_enough, gradient=OURS
            ),
        ),
        r.std: (
            Row(
                "x.std(axis=axis, keepdims=keepdims)", when=_no_correction,
                faithful="standard_deviation(x, axis, 0.0, keepdims)",
            ),
            Row(
                "x.std(axis=axis, ddof=correction, keepdims=keepdims)", when=_enough,
                faithful="standard_deviation(x, axis, correction, keepdims)",
            ),
        ),
        r.logsumexp: (
            Row("x", when=_no_axis),
            Row(
                "jax.nn.logsumexp(x, axis=axis, keepdims=keepdims)", when=_not_empty, gradient=OURS
            ),
        ),
        r.any_: Row("jnp.any(x, axis=axis, keepdims=keepdims)"),
        r.all_: Row("jnp.all(x, axis=axis, keepdims=keepdims)"),
        r.argmax: Row("jnp.argmax(x, axis=axis, keepdims=keepdims)"),
        r.argmin: Row("jnp.argmin(x, axis=axis, keepdims=keepdims)"),
        # of neural networks
        nn.softmax: (Row("jax.nn.softmax(x, axis=axis)", when=_not_empty),),
        nn.log_softmax: (Row("jax.nn.log_softmax(x, axis=axis)", when=_not_empty),),
        # products
        contraction.matmul: "x @ y",
        contraction.tensordot: "jnp.tensordot(x, y, axes=axes)",
        contraction.contract: "jnp.einsum(subscripts, arrays)",
        # shapes
        s.reshape: "x.reshape(shape)",
        s.permute_dims: (
            Row("x.T", when=_reversed),
            Row("x.mT", when=_matrices_turned),
            Row("x.transpose(axes)"),
        ),
        s.broadcast_to: (
            Row("jnp.full(shape, x, dtype=out.dtype)", when=_number_first, numbers="x"),
            Row("jnp.broadcast_to(x, shape)"),
        ),
        s.expand_dims: (
            Row("x[:, None]", when=_column),
            Row("x[..., None]", when=_new_last),
            Row("x[None]", when=_new_first),
            Row("jnp.expand_dims(x, axis)"),
        ),
        s.squeeze: Row("x.squeeze(axis)"),
        s.flip: Row("jnp.flip(x, axis)"),
        s.reweigh: "x",
        s.concat: "jnp.concatenate([arrays], axis=axis)",
        s.stack: "jnp.stack([arrays], axis=axis)",
        s.iota: "jax.lax.broadcasted_iota(dtype, shape, axis)",
        s.dim_value: "jnp.asarray(size, dtype=dtype)",
        s.getitem: "x[key]",
        s.place_at: (
            Row("place_apart(x, key, shape)", when=_with_steps),
            Row("place_at(x, key, shape)"),
        ),
        s.take_within: 'jnp.take(x, indices, axis=axis, mode="clip")',
        s.add_at: "add_at(x, indices, axis, size)",
        # matrices
        linalg.cholesky: (
            Row("in_float32(cholesky, x)", when=_narrow, gradient=OURS),
            Row("cholesky(x)", gradient=OURS),
        ),
        linalg.solve_matrix: (Row("in_float32(solve, a, b)", when=_narrow), Row("solve(a, b)")),
        linalg.solve_triangular_matrix: (
            Row(
                "in_float32(solve_triangular, a, b, lower, transpose, unit_diagonal)", when=_narrow
            ),
            Row("solve_triangular(a, b, lower, transpose, unit_diagonal)"),
        ),
        # derivatives that JAX takes
        apply.vjp_of: Row("pull_back(graph, wrt, seeds, operands)", numbers="operands"),
        apply.jvp_of: Row("push_forward(graph, wrt, operands)", numbers="operands"),
        apply.get: "several[position]",
    },
)  # fmt: skip
