"""A call under a transform: which arguments are differentiated, and the function traced on them.

Reverse and forward mode ask the same of a call: its arrays as nodes, the chosen ones among them,
the function as a closed graph, and what comes back in the structures of the chosen arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from unigrad import config
from unigrad.compiler import Function
from unigrad.compiler.arguments import bind, signature
from unigrad.errors import (
    ArgumentError,
    DifferentiationError,
    ShapeError,
    locate,
    with_article,
)
from unigrad.ir.nodes import Node, Scope, current_scope, tensor
from unigrad.ir.source import caller_location, variable_name
from unigrad.ir.types import told
from unigrad.ops.elementwise import astype
from unigrad.ops.families import as_tuple
from unigrad.ops.shape import reweigh
from unigrad.ops.spec import as_node, default_float
from unigrad.trace.array import TracedArray, node_of
from unigrad.trace.capture import is_setting
from unigrad.trace.structure import Structure, flatten
from unigrad.trace.tracer import Closed, trace_closed
from unigrad.transforms.reverse import zeros_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from unigrad.ir.types import TensorType

__all__ = [
    "Call", "Choice", "choice", "name_of", "places_of", "scalar_output",
    "transformed", "typed_like",
]  # fmt: skip


class Choice(tuple[tuple[int, ...], tuple[str, ...], bool]):
    """Which arguments are differentiated: positions, names, and whether just one was named."""

    __slots__ = ()

    @property
    def positions(self) -> tuple[int, ...]:
        """Positions of positional arguments."""
        return self[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of arguments."""
        return self[1]

    @property
    def single(self) -> bool:
        """Whether the user named one argument and gets one gradient, not a tuple."""
        return self[2]


def choice(kind: str, argnums: Any, argnames: Any) -> Choice:
    """What ``argnums`` and ``argnames`` mean; the first argument if neither is given.

    Raises:
        ArgumentError: if they are no ints and names, or name an argument twice.
    """
    if argnums is None and argnames is None:
        argnums = 0
    positions = () if argnums is None else as_tuple(argnums)
    names = () if argnames is None else as_tuple(argnames)
    for position in positions:
        if isinstance(position, bool) or not isinstance(position, int):
            raise ArgumentError(f"ug.{kind}: argnums is an int or several, got {argnums!r}")
    for name in names:
        if not isinstance(name, str):
            raise ArgumentError(f"ug.{kind}: argnames is a name or several, got {argnames!r}")
    if len(set(positions)) != len(positions) or len(set(names)) != len(names):
        raise ArgumentError(f"ug.{kind}: an argument is named twice")
    single = (isinstance(argnums, int) and argnames is None) or (
        isinstance(argnames, str) and argnums is None
    )
    return Choice((positions, names, single))


def name_of(function: Any) -> str:
    """What to call a function in messages and in emitted code."""
    name = getattr(function, "__name__", "") or type(function).__name__
    return "function" if name == "<lambda>" else name


def transformed(
    kind: str,
    function: Callable[..., Any],
    body: Callable[..., Any],
    chain: Any,
    settings: Mapping[str, Any],
    *,
    remake: Any = None,
) -> Function:
    """A transform of a function, which shares the cache of earlier ones like it."""
    inner: Any = function
    static: Sequence[str] = ()
    settings = cast("dict[str, Any]", config.checked(settings, f"ug.{kind}"))
    if isinstance(function, Function):
        inner, chain = function.anchor, (function.chain, chain)
        static, settings = tuple(function.static), {**function.overrides, **settings}
    return Function(
        function, name=f"{name_of(function)}_{kind}", static=static, settings=settings,
        chain=(kind, chain), body=body, anchor=inner, remake=remake,
    )  # fmt: skip


