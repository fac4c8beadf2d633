"""What ``check_stale`` compares: the trace that is remembered, and one of today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unigrad.errors import StaleError, locate
from unigrad.ir.nodes import CONSTANT, Graph, Node, graph_parameters, tensor
from unigrad.ir.source import array_name, caller_location, locations
from unigrad.ir.text import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unigrad.trace.tracer import Traced

__all__ = ["compare"]


def compare(name: str, known: Traced, fresh: Traced) -> None:
    """Raise unless two traces of one signature are the same function.

    Raises:
        StaleError: that says what is different, and where it is read.
    """
    if known.structure != fresh.structure:
        raise _stale(name, "it returns another structure than when it was traced", None)
    if fingerprint(known.graph) == fingerprint(fresh.graph):
        return
    old, new = list(_every_node(known.graph)), list(_every_node(fresh.graph))
    for before, after in zip(old, new, strict=False):
        if before.op is CONSTANT is after.op and tensor(before) == tensor(after):
            if before.params[0].tobytes() != after.params[0].tobytes():
                raise _stale(name, _of_constant(before, after), after)
        elif (before.op, before.params, before.type) != (after.op, after.params, after.type):
            told = f"it computes {after.op.name} where it computed {before.op.name}"
            raise _stale(name, told, after)
    raise _stale(name, "it computes something else than when it was traced", None)


def _every_node(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        for body in graph_parameters(node):
            yield from _every_node(body)
        yield node


def _of_constant(before: Node, after: Node) -> str:
    array, now = before.params[0], after.params[0]
    if array.ndim == 0:
        return f"it reads the number {now[()]}, which was {array[()]}"
    what = array_name(now) or array_name(array)
    count = int(np.count_nonzero(array != now))
    label = f"the array {what!r}" if what else f"an array of shape {array.shape}"
    return f"{label}, read from around it, has other elements now ({count} of {array.size})"


def _stale(name: str, what: str, node: Any) -> StaleError:
    places = locations(node) if node is not None else ()
    return locate(
        StaleError(
            f"{name} has changed since it was traced, in a way that calls do not see: {what}. Pass"
            " what changes as an argument, or make a new object instead of changing it in place"
        ),
        places[0] if places else caller_location(),
    )
