"""Half precision on NumPy: what it cannot compute in, it computes in float32, op by op.

NumPy does not know bfloat16: beside a Python number such an array becomes float32, and SciPy's
functions turn both half precisions into float64. Each op whose result would change its dtype is
computed in float32 and rounded once, as frameworks do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, Scope, graph_parameters, tensor
from unigrad.ir.rebuild import copy_node, rebuilt
from unigrad.ir.types import DTYPES, TensorType
from unigrad.ops import elementwise, shape, special

if TYPE_CHECKING:
    from unigrad.ir.types import DType

__all__ = ["in_single_precision"]

_SINGLE: Final = DTYPES["float32"]

_BY_SCIPY: Final[frozenset[Any]] = frozenset(
    (
        elementwise.sigmoid, elementwise.log_sigmoid, special.erf, special.erfc, special.gammaln,
        special.digamma, special.polygamma_of, special.xlogy, special.xlog1py,
    )
)  # fmt: skip

_MOVES: Final[frozenset[Any]] = frozenset(
    (
        elementwise.astype, elementwise.stop_gradient, elementwise.barrier, shape.reshape,
        shape.permute_dims, shape.broadcast_to, shape.expand_dims, shape.squeeze, shape.flip,
        shape.concat, shape.stack, shape.getitem, shape.place_at, shape.take_within, shape.add_at,
        shape.iota, shape.dim_value, shape.reweigh,
    )
)  # fmt: skip
"""Ops that do not compute, and those whose dtype is a parameter."""


def in_single_precision(graph: Graph) -> Graph:
    """The same graph with float32 inside every op that NumPy cannot do in half precision."""
    return rebuilt(graph, _in_single) if any(map(_changes, graph.nodes)) else graph


def _in_single(place: Scope, node: Node, operands: tuple[Node, ...]) -> Node:
    if not _changes(node):
        return copy_node(place, node, operands)
    wide = tuple([_widened(place, operand) for operand in operands])
    found = place.node(node.op, wide, node.params)
    same = tensor(found).dtype is tensor(node).dtype
    return found if same else place.node(elementwise.astype, (found,), (node.dtype,))


def _is_narrow(node: Node) -> bool:
    dtype: DType | None = node.type.dtype if isinstance(node.type, TensorType) else None
    return dtype is not None and dtype.kind == "float" and dtype.itemsize == 2  # noqa: PLR2004


def _changes(node: Node) -> bool:
    """Whether the dtype of the result would not be that of the node."""
    if node.op is INPUT or node.op is CONSTANT or node.op in _MOVES:
        return False
    if any(True for _ in graph_parameters(node)):
        return False
    narrow = [one.dtype.name for one in (node, *node.operands) if _is_narrow(one)]
    return "bfloat16" in narrow or (bool(narrow) and node.op in _BY_SCIPY)


def _widened(place: Scope, node: Node) -> Node:
    if not _is_narrow(node):
        return node
    if node.op is CONSTANT:
        return place.constant(node.params[0].astype(np.float32), _SINGLE, weak=tensor(node).weak)
    return place.node(elementwise.astype, (node,), (_SINGLE,))