def places_of(
    label: str,
    function: Callable[..., Any],
    chosen: Choice,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> list[int | str]:
    """Where the chosen arguments are: positions in ``args`` or keys of ``kwargs``."""
    places: list[int | str] = []
    for position in chosen.positions:
        if not -len(args) <= position < len(args):
            raise locate(
                ArgumentError(
                    f"{label}: argnums={position}, but the call has {len(args)} positional"
                    f" argument{'s' * (len(args) != 1)}"
                    f"{'; argnames names the others' if kwargs else ''}"
                ),
                caller_location(),
            )
        places.append(position % len(args))
    if chosen.names:
        _, _, names = bind(getattr(function, "signature_of", function), label, args, kwargs)
        for name in chosen.names:
            if name in kwargs:
                places.append(name)
            elif name in names[: len(args)]:
                places.append(names.index(name))
            elif _has_parameter(function, name):
                raise locate(
                    ArgumentError(f"{label}: {name} was left at its default; pass it"),
                    caller_location(),
                )
            else:
                known = ", ".join((*names[: len(args)], *kwargs))
                raise locate(
                    ArgumentError(f"{label}: no argument {name!r}; the arguments are {known}"),
                    caller_location(),
                )
    return places


def _has_parameter(function: Any, name: str) -> bool:
    known = signature(getattr(function, "signature_of", function))
    if known is None or name not in known.parameters:
        return False
    parameter = known.parameters[name]
    return parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


class Call:
    """A call under a transform: its arrays as nodes, and which of them are differentiated."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        places: Sequence[int | str],
    ) -> None:
        self.function = function
        place = cast("Scope", current_scope())
        self.leaves, self.structure = flatten((args, kwargs))
        chosen: set[int] = set()
        self.parts: list[tuple[Structure, list[int]]] = []
        number = 0
        positions: dict[Any, list[int]] = {}
        for key, value in (*enumerate(args), *sorted(kwargs.items())):
            inner, _ = flatten(value)
            positions[key] = list(range(number, number + len(inner)))
            number += len(inner)
        for where in places:
            value = args[where] if isinstance(where, int) else kwargs[where]
            leaves, structure = flatten(value)
            if leaves and leaves[0] is value and is_setting(value):
                raise locate(
                    DifferentiationError(
                        f"{name_of(function)}: the argument {where} is"
                        f" {with_article(type(value).__name__)}, which has no derivative; choose"
                        " another one with argnums or argnames"
                    ),
                    caller_location(),
                )
            self.parts.append((structure, positions[where]))
            chosen.update(positions[where])
        self.arrays = [
            position
            for position, leaf in enumerate(self.leaves)
            if leaf.__class__ is TracedArray
            or (position in chosen and not is_setting(leaf))
            or hasattr(leaf, "dtype")
        ]
        self.nodes: list[Node] = []
        for position in self.arrays:
            leaf = self.leaves[position]
            node = node_of(leaf, place) if leaf.__class__ is TracedArray else as_node(place, leaf)
            if position in chosen and tensor(node).weak and not tensor(node).is_floating:
                node = astype(node, default_float())  # an int at a differentiated position
            self.nodes.append(node)
        # Integers have no derivative: their gradient is zeros, made where it is wanted.
        self.differentiated = [
            index
            for index, position in enumerate(self.arrays)
            if position in chosen and tensor(self.nodes[index]).is_floating
        ]
        self.wrt = tuple(self.differentiated)

    def close(self, label: str) -> Closed:
        """Trace the function on fresh inputs."""

        def run(inputs: Sequence[TracedArray]) -> Any:
            values = list(self.leaves)
            for position, value in zip(self.arrays, inputs, strict=True):
                values[position] = value
            args, kwargs = self.structure.unflatten(values)
            return self.function(*args, **kwargs)

        names = [self._label(node) for node in self.nodes]
        return trace_closed(run, self.nodes, names, name=label)

    @staticmethod
    def _label(node: Node) -> str:

        if not node.operands and node.params and isinstance(node.params[0], str):
            return node.params[0]
        return variable_name(node) or "x"

    def arrange(self, cotangents: Sequence[Any], *, single: bool) -> Any:
        """Cotangents in the structures of the chosen arguments, zeros for integers."""
        by_position = {
            self.arrays[index]: cotangent
            for index, cotangent in zip(self.differentiated, cotangents, strict=True)
        }
        place = cast("Scope", current_scope())
        parts: list[Any] = []
        for structure, positions in self.parts:
            leaves = [
                by_position[position]
                if position in by_position
                else TracedArray(zeros_of(place, self.nodes[self.arrays.index(position)]))
                if position in self.arrays
                else self.leaves[position]  # a setting among the arrays stays what it is
                for position in positions
            ]
            parts.append(structure.unflatten(leaves))
        return parts[0] if single else tuple(parts)


def scalar_output(closed: Closed, label: str, *, has_aux: bool) -> None:
    """Raise ``DifferentiationError`` unless there is one floating scalar to differentiate."""
    outputs = closed.graph.outputs
    if has_aux:
        tree = closed.structure.unflatten(list(range(len(outputs))))
        if not isinstance(tree, tuple) or len(tree) != 2:  # noqa: PLR2004  # pyright: ignore[reportUnknownArgumentType]
            raise locate(
                DifferentiationError(
                    f"{label}: with has_aux it returns a pair (value, aux), got"
                    f" {'one array' if closed.structure.paths() == ('',) else closed.structure}"
                ),
                caller_location(),
            )
        first, _ = flatten(tree[0])  # pyright: ignore[reportUnknownArgumentType]
        count = len(first)
    else:
        count = len(outputs)
    if count != 1 or (not has_aux and closed.structure.paths() != ("",)):
        returned = f"{count} values, {closed.structure}"
        if count <= 1:
            returned = f"{closed.structure}, which {'holds one' if count else 'is no array'}"
        raise locate(
            DifferentiationError(
                f"{label}: the gradient is that of one scalar, the function returns {returned};"
                " pick one, use has_aux=True for values on the side, or ug.vjp"
            ),
            caller_location(),
        )
    type_ = tensor(outputs[0])
    if type_.ndim:
        raise locate(
            DifferentiationError(
                f"{label}: the gradient is that of a scalar, the function returns {told(type_)};"
                " reduce it (ug.sum, ug.mean) or use ug.vjp"
            ),
            caller_location(),
        )
    if not type_.is_floating:
        raise locate(
            DifferentiationError(
                f"{label}: a value of type {told(type_)} has no gradient; it is not floating"
            ),
            caller_location(),
        )


def typed_like(place: Scope, value: Any, type_: TensorType, what: str) -> Node:
    """A cotangent or tangent as a node of the type that it must have."""
    node = node_of(value, place) if value.__class__ is TracedArray else as_node(place, value)
    have = tensor(node)
    if have.shape != type_.shape:
        raise locate(
            ShapeError(f"{what} has shape {have.shape}, expected {type_.shape}"), caller_location()
        )
    if have.dtype is not type_.dtype:
        if not have.weak and have.dtype.kind == "float" and type_.dtype.kind == "float":
            raise locate(
                DifferentiationError(f"{what} has dtype {have.dtype}, expected {type_.dtype}"),
                caller_location(),
            )
        node = astype(node, type_.dtype)
    if tensor(node) is not type_:
        node = _retyped(place, node, type_)
    return node


def _retyped(place: Scope, node: Node, type_: TensorType) -> Node:
    """The same value under a type that differs in weakness alone."""
    return place.node(reweigh, (node,), (type_.weak,))
