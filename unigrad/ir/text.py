"""The textual form of a graph: what is shown, saved, pickled and compared.

It prints and parses back to the same graph, in any process and on any machine. Equal graphs have
equal texts: nodes stand in the order in which the outputs need them, not in that in which they were
made, and each is written once. ::

    unigrad graph 1

    define @1 square
      %0 = input(x) : float64[n]
      %1 = multiply(%0, %0) : float64[n]
      return %1
    end

    graph slope
      %0 = input(x) : float64[n]
      %1 = constant(1.0) : float64[]
      %2 = broadcast_to(%1, shape=({n},)) : float64[n]
      %3 = vjp(%0, %2, graph=@1, wrt=(0,), seeds=(0,)) : (float64[n], float64[n])
      %4 = get(%3, position=1) : float64[n]
      return y=%4
    end

A closed graph that nodes hold is defined before the graph that needs it. Parameters are ``None``,
booleans, numbers, strings as in JSON, dtypes (``float64``), types (``float64[n]``), sizes in braces
(``{2*n + 1}``), graphs (``@1``), and tuples of these. A constant is a number, read back to the last
bit, ``(re, im)`` if it is complex, or the base64 of its elements in C order, little-endian.
A line ``ops: name/2`` after the first one gives the versions of ops that are not in their first.
What follows ``#`` is a comment.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, cast

from unigrad.errors import VerificationError
from unigrad.ir.bounds import Bounds, TooMuchError
from unigrad.ir.dims import Dim
from unigrad.ir.literals import literal
from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, Primitive, tensor
from unigrad.ir.parse import DEEPEST_TUPLE, FORMAT, LEAVES, from_text, op_version, parameter_names
from unigrad.ir.source import locations, variable_name
from unigrad.ir.types import DType, TensorType
from unigrad.outside import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["fingerprint", "from_text", "to_text"]


def to_text(graph: Graph, *, origins: bool = False) -> str:
    """The textual form of a graph; :func:`from_text` reads it.

    Args:
        graph: a closed graph.
        origins: whether to add, as comments, the user's variables and where they were assigned.
            Without them the text is the same wherever the graph was made.

    Raises:
        VerificationError: if the graph is not closed, a node has a parameter without a text, or its
            constants are more than :func:`from_text` reads.

    Example:
        >>> from unigrad.ir.nodes import Scope
        >>> x = Scope().input(TensorType.parse("float64[n]"), "x")
        >>> print(to_text(Graph([x], [x], name="identity")), end="")
        unigrad graph 1
        <BLANKLINE>
        graph identity
          %0 = input(x) : float64[n]
          return %0
        end
    """
    return _Writer(names=True, origins=origins).text(graph)


def fingerprint(graph: Graph) -> str:
    """A name for what a graph computes: the SHA-256 of its text without the user's names.

    Graphs that differ only in what graphs, inputs and outputs are called have one fingerprint, in
    every process. Graphs that compute the same in different ways do not.

    Returns:
        64 hexadecimal digits.
    """
    text = _Writer(names=False, origins=False).text(graph)
    return hashlib.sha256(text.encode()).hexdigest()


_WORD: Final = re.compile(r"[^\W\d][\w.]*")


class _Writer:
    """Prints one graph and the graphs that its nodes hold."""

    def __init__(self, *, names: bool, origins: bool) -> None:
        self.names = names
        self.origins = origins
        self.references: dict[Graph, str] = {}
        self.heads: dict[Primitive, tuple[str, tuple[str, ...]]] = {}
        self.versions: dict[str, int] = {}
        self.types: dict[Any, str] = {}
        self.bounds = Bounds()

    def text(self, graph: Graph) -> str:
        """The whole text; graphs that are written alike are defined once."""
        sections: dict[str, str] = {}
        bodies = _bodies_first(graph)
        main = bodies.pop(graph)
        for body, nodes in bodies.items():
            section = self.section(body, nodes)
            self.references[body] = sections.setdefault(section, f"@{len(sections) + 1}")
        parts = [f"\ndefine {reference}{section}" for section, reference in sections.items()]
        parts.append(f"\ngraph{self.section(graph, main)}")
        versions = [f"{name}/{version}" for name, version in sorted(self.versions.items())]
        heading = f"unigrad graph {FORMAT}\n"
        if versions:
            heading += f"ops: {' '.join(versions)}\n"
        return heading + "".join(parts)

    def section(self, graph: Graph, nodes: Sequence[Node]) -> str:
        """One graph, from its name to ``end``."""
        inputs = set(graph.inputs)
        if len(inputs) != len(graph.inputs):
            raise VerificationError(f"{graph!r} has the same input twice")
        numbers: dict[Node, str] = {}
        known: dict[str, str] = {}
        count = 0
        parts = [f" {_name(graph.name)}\n" if self.names and graph.name else "\n"]
        for node in nodes:
            if node.op is INPUT and node not in inputs:
                raise VerificationError(f"{node!r} is an input of another graph than {graph!r}")
            line = self.definition(node, numbers)
            number = None if node.op is INPUT else known.get(line)
            if number is None:
                number = f"%{count}"
                count += 1
                parts += ("  ", number, " = ", line, self.comment(node), "\n")
                if node.op is not INPUT:  # an input equals no other
                    known[line] = number
            numbers[node] = number
        parts.append(f"  return{self.results(graph, numbers)}\nend\n")
        return "".join(parts)

    def results(self, graph: Graph, numbers: dict[Node, str]) -> str:
        """The outputs with their names."""
        results: list[str] = []
        for node, name in zip(graph.outputs, graph.output_names, strict=True):
            tensor(node)
            label = f"{_name(name)}=" if self.names and name else ""
            results.append(label + numbers[node])
        return f" {', '.join(results)}" if results else ""

    def definition(self, node: Node, numbers: dict[Node, str]) -> str:
        """What stands right of the equals sign: all that makes two nodes one."""
        if node.op is INPUT:
            name = node.params[0] if self.names else ""
            return f"input({_name(name) if name else ''}) : {self.type(node)}"
        if node.op is CONSTANT:
            self.count(node.params[0].nbytes)
            return f"constant({literal(node.params[0], tensor(node))}) : {self.type(node)}"
        name, labels = self.head(node.op)
        arguments = [numbers[operand] for operand in node.operands]
        values = [self.value(param, node) for param in node.params]
        if len(labels) == len(values):
            values = [f"{label}={value}" for label, value in zip(labels, values, strict=True)]
        return f"{name}({', '.join([*arguments, *values])}) : {self.type(node)}"

    def count(self, size: int) -> None:
        """Count the bytes of a constant, of which a text that is read back may have so many."""
        if not self.names:  # a text that is hashed alone
            return
        try:
            self.bounds.constant(size)
        except TooMuchError as error:
            raise VerificationError(f"the graph has {error}, which no text may have") from None

    def head(self, op: Primitive) -> tuple[str, tuple[str, ...]]:
        """The name of an op and of its parameters; its version is noted."""
        found = self.heads.get(op)
        if found is None:
            name = op.name
            if name in LEAVES or not _WORD.fullmatch(name):
                raise VerificationError(f"{name!r} cannot be the name of an op in a text")
            if op_version(op) != 1:
                self.versions[name] = op_version(op)
            found = self.heads[op] = name, parameter_names(op)
        return found

    def type(self, node: Node) -> str:
        """The type of a node; a tuple for several results."""
        text = self.types.get(node.type)
        if text is None:
            if isinstance(node.type, tuple):
                inside = ", ".join(map(repr, node.type))
                text = f"({inside}{',' if len(node.type) == 1 else ''})"
            else:
                text = repr(node.type)
            self.types[node.type] = text
        return text

    def value(self, value: Any, node: Node, depth: int = 0) -> str:
        """One parameter."""
        if value is None or isinstance(value, bool):
            return str(value)
        if isinstance(value, int):
            return int.__repr__(value)
        if isinstance(value, float):
            return float.__repr__(value)
        if isinstance(value, str):
            return json.dumps(value)
        if isinstance(value, (DType, TensorType)):
            return str(value)
        if isinstance(value, Dim):
            return f"{{{value}}}"
        if isinstance(value, Graph):
            return self.references[value]
        if isinstance(value, tuple) and depth < DEEPEST_TUPLE:
            items: tuple[Any, ...] = cast("Any", value)
            inside = ", ".join([self.value(item, node, depth + 1) for item in items])
            return f"({inside}{',' if len(items) == 1 else ''})"
        kind = type(cast("object", value)).__name__
        raise VerificationError(
            f"{node!r} has a parameter of type {kind}, which has no text;"
            " parameters are None, numbers, strings, dtypes, types, sizes, graphs and tuples"
        )

    def comment(self, node: Node) -> str:
        """The user's variable and line, if they are wanted."""
        if not self.origins or not node.origins:
            return ""
        place = locations(node)[0]
        said = [variable_name(node), f"{PurePath(place.file).name}:{place.line}"]
        text = ", ".join(word for word in said if word)
        return f"  # {one_line(text)}"


