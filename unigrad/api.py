"""Functions and their derivatives, as users call them.

Every transform takes a function and gives a function; on traced values it becomes one node that
holds the traced body, so that transforms nest in any order. Names, argument order and what is
returned are JAX's.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import numpy as np

from unigrad.compiler import Function
from unigrad.compiler.arguments import bind, flat_signature
from unigrad.compiler.function import has_traced_leaf
from unigrad.errors import ArgumentError, DifferentiationError, DTypeError, ShapeError, locate
from unigrad.ir.nodes import Node, Scope, current_scope, inline, tensor
from unigrad.ir.source import caller_location
from unigrad.ir.types import TensorType, as_dtype
from unigrad.ops.apply import jvp_of, results, vjp_of
from unigrad.ops.elementwise import astype
from unigrad.ops.families import as_tuple
from unigrad.ops.spec import as_node, default_float
from unigrad.trace.array import TracedArray, node_of
from unigrad.trace.structure import Structure, flatten, mismatch
from unigrad.trace.tracer import Closed, trace_closed
from unigrad.transforms.reverse import zeros_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["function", "grad", "jvp", "value_and_grad", "vjp"]

Autodiff = Literal["graph", "native"]
Conventions = Literal["unigrad", "framework"]


@overload
def function(function: Callable[..., Any], /) -> Function: ...
@overload
def function(
    *,
    static: Sequence[str] | str = (),
    target: Any = None,
    autodiff: Autodiff | None = None,
    conventions: Conventions | None = None,
) -> Callable[[Callable[..., Any]], Function]: ...


def function(
    function: Callable[..., Any] | None = None,
    /,
    *,
    static: Sequence[str] | str = (),
    target: Any = None,
    autodiff: Autodiff | None = None,
    conventions: Conventions | None = None,
) -> Any:
    """Make a Python function of arrays one that runs on every target.

    It is traced once per input signature (structure, dtypes and shapes of its arguments) and
    compiled once per target.

    Args:
        function: takes and returns arrays, numbers, and dicts, lists, tuples, dataclasses of them.
        static: names of arguments that are settings: part of the signature, never traced.
        target: where it runs, whatever the settings say.
        autodiff: how it is differentiated, whatever the settings say.
        conventions: whose gradients hold at special points, whatever the settings say.

    Example:
        >>> import unigrad as ug
        >>> @ug.function
        ... def chain(x):
        ...     u = 3 * x + 2
        ...     return u ** 4
        >>> chain(1.0)
        np.float64(625.0)
    """
    if function is None:
        return functools.partial(
            _make, static=static, target=target, autodiff=autodiff, conventions=conventions
        )
    return _make(function, static=static, target=target, autodiff=autodiff, conventions=conventions)


def _make(
    function: Callable[..., Any], *, static: Sequence[str] | str, **settings: Any
) -> Function:
    if not callable(function):
        raise ArgumentError(f"ug.function takes a function, got a {type(function).__name__}")
    names = (static,) if isinstance(static, str) else tuple(static)
    return Function(function, static=names, settings=settings)


# -- reverse mode ----------------------------------------------------------------------------------


def grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,  # noqa: FBT001, FBT002  (JAX's signature)
    *,
    target: Any = None,
    autodiff: Autodiff | None = None,
    conventions: Conventions | None = None,
) -> Function:
    """The gradient of a scalar function.

    Args:
        function: returns one scalar of a floating dtype (or ``(scalar, aux)`` with ``has_aux``).
        argnums: which positional arguments to differentiate; the first by default.
        argnames: which arguments to differentiate, by name.
        has_aux: whether the function also returns something that is passed through.
        target: where it runs, whatever the settings say.
        autodiff: ``"graph"`` or ``"native"``, whatever the settings say.
        conventions: ``"unigrad"`` or ``"framework"``, whatever the settings say.

    Returns:
        A function of the same arguments. Its result has the structure, shapes and dtypes of the
        chosen argument (a tuple of them for several), with zeros for integers and for arguments
        that do not matter; with ``has_aux``, ``(gradient, aux)``.

    Raises:
        DifferentiationError: when called, if the function's value is not one floating scalar.

    Example:
        >>> import unigrad as ug
        >>> ug.grad(lambda x: x ** 3)(2.0)
        np.float64(12.0)
    """
    return _gradient("grad", function, argnums, argnames, has_aux, target, autodiff, conventions)


def value_and_grad(
    function: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,  # noqa: FBT001, FBT002
    *,
    target: Any = None,
    autodiff: Autodiff | None = None,
    conventions: Conventions | None = None,
) -> Function:
    """The value and the gradient of a scalar function, value first; arguments as for :func:`grad`.

    Returns:
        A function to ``(value, gradient)``, or with ``has_aux`` to ``((value, aux), gradient)``.

    Example:
        >>> import unigrad as ug
        >>> ug.value_and_grad(lambda x: x * x)(3.0)
        (np.float64(9.0), np.float64(6.0))
    """
    return _gradient(
        "value_and_grad", function, argnums, argnames, has_aux, target, autodiff, conventions
    )


def _gradient(
    kind: str,
    function: Callable[..., Any],
    argnums: Any,
    argnames: Any,
    has_aux: bool,  # noqa: FBT001
    target: Any,
    autodiff: Any,
    conventions: Any,
) -> Function:
    if not callable(function):
        raise ArgumentError(f"ug.{kind} takes a function, got a {type(function).__name__}")
    chosen = _choice(kind, argnums, argnames)
    label = _name_of(function)

    def body(*args: Any, **kwargs: Any) -> Any:
        places = _places(label, function, chosen, args, kwargs)
        call = _Call(function, args, kwargs, places)
        closed = call.close(label)
        value_count, aux = _scalar_output(closed, label, has_aux=has_aux)
        place = cast("Scope", current_scope())
        one = place.constant(1, tensor(closed.graph.outputs[0]).dtype)
        if tensor(closed.graph.outputs[0]).weak:
            one = place.constant(1, tensor(closed.graph.outputs[0]).dtype, weak=True)
        node = place.node(
            vjp_of, (*call.nodes, *closed.captures, one), (closed.graph, call.wrt, (0,))
        )
        found = [TracedArray(result) for result in results(node, place)]
        value, auxiliary = found[0], closed.structure.unflatten(found[: value_count + aux])
        gradient = call.arrange(found[len(closed.graph.outputs) :], single=chosen.single)
        if kind == "grad":
            return (gradient, auxiliary[1]) if has_aux else gradient
        return (auxiliary if has_aux else value), gradient

    given = (kind, function, argnums, argnames, has_aux, target, autodiff, conventions)
    return _transformed(
        kind, function, body, (chosen, has_aux), target=target, autodiff=autodiff,
        conventions=conventions, remake=(_gradient, given),
    )  # fmt: skip


class _Choice(tuple[tuple[int, ...], tuple[str, ...], bool]):
    """Which arguments are differentiated: positions, names, and whether just one was named."""

    __slots__ = ()

    @property
    def positions(self) -> tuple[int, ...]:
        return self[0]

    @property
    def names(self) -> tuple[str, ...]:
        return self[1]

    @property
    def single(self) -> bool:
        return self[2]


def _choice(kind: str, argnums: Any, argnames: Any) -> _Choice:
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
    return _Choice((positions, names, single))


def _name_of(function: Any) -> str:
    name = getattr(function, "__name__", "") or type(function).__name__
    return "function" if name == "<lambda>" else name


def _transformed(
    kind: str,
    function: Callable[..., Any],
    body: Callable[..., Any],
    chain: Any,
    *,
    target: Any = None,
    autodiff: Any = None,
    conventions: Any = None,
    remake: Any = None,
) -> Function:
    """A transform of a function, which shares the cache of earlier ones like it."""
    inner: Any = function
    static: Sequence[str] = ()
    settings: dict[str, Any] = {}
    if isinstance(function, Function):
        inner, chain = function.anchor, (function.chain, chain)
        static, settings = tuple(function.static), function.overrides
    given = {"target": target, "autodiff": autodiff, "conventions": conventions}
    settings = {**settings, **{key: value for key, value in given.items() if value is not None}}
    return Function(
        function, name=f"{_name_of(function)}_{kind}", static=static, settings=settings,
        chain=(kind, chain), body=body, anchor=inner, remake=remake,
    )  # fmt: skip


def _places(
    label: str,
    function: Callable[..., Any],
    chosen: _Choice,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> list[int | str]:
    """Where the chosen arguments are: positions in ``args`` or keys of ``kwargs``."""
    places: list[int | str] = []
    for position in chosen.positions:
        if not -len(args) <= position < len(args):
            raise locate(
                ArgumentError(
                    f"{label}: argnums={position}, but {len(args)} positional arguments are there"
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
            else:
                known = ", ".join((*names[: len(args)], *kwargs))
                raise locate(
                    ArgumentError(f"{label}: no argument {name!r}; the arguments are {known}"),
                    caller_location(),
                )
    return places


class _Call:
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
            _, structure = flatten(value)
            self.parts.append((structure, positions[where]))
            chosen.update(positions[where])
        self.arrays = [
            position
            for position, leaf in enumerate(self.leaves)
            if leaf.__class__ is TracedArray or position in chosen or hasattr(leaf, "dtype")
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
        from unigrad.ir.source import variable_name

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
                for position in positions
            ]
            parts.append(structure.unflatten(leaves))
        return parts[0] if single else tuple(parts)


def _scalar_output(closed: Closed, label: str, *, has_aux: bool) -> tuple[int, int]:
    """Check that there is one floating scalar to differentiate; return how many outputs are."""
    outputs = closed.graph.outputs
    if has_aux:
        tree = closed.structure.unflatten(list(range(len(outputs))))
        if not isinstance(tree, tuple) or len(tree) != 2:  # noqa: PLR2004  # pyright: ignore[reportUnknownArgumentType]
            raise locate(
                DifferentiationError(
                    f"{label}: with has_aux it returns a pair (value, aux), got {closed.structure}"
                ),
                caller_location(),
            )
        first, _ = flatten(tree[0])  # pyright: ignore[reportUnknownArgumentType]
        count = len(first)
    else:
        count = len(outputs)
    if count != 1 or (
        not has_aux and str(closed.structure) != "*" and closed.structure.paths() != ("",)
    ):
        raise locate(
            DifferentiationError(
                f"{label}: the gradient is that of one scalar, the function returns {count} values"
                f" ({closed.structure}); use has_aux=True for values on the side, or ug.vjp"
            ),
            caller_location(),
        )
    type_ = tensor(outputs[0])
    if type_.ndim:
        raise locate(
            DifferentiationError(
                f"{label}: the gradient is that of a scalar, the function returns {type_};"
                " reduce it (ug.sum, ug.mean) or use ug.vjp"
            ),
            caller_location(),
        )
    if not type_.is_floating:
        raise locate(
            DifferentiationError(
                f"{label}: a value of type {type_} has no gradient; it is not floating"
            ),
            caller_location(),
        )
    return count, len(outputs) - count


def vjp(
    function: Callable[..., Any],
    *primals: Any,
    has_aux: bool = False,
    target: Any = None,
    autodiff: Autodiff | None = None,
    conventions: Conventions | None = None,
) -> Any:
    """The value of a function and its pullback.

    Args:
        function: any function of arrays and structures of arrays.
        *primals: where to evaluate it.
        has_aux: whether the function returns ``(out, aux)``.
        target: where it runs, whatever the settings say.
        autodiff: ``"graph"`` or ``"native"``, whatever the settings say.
        conventions: ``"unigrad"`` or ``"framework"``, whatever the settings say.

    Returns:
        ``(out, pullback)``, with ``has_aux`` ``(out, pullback, aux)``. ``pullback`` takes a
        cotangent of the structure of ``out`` and returns the tuple of cotangents of ``primals``; it
        can be called again.

    Example:
        >>> import unigrad as ug
        >>> out, pullback = ug.vjp(lambda x, y: x * y, 2.0, 3.0)
        >>> pullback(1.0)
        (np.float64(3.0), np.float64(2.0))
    """
    from unigrad.compiler.derivative import residual_pullback  # imported by need

    settings = {"target": target, "autodiff": autodiff, "conventions": conventions}
    if current_scope() is not None and has_traced_leaf(primals):
        return _traced_vjp(function, primals, has_aux=has_aux)
    label = _name_of(function)

    def forward(*args: Any) -> Any:
        return function(*args)

    def pull(cotangent: Any, *args: Any) -> Any:
        return _traced_vjp(function, args, has_aux=has_aux)[1](cotangent)

    value = _transformed("value", function, forward, ("vjp", has_aux), **settings)
    value.signature_of = flat_signature(len(primals))
    kept = None if has_aux else residual_pullback(value, primals)
    aux: Any = None
    if kept is not None:
        out, pull_flat = kept

        def backward(cotangent: Any) -> Any:
            return pull_flat(*flatten(cotangent)[0])

    else:
        result = value(*primals)
        out, aux = result if has_aux else (result, None)
        again = _transformed("pullback", function, pull, has_aux, **settings)
        again.signature_of = flat_signature(len(primals) + 1)

        def backward(cotangent: Any) -> Any:
            return again(cotangent, *primals)

    _, structure = flatten(out)

    def pullback(cotangent: Any) -> Any:
        _, given = flatten(cotangent)
        if given != structure:
            raise locate(
                ArgumentError(f"the cotangent of {label}: {mismatch(structure, given)}"),
                caller_location(),
            )
        return backward(_as_out(cotangent, out, label))

    return (out, pullback, aux) if has_aux else (out, pullback)


def _as_out(cotangent: Any, out: Any, label: str) -> Any:
    """A cotangent of the shapes of the results; its Python numbers take their dtypes."""
    given, structure = flatten(cotangent)
    wanted, _ = flatten(out)
    leaves: list[Any] = []
    for one, like in zip(given, wanted, strict=True):
        if isinstance(one, (int, float)) and not isinstance(one, np.generic):
            one = np.asarray(one, as_dtype(like.dtype).numpy)  # noqa: PLW2901
        elif not hasattr(one, "dtype"):
            raise locate(
                DTypeError(f"the cotangent of {label}: a {type(one).__name__} is not an array"),
                caller_location(),
            )
        if tuple(one.shape) != tuple(like.shape):
            raise locate(
                ShapeError(
                    f"the cotangent of {label} has shape {tuple(one.shape)},"
                    f" expected {tuple(like.shape)}"
                ),
                caller_location(),
            )
        if as_dtype(one.dtype) is not as_dtype(like.dtype):
            raise locate(
                DifferentiationError(
                    f"the cotangent of {label} has dtype {as_dtype(one.dtype)},"
                    f" expected {as_dtype(like.dtype)}"
                ),
                caller_location(),
            )
        leaves.append(one)
    return structure.unflatten(leaves)


def _traced_vjp(function: Callable[..., Any], primals: tuple[Any, ...], *, has_aux: bool) -> Any:
    label = _name_of(function)
    call = _Call(function, primals, {}, list(range(len(primals))))
    closed = call.close(label)
    place = cast("Scope", current_scope())
    operands = (*call.nodes, *closed.captures)
    found = [TracedArray(node) for node in inline(closed.graph, operands, place)]
    result = closed.structure.unflatten(found)
    out, aux = result if has_aux else (result, None)
    leaves, structure = flatten(out)
    seeds = tuple(i for i in range(len(leaves)) if tensor(closed.graph.outputs[i]).is_floating)

    def pullback(cotangent: Any) -> Any:
        given, given_structure = flatten(cotangent)
        if given_structure != structure:
            raise locate(
                ArgumentError(f"the cotangent of {label}: {mismatch(structure, given_structure)}"),
                caller_location(),
            )
        here = cast("Scope", current_scope())
        cotangents = [
            _like(here, given[i], tensor(closed.graph.outputs[i]), f"the cotangent of {label}")
            for i in seeds
        ]
        node = here.node(vjp_of, (*operands, *cotangents), (closed.graph, call.wrt, seeds))
        pulled = [TracedArray(one) for one in results(node, here)[len(closed.graph.outputs) :]]
        return call.arrange(pulled, single=False)

    return (out, pullback, aux) if has_aux else (out, pullback)


def _like(place: Scope, value: Any, type_: TensorType, what: str) -> Node:
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
    from unigrad.ops.shape import reweigh

    return place.node(reweigh, (node,), (type_.weak,))


# -- forward mode ----------------------------------------------------------------------------------


def jvp(
    function: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: bool = False,  # noqa: FBT001, FBT002
    *,
    target: Any = None,
    autodiff: Autodiff | None = None,
    conventions: Conventions | None = None,
) -> Any:
    """The value of a function and its derivative along ``tangents``.

    Args:
        function: any function of arrays and structures of arrays.
        primals: where to evaluate it, a tuple or list.
        tangents: the direction: the same structure, shapes and dtypes as ``primals``.
        has_aux: whether the function returns ``(out, aux)``.
        target: where it runs, whatever the settings say.
        autodiff: ``"graph"`` or ``"native"``, whatever the settings say.
        conventions: ``"unigrad"`` or ``"framework"``, whatever the settings say.

    Returns:
        ``(out, tangent_out)``, with ``has_aux`` ``(out, tangent_out, aux)``.

    Example:
        >>> import unigrad as ug
        >>> ug.jvp(lambda x: x * x, (3.0,), (1.0,))
        (np.float64(9.0), np.float64(6.0))
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError("ug.jvp: primals and tangents are tuples or lists of arguments")
    primals, tangents = tuple(primals), tuple(tangents)
    (_, expected), (_, given) = flatten(primals), flatten(tangents)
    label = _name_of(function)
    if expected != given:
        raise locate(
            ArgumentError(f"the tangents of {label}: {mismatch(expected, given)}"),
            caller_location(),
        )
    if current_scope() is not None and has_traced_leaf((primals, tangents)):
        return _traced_jvp(function, primals, tangents, has_aux=has_aux)
    count = len(primals)

    def body(*args: Any) -> Any:
        return _traced_jvp(function, args[:count], args[count:], has_aux=has_aux)

    run = _transformed(
        "jvp",
        function,
        body,
        (count, has_aux),
        target=target,
        autodiff=autodiff,
        conventions=conventions,
    )
    run.signature_of = flat_signature(2 * count)
    return run(*primals, *tangents)


def _traced_jvp(
    function: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    has_aux: bool,
) -> Any:
    label = _name_of(function)
    call = _Call(function, primals, {}, list(range(len(primals))))
    closed = call.close(label)
    place = cast("Scope", current_scope())
    given, _ = flatten(tangents)
    directions = [
        _like(
            place, given[call.arrays[index]], tensor(call.nodes[index]), f"the tangent of {label}"
        )
        for index in call.differentiated
    ]
    node = place.node(
        jvp_of, (*call.nodes, *closed.captures, *directions), (closed.graph, call.wrt)
    )
    found = [TracedArray(one) for one in results(node, place)]
    count = len(closed.graph.outputs)
    out = closed.structure.unflatten(found[:count])
    tangent = closed.structure.unflatten(found[count:])
    if has_aux:
        return out[0], tangent[0], out[1]
    return out, tangent
