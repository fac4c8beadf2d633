"""Elementwise ops: each is its NumPy reference and one derivative formula per operand.

A formula ``d(out, x, ...)`` is the factor that multiplies a cotangent or a tangent, so both modes
follow from it. It is differentiated in turn: it may be a constant only where the op is not smooth,
and rather selects an operand (``x / where(c, inf, y)``) than a result: frameworks, which
differentiate both sides of a selection, then get the second derivative right as well. Factors that
select (``where(c, 1, 0)``) are applied as selections, so that a cotangent is never multiplied by a
singular value that the selection discards. Special points follow the convention that
``docs/reference/conventions.md`` states.
"""

from __future__ import annotations

import math
from typing import Any, Final, cast

import numpy as np

from unigrad.errors import DTypeError
from unigrad.ir.nodes import Node, Scope, tensor
from unigrad.ir.types import TensorType, as_dtype, broadcast_shapes, told
from unigrad.ops.families import (
    ZERO,
    Formula2,
    binary,
    comparison,
    elementwise,
    like_first,
    operation,
    passed_on,
    scipy_special,
    unary,
)  # fmt: skip
from unigrad.ops.spec import Array, Op, Sample, as_node, promoted

LN2: Final = math.log(2.0)
LN10: Final = math.log(10.0)


# -- arithmetic ------------------------------------------------------------------------------------

add = binary(
    "add", np.add, (lambda out, x, y: 1, lambda out, x, y: 1),
    doc="Sum ``x + y``.", kinds="any", infix="+",
)  # fmt: skip
subtract = binary(
    "subtract", np.subtract, (lambda out, x, y: 1, lambda out, x, y: -1),
    doc="Difference ``x - y``.", infix="-",
)  # fmt: skip
multiply = binary(
    "multiply", np.multiply, (lambda out, x, y: y, lambda out, x, y: x),
    doc="Product ``x * y``.", kinds="any", infix="*",
)  # fmt: skip
divide = binary(
    "divide", np.divide, (lambda out, x, y: 1 / y, lambda out, x, y: -(out / y)),
    doc="True quotient ``x / y``; of integers, a float.", kinds="floating", infix="/",
)  # fmt: skip
negative = unary(
    "negative", np.negative, lambda out, x: -1,
    doc="Negation ``-x``.", kinds="numeric", infix="neg",
)  # fmt: skip
positive = unary(
    "positive", np.positive, passed_on,
    doc="``x`` itself.", kinds="numeric", infix="pos",
)  # fmt: skip
absolute = unary(
    "abs", np.abs, lambda out, x: sign(x),
    doc="Absolute value; the gradient at 0 is 0, the smallest subgradient.", kinds="numeric",
    infix="abs", samples=[Sample((0.0,), gradient=(0.0,), note="kink")],
)  # fmt: skip
sign = unary(
    "sign", np.sign, ZERO,
    doc="-1, 0 or 1; of NaN, NaN. Its gradient is 0 everywhere.", kinds="numeric",
)  # fmt: skip
square = unary(
    "square", np.square, lambda out, x: 2 * x,
    doc="``x * x``.", kinds="numeric",
)  # fmt: skip
reciprocal = unary(
    "reciprocal", np.reciprocal, lambda out, x: -(out * out),
    doc="``1 / x``.",
)  # fmt: skip
floor_divide = binary(
    "floor_divide", np.floor_divide, (ZERO, ZERO),
    doc="Largest integer not above ``x / y``; piecewise constant, so its gradient is 0.",
    kinds="real", infix="//",
)  # fmt: skip


def _quotient(out: Any, x: Any, y: Any) -> Any:
    """The integer quotient that fits the returned remainder; -1 where it is a limit at infinity."""
    at_infinity = where(logical_xor(x < 0, y < 0), -1, 0)
    opposite = where(isinf(y), at_infinity, _finite_quotient(out, x, y))
    return where(logical_and(equal(x, 0), not_equal(y, 0)), 0, opposite)


def _finite_quotient(out: Any, x: Any, y: Any) -> Any:
    """The integer ``(x - out) / y``; by 0, where there is no remainder, the infinite quotient."""
    return where(equal(y, 0), x / y, round((x - out) / y))


def _truncated_quotient(out: Any, x: Any, y: Any) -> Any:
    return where(isinf(y), 0, _finite_quotient(out, x, y))


