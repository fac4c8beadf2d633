"""NumPy's table: one expression per op."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unigrad.backend import Dialect, Row
from unigrad.ir.nodes import CONSTANT, tensor
from unigrad.ir.types import DTYPES
from unigrad.ops import apply, contraction, elementwise, linalg, reduction, roots, shape, special

if TYPE_CHECKING:
    from unigrad.ir.nodes import Node

__all__ = ["DIALECT"]


def _integral(node: Node) -> bool:
    return not tensor(node.operands[0]).is_floating


def _narrow(node: Node) -> bool:
    """Sums of half precision are taken in single precision by ``mean`` alone."""
    return tensor(node).dtype.itemsize < 4  # noqa: PLR2004


def _only_numbers(node: Node) -> bool:
    """Two numbers have no dtype of their own to give to the result."""
    return all(
        operand.op is CONSTANT and tensor(operand).ndim == 0 for operand in node.operands[1:]
    )


def _reverses(node: Node) -> bool:
    return node.params[0] == tuple(reversed(range(node.ndim)))


def _number(node: Node) -> bool:
    return node.operands[0].op is CONSTANT and tensor(node.operands[0]).ndim == 0


def _to_power(node: Node) -> bool:
    """A power that NumPy takes: not one of signed integers whose exponent may be negative."""
    exponent = node.operands[1]
    known = exponent.op is CONSTANT and tensor(exponent).ndim == 0
    return tensor(node).dtype.kind != "int" or (known and exponent.params[0].item() >= 0)


def _to_half(node: Node) -> bool:
    """A square root, written as a power."""
    exponent = node.operands[1]
    known = exponent.op is CONSTANT and tensor(exponent).ndim == 0
    return known and tensor(node).is_floating and exponent.params[0].item() == 0.5  # noqa: PLR2004


HELPERS = '''
def half_power(x, y):
    """x ** 0.5: NumPy takes the root, which -0.0 and -inf have not."""
    return np.where(x == -np.inf, np.inf, np.abs(np.sqrt(x)))[()]


def integer_power(x, y):
    """x ** y of integers, cut to an integer; 0 for a negative power of 0."""
    inverse = np.where(np.abs(x) == 1, x ** (y & 1), 0)
    return np.where(y < 0, inverse, x ** np.maximum(y, 0))


def gammaln(x):
    """SciPy's, with the limit inf at -inf, and with finite values of subnormal numbers."""
    size = np.abs(x)
    value = special.gammaln(np.where(np.equal(x, -np.inf), np.inf, x))
    return np.where((size > 0) & (size < 1e-30), -np.log(size), value).astype(size.dtype)[()]


def cotangent_derivative(n, x):
    """pi ** (n + 1) times the n-th derivative of a cotangent, which is a polynomial in it."""
    cotangent = 1 / np.tan(np.pi * (x - np.round(x)))
    terms = [0, 1]
    for _ in range(n):
        slopes = [power * term for power, term in enumerate(terms)][1:]
        terms = [-a - b for a, b in zip(slopes + [0, 0], [0, 0] + slopes)]
    turn = sum(term * cotangent**power for power, term in enumerate(terms) if term)
    return np.pi ** (n + 1) * turn


def polygamma(n, x):
    """SciPy's, by reflection for x < 0; NaN at poles across which it changes sign."""
    if n == 0:
        return special.digamma(x)
    value = special.polygamma(n, np.where(x < 0, 1 - x, x))
    value = np.where(x < 0, (-1) ** n * value - cotangent_derivative(n, x), value).astype(x.dtype)
    value = np.where((x < 0) & (x == np.floor(x)), np.inf if n % 2 else np.nan, value)
    if n % 2:
        return value[()]
    return np.where(np.equal(x, 0), np.copysign(np.inf, np.negative(x)), value)


def iota(shape, axis, dtype):
    """The index along one axis of each element."""
    count = np.arange(shape[axis], dtype=dtype)
    sides = [1] * len(shape)
    sides[axis] = shape[axis]
    return np.broadcast_to(count.reshape(sides), shape)


def place_at(x, key, shape):
    """Zeros of a shape with x at an index."""
    whole = np.zeros(shape, x.dtype)
    whole[key] = x
    return whole


def add_at(x, indices, axis, size):
    """Zeros with x added at indices along an axis."""
    whole = np.zeros((*x.shape[:axis], size, *x.shape[axis + indices.ndim :]), x.dtype)
    np.add.at(whole, (*[slice(None)] * axis, indices), x)
    return whole


def each_matrix(function, *stacks):
    """A function of matrices on each matrix of broadcast stacks; NaN where it fails."""
    batch = np.broadcast_shapes(*[stack.shape[:-2] for stack in stacks])
    stacks = [np.broadcast_to(stack, (*batch, *stack.shape[-2:])) for stack in stacks]
    result = np.full(stacks[-1].shape, np.nan, stacks[-1].dtype)
    for position in np.ndindex(batch):
        try:
            result[position] = function(*[stack[position] for stack in stacks])
        except np.linalg.LinAlgError:
            pass
    return result


