"""Numbers for a picture: the value of every node, and the derivative of one node by another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from unigrad.draw.expressions import expressions, number
from unigrad.errors import DifferentiationError, DTypeError, RuleError, ShapeError
from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, Scope, scope, tensor
from unigrad.ir.rebuild import copy_node, inline
from unigrad.ir.types import TensorType
from unigrad.passes.fold import compute
from unigrad.passes.pipeline import BEFORE_DIFFERENTIATION, run
from unigrad.transforms.reverse import reverse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "NAMELESS",
    "Local",
    "evaluate",
    "gradients",
    "is_scalar",
    "local_derivatives",
    "summary",
]


def evaluate(graph: Graph, arrays: Sequence[Any]) -> dict[Node, Any]:
    """The value of every node, by the references of the ops."""
    values: dict[Node, Any] = {}
    for node, array in zip(graph.inputs, arrays, strict=True):
        values[node] = np.asarray(array, tensor(node).dtype.numpy)
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node.op is CONSTANT:
                values[node] = node.params[0]
            elif node not in values:
                operands = [values[operand] for operand in node.operands]
                found = compute(cast("Any", node.op), node.params, operands)
                if isinstance(node.type, TensorType):
                    found = np.asarray(found).astype(node.type.dtype.numpy)
                values[node] = found
    return values


def is_scalar(node: Node) -> bool:
    """Whether a node is one number that has derivatives."""
    return isinstance(node.type, TensorType) and not node.type.ndim and node.type.is_floating


class Local:
    """The derivative of one expression by one of the values that it reads.

    Attributes:
        number: its value, where it is a number and values are known.
        symbol: as a formula, where there is a short one.
        exists: whether a derivative can pass at all.
    """

    __slots__ = ("exists", "number", "symbol")

    def __init__(
        self, number: float | None = None, symbol: str = "", *, exists: bool = True
    ) -> None:
        self.number = number
        self.symbol = symbol
        self.exists = exists


def local_derivatives(
    members: Sequence[Node],
    sources: Sequence[Node],
    names: Mapping[Node, str],
    values: Mapping[Node, Any] | None,
) -> list[Local]:
    """The derivatives of the last of ``members`` by each of ``sources``, by the ops' own rules.

    Args:
        members: the nodes of one expression, operands first.
        sources: the nodes outside of it that they read.
        names: what the sources and the last of the members are called.
        values: the values of the sources, if they are known.
    """
    head = members[-1]
    found = [Local(exists=False) for _ in sources]
    if not isinstance(head.type, TensorType) or not head.type.is_floating:
        return found
    wrt = tuple(i for i, source in enumerate(sources) if tensor(source).is_floating)
    try:
        numbers = _numbers(members, sources, wrt, values)
        formulas = _formulas(members, sources, wrt, names)
    except (DifferentiationError, RuleError):
        return found
    called = _called(members, sources, names)
    for i, value, formula in zip(wrt, numbers, formulas, strict=True):
        found[i] = Local(value, formula if formula or value is not None else called[i])
    return found


def _called(
    members: Sequence[Node], sources: Sequence[Node], names: Mapping[Node, str]
) -> list[str]:
    """What to call a derivative without a short formula: by the op, or by what it is of."""
    if len(members) == 1:
        return [members[0].op.name] * len(sources)
    head = names[members[-1]]
    texts = [f"∂{head}/∂{names[source]}" for source in sources]
    return [text if len(text) <= _LONGEST and NAMELESS not in text else "" for text in texts]


def _closed(members: Sequence[Node], sources: Sequence[Node], *, scalars: bool = False) -> Graph:
    """An expression as a graph of what it reads; with ``scalars`` of one element of each."""
    place = Scope()
    env: dict[Node, Node] = {}
    with scope(place):
        for source in sources:
            type_ = tensor(source)
            if scalars:
                type_ = TensorType(type_.dtype, weak=type_.weak)
            env[source] = place.input(type_, "x", source.origins)
        for node in members:
            place.origin = node.origins
            if scalars and node.op.name == "broadcast_to":
                env[node] = _operand(place, env, node.operands[0])
                continue
            operands = tuple([_operand(place, env, operand) for operand in node.operands])
            env[node] = copy_node(place, node, operands)
    return Graph([env[source] for source in sources], [env[members[-1]]])


def _operand(place: Scope, env: dict[Node, Node], operand: Node) -> Node:
    if operand not in env:  # a constant, which stands in no list of members
        env[operand] = copy_node(place, operand, ())
    return env[operand]


def _numbers(
    members: Sequence[Node],
    sources: Sequence[Node],
    wrt: tuple[int, ...],
    values: Mapping[Node, Any] | None,
) -> list[float | None]:
    scalars = tuple(i for i in wrt if not tensor(sources[i]).ndim)
    if values is None or not is_scalar(members[-1]) or not scalars:
        return [None] * len(wrt)
    graph = reverse(_closed(members, sources), scalars, (0,))
    known = evaluate(graph, [*(values[source] for source in sources), 1.0])
    by_source = dict(zip(scalars, graph.outputs[1:], strict=True))
    return [known[by_source[i]].item() if i in by_source else None for i in wrt]


def _formulas(
    members: Sequence[Node],
    sources: Sequence[Node],
    wrt: tuple[int, ...],
    names: Mapping[Node, str],
) -> list[str]:
    """Derivatives as text: of one element by another, for what works element by element."""
    nothing = [""] * len(wrt)
    if not all(_is_pointwise(node) for node in members):
        return nothing
    try:
        graph = reverse(_closed(members, sources, scalars=True), wrt, (0,))
    except (ShapeError, DTypeError):  # an array constant among the operands: no single element
        return nothing
    place = Scope()
    with scope(place):
        inputs = [place.input(tensor(node), "x") for node in graph.inputs[:-1]]
        seed = tensor(graph.inputs[-1])
        one = place.constant(1, seed.dtype, weak=seed.weak)
        outputs = inline(graph, [*inputs, one], place)
    graph, _ = run(BEFORE_DIFFERENTIATION, Graph(inputs, outputs))
    known = dict(zip(graph.inputs, [names[source] for source in sources], strict=True))
    if graph.outputs[0].op not in (INPUT, CONSTANT):  # so that tanh is 1 - h² in terms of h
        known[graph.outputs[0]] = names[members[-1]]
    texts = expressions([node for node in graph.nodes if node.op is not INPUT], known, _LONGEST + 1)
    shown = [known.get(one) or texts[one].text for one in graph.outputs[1:]]
    return [
        "" if len(text) > _LONGEST or NAMELESS in text or "…" in text else text for text in shown
    ]


_TIMES: Final = "\N{MULTIPLICATION SIGN}"

NAMELESS: Final = "\ue000"
"""In the name of a node that the user gave none: what mentions it is no formula for a reader."""

_LONGEST: Final = 18  # characters of a formula beside an edge


def _is_pointwise(node: Node) -> bool:
    op = node.op
    return bool(getattr(op, "elementwise", False)) or op.name in {"broadcast_to", "astype"}


def gradients(graph: Graph, values: Sequence[Any]) -> dict[Node, Any]:
    """The gradient of the one scalar output by every floating input."""
    wrt = tuple(i for i, node in enumerate(graph.inputs) if tensor(node).is_floating)
    derivative = reverse(graph, wrt, (0,))
    known = evaluate(derivative, [*values, 1.0])
    return {
        graph.inputs[i]: known[node] for i, node in zip(wrt, derivative.outputs[1:], strict=True)
    }


_FEW: Final = 4


def summary(value: Any, *, digits: int | None = None) -> list[str]:
    """A value in a few words: a number in full, an array by its shape and its range."""
    array = np.asarray(value)
    if not array.ndim:
        return [number(array, digits=digits)]
    if array.ndim == 1 and array.size <= _FEW:
        return [f"[{', '.join(number(one, digits=4) for one in array)}]"]
    shape = f" {_TIMES} ".join(map(str, array.shape))
    if not array.size:
        return [f"{shape}, empty"]
    if array.dtype.kind == "b":
        return [shape, f"{int(array.sum())} true"]
    low, high = number(array.min(), digits=3), number(array.max(), digits=3)
    return [shape, f"{low} … {high}" if low != high else f"all {low}"]
