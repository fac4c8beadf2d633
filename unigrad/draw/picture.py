"""From a graph to boxes and arrows: what is grouped under the user's variables, and what is shown.

A box is a variable of the user: an input, a named assignment, an output. What was computed on the
way to it and serves nothing else is its expression. A value that two expressions share without
having a name gets a box of its own. In the picture of ops an expression of several ops becomes a
frame with a small picture in it, whose ports are the values that it reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from unigrad.draw.expressions import expressions, number
from unigrad.draw.values import (
    NAMELESS,
    Local,
    evaluate,
    gradients,
    is_scalar,
    local_derivatives,
    summary,
)
from unigrad.errors import ArgumentError
from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, tensor
from unigrad.ir.source import variable_name
from unigrad.outside import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Box", "Detail", "Edge", "Picture", "picture"]

Detail: TypeAlias = Literal["variables", "ops"]
Kind: TypeAlias = Literal["input", "constant", "variable", "output", "op", "port"]

MOST_BOXES: Final = 150
MOST_NODES: Final = 5_000


@dataclass(slots=True)
class Box:
    """One box: a variable, an op in a frame, or the port through which a frame reads a value.

    Attributes:
        title: what it is called.
        kind: what it is, which gives its colour.
        formula: the expression, where it has one.
        lines: its value in a few words, or its type.
        gradient: the gradient that arrives at it: what it is called, the products over paths that
            make it up if these are few, its value.
        inner: for a frame, the picture in it.
    """

    title: str
    kind: Kind
    formula: str = ""
    lines: list[str] = field(default_factory=list)
    gradient: list[str] = field(default_factory=list)
    inner: Picture | None = None


@dataclass(slots=True)
class Edge:
    """One arrow, from what is read to what reads it.

    Attributes:
        source: number of the box.
        target: number of a later box.
        number: the local derivative, if it is a number that is known.
        symbol: the local derivative as a formula or the name of an op.
        exists: whether a derivative passes.
    """

    source: int
    target: int
    number: float | None = None
    symbol: str = ""
    exists: bool = True


@dataclass(slots=True)
class Picture:
    """Boxes, operands first, and the arrows between them.

    Attributes:
        title: the name of the function.
        subtitle: where it was evaluated.
        boxes: the boxes.
        edges: the arrows.
        ports: in the picture of a frame, the number of the port for each box that it reads.
    """

    title: str
    subtitle: str
    boxes: list[Box]
    edges: list[Edge]
    ports: dict[int, int] = field(default_factory=dict)


def picture(graph: Graph, arrays: Sequence[Any] | None, detail: Detail) -> Picture:
    """What is to be drawn of a graph without derivative nodes.

    Args:
        graph: the graph.
        arrays: one value per input, or ``None`` where only types are known.
        detail: boxes for variables, or frames with ops.

    Raises:
        ArgumentError: for a graph that is too large for a picture.
    """
    if len(graph) > MOST_NODES:
        raise _too_large(graph, f"{len(graph)} nodes", MOST_NODES)
    groups = _Groups(graph)
    boxes = len(groups.heads) if detail == "variables" else len(graph)
    if boxes > MOST_BOXES:
        raise _too_large(graph, f"{boxes} boxes of {detail}", MOST_BOXES)
    values = None if arrays is None else evaluate(graph, arrays)
    made = _Maker(graph, groups, values, detail).picture()
    if arrays is not None and len(graph.outputs) == 1 and is_scalar(graph.outputs[0]):
        _add_gradients(made, graph, groups, arrays)
    return made


def _too_large(graph: Graph, has: str, most: int) -> ArgumentError:
    return ArgumentError(
        f"the picture of {graph.name or 'this graph'} would have {has}, more than the {most} that a"
        " reader can follow; draw a function that it calls, or, if the boxes are ops, its variables"
    )


# -- groups ----------------------------------------------------------------------------------------


class _Groups:
    """Which nodes make up the expression of which variable.

    Attributes:
        heads: the node of each group that others read, operands first.
        members: the nodes of each group without constants, the head last.
        names: what each head is called.
    """

    def __init__(self, graph: Graph) -> None:
        outputs = set(graph.outputs)
        nodes = [  # a number is a part of the expression that it stands in
            node
            for node in graph.nodes
            if node.op is not CONSTANT or tensor(node).ndim or node in outputs
        ]
        self.names = _names(graph, nodes)
        readers: dict[Node, set[Node]] = {}
        head_of: dict[Node, Node] = {}
        for node in reversed(nodes):
            found = readers.get(node, set())
            alone = node in self.names or node.op in (INPUT, CONSTANT) or len(found) != 1
            head = head_of[node] = node if alone else next(iter(found))
            for operand in node.operands:
                readers.setdefault(operand, set()).add(head)
        self.head_of = head_of
        self.members: dict[Node, list[Node]] = {}
        for node in nodes:
            self.members.setdefault(head_of[node], []).append(node)
        inputs = set(graph.inputs)
        self.heads = [*graph.inputs, *(h for h in nodes if h in self.members and h not in inputs)]
        for node in self.heads:
            if node not in self.names:
                self.names[node] = self._fresh("constant" if node.op is CONSTANT else "t")

    def _fresh(self, stem: str) -> str:
        taken = set(self.names.values())
        count = 1
        while f"{stem}{_low(count)}" in taken:
            count += 1
        return f"{stem}{_low(count)}"

    def sources(self, head: Node) -> list[Node]:
        """The heads that a group reads, in the order in which it does."""
        found: dict[Node, None] = {}
        for node in self.members[head]:
            for operand in node.operands:
                if operand in self.head_of and self.head_of[operand] is not head:
                    found[operand] = None
        return list(found)


def _low(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _names(graph: Graph, nodes: Sequence[Node]) -> dict[Node, str]:
    """What the user calls nodes: inputs, variables, outputs; a name used again is numbered."""
    last: dict[Any, Node] = {}
    for node in nodes:
        for origin in node.origins:
            last[origin] = node
    wanted: dict[Node, str] = {}
    for position, node in enumerate(graph.inputs):
        wanted[node] = node.params[0] or f"x{_low(position)}"
    for node in nodes:
        if node not in wanted and any(last[origin] is node for origin in node.origins):
            wanted[node] = variable_name(node)
    for node, name in zip(graph.outputs, graph.output_names, strict=True):
        if not wanted.get(node):
            wanted[node] = _output_name(graph, name)
    names: dict[Node, str] = {}
    uses: dict[str, int] = {}
    for node, called in wanted.items():
        name = one_line(called)
        if name:
            count = uses[name] = uses.get(name, 0) + 1
            names[node] = name if count == 1 else f"{name}{_low(count)}"
    return names


def _output_name(graph: Graph, path: str) -> str:
    """The name of an output: its own, its place in the structure, or that of the function."""
    function = graph.name if graph.name.isidentifier() else "y"
    if not path:
        return function
    key = re.fullmatch(r"\['(\w+)'\]", path)
    return key[1] if key else f"{function}{path}" if path.startswith(("[", ".")) else path


# -- boxes and arrows ------------------------------------------------------------------------------


class _Maker:
    """Makes the boxes and arrows of one graph."""

    def __init__(
        self, graph: Graph, groups: _Groups, values: dict[Node, Any] | None, detail: Detail
    ) -> None:
        self.graph = graph
        self.groups = groups
        self.values = values
        self.detail = detail
        self.numbers = {head: place for place, head in enumerate(groups.heads)}

    def picture(self) -> Picture:
        """The whole picture."""
        boxes: list[Box] = []
        edges: list[Edge] = []
        for head in self.groups.heads:
            box = self.box(head)
            boxes.append(box)
            sources = self.groups.sources(head)
            members = self.groups.members[head]
            local = local_derivatives(members, sources, self.groups.names, self.values)
            edges += [
                _edge(self.numbers[source], self.numbers[head], one)
                for source, one in zip(sources, local, strict=True)
            ]
        name = self.graph.name if self.graph.name.isidentifier() else "function"
        return Picture(name, self.subtitle(), boxes, edges)

    def subtitle(self) -> str:
        """Where the function is evaluated, if that can be said in a line."""
        if self.values is None:
            return ""
        parts = [
            f"{self.groups.names[node]} = {number(self.values[node])}"
            for node in self.graph.inputs
            if not tensor(node).ndim
        ]
        return f"at {', '.join(parts)}" if parts and len(parts) <= _FEW else ""

    def box(self, head: Node) -> Box:
        """The box of one group."""
        title = self.groups.names[head]
        box = Box(title, self.kind(head), lines=self.lines(head))
        members = self.groups.members[head]
        if head.op not in (INPUT, CONSTANT):
            called = {n: name for n, name in self.groups.names.items() if n is not head}
            box.formula = expressions(members, called)[head].text
            if self.detail == "ops" and len(members) > 1:
                box.inner = self.inner(head, members)
        return box

    def kind(self, head: Node) -> Kind:
        """What a box is."""
        if head.op is INPUT:
            return "input"
        if head in self.graph.outputs:
            return "output"
        return "constant" if head.op is CONSTANT else "variable"

    def lines(self, node: Node) -> list[str]:
        """The value of a node in a few words, or its type."""
        return [str(node.type)] if self.values is None else summary(self.values[node])

    def inner(self, head: Node, members: Sequence[Node]) -> Picture:
        """The picture in a frame: a port for each value read, a box for each op."""
        sources = self.groups.sources(head)
        names = dict(self.groups.names)
        boxes = [Box(names[source], "port") for source in sources]
        places = {source: place for place, source in enumerate(sources)}
        edges: list[Edge] = []
        for count, node in enumerate(members):
            names.setdefault(node, f"{NAMELESS}{count}")
            read = list(dict.fromkeys(one for one in node.operands if one in places))
            local = local_derivatives([node], read, names, self.values)
            place = places[node] = len(boxes)
            boxes.append(Box(_op_title(node), "op", lines=self.lines(node)))
            for source, one in zip(read, local, strict=True):
                if one.symbol == node.op.name:  # the box says so
                    one.symbol = ""
                edges.append(_edge(places[source], place, one))
        return Picture("", "", boxes, edges, {self.numbers[s]: i for i, s in enumerate(sources)})


_FEW: Final = 4


def _edge(source: int, target: int, local: Local) -> Edge:
    return Edge(source, target, local.number, local.symbol, local.exists)


def _op_title(node: Node) -> str:
    """An op, with what it takes beside arrows: ``+``, ``3·□``, ``□⁴``, ``tanh``."""
    operands = [operand for operand in node.operands if operand.op is not CONSTANT]
    # What is different must not look equal while the text is made: x·y is no square.
    blanks = {operand: f"□{chr(0xE001 + i)}" for i, operand in enumerate(dict.fromkeys(operands))}
    text = re.sub("[\ue001-\uf8ff]", "", expressions([node], blanks)[node].text)
    sign = re.fullmatch(r"□ ?([^\s□]+) ?□|(\w+)\(□(?:, □)*\)", text)
    if sign is None:
        return node.op.name if text == "□" else text
    return _TIMES if sign[1] == "·" else sign[1] or sign[2]


_TIMES: Final = "\N{MULTIPLICATION SIGN}"


# -- gradients -------------------------------------------------------------------------------------


def _add_gradients(made: Picture, graph: Graph, groups: _Groups, arrays: Sequence[Any]) -> None:
    """At each input the gradient of the output, as products over paths where these are few."""
    output = groups.names[graph.outputs[0]]
    last = groups.heads.index(graph.outputs[0])
    for node, value in gradients(graph, arrays).items():
        position = groups.heads.index(node)
        if position == last:
            continue
        label = f"∂{output}/∂{groups.names[node]}"
        shown = summary(value, digits=6)[-1]
        paths = _paths(made, position, last) if not tensor(node).ndim else ""
        made.boxes[position].gradient = [
            label,
            *([paths] if paths and paths != shown else []),
            shown,
        ]


_MOST_PATHS: Final = 3
_LONGEST_PATH: Final = 5


def _paths(made: Picture, start: int, end: int) -> str:
    """``5324·3``: the products over paths whose sum is the gradient.

    Nothing where there are many of them, or one arrow alone, which says it already.
    """
    leaving: dict[int, list[Edge]] = {}
    for edge in made.edges:
        if edge.exists:
            leaving.setdefault(edge.source, []).append(edge)
    products: list[str] = []
    stack: list[tuple[int, list[float]]] = [(start, [])]
    while stack:
        place, factors = stack.pop()
        if place == end:
            shown = [number(one, digits=4) for one in reversed(factors)]
            products.append("·".join(f"({one})" if one[0] == "-" else one for one in shown))
            continue
        for edge in reversed(leaving.get(place, [])):
            if edge.number is None or len(factors) == _LONGEST_PATH:
                return ""
            stack.append((edge.target, [*factors, edge.number]))
        if len(products) + len(stack) > _MOST_PATHS:
            return ""
    text = " + ".join(products)
    return text if len(products) > 1 or "·" in text else ""
