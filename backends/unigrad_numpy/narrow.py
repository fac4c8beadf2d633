"""Half precision on NumPy: what it cannot compute in, it computes in float32, op by op.

NumPy does not know bfloat16: beside a Python number such an array becomes float32, and SciPy's
functions turn both half precisions into float64. Each op whose result would change its dtype is
computed in float32 and rounded once, as frameworks do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from unigrad.ir.nodes import (
    CONSTANT,
    INPUT,
    Graph,
    Node,
    Scope,
    copy_node,
    graph_parameters,
    tensor,
)
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
    if not any(_changes(node) for node in graph.nodes):
        return graph
    place = Scope()
    env: dict[Node, Node] = {}
    for node in graph.nodes:
        place.origin = node.origins
        if node.op is INPUT:
            env[node] = place.input(tensor(node), node.params[0], node.origins)
        elif not _changes(node):
            env[node] = copy_node(place, node, tuple(env[operand] for operand in node.operands))
        else:
            operands = tuple(_widened(place, env[operand]) for operand in node.operands)
            found = place.node(node.op, operands, node.params)
            same = tensor(found).dtype is tensor(node).dtype
            env[node] = found if same else place.node(elementwise.astype, (found,), (node.dtype,))
    outputs = [env[node] for node in graph.outputs]
    return Graph(
        [env[node] for node in graph.inputs],
        outputs,
        name=graph.name,
        output_names=graph.output_names,
    )


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
