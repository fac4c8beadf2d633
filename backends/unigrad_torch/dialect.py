"""PyTorch's table: one expression per op, and the fused kernels that a person would call."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from unigrad.backend import Dialect, Row
from unigrad.backend.dialect import OURS, Fused
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
from unigrad.ops.pattern import variables
from unigrad_torch.helpers import TRANSFORMS, VALUES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DIALECT"]


# -- for which nodes a row serves ------------------------------------------------------------------


def _integral(node: Node) -> bool:
    return not tensor(node.operands[0]).is_floating


def _boolean(node: Node) -> bool:
    return tensor(node.operands[0]).dtype.kind == "bool"


def _bytes(node: Node) -> bool:
    return tensor(node.operands[0]).dtype.name == "uint8"


def _unsigned(node: Node) -> bool:
    return tensor(node.operands[0]).dtype.kind == "uint"


def _narrow(node: Node) -> bool:
    """Half precision, for which LAPACK has no routines."""
    return tensor(node).dtype.itemsize < 4  # noqa: PLR2004


def _by_known_integer(node: Node) -> bool:
    """A division of integers by a number that is neither 0 nor -1: neither traps."""
    divisor = node.operands[1]
    return _integral(node) and is_number(divisor) and divisor.params[0].item() not in (0, -1)


def _is_to_half(node: Node) -> bool:
    """A square root, or the reciprocal of one, written as a power."""
    exponent = node.operands[1]
    return is_number(exponent) and abs(exponent.params[0].item()) == 0.5  # noqa: PLR2004


def _may_be_inverse(node: Node) -> bool:
    """A power of signed integers whose exponent may be negative."""
    exponent = node.operands[1]
    known = is_number(exponent) and exponent.params[0].item() >= 0
    return tensor(node).dtype.kind == "int" and not known


def _plain_power(node: Node) -> bool:
    """A power of which PyTorch's own derivatives are right to every order."""
    base, exponent = node.operands
    of_positive = is_number(base) and base.params[0].item() > 0
    return _integral(node) or is_number(exponent) or of_positive


def _number_first(node: Node) -> bool:
    return is_number(node.operands[0])


def _bound_first(node: Node) -> bool:
    return _is_bound(node.operands[0]) and not _boolean(node)


def _bound_second(node: Node) -> bool:
    return _is_bound(node.operands[1]) and not _boolean(node)


def _bounds(node: Node) -> bool:
    return _is_bound(node.operands[1]) and _is_bound(node.operands[2]) and not _boolean(node)


def _is_bound(node: Node) -> bool:
    """A number that ``torch.clamp`` takes as it is: a NaN it would ignore."""
    return is_number(node) and not math.isnan(node.params[0].item())


def _two_numbers(node: Node) -> bool:
    """Two numbers have no dtype of their own to give to the result."""
    return is_number(node.operands[1]) and is_number(node.operands[2])


def _no_axis(node: Node) -> bool:
    """PyTorch takes no axes for all axes."""
    return not node.params[0]


def _all_axes(node: Node) -> bool:
    return len(node.params[0]) == tensor(node.operands[0]).ndim and not node.params[1]


def _one_axis(node: Node) -> bool:
    return len(node.params[0]) == 1


def _enough(node: Node) -> bool:
    """A variance over more elements than the correction takes away; fewer would warn."""
    axes, _, correction = node.params
    sizes: Any = tensor(node.operands[0]).shape
    if not axes or not all(isinstance(size, int) and size > 0 for size in sizes):
        return False
    return math.prod([sizes[axis] for axis in axes]) > correction


def _reversed(node: Node) -> bool:
    return node.params[0] == (1, 0)


def _matrices_turned(node: Node) -> bool:
    order: tuple[int, ...] = node.params[0]
    count = len(order)
    return count > 1 and order == (*range(count - 2), count - 1, count - 2)


def _ndims(*wanted: int) -> Any:
    def serves(node: Node) -> bool:
        return tuple(operand.ndim for operand in node.operands) == wanted

    return serves


def _vector_of_indices(node: Node) -> bool:
    indices = tensor(node.operands[1])
    return indices.ndim == 1 and indices.dtype.name in ("int32", "int64")


# -- fused kernels ---------------------------------------------------------------------------------

