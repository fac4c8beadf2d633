"""Reading the textual form of a graph: saved graphs are data, and a hostile file gets an error.

The text is cut into words by one pattern and read by a grammar that is written out here: nothing is
evaluated, no import is followed, and nothing recurses on what the text says. Every node is made as
a trace would make it, so that its op infers its type again; the type in the text must be the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unigrad.errors import DTypeError, GraphFormatError, listed
from unigrad.ir.bounds import Bounds, TooMuchError
from unigrad.ir.dim_text import parse_size
from unigrad.ir.dims import DimSyntaxError
from unigrad.ir.lexer import Line
from unigrad.ir.literals import from_bytes, from_number
from unigrad.ir.nodes import Graph, Node, Primitive, Scope, scope
from unigrad.ir.types import DTYPES, NodeType, TensorType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from unigrad.ir.dims import Size

__all__ = ["DEEPEST_TUPLE", "FORMAT", "LEAVES", "from_text", "op_version", "parameter_names"]

FORMAT: Final = 1
"""The version of the textual form."""

LEAVES: Final = ("input", "constant")
"""What stands in the place of an op where a node has none."""

DEEPEST_TUPLE: Final = 32
"""How deep tuples may be nested in a parameter."""

_MOST_AXES: Final = 64  # NumPy's own limit


def op_version(op: Primitive) -> int:
    """The version of an op's meaning: 1 unless it says otherwise."""
    return getattr(op, "version", 1)


def parameter_names(op: Primitive) -> tuple[str, ...]:
    """The names of an op's parameters; none if they are written without."""
    return tuple(getattr(op, "params", ()))


def from_text(text: str, ops: Mapping[str, Primitive], *, place: Scope | None = None) -> Graph:
    """Read a graph from its textual form. Loading runs no code.

    Args:
        text: what ``to_text`` gave, with or without comments.
        ops: every op by name.
        place: where to make the nodes; a scope of its own by default.

    Raises:
        GraphFormatError: with line and column, for any text that is not a graph of these ops, or
            holds more than any model does: over 10 million nodes, a gigabyte of constants, 250,000
            characters of named sizes.
    """
    place = Scope() if place is None else place
    before, place.origin = place.origin, ()  # the line that calls this is nobody's origin
    bodies_before, place.bodies.origin = place.bodies.origin, ()
    try:
        reader = _Reader(text, ops, place)
        with scope(Scope()):
            try:
                return reader.read()
            except TooMuchError as error:
                raise GraphFormatError(str(error), *reader.end) from None
    finally:
        place.bodies.origin = bodies_before
        place.origin = before


_WORDS: Final = {
    "None": None,
    "True": True,
    "False": False,
    "nan": float("nan"),
    "inf": float("inf"),
    **DTYPES,
}


# -- grammar ---------------------------------------------------------------------------------------


