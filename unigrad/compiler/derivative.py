"""Derivatives of a graph as functions of flat arrays: what a caller's tape asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from unigrad.compiler.arguments import flat_signature
from unigrad.compiler.function import Function, placed
from unigrad.compiler.pipeline import is_native, optimise, passes_of
from unigrad.compiler.tape import Kept
from unigrad.ir.nodes import Graph, Scope, current_scope
from unigrad.ir.rebuild import close, inline
from unigrad.ops.apply import jvp_of, results, vjp_of
from unigrad.passes.pipeline import run
from unigrad.trace.array import node_of, wrap
from unigrad.trace.tracer import leaf_node
from unigrad.transforms.reverse import reverse
from unigrad.transforms.split import Halves, split

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.backend.registry import Backend
    from unigrad.passes.pipeline import Passes

__all__ = ["graph_derivative", "graph_function", "kept", "residual_pullback"]


def _closed_here(graph: Graph, nodes: list[Any]) -> Graph:
    """``graph`` as a closed graph of the current trace."""
    place = current_scope()
    inner = Scope(place)
    inputs = [
        inner.input(node.type, name) for node, name in zip(nodes, graph.input_names, strict=True)
    ]
    outputs = inline(graph, inputs, inner)
    closed, _ = close(inner, inputs, outputs, name=graph.name)
    return closed


def graph_function(graph: Graph, name: str, settings: dict[str, Any] | None = None) -> Function:
    """A graph as a function of its inputs, which returns the tuple of its outputs."""

    def body(*args: Any) -> Any:
        place = cast("Scope", current_scope())
        nodes = [leaf_node(place, arg) for arg in args]
        return wrap(inline(graph, nodes, place))

    return Function(
        body, name=name, settings=settings, signature_of=flat_signature(len(graph.inputs))
    )


def split_derivative(
    graph: Graph, wrt: tuple[int, ...], seeds: tuple[int, ...], passes: Passes
) -> Halves:
    """The vjp of a graph in two parts: outputs and residuals first, cotangents when wanted."""
    key = ("split", wrt, seeds, passes)
    known = graph.memo.get(key)
    if known is None:
        body, _ = optimise(graph, passes=passes)
        joint, _ = run(passes.after, reverse(body, wrt, seeds))
        known = graph.memo[key] = split(joint, len(graph.inputs), len(graph.outputs))
    return known


def residual_pullback(function: Function, args: tuple[Any, ...]) -> Any:
    """The value at ``args`` and a pullback that reads what the forward pass kept.

    Args:
        function: any function.
        args: positional arguments: arrays of floating dtypes and structures of them.

    Returns:
        ``(result, pull)``, where ``pull`` takes flat cotangents and returns those of ``args`` in
        their structure; ``None`` where this way does not serve (native mode, integers, settings
        among the arguments, arrays on a tape taken from around the function).
    """
    settings = function.settings()
    arguments = function.read(args, {})
    backend, _, _ = placed(settings, arguments.leaves)
    if is_native(settings, backend) or not arguments.leaves:
        return None
    if not all(plan.__class__ is int for plan in arguments.plan):
        return None
    traced = function.trace(settings, arguments)
    graph = traced.graph
    types = (*graph.input_types, *graph.output_types)
    if traced.hidden or not all(type_.is_floating for type_ in types):
        return None
    passes = passes_of(settings)
    halves = split_derivative(
        graph, tuple(range(len(graph.inputs))), tuple(range(len(graph.outputs))), passes
    )
    functions = graph.memo.get(("halves", passes))
    if functions is None:
        functions = tuple(
            graph_function(half, half.name, settings=function.overrides) for half in halves
        )
        graph.memo["halves", passes] = functions
    values = [leaf.value for leaf in arguments.leaves]
    kept = functions[0](*values)
    residuals = kept[len(graph.outputs) :]

    def pull(*cotangents: Any) -> Any:
        return arguments.rebuild(functions[1](*values, *residuals, *cotangents))[0]

    return traced.structure.unflatten(kept[: len(graph.outputs)]), pull


def kept(
    graph: Graph,
    wrt: tuple[int, ...],
    seeds: tuple[int, ...],
    passes: Passes,
    native: Callable[[Graph], Callable[..., Any]],
) -> Kept:
    """A function and its vjp for the caller's tape, made native by ``native``."""
    halves = split_derivative(graph, wrt, seeds, passes)
    pulls: dict[tuple[int, ...], Callable[..., Any]] = {}

    def pull(wanted: tuple[int, ...]) -> Callable[..., Any]:
        known = pulls.get(wanted)
        if known is None:
            outputs = [halves.second.outputs[wrt.index(position)] for position in wanted]
            part = Graph(halves.second.inputs, outputs, name=halves.second.name)
            known = pulls[wanted] = native(part)
        return known

    return Kept(native(halves.first), pull)


def graph_derivative(
    graph: Graph,
    kind: str,
    wrt: tuple[int, ...],
    seeds: tuple[int, ...],
    backend: Backend,
) -> Function:
    """The vjp or jvp of a graph, without its values, as a function of flat arrays."""
    count = len(graph.inputs)
    outputs = len(graph.outputs)

    def body(*args: Any) -> Any:
        place = current_scope()
        nodes = [node_of(arg, place) for arg in args]
        closed = _closed_here(graph, nodes[:count])
        if kind == "vjp":
            node = place.node(vjp_of, tuple(nodes), (closed, wrt, seeds))  # pyright: ignore[reportOptionalMemberAccess]
        else:
            node = place.node(jvp_of, tuple(nodes), (closed, wrt))  # pyright: ignore[reportOptionalMemberAccess]
        return tuple(wrap(one) for one in results(node, place)[outputs:])  # pyright: ignore[reportArgumentType]

    extra = len(seeds) if kind == "vjp" else len(wrt)
    return Function(
        body,
        name=f"{graph.name}_{kind}",
        settings={"target": backend.name, "autodiff": "graph"},
        signature_of=flat_signature(count + extra),
    )