remainder = binary(
    "remainder", np.remainder, (lambda out, x, y: 1, lambda out, x, y: -_quotient(out, x, y)),
    doc="``x - floor(x / y) * y``, with the sign of ``y`` (Python's ``%``).",
    kinds="real", infix="%",
)  # fmt: skip
fmod = binary(
    "fmod", np.fmod, (lambda out, x, y: 1, lambda out, x, y: -_truncated_quotient(out, x, y)),
    doc="``x - trunc(x / y) * y``, with the sign of ``x`` (C's ``fmod``).", kinds="real",
)  # fmt: skip


def _power_in_base(out: Any, x: Any, y: Any) -> Any:
    lower = x ** (y - 1)  # where it is infinite or NaN, 0 times it is 0
    return where(logical_or(not_equal(y, 0), isfinite(lower)), y * lower, 0)


def _power_in_exponent(out: Any, x: Any, y: Any) -> Any:
    return out * log(where(logical_and(equal(x, 0), y >= 0), 1, x))


power = binary(
    "pow", np.power, (_power_in_base, _power_in_exponent),
    doc="``x ** y``. ``x ** 0`` is the constant 1; ``0 ** y`` is constant in ``y >= 0``; at a "
    "negative base the derivative in ``y`` is NaN.",
    infix="**",
)  # fmt: skip

# -- rounding: piecewise constant ------------------------------------------------------------------

floor = unary("floor", np.floor, ZERO, doc="Largest integer not above ``x``.", kinds="real")
ceil = unary("ceil", np.ceil, ZERO, doc="Smallest integer not below ``x``.", kinds="real")
trunc = unary("trunc", np.trunc, ZERO, doc="``x`` without its fraction.", kinds="real")
round = unary(  # noqa: A001
    "round", np.round, ZERO, doc="Nearest integer, ties to even.", kinds="real"
)

# -- powers, exponentials, logarithms --------------------------------------------------------------

sqrt = unary("sqrt", np.sqrt, lambda out, x: 0.5 / out, doc="Square root.")
rsqrt = unary(
    "rsqrt", lambda x: 1 / np.sqrt(x), lambda out, x: -0.5 * (out * out * out),
    doc="Reciprocal square root ``x ** -0.5``.",
)  # fmt: skip
cbrt = unary(
    "cbrt", np.cbrt, lambda out, x: 1 / (3 * (out * out)),
    doc="Real cube root.", kinds="real floating",
)  # fmt: skip
exp = unary("exp", np.exp, lambda out, x: out, doc="Exponential function.")
exp2 = unary("exp2", np.exp2, lambda out, x: LN2 * out, doc="``2 ** x``.")
expm1 = unary("expm1", np.expm1, lambda out, x: exp(x), doc="``exp(x) - 1``, exact near 0.")
log = unary("log", np.log, lambda out, x: 1 / x, doc="Natural logarithm.")
log2 = unary("log2", np.log2, lambda out, x: 1 / (LN2 * x), doc="Logarithm to base 2.")
log10 = unary("log10", np.log10, lambda out, x: 1 / (LN10 * x), doc="Logarithm to base 10.")
log1p = unary("log1p", np.log1p, lambda out, x: 1 / (1 + x), doc="``log(1 + x)``, exact near 0.")

# -- trigonometric and hyperbolic ------------------------------------------------------------------

sin: Op[[Array]] = unary("sin", np.sin, lambda out, x: cos(x), doc="Sine of an angle in radians.")
cos = unary("cos", np.cos, lambda out, x: -sin(x), doc="Cosine of an angle in radians.")
tan = unary("tan", np.tan, lambda out, x: 1 + out * out, doc="Tangent of an angle in radians.")
asin = unary(
    "asin", np.arcsin, lambda out, x: rsqrt((1 - x) * (1 + x)), doc="Inverse sine, in radians."
)
acos = unary(
    "acos", np.arccos, lambda out, x: -rsqrt((1 - x) * (1 + x)), doc="Inverse cosine, in radians."
)
atan = unary("atan", np.arctan, lambda out, x: 1 / (1 + x * x), doc="Inverse tangent, in radians.")
sinh: Op[[Array]] = unary("sinh", np.sinh, lambda out, x: cosh(x), doc="Hyperbolic sine.")
cosh = unary("cosh", np.cosh, lambda out, x: sinh(x), doc="Hyperbolic cosine.")
tanh = unary("tanh", np.tanh, lambda out, x: 1 - out * out, doc="Hyperbolic tangent.")
asinh = unary("asinh", np.arcsinh, lambda out, x: rsqrt(x * x + 1), doc="Inverse hyperbolic sine.")
acosh = unary(
    "acosh", np.arccosh, lambda out, x: rsqrt(x - 1) * rsqrt(x + 1),
    doc="Inverse hyperbolic cosine.",
)  # fmt: skip
atanh = unary(
    "atanh", np.arctanh, lambda out, x: 1 / ((1 - x) * (1 + x)), doc="Inverse hyperbolic tangent."
)