# -- order -----------------------------------------------------------------------------------------


def _in_order(graph: Graph) -> list[Node]:
    """The inputs, then every node that the outputs need, operands first, by depth."""
    order = list(graph.inputs)
    done = set(order)
    stack = list(reversed(graph.outputs))
    while stack:
        node = stack.pop()
        if node in done:
            continue
        missing = [operand for operand in reversed(node.operands) if operand not in done]
        if missing:
            stack.append(node)
            stack += missing
        else:
            done.add(node)
            order.append(node)
    return order


def _bodies_first(graph: Graph) -> dict[Graph, list[Node]]:
    """A graph and all that its nodes hold, with their nodes; each after those that it holds."""
    opened: dict[Graph, list[Node]] = {}
    finished: dict[Graph, list[Node]] = {}
    stack = [graph]
    while stack:
        top = stack.pop()
        if top in opened:
            finished[top] = opened[top]
            continue
        opened[top] = nodes = _in_order(top)
        stack.append(top)
        bodies = [body for node in nodes for body in _graphs(node.params) if body not in opened]
        stack += reversed(bodies)
    return finished


def _graphs(params: tuple[Any, ...]) -> Iterator[Graph]:
    """The graphs among parameters, those inside tuples too."""
    stack: list[Any] = list(reversed(params))
    while stack:
        param = stack.pop()
        if isinstance(param, Graph):
            yield param
        elif isinstance(param, tuple):
            stack += reversed(cast("tuple[Any, ...]", param))


# -- names -------------------------------------------------------------------------------------


def _name(name: str) -> str:
    return name if _WORD.fullmatch(name) else json.dumps(name)
