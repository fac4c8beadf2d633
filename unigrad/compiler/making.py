"""Making a compiled signature: the slow half of a call, imported when the first one is made.

Between the user's arrays and the native function stand conversions on the way in, the structure of
the result on the way out, and, where the caller's tape records, the node that carries our
derivative.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from unigrad.backend import registry
from unigrad.backend.load import load
from unigrad.compiler.arguments import leaf_of
from unigrad.compiler.guard import guard, returned, silenced, silencing
from unigrad.compiler.pipeline import Program, build, is_native, passes_of
from unigrad.compiler.render import literal
from unigrad.compiler.state import log
from unigrad.compiler.tape import Kept, Tape
from unigrad.errors import DifferentiationError, locate
from unigrad.ir.nodes import CONSTANT, INPUT, Node
from unigrad.ir.source import caller_location
from unigrad.ir.types import as_dtype
from unigrad.ops import elementwise, shape
from unigrad.trace.capture import as_numpy
from unigrad.trace.structure import flatten
from unigrad.transforms.expand import has_transforms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.backend.registry import Backend
    from unigrad.compiler.arguments import Arguments, Leaf
    from unigrad.config import Settings
    from unigrad.ir.nodes import Graph
    from unigrad.trace.tracer import Traced

__all__ = ["Compiled", "Place", "fast_way", "make"]

_VIEWS: Final = {
    shape.reshape, shape.permute_dims, shape.broadcast_to, shape.expand_dims, shape.squeeze,
    shape.flip, shape.getitem, elementwise.stop_gradient, elementwise.barrier, elementwise.positive,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where a signature runs.

    Attributes:
        backend: the framework.
        mode: its mode, ``""`` if it has one way only.
        device: the device that the target names, if it names one.
        native_in: whether the caller passed native arrays, and gets native ones back.
        tape: what the caller's tape records (``None``: nothing).
    """

    backend: Backend
    mode: str
    device: str | None
    native_in: bool
    tape: Any

    @property
    def label(self) -> str:
        """The target as it shows in tracebacks."""
        return f"{self.backend.name}{':' + self.mode if self.mode else ''}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """One signature on one target.

    Attributes:
        call: takes the arrays of a call, returns what the user gets.
        native: the native function that it calls: that of the program, or a node of a tape.
        program: the native function and its source.
        traced: the graph and the structure of the result.
    """

    call: Callable[..., Any]
    native: Callable[..., Any]
    program: Program
    traced: Traced


def make(
    name: str, settings: Settings, arguments: Arguments, place: Place, traced: Traced
) -> Compiled:
    """Compile one signature of a traced function."""
    backend = place.backend
    runtime = registry.runtime(backend)
    check = getattr(runtime, "check_device", None)
    if check is not None:
        check(place.device)
    native = is_native(settings, backend)
    if settings.autodiff == "native" and not native and has_transforms(traced.graph):
        log().info("%s has no derivatives of its own: %s has those of unigrad", backend.name, name)
    # On the caller's tape, graph mode is one node whose forward runs without the tape.
    one_node = place.tape is not None and not native and hasattr(runtime, "attach")
    names = [f"y{position}" for position in range(len(traced.graph.outputs))]
    text = literal(traced.structure, names)
    nested = bool(names) and not one_node and text is not None and _is_assignable(text)
    wanted = registry.Compilation(
        place.mode, place.device,
        native_in=all(leaf.owner == backend.name for leaf in arguments.leaves),
        tape="" if place.tape is None else "node" if one_node else "ops",
    )  # fmt: skip
    program = build(
        traced.graph, backend, settings, wanted, name=name, label=f"{place.label} {name}",
        render=(lambda texts: literal(traced.structure, texts)) if nested else (lambda _: None),
    )  # fmt: skip
    function = program.call
    if one_node:

        def native_of(graph: Graph) -> Callable[..., Any]:
            label = f"{place.label} {graph.name}"
            return build(
                graph, backend, settings, wanted, name=graph.name, label=label,
                render=lambda _: None,
            ).call  # fmt: skip

        def keeping(wrt: tuple[int, ...], seeds: tuple[int, ...]) -> Kept:
            from unigrad.compiler.derivative import kept  # imported by need

            return kept(traced.graph, wrt, seeds, passes_of(settings), native_of)

        function = runtime.attach(function, Tape(traced.graph, backend, keeping), place.tape)
    shared = _shared(program.graph, place) if not one_node else [""] * len(names)
    finish = _finish(
        function, runtime, traced, place, shared, nested=nested, label=f"{place.label} {name}"
    )
    convert = [_converter(leaf, place, runtime) for leaf in arguments.leaves]
    hidden = [_converter(cast("Leaf", leaf_of(one)), place, runtime)(one) for one in traced.hidden]

    def call(*values: Any) -> Any:
        return finish([*[one(value) for one, value in zip(convert, values, strict=True)], *hidden])

    owners = {leaf.owner for leaf in arguments.leaves} - {"python", "numpy"}
    if owners and backend.name not in owners:
        # Guests: tensors of another framework than the target's go there and come back.
        home = registry.runtime(registry.found(min(owners)))
        aliases = _aliases(program.graph, views=True)
        return Compiled(_round_trip(call, runtime, home, aliases), function, program, traced)
    return Compiled(call, function, program, traced)


def _is_assignable(text: str) -> bool:
    """Whether a structure of names is one of tuples and lists, which the results unpack into."""
    try:
        ast.parse(f"{text} = results")
    except SyntaxError:
        return False
    return True


def _round_trip(
    call: Callable[..., Any], runtime: Any, home: Any, aliases: Sequence[bool]
) -> Callable[..., Any]:
    """``call`` with its results brought back to the framework that the arguments came from."""
    own = getattr(home, "copy", None)  # a framework without it writes into no array

    def back(value: Any, *, alias: bool) -> Any:
        if not runtime.is_native(value):
            return value
        result = exchanged(value, runtime, home, None)
        return own(result) if alias and own is not None else result

    def there_and_back(*values: Any) -> Any:
        leaves, structure = flatten(call(*values))
        pairs = zip(leaves, aliases, strict=True)
        return structure.unflatten([back(leaf, alias=alias) for leaf, alias in pairs])

    return there_and_back


def _finish(
    function: Callable[..., Any],
    runtime: Any,
    traced: Traced,
    place: Place,
    shared: Sequence[str],
    *,
    nested: bool,
    label: str,
) -> Callable[[Sequence[Any]], Any]:
    """What calls the native function and gives results back as the caller's arrays came."""
    is_numpy = runtime.ARRAY_TYPE is np.ndarray
    lines = returned(
        "native(*values)", traced.graph.output_types, shared,
        numpy_out=not place.native_in, is_numpy=is_numpy,
        render=lambda texts: literal(traced.structure, texts), nested=nested,
    )  # fmt: skip
    lines = silenced(lines, runtime)
    text = "def finish(values):\n" + "".join(f"    {line}\n" for line in lines)
    space = {
        "native": function, "to_numpy": runtime.to_numpy, "rebuild": traced.structure.unflatten,
        "copy": getattr(runtime, "copy", None), **silencing(runtime),
    }  # fmt: skip
    return load(text, "finish", f"finish {label}", space)


