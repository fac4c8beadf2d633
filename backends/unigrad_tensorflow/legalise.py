"""What TensorFlow has no kernel for, computed in a dtype for which it has one.

Half precision goes through ``float32``, where special functions and matrices are computed. Products
of small and of unsigned integers go through ``int64``: their low bits do not depend on the high
ones. What is cast on the way in is cast back on the way out, so no other node sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, Scope, tensor
from unigrad.ir.rebuild import copy_node, rebuilt
from unigrad.ir.types import DTYPES
from unigrad.ops import contraction, linalg, special
from unigrad.ops import elementwise as e
from unigrad.ops import shape as s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unigrad.ir.types import DType
    from unigrad.ops.spec import Op

__all__ = ["legalise"]


def _through(wide: str, *names: str) -> Mapping[DType, DType]:
    return {DTYPES[name]: DTYPES[wide] for name in names}


_HALF: Final = _through("float32", "float16", "bfloat16")
_PRODUCTS: Final = _through("int64", "int8", "int16", "uint8", "uint16", "uint32", "uint64")
_INDICES: Final = _through("int64", "int8", "int16", "uint8", "uint16", "uint32", "uint64")

_MISSING: Final[Mapping[Any, Mapping[DType, DType]]] = {
    **dict.fromkeys(
        (
            e.floor_divide, e.cbrt, e.hypot, e.logaddexp, e.logaddexp2, special.gammaln,
            special.digamma, special.polygamma_of, special.xlogy, special.xlog1py, linalg.cholesky,
            linalg.solve_matrix, linalg.solve_triangular_matrix,
        ),
        _HALF,
    ),
    **dict.fromkeys(
        (contraction.matmul, contraction.tensordot, contraction.contract), _PRODUCTS
    ),
    e.fmod: {**_HALF, **_through("int32", "int8", "int16")},
    s.add_at: _through("int64", "bool"),
}  # fmt: skip
"""For each op, the dtypes in which it is not computed, and the one in which it is instead."""


def legalise(graph: Graph) -> Graph:
    """The same function in ops and dtypes that TensorFlow has."""
    return rebuilt(graph, _legal) if any(map(_is_missing, graph.nodes)) else graph


def _legal(place: Scope, node: Node, operands: tuple[Node, ...]) -> Node:
    if not _is_missing(node):
        return copy_node(place, node, operands)
    op: Op[...] = node.op  # pyright: ignore[reportAssignmentType]
    given = list(operands)
    if op in (s.take_within, s.add_at):
        given[1] = _cast(given[1], _INDICES)
    wide = [_cast(operand, _MISSING.get(op, {})) for operand in given]
    result: Any = place.node(op, tuple(wide), node.params)
    wanted = tensor(node).dtype
    return result if result.dtype is wanted else e.astype(result, wanted)


def _is_missing(node: Node) -> bool:
    op: Any = node.op
    if op is INPUT or op is CONSTANT or not node.operands or isinstance(node.type, tuple):
        return False
    first = node.operands[0]
    if isinstance(first.type, tuple):
        return False
    if tensor(first).dtype in _MISSING.get(op, {}):
        return True
    return op in (s.take_within, s.add_at) and tensor(node.operands[1]).dtype in _INDICES


def _cast(node: Node, through: Mapping[DType, DType]) -> Any:
    wide = through.get(tensor(node).dtype)
    return node if wide is None else e.astype(node, wide)
