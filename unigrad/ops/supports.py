"""Where a cotangent can differ from 0, found from how it was made.

A cotangent that came out of a selection is 0 wherever that did not select, and stays so through
sums, broadcasts and moves. What is known of it is kept in two parts: a *flag*, a condition without
axes that says whether any of it can differ from 0, which nothing that moves elements can change;
and a *mask*, which says where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from unigrad.ir.nodes import CONSTANT, Node, tensor
from unigrad.ops import elementwise, reduction, shape
from unigrad.ops.elementwise import logical_and, logical_not, logical_or, where

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.ops.spec import Op

__all__ = ["Support", "constant_number", "is_zero", "support", "support_of"]


class Support(NamedTuple):
    """Outside of both a cotangent is 0; ``None`` says nothing.

    Attributes:
        flag: a boolean scalar.
        mask: booleans that broadcast to the shape of the cotangent.
    """

    flag: Node | None = None
    mask: Node | None = None

    @property
    def node(self) -> Node | None:
        """Both in one."""
        return _both(self.flag, self.mask)


EVERYWHERE: Final = Support()


def constant_number(node: Any) -> float | None:
    """The value of a node that is one number everywhere, else ``None``."""
    if node.__class__ is not Node:
        return node if isinstance(node, (int, float)) else None
    while node.op is shape.broadcast_to:
        node = node.operands[0]
    if node.op is CONSTANT and tensor(node).ndim == 0:
        return node.params[0].item()
    return None


def is_zero(node: Any) -> bool:
    """Whether a node is 0 everywhere, as a constant."""
    return constant_number(node) == 0


def support(cotangent: Node) -> Node | None:
    """Where a cotangent can differ from 0: a boolean node, or ``None`` for everywhere."""
    return support_of(cotangent).node


def support_of(cotangent: Node) -> Support:
    """The support of a cotangent in its two parts; once per node, and without recursion."""
    known: dict[Node, Support] = cotangent.scope.supports
    stack = [cotangent]
    while stack:
        node = stack[-1]
        if node in known:
            stack.pop()
            continue
        needed = _carriers(node)
        waiting = [operand for operand in needed if operand not in known]
        if waiting:
            stack.extend(waiting)
        else:
            known[node] = _found(node, {operand: known[operand] for operand in needed})
    return known[cotangent]


def _carriers(node: Node) -> tuple[Node, ...]:
    """The operands whose supports say what the support of ``node`` is."""
    op = node.op
    if op in _SUMS or op is logical_and:
        return node.operands
    if op is where:
        condition, *branches = node.operands
        return (condition, *(branch for branch in branches if not is_zero(branch)))
    if op is elementwise.multiply:
        # Which factor is the cotangent is known only where the other one is a number.
        x, y = node.operands
        if constant_number(y) is not None:
            return (x,)
        return (y,) if constant_number(x) is not None else ()
    return node.operands[:1] if op in _MOVES else ()


def _found(node: Node, known: dict[Node, Support]) -> Support:
    """The support of a node whose carriers are known."""
    if node.op is where:
        condition, then, otherwise = node.operands
        if is_zero(otherwise):
            return _intersection(known[condition], known.get(then, EVERYWHERE))
        if is_zero(then):
            return _intersection(_holds(logical_not(condition)), known[otherwise])
        return _union(known[then], known[otherwise])
    if node.op is logical_and:
        first, second = node.operands
        return _intersection(known[first], known[second])
    if node.dtype.kind == "bool":
        return _holds(node)
    if node.op in _SUMS:
        first, second = node.operands
        return _union(known[first], known[second])
    if not known:
        return EVERYWHERE
    ((flag, mask),) = known.values()
    return Support(flag, None if mask is None else _MOVES[node.op](node, mask))


def _holds(condition: Any) -> Support:
    """Where a condition holds."""
    return Support(flag=condition) if condition.ndim == 0 else Support(mask=condition)


def _intersection(first: Support, second: Support) -> Support:
    return Support(_both(first.flag, second.flag), _both(first.mask, second.mask))


def _union(first: Support, second: Support) -> Support:
    """What can differ from 0 if one of the two can; more than that may be said to."""
    found = Support(_either(first.flag, second.flag), _either(first.mask, second.mask))
    if found != EVERYWHERE:
        return found
    one = _either(first.node, second.node)
    return EVERYWHERE if one is None else _holds(one)


def _both(first: Any, second: Any) -> Any:
    if first is None or first is second:
        return second
    return first if second is None else logical_and(first, second)


def _either(first: Any, second: Any) -> Any:
    if first is None or second is None:
        return None
    return first if first is second else logical_or(first, second)


# -- through what moves and adds -------------------------------------------------------------------


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


_SUMS: Final = (elementwise.add, elementwise.subtract)

_MOVES: Final[dict[Any, Callable[[Node, Node], Node]]] = {
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
