"""Composed norms: a root of a sum of squares is made one op, whose gradient at 0 is 0.

``sqrt(sum(x * x))``, ``(x**2).mean() ** 0.5``, ``sqrt(a*a + b*b)``, ``sum(abs(x)**3) ** (1/3)``:
in each of these the derivative of the root is infinite where that of its operand is 0. What a
node can be is found from how it was made, in one of two classes: *positive*, if it is 0 at most by
underflow, and *flat*, if it is never negative and its derivative is 0 wherever it is itself. Only
the root of a flat node is a norm. ``sqrt(x)``, ``sqrt(abs(x))`` and ``sqrt(x * y)`` stay what they
are, and so does ``sqrt(x * x + 1e-12)``, which never is at 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from unigrad.ir.dims import product
from unigrad.ir.nodes import CONSTANT, Node
from unigrad.ops.contraction import contract, matmul, tensordot
from unigrad.ops.elementwise import (
    absolute,
    add,
    astype,
    barrier,
    clip_above,
    clip_below,
    divide,
    exp,
    exp2,
    fmax,
    fmin,
    maximum,
    minimum,
    multiply,
    positive,
    power,
    sigmoid,
    softplus,
    sqrt,
    square,
    stop_gradient,
    where,
)
from unigrad.ops.nn import softmax
from unigrad.ops.pattern import number_of, variables
from unigrad.ops.reduction import max_, mean, min_, prod, std, sum_, var
from unigrad.ops.roots import root, root_of_powers
from unigrad.ops.shape import (
    broadcast_to,
    concat,
    dim_value,
    expand_dims,
    flip,
    getitem,
    permute_dims,
    place_at,
    reshape,
    squeeze,
    stack,
    take_within,
)
from unigrad.passes.rewrite import rewriting, rule, rule_on
from unigrad.passes.values import is_float, like, scalar

if TYPE_CHECKING:
    from unigrad.ops.spec import Array

__all__ = ["norms"]

POSITIVE: Final = "positive"
FLAT: Final = "flat"

_POSITIVE_OPS: Final[frozenset[Any]] = frozenset((dim_value, exp, exp2, sigmoid, softplus, softmax))
_KEPT: Final[frozenset[Any]] = frozenset(
    (
        absolute, astype, barrier, broadcast_to, expand_dims, flip, getitem, max_, mean, min_,
        permute_dims, positive, prod, reshape, squeeze, stop_gradient, sum_, take_within,
    )
)  # fmt: skip
"""Ops of one operand: what they make of it is of its class."""
_SQUARES: Final[frozenset[Any]] = frozenset((square, var))
_SUMS_OF_PRODUCTS: Final[frozenset[Any]] = frozenset((matmul, tensordot, contract))
_SMALLEST: Final[frozenset[Any]] = frozenset((minimum, fmin, clip_above, concat, stack, where))
"""Ops that give elements of any operand: flat, if one of them is."""
_LARGEST: Final[frozenset[Any]] = frozenset((add, maximum, fmax, clip_below))
"""Ops that give at least the largest operand: positive, if one of them is."""


def class_of(node: Node) -> str | None:
    """``POSITIVE``, ``FLAT``, or ``None`` for what may be anything; once per node."""
    place: Any = node.scope
    known: dict[Node, str | None] = place.classes
    stack_ = [node]
    while stack_:
        one = stack_[-1]
        if one in known:
            stack_.pop()
            continue
        parts = _parts(one)
        waiting = [part for part in parts if part not in known]
        if waiting:
            stack_.extend(waiting)
        else:
            known[one] = _class(one, [known[part] for part in parts])
    return known[node]


def _parts(node: Node) -> tuple[Node, ...]:
    """The operands whose classes decide that of ``node``."""
    op = node.op
    if op in _KEPT or op is power or op is place_at:
        return node.operands[:1]
    if op is where:
        return node.operands[1:]
    if op is multiply or op is divide:
        return _factors(node)[0]
    if op in _LARGEST or op in _SMALLEST:
        return node.operands
    return node.operands if op in _SUMS_OF_PRODUCTS and not _is_square(node) else ()


def _factors(node: Node) -> tuple[tuple[Node, ...], bool]:
    """What a product is made of and divided by, without pairs of equals; whether there are such."""
    odd: dict[Node, None] = {}
    squares = False
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one.op is multiply or one.op is divide:
            waiting.extend(one.operands)
        elif one in odd:
            del odd[one]
            squares = True
        else:
            odd[one] = None
    return tuple(odd), squares


def _class(node: Node, parts: list[str | None]) -> str | None:
    """The class of a node, from those of the operands that :func:`_parts` names."""
    op = node.op
    if op is CONSTANT:
        return _class_of_array(node.params[0])
    if op in _POSITIVE_OPS:
        return POSITIVE
    if not is_float(node):
        return None
    if op is power:
        return _class_of_power(node, parts[0])
    if op is clip_below and _is_at_most_zero(node.operands[1]):
        return parts[0]
    if op is multiply or op is divide:
        return _of_all([*parts, FLAT] if _factors(node)[1] else parts, FLAT)
    if op is place_at or op in _SQUARES or op in _SUMS_OF_PRODUCTS:
        return _of_all([*parts, FLAT], FLAT)
    return _of_all(parts, POSITIVE if op in _LARGEST else FLAT) if parts else None


def _of_all(parts: list[str | None], strongest: str) -> str | None:
    """``strongest`` if one of the operands is so, else what they all are."""
    if None in parts:
        return None
    return strongest if strongest in parts else parts[0]


def _is_at_most_zero(node: Node) -> bool:
    value: Any = number_of(node)
    return value is not None and value <= 0


def _class_of_array(array: Any) -> str | None:
    """The class of a constant: weights are positive, or flat where some are 0."""
    if array.dtype.kind not in "fiu" or np.signbit(array).any() or np.isnan(array).any():
        return None
    return POSITIVE if array.all() else FLAT


def _class_of_power(node: Node, base: str | None) -> str | None:
    exponent: Any = number_of(node.operands[1])
    if base is POSITIVE:
        return POSITIVE
    if exponent is None:
        return None
    if exponent > 1 and (exponent % 2 == 0 or base is FLAT or node.operands[0].op is absolute):
        return FLAT
    return None


def _is_square(node: Node) -> bool:
    """Whether a contraction is one of an array with itself: each element is a sum of squares."""
    if len(node.operands) != 2:  # noqa: PLR2004
        return False
    op, (x, y) = node.op, node.operands
    if op is contract:
        (first, second), _ = _labels(node.params[0])
        return x is y and first == second
    if op is tensordot:
        left, right = node.params[0]
        return x is y and left == right and len(left) == x.ndim
    # A row times a column: both hold the same elements in the same order.
    rows = x.shape[-2] if x.ndim > 1 else 1
    columns = y.shape[-1] if y.ndim > 1 else 1
    batches = x.shape[:-2] == y.shape[:-2]
    return rows == columns == 1 and batches and _unmoved(x) is _unmoved(y)


def _labels(subscripts: str) -> tuple[list[str], str]:
    inputs, _, output = subscripts.partition("->")
    return inputs.split(","), output


def _unmoved(node: Node) -> Node:
    """The array behind one that holds the same elements in the same order, in another shape."""
    while _keeps_order(node):
        node = node.operands[0]
    return node


def _keeps_order(node: Node) -> bool:
    """Whether a node holds the elements of its operand, all of them and in their order."""
    if node.op is getitem:
        steps: list[Any] = [entry[2] for entry in node.params[0] if isinstance(entry, tuple)]
        return min(steps, default=1) > 0 and product(node.shape) == product(node.operands[0].shape)
    if node.op is permute_dims:  # past axes of size 1 only
        shape = node.operands[0].shape
        moved = [axis for axis in node.params[0] if shape[axis] != 1]
        return moved == sorted(moved)
    return node.op in (reshape, expand_dims, squeeze)


# -- rules -----------------------------------------------------------------------------------------

x, axis, keepdims, correction = variables("x axis keepdims correction")
_deviation = std(x, axis=axis, keepdims=keepdims, correction=correction)


@rule_on(sqrt)
def composed_norm(node: Node) -> Array:
    """The root of a sum of squares is a norm: the same value, and the gradient at 0 is 0."""
    (total,) = node.operands
    return like(root(total), node) if class_of(total) is FLAT else None


@rule_on(power)
def composed_norm_of_powers(node: Node) -> Array:
    """A root of a sum of powers is a norm: the same value, and the gradient at 0 is 0."""
    total, exponent = node.operands
    order: Any = number_of(exponent)
    if order is None or not is_float(node) or not 0 < order < 1 or class_of(total) is not FLAT:
        return None
    if order == 0.5:  # noqa: PLR2004
        return like(root(total), node)
    return like(root_of_powers(total, scalar(order, node)), node)


@rule(root(var(x, axis=axis, keepdims=keepdims, correction=correction)))
def root_of_variance(x: Array, axis: Any, keepdims: Any, correction: Any) -> Array:
    """``sqrt(var(x))`` is ``std(x)``, whose gradient is 0 where all elements are equal."""
    return std(x, axis=axis, keepdims=keepdims, correction=correction)


@rule(square(root(x)), root(x) * root(x))
def squared_norm(x: Array, out: Array) -> Array:
    """The square of a norm is the sum of squares, whose derivatives at 0 are those of a square."""
    return like(x, out)


@rule(square(_deviation), _deviation * _deviation)
def squared_deviation(x: Array, axis: Any, keepdims: Any, correction: Any) -> Array:
    """The square of ``std`` is ``var``, whose derivatives where nothing varies are its own."""
    return var(x, axis=axis, keepdims=keepdims, correction=correction)


norms = rewriting(
    "norms", composed_norm, composed_norm_of_powers, root_of_variance, squared_norm,
    squared_deviation,
)  # fmt: skip
"""Before a graph is differentiated, by us or by a framework."""