def fast_way(
    name: str, args: tuple[Any, ...], arguments: Arguments, place: Place, compiled: Compiled
) -> Callable[..., Any] | None:
    """The emitted guard of a signature; ``None`` if its arguments are not tested so quickly."""
    leaves = arguments.leaves
    if len(arguments.parameters) != len(args):
        return None
    accesses = [""] * len(leaves)
    for number, (_, places) in enumerate(arguments.parameters):
        for position, inside in places:
            accesses[position] = f"a{number}{inside}"
    runtime = registry.runtime(place.backend)
    kinds = getattr(runtime, "GUARD_TYPES", (runtime.ARRAY_TYPE,))
    tests: Any = getattr(runtime, "GUARD_TESTS", ()), getattr(runtime, "GUARD_ACTIVE", ""), ""
    if place.tape is not None:
        tests = getattr(runtime, "GUARD_RECORDED", {}).get(place.tape)
        if tests is None:
            return None
    if place.native_in and (
        not hasattr(runtime, "GUARD_TESTS")
        or any(leaf.owner not in ("python", place.backend.name) for leaf in leaves)
        or any(leaf.owner != "python" and type(leaf.value) not in kinds for leaf in leaves)
    ):
        return None
    graph = compiled.traced.graph
    one_node = compiled.native is not compiled.program.call
    return guard(
        args, accesses, leaves, compiled.native, runtime, *tests,
        asarray=way_in(place.native_in, runtime), numpy_out=not place.native_in,
        device=place.device, outputs=graph.output_types,
        shared=[""] * len(graph.outputs) if one_node else _shared(compiled.program.graph, place),
        rebuild=compiled.traced.structure.unflatten,
        render=lambda texts: literal(compiled.traced.structure, texts),
        nested=not one_node and not compiled.program.emitted.flat, label=f"{place.label} {name}",
    )  # fmt: skip


