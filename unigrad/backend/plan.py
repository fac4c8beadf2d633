"""What is decided before a line is written: uses, fused rows, the user's names, what is large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unigrad.ir.nodes import CONSTANT, Node, tensor
from unigrad.ir.source import variable_name
from unigrad.ir.types import byte_count
from unigrad.ops.pattern import match
from unigrad.ops.spec import Op
from unigrad.outside import identifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unigrad.backend.dialect import Dialect, Template

__all__ = ["count_uses", "is_default", "is_large", "match_fused", "user_labels"]

_RELEASE: Final = 1 << 18  # bytes from which a dead array is worth a `del`


def match_fused(
    nodes: Sequence[Node], dialect: Dialect, uses: dict[Node, int]
) -> dict[Node, tuple[Template, dict[str, Any]]]:
    """Nodes that a row for a pattern covers; what only serves inside it loses its use."""
    found: dict[Node, tuple[Template, dict[str, Any]]] = {}
    if not dialect.fused:
        return found
    for node in nodes:
        for row, template in dialect.fused.get(node.op, ()):
            bound = match(row.pattern, node)
            if bound is None or (row.when is not None and not row.when(node, bound)):
                continue
            within = inside(node, {v for v in bound.values() if isinstance(v, Node)})
            if all(uses[one] == 1 and one not in found for one in within):
                found[node] = (template, bound)
                for one in within:
                    uses[one] = 0
                break
    return found


def count_uses(nodes: Sequence[Node], outputs: Iterable[Node]) -> dict[Node, int]:
    """How often each node is read."""
    uses: dict[Node, int] = {}
    for node in nodes:
        for operand in node.operands:
            uses[operand] = uses.get(operand, 0) + 1
    for node in outputs:
        uses[node] = uses.get(node, 0) + 1
    return uses


def inside(root: Node, boundary: set[Node]) -> list[Node]:
    """The nodes of a matched pattern other than its root and its variables; constants count not."""
    found: list[Node] = []
    stack = [one for one in root.operands if one not in boundary]
    while stack:
        node = stack.pop()
        if node.op is not CONSTANT:
            found.append(node)
            stack.extend(one for one in node.operands if one not in boundary)
    return found


def user_labels(nodes: Sequence[Node]) -> dict[Node, str]:
    """The user's names: of the nodes that one expression made, the last one bears the name."""
    last: dict[Any, Node] = {}
    for node in nodes:
        for origin in node.origins:
            last[origin] = node
    labels: dict[Node, str] = {}
    for node in dict.fromkeys(last.values()):
        if node.op is CONSTANT or not any(last[origin] is node for origin in node.origins):
            continue
        own = [origin for origin in node.origins if last[origin] is node]
        name = identifier(variable_name(node)) if own else ""
        if name:
            labels[node] = name
    return labels


def is_large(node: Node) -> bool:
    """Whether a dead array of this type is worth a ``del``."""
    if isinstance(node.type, tuple):
        return False
    size = byte_count(node.type)
    return node.type.ndim > 0 if size is None else size >= _RELEASE


def is_default(name: str, value: Any, node: Node) -> bool:
    """Whether a keyword argument may be left out: what every framework does by default."""
    if isinstance(node.op, Op) and "keepdims" not in node.op.params:
        return False
    if name == "keepdims":
        return value is False
    return (
        name == "axis" and isinstance(value, tuple) and len(value) == tensor(node.operands[0]).ndim  # pyright: ignore[reportUnknownArgumentType]
    )