class _Reader:
    """Reads one text."""

    def __init__(self, text: str, ops: Mapping[str, Primitive], place: Scope) -> None:
        self.ops = ops
        self.place = place
        self.graphs: dict[str, Graph] = {}
        self.versions: dict[str, int] = {}
        self.types: dict[str, TensorType] = {}
        self.sizes: dict[str, Size] = {}
        self.bounds = Bounds()
        # A scope knows a large array by its identity: no other may get it while this is read.
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.end = (1, 1)
        self.lines = self._lines(text)

    def _lines(self, text: str) -> Iterator[Line]:
        """Every line that says something."""
        start = number = 0
        while start <= len(text):
            number += 1
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            line = Line(text[start:end], number)
            start = end + 1
            self.end = (number, line.end)
            if line.kind != "end":
                yield line

    def line(self, what: str) -> Line:
        """The next line; an error says that ``what`` is missing."""
        line = next(self.lines, None)
        if line is None:
            raise GraphFormatError(f"the text ends where {what} should stand", *self.end)
        return line

    def read(self) -> Graph:
        """The whole text: a heading, definitions, a graph."""
        self.heading()
        line = self.line("a graph")
        if line.word == "ops":
            self.op_versions(line)
            line = self.line("a graph")
        while line.skip("define"):
            column = line.column
            reference = line.take("graph")
            if reference in self.graphs:
                raise line.error(f"{reference} is defined twice", column)
            name = line.name()
            line.done()
            self.graphs[reference] = self.graph(name, self.place.bodies, closed=True)
            self.bounds.ends(reference)
            line = self.line("a graph")
        line.mark("graph")
        name = line.name()
        line.done()
        graph = self.graph(name, self.place, closed=False)
        rest = next(self.lines, None)
        if rest is not None:
            raise rest.expected("nothing after the graph")
        return graph

    def heading(self) -> None:
        """``unigrad graph 1``."""
        line = self.line(f"'unigrad graph {FORMAT}'")
        if not (line.skip("unigrad") and line.skip("graph")):
            raise line.error(f"expected 'unigrad graph {FORMAT}': this is no graph")
        column = line.column
        version = line.integer()
        if version != FORMAT:
            raise line.error(f"expected format {FORMAT}, found format {version}", column)
        line.done()

    def op_versions(self, line: Line) -> None:
        """``ops: name/2 ...``."""
        line.mark("ops")
        line.mark(":")
        while line.kind != "end":
            column = line.column
            name = line.take("word")
            line.mark("/")
            version = line.integer()
            if name in self.versions:
                raise line.error(f"the version of {name!r} is given twice", column)
            self.versions[name] = version

    def graph(self, name: str, place: Scope, *, closed: bool) -> Graph:
        """The lines of one graph up to its ``end``."""
        nodes: dict[str, Node] = {}
        inputs: list[Node] = []
        line = self.line("'return'")
        while line.kind == "node":
            column = line.column
            self.bounds.node()
            number = line.take("node")
            if number in nodes:
                raise line.error(f"{number} is defined twice", column)
            line.mark("=")
            if line.skip("input"):
                node = self.input(line, place, len(inputs) if closed else None)
                inputs.append(node)
            else:
                node = self.node(line, place, nodes)
            nodes[number] = node
            line = self.line("'return'")
        if not line.skip("return"):
            raise line.expected("a node such as %0, or 'return'")
        outputs, names = self.outputs(line, nodes)
        end = self.line("'end'")
        end.mark("end")
        end.done()
        if not closed or any(names):
            return Graph(inputs, outputs, name=name, output_names=names)
        # Equal bodies are one graph, as if they had been traced here.
        key = (tuple(inputs), tuple(outputs), name)
        return place.graphs.setdefault(key, Graph(inputs, outputs, name=name))

    def outputs(self, line: Line, nodes: dict[str, Node]) -> tuple[list[Node], list[str]]:
        """``return y=%3, %4``."""
        outputs: list[Node] = []
        names: list[str] = []
        while line.kind != "end":
            if outputs:
                line.mark(",")
            name = line.name()
            if name:
                line.mark("=")
            column = line.column
            node = self.operand(line, nodes)
            if isinstance(node.type, tuple):
                raise line.error("a node with several results is no output", column)
            outputs.append(node)
            names.append(name)
        return outputs, names

    def operand(self, line: Line, nodes: dict[str, Node]) -> Node:
        """A node that was defined before."""
        column = line.column
        number = line.take("node")
        node = nodes.get(number)
        if node is None:
            raise line.error(f"{number[:40]} is not defined above", column)
        return node

    def input(self, line: Line, place: Scope, position: int | None) -> Node:
        """``input(x) : float64[n]``; the inputs of a body are those of every body."""
        line.mark("(")
        name = line.name()
        line.mark(")")
        line.mark(":")
        type_ = self.one_type(line)
        line.done()
        if position is None:
            return place.input(type_, name)
        return place.canonical_input(position, type_, name, ())

    def node(self, line: Line, place: Scope, nodes: dict[str, Node]) -> Node:
        """``name(%0, %1, axis=(0,)) : float64[n]``, and constants."""
        column = line.column
        name = line.take("word")
        line.mark("(")
        if name == "constant":
            return self.constant(line, place, column)
        op = self.op(name, line, column)
        operands: list[Node] = []
        while line.kind == "node":
            operands.append(self.operand(line, nodes))
            if not line.skip(","):
                break
        params = self.params(line, op)
        line.mark(")")
        line.mark(":")
        type_ = self.type(line)
        line.done()
        return _made(line, place, (op, tuple(operands), params), type_, column)

    def op(self, name: str, line: Line, column: int) -> Primitive:
        """The op of that name, in the version that the text was written for."""
        op = self.ops.get(name)
        if op is None:
            raise line.error(f"there is no op {name[:40]!r}", column)
        wanted = self.versions.get(name, 1)
        if op_version(op) != wanted:
            message = f"expected version {op_version(op)} of {name}, found version {wanted}"
            raise line.error(message, column)
        return op

    def params(self, line: Line, op: Primitive) -> tuple[Any, ...]:
        """The parameters up to the closing parenthesis, in the order of the op's signature."""
        names = parameter_names(op)
        found: dict[str, Any] = {}
        bare: list[Any] = []
        while line.word != ")":
            if found or bare:
                line.mark(",")
            column = line.column
            if line.kind == "word" and line.word_after == "=":
                name = line.take("word")
                line.mark("=")
                if name in found or name not in names:
                    problem = "is given twice" if name in found else "is no parameter"
                    raise line.error(f"{op.name}: {name[:40]!r} {problem}", column)
                found[name] = self.value(line)
            else:
                bare.append(self.value(line))
        if names and not bare:
            missing = [repr(name) for name in names if name not in found]
            if missing:
                raise line.error(f"{op.name}: {listed(missing)} missing")
            return tuple([found[name] for name in names])
        if names or found:
            raise line.error(f"{op.name}: expected its parameters by name: {listed(names)}")
        return tuple(bare)

    def value(self, line: Line, depth: int = 0) -> Any:
        """One parameter."""
        kind, word, column = line.kind, line.word, line.column
        if kind == "number":
            return line.amount()
        if kind == "string":
            return line.string()
        if kind == "type":
            return self.one_type(line)
        if word == "(":
            return self.tuple(line, depth + 1)
        if kind == "word" and word in _WORDS:
            line.advance()
            return _WORDS[word]
        if kind == "graph":
            line.advance()
            if word not in self.graphs:
                raise line.error(f"{word[:40]} is not defined above", column)
            self.bounds.holds(word)
            return self.graphs[word]
        if kind == "size":
            line.advance()
            return self.size(line, word, column)
        raise line.expected("a value")

    def size(self, line: Line, word: str, column: int) -> Size:
        """``{2*n + 1}``."""
        size = self.sizes.get(word)
        if size is None:
            try:
                size = self.sizes[word] = parse_size(word[1:-1])
            except DimSyntaxError as error:
                raise line.error(error.reason, column + error.column) from None
            self.bounds.size(str(size))
        return size

    def tuple(self, line: Line, depth: int) -> tuple[Any, ...]:
        """``()``, ``(a,)``, ``(a, b)``."""
        if depth > DEEPEST_TUPLE:
            raise line.error(f"over {DEEPEST_TUPLE} nested tuples")
        line.mark("(")
        items: list[Any] = []
        while not line.skip(")"):
            items.append(self.value(line, depth))
            if not line.skip(","):
                if len(items) == 1:
                    raise line.expected("','")
                line.mark(")")
                break
        return tuple(items)

    def type(self, line: Line) -> NodeType:
        """A type, or a tuple of the types of several results."""
        if not line.skip("("):
            return self.one_type(line)
        types: list[TensorType] = []
        while not line.skip(")"):
            types.append(self.one_type(line))
            if line.word != ")":
                line.mark(",")
        return tuple(types)

    def one_type(self, line: Line) -> TensorType:
        """``float64[n, 3]``."""
        column = line.column
        word = line.take("type")
        type_ = self.types.get(word)
        if type_ is None:
            if word.count(",") >= _MOST_AXES:
                raise line.error(f"a type of over {_MOST_AXES} axes", column)
            try:
                type_ = self.types[word] = TensorType.parse(word)
            except DTypeError as error:
                raise line.error(str(error), column) from None
            if type_.is_symbolic:
                self.bounds.size(str(type_))
        return type_

    def constant(self, line: Line, place: Scope, column: int) -> Node:
        """``constant(0.5) : float64[]``, or with a string of bytes."""
        value_column = line.column
        is_bytes = line.kind == "string"
        value = self.value(line)
        line.mark(")")
        line.mark(":")
        type_ = self.one_type(line)
        line.done()
        if type_.is_symbolic:
            raise line.error("the shape of a constant is made of numbers", column)
        try:
            array = from_bytes(value, type_) if is_bytes else from_number(value, type_)
        except (ValueError, OverflowError, MemoryError) as error:
            raise line.error(f"constant: {error}", value_column) from error
        self.bounds.constant(array.nbytes)
        self.arrays.append(array)
        return place.constant(array, type_.dtype, weak=type_.weak)


