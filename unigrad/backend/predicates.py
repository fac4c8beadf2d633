"""For which nodes a row serves: what several backends ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from unigrad.ir.nodes import CONSTANT, tensor
from unigrad.ops import elementwise, shape

if TYPE_CHECKING:
    from unigrad.ir.nodes import Node

__all__ = ["divides_a_quotient", "divides_by_a_quotient", "divides_quotients", "is_number"]

_LOOKED_THROUGH: Final = frozenset(
    (
        elementwise.negative, elementwise.positive, shape.broadcast_to, shape.expand_dims,
        shape.flip, shape.permute_dims, shape.reshape, shape.squeeze,
    )
)  # fmt: skip
"""What a compiler moves out of the way when it looks for a quotient."""


def is_number(node: Node) -> bool:
    """Whether a node is a number known while tracing."""
    return node.op is CONSTANT and tensor(node).ndim == 0


def divides_a_quotient(node: Node) -> bool:
    """``(a / b) / y``, which XLA computes as ``a / (b * y)``: the product may overflow."""
    return _is_quotient(node.operands[0])


def divides_by_a_quotient(node: Node) -> bool:
    """``x / (a / b)`` and ``x / exp(a)``, for which XLA computes ``x * b / a``, ``x * exp(-a)``."""
    y = _seen(node.operands[1])
    return y.op in (elementwise.exp, elementwise.exp2) or _is_quotient(y)


def divides_quotients(node: Node) -> bool:
    """Both at once: ``(a / b) / (c / d)``."""
    return divides_a_quotient(node) and divides_by_a_quotient(node)


def _is_quotient(node: Node) -> bool:
    """Whether a node was made by a division in which no operand is a number."""
    node = _seen(node)
    return node.op is elementwise.divide and not any(map(is_number, node.operands))


def _seen(node: Node) -> Node:
    while node.op in _LOOKED_THROUGH:
        node = node.operands[0]
    return node