def in_float32(function, *arrays):
    """Half precision is computed in single precision inside."""
    if arrays[0].dtype.itemsize > 2:
        return function(*arrays)
    return function(*[array.astype(np.float32) for array in arrays]).astype(arrays[0].dtype)


def cholesky(x):
    """The lower factor, NaN for a matrix that is not positive definite."""
    try:
        factor = in_float32(np.linalg.cholesky, x)
    except np.linalg.LinAlgError:
        factor = in_float32(lambda one: each_matrix(np.linalg.cholesky, one), x)
    last = factor[..., -1:, -1:]  # NaN if the matrix held one, which is no error to NumPy
    return np.where(np.isnan(last), np.nan, factor) if np.isnan(last).any() else factor


def solve(a, b):
    """x with a @ x = b, NaN for a singular a."""
    try:
        return in_float32(np.linalg.solve, a, b)
    except np.linalg.LinAlgError:
        return in_float32(lambda *two: each_matrix(np.linalg.solve, *two), a, b)


def solve_triangular(a, b, lower, transpose, unit_diagonal):
    """x with a @ x = b for triangular a, NaN where a is singular."""
    def one(a, b):
        return linalg.solve_triangular(
            a, b, trans=int(transpose), lower=lower, unit_diagonal=unit_diagonal, check_finite=False
        )
    if a.ndim == 2 and b.ndim == 2 and a.size:
        try:
            return in_float32(one, a, b)
        except np.linalg.LinAlgError:
            pass
    return in_float32(lambda *two: each_matrix(one, *two), a, b)