a, b, c, v, w, x, y = variables("a b c v w x y")
_vector, _other = variables("x y", lambda node: node.ndim == 1)


def _adds_to(node: Node, bound: Mapping[str, Any], left: int, right: int) -> bool:
    """Whether something that broadcasts to the product is added to a product."""
    added, first, second = (tensor(bound[name]) for name in ("b", "x", "w"))
    product_shape = (*first.shape[:-1], *second.shape[1:])
    return (
        (first.ndim, second.ndim) == (left, right)
        and not is_number(bound["b"])
        and added.ndim <= len(product_shape)
        and tensor(node).shape == product_shape
    )


def _adds_to_matrix(node: Node, bound: Mapping[str, Any]) -> bool:
    return _adds_to(node, bound, 2, 2)


def _adds_to_vector(node: Node, bound: Mapping[str, Any]) -> bool:
    return _adds_to(node, bound, 2, 1)


def _same_shape(node: Node, bound: Mapping[str, Any]) -> bool:
    return tensor(next(iter(bound.values()))).shape == tensor(node).shape


def _column_of(node: Node, bound: Mapping[str, Any]) -> bool:
    return tensor(bound["x"]).ndim == 1 and tensor(bound["y"]).ndim == 1 and tensor(node).ndim == 2  # noqa: PLR2004


(_shape,) = variables("shape", lambda new: len(new) == 2 and new[1] == 1)  # noqa: PLR2004
(_other_shape,) = variables("other", lambda new: len(new) == 2 and new[0] == 1)  # noqa: PLR2004

FUSED = (
    Fused(contraction.matmul(x, w) + b, "torch.addmm(b, x, w)", when=_adds_to_matrix),
    Fused(contraction.matmul(x, w) + b, "torch.addmv(b, x, w)", when=_adds_to_vector),
    Fused(shape.expand_dims(x, axis=(1,)) * y, "torch.outer(x, y)", when=_column_of),
    Fused(
        shape.reshape(x, shape=_shape) * shape.reshape(y, shape=_other_shape),
        "torch.outer(x, y)", when=_column_of,
    ),
    Fused(1 / x, "torch.reciprocal(x)", when=_same_shape),
    Fused(elementwise.where(c, 1, 0), "c.to(out.dtype)", when=_same_shape),
)  # fmt: skip

# -- the table -------------------------------------------------------------------------------------

e, r, s, p = elementwise, reduction, shape, special

_MAXIMUM = "nan_first(x, y, torch.maximum)"
_MINIMUM = "nan_first(x, y, torch.minimum)"


def _call(text: str, **keywords: Any) -> Row:
    """A row whose operands must be tensors, also where they are numbers."""
    return Row(text, numbers="", **keywords)