def _converter(leaf: Leaf, place: Place, runtime: Any) -> Callable[[Any], Any]:
    """What brings one argument of a call to the backend."""
    backend, device, dtype = place.backend, place.device, leaf.type.dtype
    passed = way_in(place.native_in, runtime)
    if leaf.owner == backend.name:
        if backend.name == "numpy":
            return as_numpy
        move = getattr(runtime, "place", None)
        return (lambda value: move(value, device)) if move is not None else (lambda value: value)
    if leaf.owner == "python":
        if backend.name == "numpy":
            return dtype.numpy.type
        return lambda value: passed(np.asarray(value, dtype.numpy), dtype, device)
    if leaf.owner == "numpy":
        return lambda value: passed(as_numpy(value), dtype, device)
    other = registry.runtime(registry.found(leaf.owner))

    def travel(value: Any) -> Any:
        on_tape = getattr(other, "on_tape", None)
        if on_tape is not None and on_tape([value]) is not None:
            raise locate(
                DifferentiationError(
                    f"an array on the tape of {leaf.owner} cannot go to {backend.name}, where that"
                    " tape ends; detach it, or choose a target of its own framework"
                ),
                caller_location(),
            )
        return exchanged(value, other, runtime, device)

    return travel


def exchanged(value: Any, source: Any, home: Any, device: str | None) -> Any:
    """An array of one framework as one of another: its memory shared where DLPack can do that."""
    from_dlpack = getattr(home, "from_dlpack", None)
    if from_dlpack is not None:
        exported = getattr(source, "exported", None)
        try:
            return from_dlpack(value if exported is None else exported(value), device)
        except Exception as error:  # noqa: BLE001  (each framework has its own way to refuse)
            # A layout or a dtype that DLPack does not carry goes by way of NumPy.
            log().debug("no DLPack from %s: %s", type(value).__name__, error)
    array = np.asarray(source.to_numpy(value))
    return home.asarray(array, as_dtype(array.dtype), device)


def way_in(native_in: bool, runtime: Any) -> Callable[..., Any]:  # noqa: FBT001
    """What makes a native array of a NumPy one: sharing memory, unless a result may keep it."""
    shares = None if native_in else getattr(runtime, "from_numpy", None)
    return shares or runtime.asarray


def _shared(graph: Graph, place: Place) -> list[str]:
    """How each output is made the caller's own: ``"copy"`` of shared memory, ``""`` for nothing.

    NumPy results are copied if they are an argument, a captured array or another result, or a view
    of one; native ones, whose frameworks hand out views, if they are the very same array and their
    framework writes into arrays.
    """
    runtime = registry.runtime(place.backend)
    if place.native_in and not hasattr(runtime, "copy"):
        return [""] * len(graph.outputs)
    return ["copy" if one else "" for one in _aliases(graph, views=not place.native_in)]


def _aliases(graph: Graph, *, views: bool) -> list[bool]:
    """For each output, whether it is an argument, a captured array or an output before it."""
    seen: set[Node] = set()
    found: list[bool] = []
    for node in graph.outputs:
        root = node
        while views and root.op in _VIEWS:
            root = root.operands[0]
        found.append(root in seen or root.op is INPUT or root.op is CONSTANT)
        seen.add(root)
    return found