'''

e, r, s, c, p = elementwise, reduction, shape, contraction, special

DIALECT = Dialect(
    "numpy",
    imports={
        "np": "import numpy as np",
        "special": "from scipy import special",
        "linalg": "from scipy import linalg",
        "ml_dtypes": "import ml_dtypes",
    },
    dtypes="{name}",
    dtype_names={name: f"np.{name}" for name in DTYPES}
    | {"bool": "np.bool_", "bfloat16": "ml_dtypes.bfloat16"},
    number="{dtype}({value})",
    helpers=HELPERS,
    rows={
        # arithmetic
        e.add: "x + y",
        e.subtract: "x - y",
        e.multiply: "x * y",
        e.divide: "x / y",
        e.negative: "-x",
        e.positive: "+x",
        e.absolute: "np.abs(x)",
        e.sign: "np.sign(x)",
        e.square: "np.square(x)",
        e.reciprocal: "1.0 / x",
        e.floor_divide: "x // y",
        e.remainder: "x % y",
        e.fmod: "np.fmod(x, y)",
        e.power: (
            Row("half_power(x, y)", when=_to_half, numbers="y"),
            Row("x ** y", when=_to_power),
            Row("integer_power(x, y)", numbers=""),
        ),
        e.floor: (Row("+x", when=_integral), Row("np.floor(x)")),
        e.ceil: (Row("+x", when=_integral), Row("np.ceil(x)")),
        e.trunc: (Row("+x", when=_integral), Row("np.trunc(x)")),
        e.round: (Row("+x", when=_integral), Row("np.rint(x)")),
        # transcendental
        e.sqrt: "np.sqrt(x)",
        roots.root: "np.sqrt(x)",
        roots.root_of_powers: "x ** y",
        e.rsqrt: "1.0 / np.sqrt(x)",
        e.cbrt: "np.cbrt(x)",
        e.exp: "np.exp(x)",
        e.exp2: "np.exp2(x)",
        e.expm1: "np.expm1(x)",
        e.log: "np.log(x)",
        e.log2: "np.log2(x)",
        e.log10: "np.log10(x)",
        e.log1p: "np.log1p(x)",
        e.sin: "np.sin(x)",
        e.cos: "np.cos(x)",
        e.tan: "np.tan(x)",
        e.asin: "np.arcsin(x)",
        e.acos: "np.arccos(x)",
        e.atan: "np.arctan(x)",
        e.sinh: "np.sinh(x)",
        e.cosh: "np.cosh(x)",
        e.tanh: "np.tanh(x)",
        e.asinh: "np.arcsinh(x)",
        e.acosh: "np.arccosh(x)",
        e.atanh: "np.arctanh(x)",
        e.sigmoid: "special.expit(x)",
        e.log_sigmoid: "special.log_expit(x)",
        e.softplus: "np.logaddexp(x, 0.0)",
        e.relu: "np.maximum(x, 0)",
        # of two
        e.atan2: "np.arctan2(x, y)",
        e.hypot: "np.hypot(x, y)",
        e.maximum: "np.maximum(x, y)",
        e.minimum: "np.minimum(x, y)",
        e.fmax: "np.fmax(x, y)",
        e.fmin: "np.fmin(x, y)",
        e.copysign: "np.copysign(x, y)",
        e.heaviside: "np.heaviside(x, y)",
        e.logaddexp: "np.logaddexp(x, y)",
        e.logaddexp2: "np.logaddexp2(x, y)",
        e.clip_between: "np.minimum(np.maximum(x, lower), upper)",
        e.clip_below: "np.maximum(x, y)",
        e.clip_above: "np.minimum(x, y)",
        # comparison and logic
        e.equal: "x == y",
        e.not_equal: "x != y",
        e.less: "x < y",
        e.less_equal: "x <= y",
        e.greater: "x > y",
        e.greater_equal: "x >= y",
        e.isnan: "np.isnan(x)",
        e.isinf: "np.isinf(x)",
        e.isfinite: "np.isfinite(x)",
        e.signbit: "np.signbit(x)",
        e.logical_and: "np.logical_and(x, y)",
        e.logical_or: "np.logical_or(x, y)",
        e.logical_xor: "np.logical_xor(x, y)",
        e.logical_not: "np.logical_not(x)",
        e.bitwise_and: "x & y",
        e.bitwise_or: "x | y",
        e.bitwise_xor: "x ^ y",
        e.bitwise_invert: "~x",
        e.bitwise_left_shift: "x << y",
        e.bitwise_right_shift: "x >> y",
        # selection and casting
        e.where: (
            Row("np.where(condition, x, y)", when=_only_numbers, numbers=""),
            Row("np.where(condition, x, y)"),
        ),
        e.astype: Row("x.astype(dtype)", numbers=""),
        e.stop_gradient: "x",
        e.barrier: "x",
        # special functions
        p.erf: "special.erf(x)",
        p.erfc: "special.erfc(x)",
        p.gammaln: "gammaln(x)",
        p.digamma: "special.digamma(x)",
        p.polygamma_of: Row("polygamma(n, x)", numbers=""),
        p.xlogy: Row("special.xlogy(x, y)", numbers=""),
        p.xlog1py: Row("special.xlog1py(x, y)", numbers=""),
        # reductions; `mean`, `var`, `std`, `logsumexp` and the softmaxes are faster in parts
        r.sum_: (
            Row("x.sum(axis=axis, dtype=out.dtype, keepdims=keepdims)", when=_integral),
            Row("x.sum(axis=axis, keepdims=keepdims)"),
        ),
        r.mean: Row("x.mean(axis=axis, keepdims=keepdims)", when=_narrow),
        r.prod: (
            Row("x.prod(axis=axis, dtype=out.dtype, keepdims=keepdims)", when=_integral),
            Row("x.prod(axis=axis, keepdims=keepdims)"),
        ),
        r.max_: "x.max(axis=axis, keepdims=keepdims)",
        r.min_: "x.min(axis=axis, keepdims=keepdims)",
        r.any_: "np.any(x, axis=axis, keepdims=keepdims)",
        r.all_: "np.all(x, axis=axis, keepdims=keepdims)",
        r.argmax: "np.argmax(x, axis=axis, keepdims=keepdims)",
        r.argmin: "np.argmin(x, axis=axis, keepdims=keepdims)",
        # products
        c.matmul: "x @ y",
        c.tensordot: "np.tensordot(x, y, axes=axes)",
        c.contract: "np.einsum(subscripts, arrays, optimize=True)",
        # shapes
        s.reshape: "x.reshape(shape)",
        s.permute_dims: (
            Row("x.T", when=_reverses),
            Row("x.transpose(axes)"),
        ),
        s.broadcast_to: (
            Row("np.full(shape, x, dtype=out.dtype)", when=_number, numbers="x"),
            Row("np.broadcast_to(x, shape)"),
        ),
        s.expand_dims: "np.expand_dims(x, axis)",
        s.squeeze: Row("x.reshape(out.shape)"),
        s.flip: "np.flip(x, axis)",
        s.concat: "np.concatenate([arrays], axis=axis)",
        s.stack: "np.stack([arrays], axis=axis)",
        s.iota: "iota(shape, axis, dtype)",
        s.dim_value: "np.asarray(size, dtype=dtype)",
        s.getitem: "x[key]",
        s.place_at: "place_at(x, key, shape)",
        s.take_within: "x.take(indices, axis=axis)",
        s.add_at: "add_at(x, indices, axis, size)",
        # matrices
        linalg.cholesky: "cholesky(x)",
        linalg.solve_matrix: "solve(a, b)",
        linalg.solve_triangular_matrix: "solve_triangular(a, b, lower, transpose, unit_diagonal)",
        apply.get: "several[position]",
    },
)