DIALECT = Dialect(
    "torch",
    imports={
        "torch": "import torch",
        "F": "import torch.nn.functional as F",
        "forward_ad": "from torch.autograd import forward_ad",
        "retrieve_current_functorch_interpreter": (
            "from torch._functorch.pyfunctorch import retrieve_current_functorch_interpreter"
        ),
    },
    dtypes="torch.{name}",
    devices=lambda device: device.replace("gpu", "cuda"),  # AMD's are called so as well
    number="torch.tensor({value}, dtype={dtype}{device})",
    helpers=VALUES + TRANSFORMS,
    rule="differentiated({value}, {pulls}, {pushes})",
    fused=FUSED,
    rows={
        # arithmetic
        e.add: "x + y",
        e.subtract: "x - y",
        e.multiply: "x * y",
        # A number divided by a tensor would be rounded twice, as a multiple of the reciprocal.
        e.divide: (Row("torch.div(x, y)", when=_number_first, numbers="x"), Row("x / y")),
        e.negative: "-x",
        e.positive: "+x",
        e.absolute: (
            _call("torch.abs(x)", when=_integral),
            _call("torch.abs(x)", faithful="absolute(x)"),
        ),
        e.sign: (_call("torch.sign(x)", when=_integral), _call("sign(x)")),
        e.square: _call("torch.square(x)"),
        e.reciprocal: _call("torch.reciprocal(x)"),
        e.floor_divide: (
            Row("x // y", when=_by_known_integer),
            _call("floor_divide(x, y)", when=_integral),
            Row("x // y", faithful="x.detach() // y.detach()"),
        ),
        e.remainder: (
            Row("x % y", when=_by_known_integer),
            _call("remainder(x, y)", when=_integral),
            Row("x % y", gradient=OURS),
        ),
        e.fmod: (
            Row("torch.fmod(x, y)", when=_by_known_integer, numbers="y"),
            _call("fmod(x, y)", when=_integral),
            Row("torch.fmod(x, y)", numbers="y", gradient=OURS),
        ),
        e.power: (
            Row("half_power(x, y)", when=_is_to_half, numbers="y", gradient=OURS),
            _call("integer_power(x, y)", when=_may_be_inverse),
            Row("x ** y", when=_plain_power),
            Row("x ** y", gradient=OURS),
        ),
        e.floor: _call("torch.floor(x)"),
        e.ceil: _call("torch.ceil(x)"),
        e.trunc: _call("torch.trunc(x)"),
        e.round: _call("torch.round(x)"),
        # transcendental
        e.sqrt: _call("torch.sqrt(x)"),
        roots.root: _call("torch.sqrt(x)", faithful="root_of_squares(x, torch.sqrt)"),
        roots.root_of_powers: Row("x ** y", faithful="root_of_powers(x, y)"),
        e.rsqrt: _call("torch.rsqrt(x)"),
        e.cbrt: _call("cbrt(x)", gradient=OURS),
        e.exp: _call("torch.exp(x)"),
        e.exp2: _call("torch.exp2(x)"),
        e.expm1: _call("torch.expm1(x)"),
        e.log: _call("torch.log(x)"),
        e.log2: _call("torch.log2(x)"),
        e.log10: _call("torch.log10(x)"),
        e.log1p: _call("torch.log1p(x)"),
        e.sin: _call("torch.sin(x)"),
        e.cos: _call("torch.cos(x)"),
        e.tan: _call("torch.tan(x)"),
        e.asin: _call("torch.asin(x)"),
        e.acos: _call("torch.acos(x)"),
        e.atan: _call("torch.atan(x)"),
        e.sinh: _call("torch.sinh(x)"),
        e.cosh: _call("torch.cosh(x)"),
        e.tanh: _call("torch.tanh(x)"),
        e.asinh: _call("torch.asinh(x)"),
        e.acosh: _call("torch.acosh(x)", gradient=OURS),
        e.atanh: _call("torch.atanh(x)"),
        e.sigmoid: _call("torch.sigmoid(x)"),
        e.log_sigmoid: _call("F.logsigmoid(x)"),
        e.softplus: _call("-F.logsigmoid(-x)"),  # F.softplus is off by 1e-9 above 20
        e.relu: (
            _call("torch.relu(x)", when=_integral),
            _call("torch.relu(x)", faithful="relu(x)"),
        ),
        # of two
        e.atan2: _call("torch.atan2(x, y)", gradient=OURS),
        e.hypot: _call("torch.hypot(x, y)", gradient=OURS),
        e.maximum: (
            _call("torch.maximum(x, y)", when=_integral),
            Row("torch.clamp(y, min=x)", when=_bound_first, numbers="x", faithful=_MAXIMUM),
            Row("torch.clamp(x, min=y)", when=_bound_second, numbers="y", faithful=_MAXIMUM),
            _call("torch.maximum(x, y)", faithful=_MAXIMUM),
        ),
        e.minimum: (
            _call("torch.minimum(x, y)", when=_integral),
            Row("torch.clamp(y, max=x)", when=_bound_first, numbers="x", faithful=_MINIMUM),
            Row("torch.clamp(x, max=y)", when=_bound_second, numbers="y", faithful=_MINIMUM),
            _call("torch.minimum(x, y)", faithful=_MINIMUM),
        ),
        e.fmax: (
            _call("torch.maximum(x, y)", when=_integral),
            _call("torch.fmax(x, y)", faithful="nan_last(x, y, torch.fmax, torch.maximum)"),
        ),
        e.fmin: (
            _call("torch.minimum(x, y)", when=_integral),
            _call("torch.fmin(x, y)", faithful="nan_last(x, y, torch.fmin, torch.minimum)"),
        ),
        e.copysign: Row("torch.copysign(x, y)", numbers="y", gradient=OURS),
        e.heaviside: _call("heaviside(x, y)"),
        e.logaddexp: _call("torch.logaddexp(x, y)", gradient=OURS),
        e.logaddexp2: _call("torch.logaddexp2(x, y)", gradient=OURS),
        e.clip_between: (
            _call("torch.minimum(torch.maximum(x, lower), upper)", when=_boolean),
            Row("torch.clamp(x, lower, upper)", when=_bounds, numbers="lower upper"),
            _call(
                "torch.clamp(x, lower, upper)", faithful="clip_above(clip_below(x, lower), upper)"
            ),
        ),
        e.clip_below: (
            _call("torch.maximum(x, y)", when=_boolean),
            Row("torch.clamp(x, min=y)", when=_bound_second, numbers="y"),
            _call("torch.clamp(x, min=y)", faithful="clip_below(x, y)"),
        ),
        e.clip_above: (
            _call("torch.minimum(x, y)", when=_boolean),
            Row("torch.clamp(x, max=y)", when=_bound_second, numbers="y"),
            _call("torch.clamp(x, max=y)", faithful="clip_above(x, y)"),
        ),
        # comparison and logic
        e.equal: "x == y",
        e.not_equal: "x != y",
        e.less: "x < y",
        e.less_equal: "x <= y",
        e.greater: "x > y",
        e.greater_equal: "x >= y",
        e.isnan: _call("torch.isnan(x)"),
        e.isinf: _call("torch.isinf(x)"),
        e.isfinite: _call("torch.isfinite(x)"),
        e.signbit: _call("torch.signbit(x)"),
        e.logical_and: _call("x & y"),
        e.logical_or: _call("x | y"),
        e.logical_xor: _call("x ^ y"),
        e.logical_not: _call("~x"),
        e.bitwise_and: "x & y",
        e.bitwise_or: "x | y",
        e.bitwise_xor: "x ^ y",
        e.bitwise_invert: _call("~x"),
        e.bitwise_left_shift: "x << y",
        e.bitwise_right_shift: "x >> y",
        # selection and casting
        e.where: (
            Row("torch.where(condition, x, y)", when=_two_numbers, numbers="y"),
            Row("torch.where(condition, x, y)", numbers="x y"),
        ),
        e.astype: _call("x.to(dtype)"),
        e.stop_gradient: _call("x.detach()"),
        e.barrier: "x",
        # special functions
        p.erf: _call("torch.erf(x)"),
        p.erfc: _call("torch.erfc(x)"),
        p.gammaln: _call("torch.lgamma(x)"),
        p.digamma: _call("torch.digamma(x)", gradient=OURS),
        p.polygamma_of: _call("polygamma(n, x)", gradient=OURS),
        p.xlogy: _call("torch.xlogy(x, y)", gradient=OURS),
        p.xlog1py: _call("torch.special.xlog1py(x, y)", gradient=OURS),
        # reductions
        r.sum_: (
            Row("x.to(out.dtype)", when=_no_axis),
            Row("x.sum(axis, keepdim=keepdims).to(out.dtype)", when=_unsigned),
            Row("x.sum()", when=_all_axes),
            Row("x.sum(axis, keepdim=keepdims)"),
        ),
        r.mean: (
            Row("x", when=_no_axis),
            Row("x.mean()", when=_all_axes),
            Row("x.mean(axis, keepdim=keepdims)"),
        ),
        r.prod: (
            Row("x.to(out.dtype)", when=_no_axis),
            Row("prod(x, axis, keepdims).to(out.dtype)", when=_unsigned),
            Row("x.prod()", when=_all_axes, gradient=OURS),
            Row("x.prod(axis, keepdim=keepdims)", when=_one_axis, gradient=OURS),
            Row("prod(x, axis, keepdims)", gradient=OURS),
        ),
        r.max_: (
            Row("x", when=_no_axis),
            Row("torch.amax(x, dim=axis, keepdim=keepdims)"),
        ),
        r.min_: (
            Row("x", when=_no_axis),
            Row("torch.amin(x, dim=axis, keepdim=keepdims)"),
        ),
        r.var: (
            Row("torch.var(x, axis, correction=correction, keepdim=keepdims)", when=_enough),
            Row("variance(x, axis, correction, keepdims)", gradient=OURS),
        ),
        r.std: (
            Row(
                "torch.std(x, axis, correction=correction, keepdim=keepdims)", when=_enough,
                faithful="standard_deviation(x, axis, correction, keepdims)",
            ),
            Row("torch.sqrt(variance(x, axis, correction, keepdims))", gradient=OURS),
        ),
        r.logsumexp: (
            Row("x", when=_no_axis),
            Row("torch.logsumexp(x, axis, keepdim=keepdims)", gradient=OURS),
        ),
        r.any_: (
            Row("x.to(out.dtype)", when=_no_axis),
            Row("torch.any(x != 0, dim=axis, keepdim=keepdims)", when=_bytes),
            Row("torch.any(x, dim=axis, keepdim=keepdims)"),
        ),
        r.all_: (
            Row("x.to(out.dtype)", when=_no_axis),
            Row("torch.all(x != 0, dim=axis, keepdim=keepdims)", when=_bytes),
            Row("torch.all(x, dim=axis, keepdim=keepdims)"),
        ),
        r.argmax: "torch.argmax(x, dim=axis, keepdim=keepdims)",
        r.argmin: "torch.argmin(x, dim=axis, keepdim=keepdims)",
        nn.softmax: Row("torch.softmax(x, axis)", when=_one_axis),
        nn.log_softmax: Row("torch.log_softmax(x, axis)", when=_one_axis),
        # products
        contraction.matmul: (
            Row("torch.mv(x, y)", when=_ndims(2, 1), numbers=""),
            Row("torch.dot(x, y)", when=_ndims(1, 1), numbers=""),
            Row("x @ y"),
        ),
        contraction.tensordot: "torch.tensordot(x, y, dims=axes)",
        contraction.contract: "torch.einsum(subscripts, arrays)",
        # shapes
        s.reshape: "x.reshape(shape)",
        s.permute_dims: (
            Row("x.T", when=_reversed),
            Row("x.mT", when=_matrices_turned),
            Row("x.permute(axes)"),
        ),
        s.broadcast_to: (
            Row(
                "torch.full(shape, x, dtype=out.dtype, device=out.device)",
                when=_number_first, numbers="x",
            ),
            Row("x.expand(shape)"),
        ),
        s.expand_dims: (Row("x.unsqueeze(axis)", when=_one_axis), Row("x.reshape(out.shape)")),
        s.squeeze: (Row("x.squeeze(axis)", when=_one_axis), Row("x.reshape(out.shape)")),
        s.flip: (Row("x", when=_no_axis), Row("x.flip(axis)")),
        s.reweigh: "x",
        s.concat: "torch.cat([arrays], dim=axis)",
        s.stack: "torch.stack([arrays], dim=axis)",
        s.iota: "iota(shape, axis, dtype, device=out.device)",
        s.dim_value: "torch.tensor(size, dtype=dtype, device=out.device)",
        s.getitem: "x[key]",
        s.place_at: "place_at(x, key, shape)",
        s.take_within: (
            Row("torch.index_select(x, axis, indices)", when=_vector_of_indices),
            Row("take(x, indices, axis)"),
        ),
        s.add_at: "add_at(x, indices, axis, size)",
        # matrices
        linalg.cholesky: (Row("in_float32(cholesky, x)", when=_narrow), Row("cholesky(x)")),
        linalg.solve_matrix: (
            Row(
                "in_float32(solve, a, b)", when=_narrow,
                faithful="in_float32(solve_by_factors, a, b)",
            ),
            Row("solve(a, b)", faithful="solve_by_factors(a, b)"),
        ),
        linalg.solve_triangular_matrix: (
            Row(
                "in_float32(solve_triangular, a, b, lower, transpose, unit_diagonal)", when=_narrow
            ),
            Row("solve_triangular(a, b, lower, transpose, unit_diagonal)"),
        ),
        # derivatives that PyTorch takes
        apply.vjp_of: Row("pull_back(graph, wrt, seeds, operands)", numbers="operands"),
        apply.jvp_of: Row("push_forward(graph, wrt, operands)", numbers="operands"),
        apply.get: "several[position]",
    },
)  # fmt: skip
