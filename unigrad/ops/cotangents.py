"""Products and sums of cotangents: where the promise about ``where`` is kept.

The branch that a ``where`` does not select contributes exactly 0, even where its derivative is
infinite or NaN. A cotangent that is a selection therefore stays a selection: what multiplies it is
moved inside (``where(c, g, 0) * d`` becomes ``where(c, g * d, 0)``), and for a cotangent that came
through sums, broadcasts and moves the mask is found again as its *support*. Only here is a product
known to be cotangent times derivative; the user's own products are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unigrad.ir.nodes import CONSTANT, Node, tensor
from unigrad.ops import elementwise, reduction, shape
from unigrad.ops.elementwise import logical_and, logical_not, logical_or, where

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.ir.types import Shape
    from unigrad.ops.spec import Op

__all__ = ["accumulate", "scale", "scale_to", "select", "support", "unless_dead"]


def constant_number(node: Any) -> float | None:
    """The value of a node that is one number everywhere, else ``None``."""
    if node.__class__ is not Node:
        return node if isinstance(node, (int, float)) else None
    while node.op is shape.broadcast_to:
        node = node.operands[0]
    if node.op is CONSTANT and tensor(node).ndim == 0:
        return node.params[0].item()
    return None


def _is_zero(node: Any) -> bool:
    return constant_number(node) == 0


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
    mask = support(cotangent) if cotangent.scope.masking else None
    waiting = [] if mask is None else [mask]
    while waiting:
        mask = waiting.pop()
        sizes = tensor(mask).shape
        if all(-axis > len(sizes) or sizes[axis] == 1 for axis in contracted):
            one = all(size == 1 for size in sizes)
            result = select(shape.reshape(mask, ()) if one else mask, result)
        elif mask.op is logical_and:  # each of the two says where it is dead
            waiting.extend(mask.operands)
    return result


def _taken_apart(node: Any) -> tuple[Any, Any]:
    """The condition and the value of a selection against 0; no condition for any other node."""
    mask: Any = None
    while node.op is where:
        condition, then, otherwise = node.operands
        if _is_zero(otherwise):
            node = then
        elif _is_zero(then):
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
        inside = _is_zero(a_otherwise) and _is_zero(b_otherwise)
        if inside or (_is_zero(a_then) and _is_zero(b_then)):
            return where(condition, _plus(a_then, b_then), _plus(a_otherwise, b_otherwise))
        if _is_zero(a_otherwise) and _is_zero(b_then):
            return where(condition, a_then, b_otherwise)
        if _is_zero(a_then) and _is_zero(b_otherwise):
            return where(condition, b_then, a_otherwise)
    return a + b


def _plus(a: Any, b: Any) -> Any:
    if _is_zero(a):
        return b
    return a if _is_zero(b) else a + b


# -- the support of a cotangent --------------------------------------------------------------------


def _stay(node: Node, mask: Node) -> Node:
    """The mask of what is computed entry by entry."""
    del node
    return mask


def _along(op: Op[...]) -> Callable[[Node, Node], Node]:
    """The mask of an array whose axes are moved: they move, and may stay axes of size 1."""

    def move(node: Node, mask: Node) -> Node:
        missing = node.operands[0].ndim - mask.ndim
        if missing:
            mask = shape.reshape(mask, (*(1,) * missing, *mask.shape))
        return op(mask, **op.keywords(node.params))

    return move


def _move(op: Op[...]) -> Callable[[Node, Node], Node]:
    """The mask of an array whose elements are moved: it is made whole, and moves as they do."""

    def move(node: Node, mask: Node) -> Node:
        whole = shape.broadcast_to(mask, node.operands[0].shape)
        return op(whole, **op.keywords(node.params))

    return move


def _along_sum(node: Node, mask: Node) -> Node:
    """A sum can differ from 0 where any of what is added up can."""
    missing = node.operands[0].ndim - mask.ndim
    if missing:
        mask = shape.reshape(mask, (*(1,) * missing, *mask.shape))
    return reduction.any_(mask, **reduction.sum_.keywords(node.params))


def _through_take(node: Node, mask: Node) -> Node:
    x, indices = node.operands
    whole = shape.broadcast_to(mask, tensor(x).shape)
    return shape.take_within(whole, indices, axis=node.params[0])


def _through_add(node: Node, mask: Node) -> Node:
    """An element is touched if anything that is added to it can differ from 0."""
    x, indices = node.operands
    axis, size = node.params
    whole = elementwise.astype(shape.broadcast_to(mask, tensor(x).shape), "int64")
    return elementwise.greater(shape.add_at(whole, indices, axis=axis, size=size), 0)


_MOVES: dict[Any, Callable[[Node, Node], Node]] = {
    elementwise.negative: _stay,
    elementwise.astype: _stay,
    elementwise.barrier: _stay,
    elementwise.multiply: _stay,
    elementwise.divide: _stay,
    shape.broadcast_to: _stay,
    shape.reshape: _move(shape.reshape),
    shape.permute_dims: _along(shape.permute_dims),
    shape.expand_dims: _along(shape.expand_dims),
    shape.squeeze: _along(shape.squeeze),
    shape.flip: _along(shape.flip),
    shape.getitem: _move(shape.getitem),
    shape.place_at: _move(shape.place_at),
    shape.take_within: _through_take,
    shape.add_at: _through_add,
    reduction.sum_: _along_sum,
}


_SUMS = (elementwise.add, elementwise.subtract)


def support(cotangent: Node) -> Node | None:
    """Where a cotangent can differ from 0: a boolean node, or ``None`` for everywhere.

    Found from how the cotangent was made, once per node and without recursion.
    """
    known: dict[Node, Node | None] = cotangent.scope.supports
    if cotangent in known:
        return known[cotangent]
    stack = [cotangent]
    while stack:
        node = stack[-1]
        if node in known:
            stack.pop()
            continue
        needed = _carriers(node)
        if not needed:
            known[node] = None
            continue
        waiting = [operand for operand in needed if operand not in known]
        if waiting:
            stack.extend(waiting)
            continue
        masks = [known[operand] for operand in needed]
        if node.op is where:
            known[node] = _selected(node, dict(zip(needed, masks, strict=True)))
        elif any(mask is None for mask in masks):
            known[node] = None
        elif node.op in _SUMS:
            first, second = masks
            known[node] = first if first is second else logical_or(first, second)
        elif (mask := masks[0]) is not None and mask.ndim == 0:  # all or nothing, wherever it moves
            known[node] = mask
        else:
            known[node] = _MOVES[node.op](node, masks[0])  # pyright: ignore[reportArgumentType]
    return known[cotangent]


def _carriers(node: Node) -> tuple[Node, ...]:
    """The operands whose supports say what the support of ``node`` is."""
    op = node.op
    if op in _SUMS:
        return node.operands
    if op is where:
        return tuple(operand for operand in node.operands[1:] if not _is_zero(operand))
    if op is elementwise.multiply:
        # Which factor is the cotangent is known only where the other one is a number.
        x, y = node.operands
        if constant_number(y) is not None:
            return (x,)
        return (y,) if constant_number(x) is not None else ()
    return node.operands[:1] if op in _MOVES else ()


def _selected(node: Node, masks: dict[Node, Node | None]) -> Node | None:
    """The support of a selection: its condition, and inside it the supports of what it selects."""
    condition, then, otherwise = node.operands
    inside, outside = masks.get(then), masks.get(otherwise)
    if _is_zero(otherwise):
        return condition if inside is None else logical_and(condition, inside)
    if _is_zero(then):
        opposite = logical_not(condition)
        return opposite if outside is None else logical_and(opposite, outside)
    if inside is None and outside is None:
        return None
    if inside is None:
        return logical_or(condition, outside)  # pyright: ignore[reportArgumentType]
    if outside is None:
        return logical_or(logical_not(condition), inside)
    return where(condition, inside, outside)