def _over_square(part: Any, y: Any, x: Any) -> Any:
    """``part / (x * x + y * y)``, and 0 at the origin."""
    radius = hypot(x, y)
    radius = where(equal(radius, 0), math.inf, radius)
    return (part / radius) / radius


atan2 = binary(
    "atan2", np.arctan2,
    (lambda out, y, x: _over_square(x, y, x), lambda out, y, x: -_over_square(y, y, x)),
    doc="Angle of the point ``(y, x)`` (the first operand is the ordinate); the gradient at the "
    "origin is 0.", kinds="real floating",
)  # fmt: skip


def _unit(part: Any, other: Any, out: Any) -> Any:
    """``part / hypot(part, other)`` with its limits: 0 at the origin, a sign at infinity."""
    infinite = where(isinf(part), where(isinf(other), math.nan, sign(part)), 0)
    finite = part / where(equal(out, 0), math.inf, out)
    unbounded = logical_and(isinf(out), logical_not(logical_or(isnan(part), isnan(other))))
    return where(unbounded, infinite, where(isinf(out), math.nan, finite))


hypot = binary(
    "hypot", np.hypot, (lambda out, x, y: _unit(x, y, out), lambda out, x, y: _unit(y, x, out)),
    doc="Euclidean length ``sqrt(x*x + y*y)`` without overflow; the gradient at the origin is 0.",
    kinds="real floating",
)  # fmt: skip

# -- of two: extrema, selections -------------------------------------------------------------------


def _share(wins: Any, loses: Any, x: Any, y: Any) -> Any:
    """1 where one wins, 0 where it loses, 1/2 at a tie; beside a NaN, what is NaN (the third) wins.

    ``fmax`` and ``fmin``, which ignore NaN, name the operands the other way round.
    """
    balance = 0.5 * (1 + astype(isnan(x), x.dtype) - astype(isnan(y), x.dtype))
    return where(wins, 1, where(loses, 0, balance))


maximum = binary(
    "maximum", np.maximum,
    (lambda out, x, y: _share(x > y, x < y, x, y), lambda out, x, y: _share(y > x, y < x, y, x)),
    doc="The larger of two; NaN wins. At a tie each operand gets half of the cotangent.",
    kinds="ordered",
)  # fmt: skip
minimum = binary(
    "minimum", np.minimum,
    (lambda out, x, y: _share(x < y, x > y, x, y), lambda out, x, y: _share(y < x, y > x, y, x)),
    doc="The smaller of two; NaN wins. At a tie each operand gets half of the cotangent.",
    kinds="ordered",
)  # fmt: skip
fmax = binary(
    "fmax", np.fmax,
    (lambda out, x, y: _share(x > y, x < y, y, x), lambda out, x, y: _share(y > x, y < x, x, y)),
    doc="The larger of two, ignoring NaN. At a tie each operand gets half of the cotangent.",
    kinds="ordered",
)  # fmt: skip
fmin = binary(
    "fmin", np.fmin,
    (lambda out, x, y: _share(x < y, x > y, y, x), lambda out, x, y: _share(y < x, y > x, x, y)),
    doc="The smaller of two, ignoring NaN. At a tie each operand gets half of the cotangent.",
    kinds="ordered",
)  # fmt: skip


def _signs_agree(out: Any, x: Any, y: Any) -> Any:
    return where(equal(x, 0), 0, where(equal(signbit(x), signbit(y)), 1, -1))


copysign = binary(
    "copysign", np.copysign, (_signs_agree, ZERO),
    doc="The magnitude of ``x`` with the sign of ``y``.", kinds="real floating",
)  # fmt: skip
heaviside = binary(
    "heaviside", np.heaviside, (ZERO, lambda out, x, y: where(equal(x, 0), 1, 0)),
    doc="0 for negative ``x``, 1 for positive, ``y`` at 0.", kinds="real floating",
)  # fmt: skip


def _softmax_of(base: float) -> tuple[Formula2, Formula2]:
    """The softmax of two, the limit at equal infinities included; exponentials to ``exp(base)``."""

    def gap(x: Any, y: Any) -> Any:
        return base * where(logical_and(equal(x, y), isinf(y)), 0, x - y)

    return lambda out, x, y: sigmoid(gap(x, y)), lambda out, x, y: sigmoid(-gap(x, y))


