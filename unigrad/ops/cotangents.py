"""Products and sums of cotangents: where the promise about ``where`` is kept.

The branch that a ``where`` does not select contributes exactly 0, even where its derivative is
infinite or NaN. A cotangent that is a selection therefore stays a selection: what multiplies it is
moved inside (``where(c, g, 0) * d`` becomes ``where(c, g * d, 0)``), and for a cotangent that came
through sums, broadcasts and moves the mask is found again as its *support*. Only here is a product
known to be cotangent times derivative; the user's own products are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unigrad.ir.nodes import Node
from unigrad.ops import elementwise, reduction, shape
from unigrad.ops.elementwise import logical_and, logical_not, where
from unigrad.ops.supports import constant_number, is_zero, support, support_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.ir.types import Shape

__all__ = ["accumulate", "scale", "scale_to", "select", "unless_dead"]


def scale(cotangent: Any, factor: Any) -> Any:
    """``cotangent * factor``, as a selection wherever one of the two is a selection.

    Returns ``None`` for a factor of exactly 0.
    """
    number = constant_number(factor)
    if number == 1:
        return cotangent
    if number == 0 and (factor.__class__ is not Node or factor.scope is cotangent.scope):
        return None  # a 0 that a formula made; one that the user multiplies by is left alone
    mask, value = _taken_apart(cotangent)
    if mask is not None:
        scaled = scale(value, factor)
        return None if scaled is None else select(mask, scaled)
    if number is not None:
        return -cotangent if number == -1 else cotangent * number
    if factor.op is where and factor.scope is cotangent.scope:
        # A selection that a formula made; one that the user multiplies by is left alone.
        condition, then, otherwise = factor.operands
        if constant_number(then) is not None or constant_number(otherwise) is not None:
            return _choose(condition, scale(cotangent, then), scale(cotangent, otherwise))
    mask = support(cotangent) if cotangent.scope.masking else None
    product = _product(cotangent, factor)
    return product if mask is None else where(mask, product, 0)


def scale_to(cotangent: Any, factor: Any, shape_: Shape) -> Any:
    """``cotangent * factor`` in a shape that one of the two has, also where the factor is a number.

    For the rules of ops: what an elementwise op multiplies by is brought into shape by the driver.
    """
    scaled = scale(cotangent, factor)
    if scaled is None or scaled.shape == shape_:
        return scaled
    return shape.broadcast_to(scaled, shape_)


def select(condition: Any, value: Any) -> Any:
    """``value`` where ``condition`` holds, else 0.

    A selection of a selection is one selection on both conditions: nested as deep as the chain is
    long, every product in it would have to be taken inside all of them.
    """
    mask, inner = _taken_apart(value)
    if mask is not None:
        condition = logical_and(condition, mask)
    if condition.op is logical_not:
        return where(condition.operands[0], 0, inner)
    return where(condition, inner, 0)


def unless_dead(
    cotangent: Any, result: Any, kept: Sequence[int | None], *, dense: bool = True
) -> Any:
    """What a product made of a cotangent, 0 where all that went into it was not selected.

    That can be said where the mask is constant along the axes of the cotangent that the product
    summed over; elsewhere a dense product really touches every element. Where the product costs
    much more than its operands have elements, the mask is brought together instead.

    Args:
        cotangent: what the product was taken of.
        result: the product.
        kept: for each axis of the result the axis of the cotangent that it is, ``None`` for others.
            What is not named was summed over.
        dense: whether a mask that varies along such axes says nothing.
    """
    if not cotangent.scope.masking:
        return result
    flag, mask = support_of(cotangent)
    for part in _conditions(mask):
        found = _of_product(part, cotangent.ndim, kept, dense=dense)
        result = result if found is None else select(found, result)
    return result if flag is None else select(flag, result)


def _conditions(mask: Any) -> list[Any]:
    """The conditions that all hold where a mask does: one may say what the others do not."""
    found: list[Any] = []
    waiting = [] if mask is None else [mask]
    while waiting:
        one = waiting.pop()
        if one.op is logical_and:
            waiting.extend(one.operands)
        else:
            found.append(one)
    return found


def _of_product(mask: Any, ndim: int, kept: Sequence[int | None], *, dense: bool) -> Any:
    """The mask of a product from that of a cotangent with ``ndim`` axes; ``None``: everywhere."""
    mask = shape.reshape(mask, (*(1,) * (ndim - mask.ndim), *mask.shape))
    summed = tuple(axis for axis in range(ndim) if axis not in kept)
    varying = tuple(axis for axis in summed if mask.shape[axis] != 1)
    if varying and (dense or _is_pattern(mask)):
        return None
    if varying:
        mask = reduction.any_(mask, axis=varying, keepdims=True)
    order = [axis for axis in kept if axis is not None]
    sizes = tuple(1 if axis is None else mask.shape[axis] for axis in kept)
    one = all(size == 1 for size in sizes)
    return shape.reshape(shape.permute_dims(mask, (*order, *summed)), () if one else sizes)


_LOGICAL: Final = (elementwise.logical_and, elementwise.logical_or)


def _is_pattern(mask: Any) -> bool:
    """Whether a mask compares indices, such as that of a triangle: it holds for some of them."""
    waiting = [mask]
    while waiting:
        one = waiting.pop()
        if len(one.operands) == 1 or one.op in _LOGICAL:
            waiting.extend(one.operands)
        elif not any(part.op is shape.iota for part in one.operands):
            return False
    return True


def _taken_apart(node: Any) -> tuple[Any, Any]:
    """The condition and the value of a selection against 0; no condition for any other node."""
    mask: Any = None
    while node.op is where:
        condition, then, otherwise = node.operands
        if is_zero(otherwise):
            node = then
        elif is_zero(then):
            condition, node = logical_not(condition), otherwise
        else:
            break
        mask = condition if mask is None else logical_and(mask, condition)
    return mask, node


def _choose(condition: Any, then: Any, otherwise: Any) -> Any:
    if then is None:
        return None if otherwise is None else select(logical_not(condition), otherwise)
    if otherwise is None:
        return select(condition, then)
    return where(condition, then, otherwise)


def _product(cotangent: Any, factor: Any) -> Any:
    if factor.op is elementwise.divide and constant_number(factor.operands[0]) == 1:
        return cotangent / factor.operands[1]
    return cotangent * factor


def accumulate(a: Any, b: Any) -> Any:
    """``a + b``; two selections on one condition are one selection."""
    if a.op is where and b.op is where and a.operands[0] is b.operands[0]:
        condition, a_then, a_otherwise = a.operands
        _, b_then, b_otherwise = b.operands
        inside = is_zero(a_otherwise) and is_zero(b_otherwise)
        if inside or (is_zero(a_then) and is_zero(b_then)):
            return where(condition, _plus(a_then, b_then), _plus(a_otherwise, b_otherwise))
        if is_zero(a_otherwise) and is_zero(b_then):
            return where(condition, a_then, b_otherwise)
        if is_zero(a_then) and is_zero(b_otherwise):
            return where(condition, b_then, a_otherwise)
    return a + b


def _plus(a: Any, b: Any) -> Any:
    if is_zero(a):
        return b
    return a if is_zero(b) else a + b
