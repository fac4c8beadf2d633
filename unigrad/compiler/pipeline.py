"""From a graph to a native function: expand, optimise, legalise, emit, load."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from unigrad.backend import registry
from unigrad.backend.emit import Emitted, Parameter, emit
from unigrad.backend.expressions import unsupported
from unigrad.backend.load import load
from unigrad.backend.registry import Transform
from unigrad.compiler.collector import collector_paused
from unigrad.compiler.render import unpacked
from unigrad.compiler.rules import rule_of
from unigrad.ir.dims import Dim, symbols_of
from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, Scope, graph_parameters, scope, tensor
from unigrad.ir.rebuild import copy_missing, copy_node, rebuilt
from unigrad.ops.apply import jvp_of
from unigrad.ops.spec import Op
from unigrad.passes.pipeline import OPTIMISED, PLAIN, Passes, optimise_bodies, run
from unigrad.passes.rewrite import Report
from unigrad.transforms.expand import expand, has_transforms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.backend.native import Rule
    from unigrad.backend.registry import Backend, Compilation
    from unigrad.config import Settings

__all__ = ["Program", "build", "is_native", "legalise", "optimise", "passes_of", "write"]


def passes_of(settings: Settings) -> Passes:
    """The passes that the settings ask for."""
    return OPTIMISED if settings.optimise else PLAIN


def is_native(settings: Settings, backend: Backend) -> bool:
    """Whether the framework differentiates."""
    return settings.autodiff == "native" and backend.native


def optimise(
    graph: Graph, *, native: bool = False, passes: Passes = OPTIMISED
) -> tuple[Graph, Report]:
    """The graph that is emitted, and what was rewritten on the way.

    Args:
        graph: as traced.
        native: keep the derivative nodes for the framework; their bodies are optimised alone.
        passes: what is done with the graph, and with graphs in it before they are differentiated.
    """
    key = ("optimised", native, passes)
    known = graph.memo.get(key)
    if known is not None:
        return known
    report = Report()

    def prepare(body: Graph) -> Graph:
        prepared, made = run(passes.before, body)
        report.extend(made)
        return prepared

    if not native or not has_transforms(graph):
        graph_ = expand(graph, prepare, key=passes)
        result, made = run(passes.after, graph_)
    else:
        graph_, made = optimise_bodies(passes.before, graph)
        report.extend(made)
        result, made = run(passes.before, graph_)
    report.extend(made)
    graph.memo[key] = (result, report)
    return result, report


def legalise(graph: Graph, backend: Backend) -> Graph:
    """Lower every op for which the backend has no row to simpler ops.

    Raises:
        UnsupportedError: for an op that has neither a row nor a lowering; before anything runs.
    """
    dialect = backend.dialect
    if backend.legalise is not None:
        graph = backend.legalise(graph)
    missing: set[Node] = set()
    for _ in range(8):  # a lowering may use ops that are lowered in their turn
        missing = {
            node
            for node in graph.nodes
            if node.op is not INPUT and node.op is not CONSTANT and dialect.template(node) is None
        }
        if not missing:
            return graph
        graph = _lowered(graph, missing, backend)
    raise unsupported(next(iter(missing)), dialect)


def with_legal_bodies(graph: Graph, backend: Backend) -> Graph:
    """Legalise the closed bodies that nodes hold, and give each what it takes from around it.

    The function of a body has no place for a captured array, and knows no size but those of its
    inputs. An array becomes one more input and is a constant of the outermost function, placed on
    the device once; a named size is read from one more input that has it.
    """
    if not any(True for node in graph.nodes for _ in graph_parameters(node)):
        return graph
    place = Scope()
    with scope(place):
        inputs = [place.input(tensor(node), node.params[0], node.origins) for node in graph.inputs]
        env = dict(zip(graph.inputs, inputs, strict=True))
        sources = _sources_of_sizes(inputs)
        for node in graph.nodes:
            if node in env:
                continue
            place.origin = node.origins
            operands = tuple([env[operand] for operand in node.operands])
            params = node.params
            for body in graph_parameters(node):
                legal = legalise(body, backend)
                known = _sources_of_sizes(legal.inputs)
                missing = sorted((_sizes_within(legal) - known.keys()) & sources.keys())
                holders = list(dict.fromkeys(sources[name] for name in missing))
                sized = with_legal_bodies(_with_inputs(legal, (), holders), backend)
                # Among them are those that bodies inside of this one gave up.
                arrays = [one for one in sized.nodes if one.op is CONSTANT and tensor(one).ndim]
                constants = [copy_node(place, one, ()) for one in arrays]
                count = len(body.inputs)
                operands = (*operands[:count], *holders, *constants, *operands[count:])
                params = (_with_inputs(sized, arrays, ()), *params[1:])
            changed = params is not node.params
            env[node] = (
                place.node(node.op, operands, params)
                if changed
                else copy_node(place, node, operands)
            )
    outputs = [env[node] for node in graph.outputs]
    return Graph(inputs, outputs, name=graph.name, output_names=graph.output_names)


def _sources_of_sizes(nodes: Sequence[Node]) -> dict[str, Node]:
    """For each named size, the first of these nodes that has it alone on an axis."""
    found: dict[str, Node] = {}
    for node in nodes:
        for size in tensor(node).shape:
            if isinstance(size, Dim):
                found.setdefault(str(size), node)
    return found


def _sizes_within(graph: Graph) -> set[str]:
    """The named sizes that the ops of a graph mention, and those of the bodies in it."""
    names: set[str] = set()
    waiting: list[Any] = [node.params for node in graph.nodes if node.op is not CONSTANT]
    while waiting:
        param = waiting.pop()
        if isinstance(param, tuple):
            waiting += cast("tuple[Any, ...]", param)
        elif isinstance(param, Graph):
            names |= _sizes_within(param)
        elif isinstance(param, Dim):
            names |= symbols_of(param)
    return names


def _with_inputs(graph: Graph, arrays: Sequence[Node], holders: Sequence[Node]) -> Graph:
    """A graph with further inputs: for its constant arrays, and for what it reads sizes from."""
    if not arrays and not holders:
        return graph
    place = Scope()
    inputs = [place.input(tensor(node), node.params[0], node.origins) for node in graph.inputs]
    extra = [place.input(tensor(node), "constant", node.origins) for node in arrays]
    sized = [place.input(tensor(node), node.params[0], node.origins) for node in holders]
    env = dict(zip((*graph.inputs, *arrays), (*inputs, *extra), strict=True))
    copy_missing(graph.nodes, env, place)
    return Graph((*inputs, *extra, *sized), [env[node] for node in graph.outputs], name=graph.name)


def _lowered(graph: Graph, missing: set[Node], backend: Backend) -> Graph:
    def lower(place: Scope, node: Node, operands: tuple[Node, ...]) -> Node:
        op = node.op
        if node not in missing or not isinstance(op, Op):
            return copy_node(place, node, operands)
        if op.lowering is None:
            raise unsupported(node, backend.dialect)
        lowered: Any = op.lowering(*operands, **op.keywords(node.params))
        return lowered

    return rebuilt(graph, lower)


@dataclass(frozen=True, slots=True)
class Program:
    """A native function, and the text that it was made from.

    Attributes:
        call: the native callable; takes native arrays, has the constants bound.
        emitted: its source.
        graph: the graph that was written.
    """

    call: Callable[..., Any]
    emitted: Emitted
    graph: Graph


def write(
    graph: Graph,
    backend: Backend,
    settings: Settings,
    *,
    name: str,
    mode: str = "",
    device: str | None = None,
    parameters: Sequence[Parameter] | None = None,
    render: Callable[[Sequence[str]], str | None] | None = None,
) -> tuple[Emitted, Graph]:
    """The source of a graph for a backend; needs no framework."""
    with collector_paused():
        return _write(
            graph, backend, settings, mode, device, name=name, parameters=parameters, render=render
        )


def _write(
    graph: Graph, backend: Backend, settings: Settings, mode: str, device: str | None, *, name: str,
    parameters: Sequence[Parameter] | None, render: Callable[[Sequence[str]], str | None] | None,
) -> tuple[Emitted, Graph]:  # fmt: skip
    backend = backend.of_mode(mode)
    native, passes = is_native(settings, backend), passes_of(settings)
    ours = native and settings.conventions == "unigrad"
    if ours:
        graph = without_gaps(graph, backend, mode, passes)

    def rules(node: Node) -> Rule:
        return rule_of(node, lambda body: legalise(body, backend))

    graph, _ = optimise(graph, native=native, passes=passes)
    graph = with_legal_bodies(legalise(graph, backend), backend)
    emitted = emit(
        graph, backend.dialect, name=name, parameters=parameters, render=render,
        decorators=backend.decorators(graph), device=device,
        release=mode not in backend.frees, rules=rules if ours else None,
    )  # fmt: skip
    return emitted, graph


def without_gaps(graph: Graph, backend: Backend, mode: str, passes: Passes = OPTIMISED) -> Graph:
    """The graph, with those transforms expanded that this mode of a framework gets wrong."""
    gaps = [gap for gap in backend.gaps if not gap.modes or mode in gap.modes]
    if not gaps:
        return graph
    dialect = backend.dialect

    def is_wrong(op: Any, body: Graph) -> bool:
        ruled = any(dialect.is_ruled(node) for node in legalise(body, backend).nodes)
        transform = Transform("jvp" if op is jvp_of else "vjp", body, ruled)
        return any(gap.covers(transform) for gap in gaps)

    def prepare(body: Graph) -> Graph:
        return run(passes.before, body)[0]

    return expand(graph, prepare, only=is_wrong)


def build(
    graph: Graph,
    backend: Backend,
    settings: Settings,
    wanted: Compilation,
    *,
    name: str,
    label: str,
    parameters: Sequence[Parameter] | None = None,
    render: Callable[[Sequence[str]], str | None] | None = None,
) -> Program:
    """The native function of a graph; what it is compiled for, ``wanted`` says."""
    # A compiler of array functions gets one; what takes structures apart stands before it.
    structured = any(parameter.leaves[0][1] for parameter in parameters or ())
    alone = structured and wanted.mode in backend.flat
    emitted, written = write(
        graph, backend, settings, mode=wanted.mode, device=wanted.device, name=name,
        parameters=None if alone else parameters,
        render=(lambda _: None) if alone else render,
    )  # fmt: skip
    runtime = registry.runtime(backend)
    with collector_paused():
        function = load(emitted.text, emitted.name, label, places=emitted.places)
    constants = tuple(
        runtime.asarray(node.params[0], tensor(node).dtype, wanted.device)
        for node in emitted.constants.values()
    )
    if constants:
        # Captured arrays are placed on the device once and become the trailing defaults.
        inspect.unwrap(function).__defaults__ = constants
        function.__kwdefaults__ = None
    compile_ = getattr(runtime, "compile", None)
    if compile_ is not None:
        wanted = replace(wanted, types=graph.input_types, constants=constants)
        function = compile_(function, wanted)
    flat = emitted.flat
    if alone:
        counts = len(graph.inputs), len(graph.outputs)
        function, flat = unpacked(function, parameters or (), *counts, render, label)
    return Program(function, emitted._replace(flat=flat), written)