logaddexp = binary(
    "logaddexp", np.logaddexp, _softmax_of(1.0),
    doc="``log(exp(x) + exp(y))`` without overflow; equal infinities share equally.",
    kinds="real floating",
)  # fmt: skip
logaddexp2 = binary(
    "logaddexp2", np.logaddexp2, _softmax_of(LN2),
    doc="``log2(2**x + 2**y)`` without overflow.", kinds="real floating",
)  # fmt: skip

# -- comparison, classification, logic -------------------------------------------------------------

equal = comparison("equal", np.equal, doc="Whether ``x == y``.")
not_equal = comparison("not_equal", np.not_equal, doc="Whether ``x != y``.")
less = comparison("less", np.less, doc="Whether ``x < y``.", kinds="ordered", infix="<")
less_equal = comparison(
    "less_equal", np.less_equal, doc="Whether ``x <= y``.", kinds="ordered", infix="<="
)
greater = comparison("greater", np.greater, doc="Whether ``x > y``.", kinds="ordered", infix=">")
greater_equal = comparison(
    "greater_equal", np.greater_equal, doc="Whether ``x >= y``.", kinds="ordered", infix=">="
)
isnan = comparison("isnan", np.isnan, doc="Whether ``x`` is NaN.", operands=("x",), kinds="numeric")
isinf = comparison(
    "isinf", np.isinf, doc="Whether ``x`` is infinite.", operands=("x",), kinds="numeric"
)
isfinite = comparison(
    "isfinite", np.isfinite, doc="Whether ``x`` is neither NaN nor infinite.", operands=("x",),
    kinds="numeric",
)  # fmt: skip
signbit = comparison(
    "signbit", np.signbit, doc="Whether the sign bit of ``x`` is set, as it is of -0.0.",
    operands=("x",), kinds="real floating",
)  # fmt: skip
logical_and = comparison("logical_and", np.logical_and, doc="Whether both hold.", kinds="boolean")
logical_or = comparison("logical_or", np.logical_or, doc="Whether one holds.", kinds="boolean")
logical_xor = comparison("logical_xor", np.logical_xor, doc="Whether just one.", kinds="boolean")
logical_not = comparison(
    "logical_not", np.logical_not, doc="Whether ``x`` does not hold.", operands=("x",),
    kinds="boolean",
)  # fmt: skip
bitwise_and = binary(
    "bitwise_and", np.bitwise_and, doc="Bits set in both.", kinds="integral", infix="&"
)
bitwise_or = binary(
    "bitwise_or", np.bitwise_or, doc="Bits set in one or both.", kinds="integral", infix="|"
)
bitwise_xor = binary(
    "bitwise_xor", np.bitwise_xor, doc="Bits set in just one.", kinds="integral", infix="^"
)
bitwise_invert = unary(
    "bitwise_invert", np.invert, doc="Every bit flipped.", kinds="integral", infix="~"
)
bitwise_left_shift = binary(
    "bitwise_left_shift", np.left_shift, doc="``x * 2**y``.", kinds="integer", infix="<<"
)
bitwise_right_shift = binary(
    "bitwise_right_shift", np.right_shift, doc="``floor(x / 2**y)``.", kinds="integer", infix=">>"
)

# -- selection and casting -------------------------------------------------------------------------


def _prepare_where(op: Op[...], place: Scope, operands: Any) -> list[Node]:
    del op
    condition = as_node(place, operands[0])
    if tensor(condition).dtype.name != "bool":
        raise DTypeError(f"the condition is boolean, got {told(condition.type)}; compare with != 0")
    return [condition, *promoted(place, operands[1:])[0]]


def _infer_where(operands: tuple[Node, ...]) -> TensorType:
    types = [tensor(operand) for operand in operands]
    shape = broadcast_shapes([type_.shape for type_ in types])
    return TensorType(types[1].dtype, shape, weak=types[1].weak and types[2].weak)


@operation(_infer_where, prepare=_prepare_where)
def where(condition: Array, x: Array, y: Array, /) -> Any:
    """``x`` where ``condition`` holds, else ``y``; the one not selected contributes exactly 0."""
    return cast("Any", np.where(condition, x, y))


@where.vjp
def _(g: Node, out: Node, condition: Node, x: Node, y: Node) -> tuple[Any, ...]:
    from unigrad.ops.cotangents import select  # made of these ops

    del out, x, y
    return None, select(condition, g), select(logical_not(condition), g)


@where.jvp
def _(tangents: tuple[Any, ...], out: Node, condition: Node, x: Node, y: Node) -> Any:
    from unigrad.ops.cotangents import select

    del out, x, y
    _, x_t, y_t = tangents
    if x_t is None:
        return select(logical_not(condition), y_t)
    return select(condition, x_t) if y_t is None else where(condition, x_t, y_t)