# -- nodes -----------------------------------------------------------------------------------------


def _made(
    line: Line,
    place: Scope,
    application: tuple[Primitive, tuple[Node, ...], tuple[Any, ...]],
    type_: NodeType,
    column: int,
) -> Node:
    """The node, made as in a trace and found to be of the type that the text gives."""
    op, operands, params = application
    signature = getattr(op, "operands", None)
    if signature is not None and not getattr(op, "variadic", False):
        count = len(signature)
        if len(operands) != count:
            message = f"{op.name}: expected {count} operands, found {len(operands)}"
            raise line.error(message, column)
    try:
        problem = _not_normal(op, operands, params)
        if not problem:
            node = place.node(op, operands, params)
            if node.type == type_:
                return node
            problem = f"its operands give the type {node.type}, the text says {type_}"
    except Exception as error:
        # Type rules take parameters as they are in a trace. Here they may be anything, and so may
        # be what a rule raises; it always means that the text is no application of the op.
        raise line.error(f"{op.name}: {error}", column) from error
    raise line.error(f"{op.name}: {problem}", column)


def _not_normal(op: Primitive, operands: tuple[Node, ...], params: tuple[Any, ...]) -> str:
    """Say in which way no call of ``op`` makes this node; ``""`` if one does.

    Type rules trust operands of the wrong dtype, or a shape of another size, because calls refuse
    or repair them. So the op is called once more, elsewhere, and must leave both as they are.
    """
    build = getattr(op, "build", None)
    if build is None:
        return ""
    elsewhere = Scope()
    elsewhere.origin = ()
    node = build(elsewhere, operands, params)
    if node.op is not op:
        return ""
    types = [operand.type for operand in operands]
    dtypes = [getattr(operand.type, "dtype", None) for operand in node.operands]
    if dtypes != [getattr(one, "dtype", None) for one in types]:
        return f"it does not take operands of the types {listed(map(str, types))}"
    if node.params != params or list(map(type, node.params)) != list(map(type, params)):
        return f"expected the parameters {node.params}, found {params}"
    return ""
