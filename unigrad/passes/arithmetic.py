"""Laws of numbers: units, negation, numbers that meet, powers, truth values.

The meaning of a rule is that of real numbers. In floating point a rule may change these things and
no others; what it does of them its docstring says, and the tests hold each rule to it:

* **Rounding.** Two roundings may become one, or fall elsewhere.
* **The sign of a zero**, and of an infinity that is made of it: ``1 / (x + 0.0)`` at -0.0.
* **The ends of the range.** Numbers from 1e-8 to 1e8 (in float16 from 1/8 to 8) may scale sooner
  or later than is written. Within that factor of the largest or the smallest number, a value in
  between may overflow, or vanish, where as written it does not, or the other way round:
  ``2 * x + 2 * y`` with x = -y = 1e308 is 0 in place of NaN.
* **A reciprocal of a subnormal number**, which is infinite, where it is multiplied by:
  ``x * (1/y)`` is ``x / y``.

Everywhere else an infinity or NaN of the user's own arithmetic stays one, and a finite number stays
finite: there is no ``x - x -> 0``, no ``x * 0 -> 0``, no ``x / x -> 1`` and no
``(x * 1e300) * 1e-300 -> x``. Left out for the same care: ``x ** 0.5 -> sqrt(x)`` of what may be
-0.0 or -inf, ``0 - x -> -x`` (1 / (0 - x) at 0 is +inf), ``-(a - b) -> b - a``, and sums of numbers
``(x + 1e16) - 1e16``, which are written in order to round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unigrad.ops.elementwise import (
    absolute,
    add,
    divide,
    equal,
    logical_and,
    logical_not,
    logical_or,
    multiply,
    negative,
    not_equal,
    positive,
    reciprocal,
    rsqrt,
    sqrt,
    square,
)
from unigrad.ops.pattern import constant_of, number, number_of, variables
from unigrad.ops.reduction import mean, sum_
from unigrad.passes.rewrite import rule, rule_on, shared
from unigrad.passes.values import (
    combined,
    full,
    is_boolean,
    is_float,
    is_inexact,
    is_moderate,
    is_wide,
    like,
    may_meet,
    never_negative,
    scalar,
)

if TYPE_CHECKING:
    from unigrad.ir.nodes import Node
    from unigrad.ops.spec import Array, Op

__all__ = ["ARITHMETIC", "ECONOMIES"]

a, b, g, x, axis, keepdims = variables("a b g x axis keepdims")
c, d = number("c"), number("d")
(fraction,) = variables("x", is_inexact)
(truth,) = variables("x", is_boolean)
TRUE, FALSE = True, False

# -- units -----------------------------------------------------------------------------------------


@rule(x * 1, x / 1, x**1)
def unit_dropped(x: Array, out: Array) -> Array:
    """Multiplying by 1, dividing by 1 and the first power change nothing."""
    return like(x, out)


@rule(x + 0)
def zero_added(x: Array, out: Array) -> Array:
    """Adding 0 changes nothing but the sign of -0.0; a sum that starts with 0 is common."""
    return like(x, out)


@rule(x - 0)
def zero_subtracted(x: Array, out: Array) -> Array:
    """Subtracting 0 changes nothing (but -0.0, if the 0 is a negative one)."""
    return like(x, out)


@rule(0 - x)
def subtracted_from_zero(x: Array, out: Array) -> Array:
    """Negation, exactly, of integers and from -0.0; from 0.0 the sign of a zero would change."""
    if is_inexact(out) and not np.signbit(_value(out.operands[0])):
        return None
    return like(-x, out)


@rule(positive(x))
def positive_dropped(x: Array) -> Array:
    """``+x`` is ``x``: written for symmetry with ``-x``."""
    return x


# -- negation --------------------------------------------------------------------------------------


@rule(negative(negative(x)))
def double_negation(x: Array) -> Array:
    """Two negations cancel, exactly."""
    return x


@rule(x * -1, x / -1)
def times_minus_one(x: Array, out: Array) -> Array:
    """Multiplying by -1 is negation, exactly."""
    return like(-x, out)


@rule(a - (-b))
def negative_subtracted(a: Array, b: Array) -> Array:
    """``a - (-b)`` is ``a + b``, exactly."""
    return a + b


@rule(a + (-b))
def negative_added(a: Array, b: Array) -> Array:
    """``a + (-b)`` is ``a - b``, exactly."""
    return a - b


@rule(-(c * x))
def negated_multiple(c: Array, x: Array, out: Array) -> Array:
    """``-(c * x)`` is ``(-c) * x``, exactly: one op less."""
    return None if shared(out.operands[0]) else like(_opposite(c) * x, out)


@rule(-(c / x))
def negated_fraction(c: Array, x: Array, out: Array) -> Array:
    """``-(c / x)`` is ``(-c) / x``, exactly: one op less."""
    return None if shared(out.operands[0]) else like(_opposite(c) / x, out)


@rule(-(x / c))
def negated_quotient(c: Array, x: Array, out: Array) -> Array:
    """``-(x / c)`` is ``x / (-c)``, exactly: one op less."""
    return None if shared(out.operands[0]) else like(x / _opposite(c), out)


@rule(c * (-x))
def multiple_of_negative(c: Array, x: Array, out: Array) -> Array:
    """``c * (-x)`` is ``(-c) * x``, exactly: one op less."""
    return like(_opposite(c) * x, out)


@rule((-x) / c)
def quotient_of_negative(c: Array, x: Array, out: Array) -> Array:
    """``(-x) / c`` is ``x / (-c)``, exactly: one op less."""
    return like(x / _opposite(c), out)


@rule(c / (-x))
def fraction_of_negative(c: Array, x: Array, out: Array) -> Array:
    """``c / (-x)`` is ``(-c) / x``, exactly: one op less."""
    return like(_opposite(c) / x, out)


def _opposite(c: Array) -> Array:
    """The number ``-c``."""
    return scalar(np.negative(_value(c)), c)


def _value(c: Array) -> Any:
    """The number that a variable made by ``number`` stands for."""
    return number_of(c)


@rule((-a) * b, (-a) / b)
def negative_factor(a: Array, b: Array, out: Array) -> Array:
    """``(-a) * b`` is ``-(a * b)``, exactly: a negation moves outward, where it meets others."""
    opposite = next(one for one in out.operands if one.op is negative and one.operands[0] is a)
    return None if shared(opposite) or a.shape != out.shape else -out.op(a, b)


@rule(a / (-b))
def negative_divisor(a: Array, b: Array, out: Array) -> Array:
    """``a / (-b)`` is ``-(a / b)``, exactly: a negation moves outward, where it meets others."""
    return None if shared(out.operands[1]) or b.shape != out.shape else -(a / b)


@rule_on(square, absolute, operand=(negative,))
def even_of_negative(node: Array) -> Array:
    """Squares and absolute values do not see the sign, exactly; unsigned, -1 is the largest."""
    if node.op is absolute and node.dtype.kind == "uint":
        return None
    return node.op(node.operands[0].operands[0])


@rule_on(sum_, mean, operand=(negative,))
def sum_of_negatives(node: Array) -> Array:
    """``sum(-x)`` is ``-sum(x)``, on fewer elements; the sign of a zero may change.

    Not of small integers, which wrap around before they are added up in 64 bits.
    """
    (inner,) = node.operands
    if shared(inner) or inner.dtype is not node.dtype:
        return None
    axis, keepdims = node.params
    return -node.op(inner.operands[0], axis=axis, keepdims=keepdims)


# -- numbers that meet -----------------------------------------------------------------------------


@rule(c * (d * x))
def multiple_of_multiple(c: Array, d: Array, x: Array, out: Array) -> Array:
    """``c * (d * x)`` is ``(c d) * x``; rounded once instead of twice."""
    return _scaled(multiply, combined(multiply, c, d), x, out) if may_meet(c, d) else None


@rule(c * (x / d), (c * x) / d)
def multiple_of_quotient(c: Array, d: Array, x: Array, out: Array) -> Array:
    """``c * x / d`` is ``(c/d) * x``; as exact, rounding ``c/d`` in place of the product."""
    if not may_meet(c, d, divides=True):
        return None
    return _scaled(multiply, combined(divide, c, d), x, out)


@rule((x / c) / d)
def quotient_of_quotient(c: Array, d: Array, x: Array, out: Array) -> Array:
    """``(x / c) / d`` is ``x / (c d)``; rounded once instead of twice."""
    divisor = combined(multiply, c, d) if may_meet(c, d) else None
    return None if divisor is None else like(x / divisor, out)


@rule(c * (d / x))
def multiple_of_fraction(c: Array, d: Array, x: Array, out: Array) -> Array:
    """``c * (d / x)`` is ``(c d) / x``; rounded once instead of twice."""
    return _scaled(divide, combined(multiply, c, d), x, out) if is_moderate(c) else None


@rule(c / (x / d))
def fraction_of_quotient(c: Array, d: Array, x: Array, out: Array) -> Array:
    """``c / (x / d)`` is ``(c d) / x``; rounded once instead of twice."""
    return _scaled(divide, combined(multiply, c, d), x, out) if is_moderate(d) else None


@rule((c / x) / d, c / (d * x))
def quotient_of_fraction(c: Array, d: Array, x: Array, out: Array) -> Array:
    """``c / x / d`` is ``(c/d) / x``; as exact, rounding ``c/d`` in place of the quotient."""
    return _scaled(divide, combined(divide, c, d), x, out) if is_moderate(d) else None


def _scaled(op: Op[...], scale: Node | None, x: Array, out: Array) -> Array:
    return None if scale is None else like(op(scale, x), out)


@rule(x + x)
def doubled(x: Array) -> Array:
    """``x + x`` is ``2 * x``, exactly; the 2 then meets other numbers."""
    return None if is_boolean(x) else 2 * x


@rule(g * reciprocal(x), g * (1 / x))
def times_reciprocal(g: Array, x: Array, out: Array) -> Array:
    """``g * (1 / x)`` is ``g / x``; rounded once, and finite where ``x`` is subnormal.

    Not if ``x`` is stretched by the product: one division may then serve many products.
    """
    inverse = out.operands[out.operands[0] is g]
    return None if shared(inverse) or x.shape != out.shape else g / x


# -- powers ----------------------------------------------------------------------------------------


@rule(x**0)
def zeroth_power(out: Array) -> Array:
    """``x ** 0`` is the constant 1, also of NaN, and its derivative is 0: the convention."""
    return full(1, out)


@rule(x**2)
def second_power(x: Array, out: Array) -> Array:
    """``x ** 2`` is ``square(x)``: no general power function is needed."""
    return like(square(x), out)


@rule(fraction**-1)
def inverse_power(x: Array, out: Array) -> Array:
    """``x ** -1`` is ``1 / x``, also at both zeros: no general power function is needed."""
    return like(reciprocal(x), out)


@rule(fraction**0.5)
def half_power(x: Array, out: Array) -> Array:
    """``x ** 0.5`` is ``sqrt(x)`` of squares, sums of them, and all else that is never negative."""
    return like(sqrt(x), out) if never_negative(x) else None


@rule(fraction**-0.5)
def inverse_half_power(x: Array, out: Array) -> Array:
    """``x ** -0.5`` is ``rsqrt(x)`` of what is never negative."""
    return like(rsqrt(x), out) if never_negative(x) else None


# -- truth values ----------------------------------------------------------------------------------


@rule(logical_not(logical_not(truth)))
def double_not(x: Array) -> Array:
    """Two negations of a truth value cancel."""
    return x


@rule(logical_and(x, TRUE), logical_or(x, FALSE), equal(truth, TRUE), not_equal(truth, FALSE))
def neutral_truth(x: Array, out: Array) -> Array:
    """``x and True``, ``x or False``, ``x == True`` and ``x != False`` are ``x``."""
    return like(x, out)


@rule(equal(truth, FALSE), not_equal(truth, TRUE))
def compared_with_false(x: Array, out: Array) -> Array:
    """``x == False`` is ``not x``."""
    return like(logical_not(x), out)


@rule(logical_and(x, FALSE))
def and_false(out: Array) -> Array:
    """``x and False`` is false."""
    return full(FALSE, out)


@rule(logical_or(x, TRUE))
def or_true(out: Array) -> Array:
    """``x or True`` is true."""
    return full(TRUE, out)


@rule(logical_and(x, x), logical_or(x, x))
def same_truth(x: Array) -> Array:
    """``x and x`` and ``x or x`` are ``x``."""
    return x


ARITHMETIC = (
    unit_dropped, zero_added, zero_subtracted, subtracted_from_zero, positive_dropped,
    double_negation, times_minus_one, negative_subtracted, negative_added, negated_multiple,
    negated_fraction, negated_quotient, multiple_of_negative, quotient_of_negative,
    fraction_of_negative, negative_factor, negative_divisor, even_of_negative, sum_of_negatives,
    multiple_of_multiple, multiple_of_quotient, quotient_of_quotient, multiple_of_fraction,
    fraction_of_quotient, quotient_of_fraction, doubled, times_reciprocal,
    zeroth_power, second_power, inverse_power, half_power, inverse_half_power,
    double_not, neutral_truth, compared_with_false, and_false, or_true, same_truth,
)  # fmt: skip
"""Rules that keep every derivative: they may run before a graph is differentiated."""

# -- economies: to be made when nothing is differentiated any more ---------------------------------


@rule(a * c + b * d, a * c - b * d)
def common_number(a: Array, b: Array, c: Array, d: Array, out: Array) -> Array:
    """``a*c + b*c`` is ``(a + b) * c``; what is within a factor ``c`` of overflow may overflow."""
    return _factored(multiply, a, b, c, d, out)


@rule(a / c + b / d, a / c - b / d)
def common_divisor(a: Array, b: Array, c: Array, d: Array, out: Array) -> Array:
    """``a/c + b/c`` is ``(a + b) / c``; what is within a factor ``c`` of overflow may overflow."""
    return _factored(divide, a, b, c, d, out)


def _factored(op: Op[...], a: Array, b: Array, c: Array, d: Array, out: Array) -> Array:
    """``op(a + b, c)``, if ``d`` is ``c`` or its opposite and the two terms serve only ``out``."""
    first, second = out.operands
    scale, other = _value(c), _value(d)
    if other not in (scale, -scale) or not is_moderate(c) or not is_wide(out):
        return None
    if shared(first) or shared(second) or out.shape not in (first.shape, second.shape):
        return None
    if (out.op is add) is (scale == other):
        total, factor = a + b, constant_of(c)
    elif scale.real > 0:
        total, factor = a - b, constant_of(c)
    else:  # a difference is turned around rather than scaled by a negative number
        total, factor = b - a, _opposite(c)
    return like(op(total, factor), out)


@rule(fraction / c)
def divided_by_power_of_two(x: Array, c: Array, out: Array) -> Array:
    """Dividing by a power of two is multiplying by its inverse: exactly the same, and faster."""
    value = _value(c)
    if not is_float(out) or not np.isfinite(value) or 2 * np.frexp(abs(value))[0] != 1:
        return None
    inverse = combined(divide, scalar(1, c), c)
    return None if inverse is None else like(x * inverse, out)


@rule(sum_(c * x, axis=axis, keepdims=keepdims), mean(c * x, axis=axis, keepdims=keepdims))
def sum_of_multiples(c: Array, x: Array, axis: Any, keepdims: Any, out: Array) -> Array:
    """``sum(c * x)`` is ``c * sum(x)``, on fewer elements.

    Not if ``c`` is so small or large that it may be there to keep the sum in range: a sum within a
    factor ``c`` of overflow may overflow.
    """
    return constant_of(c) * out.op(x, axis=axis, keepdims=keepdims) if _free(c, x, out) else None


@rule(sum_(x / c, axis=axis, keepdims=keepdims), mean(x / c, axis=axis, keepdims=keepdims))
def sum_of_quotients(c: Array, x: Array, axis: Any, keepdims: Any, out: Array) -> Array:
    """``sum(x / c)`` is ``sum(x) / c``, under the same conditions as a sum of multiples."""
    return out.op(x, axis=axis, keepdims=keepdims) / constant_of(c) if _free(c, x, out) else None


def _free(c: Array, x: Array, out: Array) -> bool:
    """Whether the number ``c`` that scales ``x`` inside the sum ``out`` may scale the sum."""
    (inner,) = out.operands
    if shared(inner) or x.shape != inner.shape or not is_inexact(inner) or not is_wide(inner):
        return False
    return is_moderate(c)


ECONOMIES = (
    common_number, common_divisor, divided_by_power_of_two, sum_of_multiples, sum_of_quotients,
)  # fmt: skip
"""Rules that only save work: for graphs in which nothing is differentiated any more."""