where.elementwise = True


def _bounded(inside: Any) -> Any:
    return where(inside, 1, 0)


def _clip(x: Any, lower: Any, upper: Any) -> Any:
    return np.minimum(np.maximum(x, lower), upper)


def _clip_in_x(out: Any, x: Any, lower: Any, upper: Any) -> Any:
    return _bounded(logical_and(x >= lower, x <= upper))


def _clip_in_lower(out: Any, x: Any, lower: Any, upper: Any) -> Any:
    return _bounded(logical_and(x < lower, lower <= upper))


def _clip_in_upper(out: Any, x: Any, lower: Any, upper: Any) -> Any:
    return _bounded(maximum(x, lower) > upper)


clip_between = elementwise(
    "clip_between", _clip, ("x", "lower", "upper"), (_clip_in_x, _clip_in_lower, _clip_in_upper),
    doc="``min(max(x, lower), upper)``; the identity, with derivative 1, on the closed interval.",
    kinds="ordered", floating=False,
)  # fmt: skip


def clip(x: Array, /, min: Array = None, max: Array = None) -> Array:  # noqa: A002
    """``x`` held between ``min`` and ``max``; either may be ``None``.

    The gradient is 1 on the closed interval, bounds included, and 0 at NaN; with ``min > max`` the
    result is ``max``.

    Example:
        >>> import numpy as np, unigrad as ug
        >>> ug.clip(np.array([-2.0, 0.5, 3.0]), 0.0, 1.0)
        array([0. , 0.5, 1. ])
    """
    if min is None and max is None:
        return positive(x)
    if min is None:
        return clip_above(x, max)
    if max is None:
        return clip_below(x, min)
    return clip_between(x, min, max)


clip_below = binary(
    "clip_below", np.maximum,
    (lambda out, x, lower: _bounded(x >= lower), lambda out, x, lower: _bounded(x < lower)),
    doc="``max(x, lower)``, with derivative 1 in ``x`` at the bound.", kinds="ordered",
)  # fmt: skip
clip_above = binary(
    "clip_above", np.minimum,
    (lambda out, x, upper: _bounded(x <= upper), lambda out, x, upper: _bounded(x > upper)),
    doc="``min(x, upper)``, with derivative 1 in ``x`` at the bound.", kinds="ordered",
)  # fmt: skip


def _infer_astype(operands: tuple[Node, ...], dtype: Any) -> TensorType:
    return tensor(operands[0]).with_dtype(dtype)


def _normalise_astype(operands: tuple[Node, ...], dtype: Any) -> tuple[Any, ...]:
    del operands
    return (as_dtype(dtype),)


@operation(_infer_astype, normalise=_normalise_astype, promote=False)
def astype(x: Array, dtype: Any, /) -> Any:
    """``x`` in another dtype. A cast through integers or booleans is constant for derivatives."""
    return np.asarray(x).astype(dtype.numpy if hasattr(dtype, "numpy") else dtype)


@astype.vjp
def _(g: Node, out: Node, x: Node, dtype: Any) -> Any:
    del out, dtype
    return astype(g, x.dtype)


@operation(like_first, promote=False)
def stop_gradient(x: Array, /) -> Any:
    """``x`` itself, as a constant for every derivative."""
    return x


stop_gradient.formulas = (ZERO,)
stop_gradient.elementwise = True


@operation(like_first, promote=False)
def barrier(x: Array, /) -> Any:
    """``x`` itself, which no pass may share with another node or look through."""
    return x


barrier.formulas = (passed_on,)
barrier.elementwise = True

# -- activations whose derivative needs its own form -----------------------------------------------


sigmoid = unary(
    "sigmoid", scipy_special("expit"), lambda out, x: out * (1 - out),
    doc="Logistic function ``1 / (1 + exp(-x))``.", kinds="real floating",
)  # fmt: skip
log_sigmoid = unary(
    "log_sigmoid", scipy_special("log_expit"), lambda out, x: sigmoid(-x),
    doc="``log(sigmoid(x))``, finite wherever ``x`` is.", kinds="real floating",
)  # fmt: skip
softplus = unary(
    "softplus", lambda x: np.logaddexp(x, 0), lambda out, x: sigmoid(x),
    doc="``log(1 + exp(x))`` without overflow.", kinds="real floating",
)  # fmt: skip
relu = unary(
    "relu", lambda x: np.maximum(x, 0), lambda out, x: where(x > 0, 1, 0),
    doc="``x`` where positive, else 0; the derivative at 0 is 0.", kinds="real",
    samples=[Sample((0.0,), gradient=(0.0,), note="kink")],
)  # fmt: skip
