"""The reference evaluator: a graph run node by node on NumPy, by the definition of each op.

Slow and plain on purpose: no emitted code, no pass and no backend takes part, so that all of these
can be held against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from unigrad.errors import ArgumentError, ShapeError
from unigrad.ir.dims import Dim, Size, symbols_of
from unigrad.ir.dims import evaluate as evaluate_size
from unigrad.ir.nodes import CONSTANT, Graph, Node, tensor
from unigrad.ir.types import TensorType
from unigrad.passes.fold import compute

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["evaluate"]


def evaluate(graph: Graph, arrays: Sequence[Any]) -> list[Any]:
    """Run a graph that holds no other graphs.

    Args:
        graph: any graph without derivative nodes.
        arrays: one NumPy array or number per input; it is cast to the input's dtype.

    Returns:
        One NumPy array per output, of the dtype and shape that the graph says.

    Raises:
        ArgumentError: if the number of arrays is not that of the inputs.
        ShapeError: if a shape is not that of its input, or a result's is not what the graph says.

    Example:
        >>> from unigrad.ir.nodes import Graph, Scope, scope
        >>> from unigrad.ops.elementwise import sin
        >>> with scope(Scope()) as place:
        ...     x = place.input(TensorType.parse("float64[n]"), "x")
        ...     graph = Graph([x], [sin(x) * 2])
        >>> evaluate(graph, [np.zeros(3)])
        [array([0., 0., 0.])]
    """
    if len(arrays) != len(graph.inputs):
        raise ArgumentError(f"{graph!r} takes {len(graph.inputs)} arrays, got {len(arrays)}")
    sizes: dict[str, int] = {}
    values: dict[Node, Any] = {}
    for node, array in zip(graph.inputs, arrays, strict=True):
        values[node] = np.asarray(array, tensor(node).dtype.numpy)
        _bind(tensor(node).shape, values[node].shape, sizes)
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node.op is CONSTANT:
                values[node] = node.params[0]
            elif node not in values:
                operands = [_single(values[operand]) for operand in node.operands]
                found = compute(cast("Any", node.op), _known(node.params, sizes), operands)
                values[node] = (
                    _typed(node, found, sizes) if isinstance(node.type, TensorType) else found
                )
    return [values[node] for node in graph.outputs]


def _bind(shape: tuple[Size, ...], given: tuple[int, ...], sizes: dict[str, int]) -> None:
    """Learn the sizes of named dimensions from an array, and check the others."""
    for want, have in zip(shape, given, strict=False):
        if isinstance(want, Dim) and str(want) in symbols_of(want):
            sizes.setdefault(str(want), have)
    if len(shape) != len(given) or _known(shape, sizes) != given:
        raise ShapeError(f"an array of shape {given} was given for an input of shape {shape}")


def _known(value: Any, sizes: dict[str, int]) -> Any:
    """A parameter with numbers in place of named dimensions, at any depth of tuples."""
    if isinstance(value, Dim):
        return evaluate_size(value, sizes)
    if isinstance(value, tuple):
        return tuple(_known(entry, sizes) for entry in cast("tuple[Any, ...]", value))
    return value


def _single(array: Any) -> Any:
    """Half precision in float32, since NumPy and SciPy do not compute everything in it."""
    narrow = array.dtype.kind not in "biuc" and array.dtype.itemsize == 2  # noqa: PLR2004
    return array.astype(np.float32) if narrow else array


def _typed(node: Node, found: Any, sizes: dict[str, int]) -> Any:
    """A result in the dtype of its node; references of narrow floats may compute in wider ones."""
    array = np.asarray(found).astype(tensor(node).dtype.numpy)
    if array.shape != _known(tensor(node).shape, sizes):
        raise ShapeError(f"{node!r} came out in shape {array.shape}")
    return array
