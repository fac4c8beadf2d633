"""The passes in the order in which they run: two tuples, and what runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from unigrad.ir.nodes import Graph, graph_parameters
from unigrad.passes.fold import fold
from unigrad.passes.norms import norms
from unigrad.passes.rewrite import Pass, Report, Rewriting, rewrite
from unigrad.passes.simplify import economise, simplify
from unigrad.passes.stabilise import stabilise

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "BEFORE_DIFFERENTIATION", "OPTIMISED", "PIPELINE", "PLAIN", "Passes", "optimise_bodies", "run",
]  # fmt: skip

BEFORE_DIFFERENTIATION: Final[tuple[Pass, ...]] = (fold, stabilise, norms, simplify)
"""For a graph that is going to be differentiated, by us or by a framework.

Every rule in it keeps the derivative at each special point, or makes it finite on purpose.
"""

PIPELINE: Final[tuple[Pass, ...]] = (fold, stabilise, norms, simplify, economise)
"""For a graph that only runs any more."""


class Passes(NamedTuple):
    """What is done with a graph on its way.

    Attributes:
        before: what is done with a graph before it is differentiated.
        after: what is done with a graph that only runs any more.
    """

    before: tuple[Pass, ...]
    after: tuple[Pass, ...]


OPTIMISED: Final = Passes(BEFORE_DIFFERENTIATION, PIPELINE)

PLAIN: Final = Passes((fold, norms), (fold, norms))
"""Nothing is rewritten but for what must be: no framework runs a bare number, and the gradient of a
norm at 0 is a convention, not an economy."""


def run(passes: tuple[Pass, ...], graph: Graph) -> tuple[Graph, Report]:
    """Run passes one after the other; those that are lists of rules and neighbours, in one walk.

    Args:
        passes: what to run, :data:`PIPELINE` for instance. Where rules of several passes match,
            that of the earlier pass is used.
        graph: any graph; graphs that its nodes hold are kept as they are.

    Returns:
        The new graph and what fired where. Both are remembered with the graph.

    Raises:
        RuleError: if a rule breaks its contract; it is named.

    Example:
        >>> from unigrad.ir.nodes import Graph, Scope, scope
        >>> from unigrad.ir.types import TensorType
        >>> from unigrad.ops.elementwise import exp, log
        >>> with scope(Scope()) as place:
        ...     x = place.input(TensorType.parse("float64[n]"), "x")
        ...     graph = Graph([x], [log(1 + exp(x)) * 1])
        >>> optimised, report = run(PIPELINE, graph)
        >>> [node.op.name for node in optimised.nodes]
        ['input', 'softplus']
        >>> [firing.rule for firing in report]
        ['log_of_one_plus_exp', 'unit_dropped']
    """
    known = graph.memo.get(("passes", passes))
    if known is not None:
        return known
    report = Report()
    result = graph
    for walk in _walks(passes):
        result = rewrite(walk, result, report) if isinstance(walk, tuple) else walk(result, report)
    graph.memo["passes", passes] = (result, report)
    return result, report


def _walks(passes: tuple[Pass, ...]) -> Iterator[tuple[Rewriting, ...] | Pass]:
    """Neighbouring lists of rules together, other passes alone."""
    together: list[Rewriting] = []
    for one in passes:
        if isinstance(one, Rewriting):
            together.append(one)
            continue
        if together:
            yield tuple(together)
            together = []
        yield one
    if together:
        yield tuple(together)


def optimise_bodies(passes: tuple[Pass, ...], graph: Graph) -> tuple[Graph, Report]:
    """Run passes on every graph that the nodes of ``graph`` hold, and on those that these hold.

    In native mode a framework differentiates these bodies: give :data:`BEFORE_DIFFERENTIATION`.
    Equal bodies are one object and are worked on once.

    Returns:
        ``graph`` with the new bodies (itself, if it has none or nothing changed), and what fired.
    """
    known = graph.memo.get(("bodies", passes))
    if known is not None:
        return known
    report = Report()
    bodies: dict[Graph, Graph] = {}
    for node in graph.nodes:
        for body in graph_parameters(node):
            if body not in bodies:
                inner, inside = optimise_bodies(passes, body)
                bodies[body], own = run(passes, inner)
                report.extend(inside)
                report.extend(own)
    result = rewrite((), graph, report, bodies) if bodies else graph
    graph.memo["bodies", passes] = (result, report)
    return result, report
