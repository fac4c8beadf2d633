"""What PyTorch has no operation for, said in those that it has, before a graph is written.

A negative step is a positive one and a flip. Unsigned integers of more than eight bits can be
stored, moved and selected; arithmetic on them runs in ``int64``, whose wrapping is theirs, and
their order is that of ``int64`` with the sign bit turned over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from unigrad.errors import UnsupportedError, locate
from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, Scope, tensor
from unigrad.ir.rebuild import copy_node, rebuilt
from unigrad.ir.source import locations
from unigrad.ir.types import DTYPES
from unigrad.ops import contraction, reduction
from unigrad.ops import elementwise as e
from unigrad.ops import shape as s
from unigrad.ops.families import as_tuple

if TYPE_CHECKING:
    from unigrad.ops.spec import Op

__all__ = ["legalise"]

_WIDE: Final = frozenset(DTYPES[name] for name in ("uint16", "uint32", "uint64"))
_INT64: Final = DTYPES["int64"]
_SIGN_BIT: Final = -(1 << 63)

_STORED: Final[frozenset[Any]] = frozenset((
    e.where, e.astype, e.equal, e.not_equal, e.bitwise_and, e.bitwise_or, e.bitwise_xor,
    e.stop_gradient, e.barrier, s.reshape, s.permute_dims, s.broadcast_to, s.expand_dims, s.squeeze,
    s.reweigh, s.concat, s.stack, s.getitem, s.place_at, reduction.any_, reduction.all_,
))  # fmt: skip
"""Ops that PyTorch has for every unsigned dtype."""

_SAME: Final[frozenset[Any]] = frozenset(
    (e.absolute, e.positive, e.relu, e.floor, e.ceil, e.trunc, e.round)
)
"""Ops that leave an unsigned integer as it is."""

_WRAPPING: Final[frozenset[Any]] = frozenset((
    e.add, e.subtract, e.multiply, e.negative, e.square, e.bitwise_invert,
    e.bitwise_left_shift, e.sign, e.isnan, e.isinf, e.isfinite, s.flip, s.take_within, s.add_at,
    s.iota, s.dim_value, reduction.sum_, reduction.prod, contraction.matmul, contraction.tensordot,
    contraction.contract,
))  # fmt: skip
"""Ops whose low bits do not depend on how the highest bit is read."""

_ORDERED: Final[frozenset[Any]] = frozenset((
    e.less, e.less_equal, e.greater, e.greater_equal, e.maximum, e.minimum, e.fmax, e.fmin,
    e.clip_between, e.clip_below, e.clip_above, reduction.max_, reduction.min_, reduction.argmax,
    reduction.argmin,
))  # fmt: skip
"""Ops that compare: right in ``int64`` once the sign bit is turned over."""


def legalise(graph: Graph) -> Graph:
    """The same function in ops that PyTorch has.

    Raises:
        UnsupportedError: for a division, a power or a right shift of ``uint64``.
    """
    if not any(_has_wide(node) or _has_negative_step(node) for node in graph.nodes):
        return graph
    # What stands for a backward step may have to be said in other ops itself.
    return legalise(rebuilt(graph, _legal))


def _legal(place: Scope, node: Node, operands: tuple[Node, ...]) -> Node:
    if _has_negative_step(node):
        return _forwards(node, *operands)
    return (_in_int64 if _has_wide(node) else copy_node)(place, node, operands)


# -- negative steps --------------------------------------------------------------------------------


def _has_negative_step(node: Node) -> bool:
    return node.op in (s.getitem, s.place_at) and any(
        isinstance(entry, tuple) and as_tuple(entry)[2] < 0 for entry in node.params[0]
    )


def _forwards(node: Node, x: Any) -> Any:
    """A slice that steps backwards as one that steps forwards, and a flip of its axes."""
    key: list[Any] = []
    turned: list[int] = []
    axis = 0
    for entry in node.params[0]:
        if isinstance(entry, tuple):
            start, stop, step = as_tuple(entry)
            axis += 1
            if step < 0:
                taken = range(start, -1 if stop is None else stop, step)
                key.append((taken[-1], start + 1, -step) if taken else (0, 0, 1))
                turned.append(axis - 1)
                continue
        elif entry is None:
            axis += 1
        key.append(cast("Any", entry))
    if node.op is s.getitem:
        return s.flip(s.getitem(x, tuple(key)), axis=tuple(turned))
    return s.place_at(s.flip(x, axis=tuple(turned)), tuple(key), node.params[1])


# -- unsigned integers -----------------------------------------------------------------------------


def _has_wide(node: Node) -> bool:
    op: Any = node.op
    if op is INPUT or op is CONSTANT or op in _STORED or isinstance(node.type, tuple):
        return False
    if not node.operands:
        return tensor(node).dtype in _WIDE
    return any(not isinstance(one.type, tuple) and one.type.dtype in _WIDE for one in node.operands)


def _in_int64(place: Scope, node: Node, operands: tuple[Node, ...]) -> Node:
    """An op on unsigned integers, computed in ``int64``."""
    op: Op[...] = node.op  # pyright: ignore[reportAssignmentType]
    if op in _SAME:
        return operands[0]
    full = any(tensor(one).dtype.name == "uint64" for one in (node, *operands))
    if full and op not in _WRAPPING and op not in _ORDERED:
        places = locations(node)
        reason = (
            f"PyTorch has no {op.name} of uint64, and int64 does not hold it;"
            " cast to int64 or float64"
        )
        raise locate(UnsupportedError(f"torch: {reason}"), places[0] if places else None)
    if op is e.sign:
        return e.astype(e.not_equal(operands[0], 0), tensor(node).dtype)
    turned = full and op in _ORDERED
    signed = [_signed(place, one, turned=turned) for one in operands]
    params = tuple([_INT64 if param in _WIDE else param for param in node.params])
    result: Any = place.node(op, tuple(signed), params)
    if tensor(node).dtype is tensor(result).dtype or tensor(node).dtype not in _WIDE:
        return result
    if turned:
        result = e.bitwise_xor(result, _SIGN_BIT)
    return e.astype(result, tensor(node).dtype)


def _signed(place: Scope, node: Node, *, turned: bool) -> Any:
    if tensor(node).dtype not in _WIDE:
        return node
    if node.op is CONSTANT:
        value = node.params[0].astype("int64")
        return place.constant(value ^ _SIGN_BIT if turned else value, _INT64)
    cast = e.astype(node, _INT64)
    return e.bitwise_xor(cast, _SIGN_BIT) if turned else cast
