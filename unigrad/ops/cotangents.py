"""Products and sums of cotangents: where the promise about ``where`` is kept.

The branch that a ``where`` does not select contributes exactly 0, even where its derivative is
infinite or NaN. A cotangent that is a selection therefore stays a selection: what multiplies it is
moved inside (``where(c, g, 0) * d`` becomes ``where(c, g * d, 0)``), and for a cotangent that came
through sums, broadcasts and moves the mask is found again as its *support*. Only here is a product
known to be cotangent times derivative; the user's own products are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unigrad.ir.nodes import Node
from unigrad.ops import elementwise, shape
from unigrad.ops.elementwise import logical_and, logical_not, where
from unigrad.ops.supports import constant_number, is_zero, support, support_of

if TYPE_CHECKING:
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


def unless_dead(cotangent: Any, result: Any, contracted: tuple[int, ...]) -> Any:
    """What a product made of a cotangent, 0 where all that went into it was not selected.

    That can be said where the mask is constant along the axes of the cotangent that the product
    summed over; elsewhere a dense product really touches every element.

    Args:
        cotangent: what the product was taken of.
        result: the product; its other axes are those of the cotangent.
        contracted: the axes of the cotangent, counted from its end, that were summed over.
    """
    if not cotangent.scope.masking:
        return result
    flag, mask = support_of(cotangent)
    if mask is not None:
        sizes = mask.shape
        if all(-axis > len(sizes) or sizes[axis] == 1 for axis in contracted):
            # The result may have fewer axes than the mask.
            one = all(size == 1 for size in sizes)
            result = select(shape.reshape(mask, ()) if one else mask, result)
    return result if flag is None else select(flag, result)


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
