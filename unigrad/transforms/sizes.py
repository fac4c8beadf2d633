"""Named dimensions get sizes: one graph for every batch size becomes the graph for one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from unigrad.errors import ShapeError
from unigrad.ir.dims import Dim, substitute, symbols_of
from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, Scope, tensor
from unigrad.ir.rebuild import copy_node
from unigrad.ir.types import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unigrad.ir.dims import Size
    from unigrad.ir.types import Shape, TensorType

__all__ = ["bind_sizes", "unbound", "with_sizes"]


def unbound(types: Sequence[TensorType]) -> set[str]:
    """The named dimensions that no input has alone on an axis: no call could tell their size."""
    sizes = [size for type_ in types for size in type_.shape]
    bare = {str(size) for size in sizes}
    return {name for size in sizes for name in symbols_of(size) if name not in bare}


def bind_sizes(
    names: Sequence[str], types: Sequence[TensorType], shapes: Sequence[Shape]
) -> dict[str, Size]:
    """The size of each named dimension of inputs, from the shapes of arguments.

    Args:
        names: what the inputs are called, for messages.
        types: their declared types.
        shapes: the shapes of the arguments; sizes in them may be named too.

    Raises:
        ShapeError: if an argument has another number of axes or another size than declared, or
            if a name would stand for two sizes; the message says both and where they are.

    Example:
        >>> from unigrad.ir.types import TensorType
        >>> bind_sizes(["a"], [TensorType.parse("float64[n, 3]")], [(5, 3)])
        {'n': 5}
    """
    found: dict[str, Size] = {}
    places: dict[str, str] = {}
    composite: list[tuple[str, TensorType, Shape, int]] = []
    for name, type_, shape in zip(names, types, shapes, strict=True):
        if len(shape) != type_.ndim:
            raise ShapeError(f"{name}: expected {told(type_)}, given the shape {_shown(shape)}")
        for axis, (declared, size) in enumerate(zip(type_.shape, shape, strict=True)):
            if not isinstance(declared, Dim):
                if declared != size:
                    raise _differs(name, type_, shape, axis, declared)
                continue
            label = str(declared)
            if label not in symbols_of(declared):  # a polynomial, once its symbols are known
                composite.append((name, type_, shape, axis))
                continue
            place = f"axis {axis} of {name}"
            have = found.setdefault(label, size)
            if have != size:
                raise ShapeError(
                    f"the dimension {label} is {have} ({places[label]}) and {size} ({place});"
                    " a name stands for one size"
                )
            places.setdefault(label, place)
    for name, type_, shape, axis in composite:
        declared = substitute(type_.shape[axis], found)
        if declared != shape[axis]:
            raise _differs(name, type_, shape, axis, declared)
    return found


def _differs(name: str, type_: TensorType, shape: Shape, axis: int, wanted: Size) -> ShapeError:
    given = f"given the shape {_shown(shape)}"
    return ShapeError(
        f"{name}: expected {told(type_)}, {given}: axis {axis} is {shape[axis]}, not {wanted}"
    )


def _shown(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


def with_sizes(graph: Graph, sizes: Mapping[str, Size]) -> Graph:
    """``graph`` with sizes in the place of named dimensions, in types and parameters alike.

    Raises:
        ShapeError: if an op does not work with these sizes.
    """
    changed = {name: size for name, size in sizes.items() if str(size) != name}
    if not changed:
        return graph
    made: dict[Any, Graph] = graph.memo.setdefault("with_sizes", {})
    key = tuple(sorted(changed.items()))
    if key not in made:
        if len(made) >= _KEPT:
            made.pop(next(iter(made)))
        made[key] = _rebuilt(graph, changed)
    return made[key]


_KEPT: Final = 64  # of each graph, the latest ones


def _rebuilt(graph: Graph, sizes: Mapping[str, Size]) -> Graph:
    place = Scope()
    env: dict[Node, Node] = {}
    for node in graph.nodes:
        place.origin = node.origins
        if node.op is INPUT:
            type_ = tensor(node)
            shape = tuple(substitute(size, sizes) for size in type_.shape)
            env[node] = place.input(type_.with_shape(shape), node.params[0], node.origins)
            continue
        operands = tuple([env[operand] for operand in node.operands])
        if node.op is CONSTANT:
            env[node] = copy_node(place, node, operands)
            continue
        params = cast("tuple[Any, ...]", _substituted(node.params, sizes))
        env[node] = place.node(node.op, operands, params)
    return Graph(
        [env[node] for node in graph.inputs],
        [env[node] for node in graph.outputs],
        name=graph.name,
        output_names=graph.output_names,
    )


def _substituted(param: Any, sizes: Mapping[str, Size]) -> Any:
    """A parameter with sizes in it, and in the graphs that it holds."""
    if isinstance(param, Dim):
        return substitute(param, sizes)
    if isinstance(param, Graph):
        return with_sizes(param, sizes)
    if isinstance(param, tuple):
        return tuple(_substituted(one, sizes) for one in cast("tuple[Any, ...]", param))
    return param
