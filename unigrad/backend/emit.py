"""From a graph to the source text that a person would have written for it.

One walk, one statement per node that deserves a name: what the user named, what is used twice, what
would make a line too long. Everything else stands inside the expression that uses it. A comment
gives the user's line.
"""

from __future__ import annotations

import builtins
import keyword
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from unigrad.backend.dialect import ATOM, LOWEST, OURS, Hole, Names
from unigrad.backend.native import Rule, arguments_of, parts_of, result_name, rule_key
from unigrad.backend.plan import count_uses, is_default, is_large, match_fused, user_labels
from unigrad.backend.spelling import (
    identifier,
    nonfinite,
    number_text,
    tidy,
    tuple_text,
    without_parentheses,
)
from unigrad.errors import ShapeError, UnsupportedError, listed, locate
from unigrad.ir.dims import Dim, symbols_of
from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, graph_parameters, tensor
from unigrad.ir.source import array_name, caller_location, locations
from unigrad.ir.types import DType, TensorType, told
from unigrad.ops.families import as_tuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from unigrad.backend.dialect import Dialect

__all__ = ["Emitted", "Parameter", "emit"]

_DEPTH: Final = 20  # CPython refuses 200 nested parentheses
_WIDTH: Final = 64  # beyond this an expression deserves a name
_INDENT: Final = "    "
_NOTHING: Final[frozenset[str]] = frozenset()


class Parameter(NamedTuple):
    """One argument of the emitted function, and where in it each input of the graph is.

    Attributes:
        name: the argument's name.
        leaves: for each input in it, its position among the graph's inputs and its access path
            (``""`` if the argument is the input itself).
    """

    name: str
    leaves: tuple[tuple[int, str], ...]


class Emitted(NamedTuple):
    """Source text, with what it needs to run.

    Attributes:
        text: a module that stands alone.
        name: the name of the function in it.
        constants: arrays that become its trailing parameters, with their types.
        flat: whether the function returns its outputs flat because their structure has no literal.
    """

    text: str
    name: str
    constants: tuple[Node, ...]
    flat: bool


@dataclass
class _Module:
    """What the functions of one emitted file share.

    Attributes:
        reserved: names that mean something already: imports, helpers, builtins, keywords.
        names: those and the functions of the file.
        variables: names of variables in one of the functions.
        device: where new arrays are made, ``None`` for the framework's default.
        rules: where a framework differentiates what is written by our convention: makes the rule
            that stands around an op whose native gradient breaks it.
        used: imported names and helpers that are used.
        functions: the name and text of each function of a closed body, by its graph, and of each
            op with a rule, by what the rule serves.
    """

    reserved: frozenset[str]
    device: str | None = None
    rules: Callable[[Node], Rule] | None = None
    names: Names = field(init=False)
    variables: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    functions: dict[Hashable, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = Names(set(self.reserved))

    def function_name(self, wanted: str) -> str:
        """A name for a function, which is that of no variable so far."""
        name = self.names.fresh(wanted)
        while name in self.variables:
            name = self.names.fresh(wanted)
        return name


@dataclass
class _Body:
    """The statements of one function while they are written.

    Attributes:
        lines: the statements.
        texts: for each node that is written, its text, how it binds and how deep it nests.
        constants: arrays that become trailing parameters.
        reads: for each node that is written, the large arrays that its text names.
    """

    lines: list[str] = field(default_factory=list)
    texts: dict[Node, tuple[str, int, int]] = field(default_factory=dict)
    constants: list[Node] = field(default_factory=list)
    reads: dict[Node, frozenset[str]] = field(default_factory=dict)


def emit(
    graph: Graph,
    dialect: Dialect,
    *,
    name: str,
    parameters: Sequence[Parameter] | None = None,
    render: Callable[[Sequence[str]], str | None] | None = None,
    release: bool = True,
    decorators: Sequence[str] = (),
    device: str | None = None,
    rules: Callable[[Node], Rule] | None = None,
) -> Emitted:
    """Write ``graph`` as a module with one function.

    Args:
        graph: a graph whose ops all have rows.
        dialect: the framework's table.
        name: what to call the function.
        parameters: how arguments hold the inputs; one argument per input by default.
        render: makes the text of the structure to return of the texts of the outputs, or ``None``
            if it has no literal.
        release: whether to release large arrays after their last use.
        decorators: lines above the function, in names that the dialect imports.
        device: where new arrays are made, as targets spell it; ``None``: the framework's default.
        rules: makes the rule that stands around an op whose native gradient breaks the convention;
            ``None`` if no framework differentiates what is written, or by its own convention.

    Raises:
        UnsupportedError: if an op has no row.
    """
    reserved = {*dialect.imports, *dialect.helpers, *keyword.kwlist, *dir(builtins), "math"}
    named = None if device is None else dialect.devices(device)
    module = _Module(frozenset(reserved), named, rules)
    emitter = _Emitter(graph, dialect, name, release=release, module=module, ours=rules is not None)
    if rules is None and not any(True for node in graph.nodes for _ in graph_parameters(node)):
        module.names.taken.discard(emitter.name)  # alone in the file: a variable may share its name
    return emitter.module(parameters, render, decorators)


class _Emitter:
    def __init__(
        self,
        graph: Graph,
        dialect: Dialect,
        name: str,
        *,
        release: bool,
        module: _Module,
        ours: bool,
    ) -> None:
        self.graph = graph
        self.dialect = dialect
        self.release = release
        self.ours = ours
        self.shared = module
        self.names = Names(set(self.shared.reserved))
        self.used = self.shared.used
        self.name = module.function_name(identifier(name) or "function")
        self.symbols: set[str] = set()
        self.body = _Body()
        self.nodes = [node for node in graph.nodes if node.operands or node.op is not INPUT]
        self.uses = count_uses(self.nodes, graph.outputs)
        self.fused = match_fused(self.nodes, dialect, self.uses)
        self.labels = user_labels(self.nodes)
        self.parts = parts_of(self.nodes)

    # -- the module --------------------------------------------------------------------------------

    def module(
        self,
        parameters: Sequence[Parameter] | None,
        render: Callable[[Sequence[str]], str | None] | None,
        decorators: Sequence[str],
    ) -> Emitted:
        arguments, prelude = self._arguments(parameters)
        self._statements()
        outputs = [self._operand(node, LOWEST + 1, number=False) for node in self.graph.outputs]
        rendered = None if render is None else render(outputs)
        if rendered is None:
            rendered = outputs[0] if len(outputs) == 1 and render is None else tuple_text(outputs)
            flat = render is not None
        else:
            flat = False
        if rendered.startswith("(") and rendered.endswith(")") and (len(outputs) > 1 or flat):
            rendered = without_parentheses(rendered)
        sizes = self._sizes()
        lines = [
            f"{_INDENT}{line}"
            for line in (*prelude, *sizes, *self.body.lines, f"return {rendered}")
        ]
        trailing = [self.body.texts[node][0] for node in self.body.constants]
        header = [f"@{decorator}" for decorator in decorators]
        for decorator in decorators:
            self.used.update(
                re.findall(r"[A-Za-z_]\w*", decorator.partition("(")[0].partition(".")[0])
            )
        header.append(f"def {self.name}({', '.join((*arguments, *trailing))}):")
        bodies = [line for _, text in self.shared.functions.values() for line in (text, "", "")]
        text = "\n".join([*self._head(), *bodies, *header, *lines]) + "\n"
        return Emitted(text, self.name, tuple(self.body.constants), flat)

    def function_text(self) -> str:
        """This graph as one more function of the file, which returns the tuple of its outputs."""
        arguments, _ = self._arguments(None)
        self._statements()
        outputs = [self._operand(node, LOWEST + 1, number=False) for node in self.graph.outputs]
        lines = [*self._sizes(), *self.body.lines, f"return {tuple_text(outputs)}"]
        return "\n".join(
            [f"def {self.name}({', '.join(arguments)}):", *(f"{_INDENT}{line}" for line in lines)]
        )

    def _function_of(self, graph: Graph) -> str:
        """The name of the function for a closed body, written when it is first needed."""
        known = self.shared.functions.get(graph)
        if known is None:
            known = self.shared.functions[graph] = self._function(
                graph, graph.name or "body", ours=self.ours
            )
        return known[0]

    def _fresh(self, wanted: str) -> str:
        """A name for a variable of this function, which hides no function of the file."""
        name = self.names.fresh(wanted)
        while name in self.shared.names.taken:
            name = self.names.fresh(wanted)
        self.shared.variables.add(name)
        return name

    def _function(self, graph: Graph, name: str, *, ours: bool) -> tuple[str, str]:
        inner = _Emitter(
            graph, self.dialect, name, release=self.release, module=self.shared, ours=ours
        )
        return inner.name, inner.function_text()

    def _ruled(self, node: Node) -> tuple[str, int, int]:
        """A call of the op as a function with our derivative, written when first needed."""
        key = ("rule", rule_key(node))
        if key not in self.shared.functions:
            rule = cast("Callable[[Node], Rule]", self.shared.rules)(node)
            name = self.shared.function_name(identifier(node.op.name))
            self.shared.functions[key] = (name, "")  # a rule may use its own op
            names: dict[Graph | None, str] = {None: "None"}
            texts: list[str] = []
            for graph in (rule.value, *rule.pulls, *rule.pushes):
                if graph is not None and graph not in names:
                    ours = graph is not rule.value
                    names[graph], text = self._function(graph, graph.name, ours=ours)
                    texts += [text, "", ""]
            made = self.dialect.rule.format(
                value=names[rule.value],
                pulls=tuple_text([names[graph] for graph in rule.pulls]),
                pushes=tuple_text([names[graph] for graph in rule.pushes]),
            )
            self.used.update(re.findall(r"[A-Za-z_]\w*", self.dialect.rule))
            self.shared.functions[key] = (name, "\n".join([*texts, f"{name} = {made}"]))
        arguments = arguments_of(node)
        inside = ", ".join(self._operand(one, LOWEST + 1, number=False) for one in arguments)
        depth = max((self.body.texts[one][2] for one in arguments), default=0)
        return f"{self.shared.functions[key][0]}({inside})", ATOM, depth

    def _unpacked(self, node: Node) -> str:
        """Names for the results of a node that has several; ``_`` for what nothing reads."""
        targets: list[str] = []
        for position in range(len(node.type)):  # pyright: ignore[reportArgumentType]
            part = self.parts.get(node, {}).get(position)
            if part is None or not self.uses.get(part):
                targets.append("_")
                continue
            label = self.labels.get(part) or identifier(result_name(node, position))
            name = self._fresh(label)
            self.body.texts[part] = (name, ATOM, 0)
            targets.append(name)
        return f"({targets[0]},)" if len(targets) == 1 else ", ".join(targets)

    def _head(self) -> list[str]:
        helpers = [self.dialect.helpers[name] for name in self.dialect.helpers if name in self.used]
        words = set(self.used)
        for helper in helpers:
            words.update(re.findall(r"[A-Za-z_]\w*", helper))
        for name, source in self.dialect.helpers.items():  # helpers that helpers call
            if name in words and source not in helpers:
                helpers.insert(0, source)
                words.update(re.findall(r"[A-Za-z_]\w*", source))
        imports = sorted({line for name, line in self.dialect.imports.items() if name in words})
        if "math" in words:
            imports.insert(0, "import math")
        head = [*imports, "", ""] if imports else []
        for helper in helpers:
            head += [helper, "", ""]
        return head

    def _arguments(self, parameters: Sequence[Parameter] | None) -> tuple[list[str], list[str]]:
        """Names for the inputs; lines that take them out of structured arguments."""
        inputs = self.graph.inputs
        arguments: list[str] = []
        prelude: list[str] = []
        placed: set[int] = set()
        for parameter in parameters or ():
            label = self._fresh(identifier(parameter.name) or "x")
            arguments.append(label)
            for position, path in parameter.leaves:
                placed.add(position)
                node = inputs[position]
                if not path:
                    self.body.texts[node] = (label, ATOM, 0)
                    continue
                leaf = self._fresh(
                    identifier(re.split(r"[^\w]+", path.rstrip("]'\""))[-1]) or label
                )
                self.body.texts[node] = (leaf, ATOM, 0)
                if self.uses.get(node):
                    prelude.append(f"{leaf} = {label}{path}")
        for position, node in enumerate(inputs):
            if position not in placed:
                label = self._fresh(identifier(node.params[0]) or "x")
                arguments.append(label)
                self.body.texts[node] = (label, ATOM, 0)
        return arguments, prelude

    def _sizes(self) -> list[str]:
        """Lines that read named dimensions from the first input that has one bare."""
        lines: list[str] = []
        missing = set(self.symbols)
        for node in self.graph.inputs:
            for axis, size in enumerate(tensor(node).shape):
                if isinstance(size, Dim) and str(size) in missing:
                    missing.discard(str(size))
                    lines.append(f"{size} = {self.body.texts[node][0]}.shape[{axis}]")
        if missing:
            raise ShapeError(
                f"the size {listed(sorted(missing))} cannot be read from an argument:"
                " give the name alone as a dimension of one of them"
            )
        return lines

    # -- statements --------------------------------------------------------------------------------

    def _statements(self) -> None:
        texts, uses, reads = self.body.texts, self.uses, self.body.reads
        statements: list[tuple[str, frozenset[str]]] = []
        for node in self.nodes:
            count = uses.get(node, 0)
            if not count or node in texts:
                continue
            if node.op is CONSTANT:
                if tensor(node).ndim:
                    self._constant(node)
                continue
            text, binding, depth = self._expression(node)
            if isinstance(node.type, tuple):
                line = f"{self._unpacked(node)} = {text}{self._comment(node)}"
                statements.append((line, self._read_by(node) if reads else _NOTHING))
                continue
            label = self.labels.get(node, "")
            read = self._read_by(node) if reads else _NOTHING
            if count == 1 and not label and depth < _DEPTH and len(text) <= _WIDTH:
                texts[node] = (text, binding, depth + 1)
                if read:
                    reads[node] = read
                continue
            fresh = self._fresh(label or identifier(node.op.name) or "value")
            texts[node] = (fresh, ATOM, 0)
            statements.append((f"{fresh} = {text}{self._comment(node)}", read))
            if self.release and is_large(node):
                reads[node] = frozenset((fresh,))
        returned: frozenset[str] = _NOTHING.union(
            *(reads.get(node, _NOTHING) for node in self.graph.outputs)
        )
        self._release(statements, returned)

    def _read_by(self, node: Node) -> frozenset[str]:
        """The large arrays that the text of a node names, through whatever stands inside of it."""
        reads = self.body.reads
        operands = node.operands
        if node in self.fused:
            operands = tuple(one for one in self.fused[node][1].values() if isinstance(one, Node))
        found = [reads[operand] for operand in operands if operand in reads]
        return found[0] if len(found) == 1 else _NOTHING.union(*found)

    def _release(
        self, statements: list[tuple[str, frozenset[str]]], returned: frozenset[str]
    ) -> None:
        """Write the statements, each followed by the release of the arrays it was last to read."""
        last: dict[str, int] = {}
        for number, (_, reads) in enumerate(statements):
            for name in reads:
                last[name] = number
        dead: dict[int, list[str]] = {}
        for name, number in last.items():
            if name not in returned and number < len(statements) - 1:
                dead.setdefault(number, []).append(name)
        for number, (line, _) in enumerate(statements):
            self.body.lines.append(line)
            if number in dead:
                self.body.lines.append(f"del {', '.join(dead[number])}")

    def _comment(self, node: Node) -> str:
        places = locations(node)
        if not places:
            return ""
        place = places[0]
        return f"  # {place.file.replace(chr(92), '/').rsplit('/', 1)[-1]}:{place.line}"

    def _constant(self, node: Node) -> str:
        """A captured array becomes a trailing parameter."""
        name = identifier(array_name(node.params[0]))
        label = self._fresh(name or f"constant_{len(self.body.constants)}")
        self.body.texts[node] = (label, ATOM, 0)
        self.body.constants.append(node)
        return label

    # -- expressions -------------------------------------------------------------------------------

    def _expression(self, node: Node) -> tuple[str, int, int]:
        bound: dict[str, Any] = {}
        if node in self.fused:
            template, bound = self.fused[node]
        else:
            found = self.dialect.template(node)
            if found is None:
                raise unsupported(node, self.dialect)
            template = found
        if self.ours and template.faithful is not None:
            template = template.faithful
        elif self.ours and template.row.gradient == OURS:
            return self._ruled(node)
        if template.names:
            self.used.update(template.names)
        depth = 0
        parts: list[str] = []
        for piece in template.pieces:
            if isinstance(piece, str):
                parts.append(piece)
                continue
            text, deep = self._fill(piece, node, bound)
            depth = max(depth, deep)
            if text:
                parts.append(piece.prefix + text)
        return tidy("".join(parts)), template.binding, depth

    def _fill(self, hole: Hole, node: Node, bound: dict[str, Any]) -> tuple[str, int]:
        """The text for a hole, ``""`` where it may be left out, and how deep it nests."""
        texts = self.body.texts
        if hole.kind == "operand":
            operand = bound[hole.name] if bound else node.operands[hole.position]
            if not isinstance(operand, Node):
                return self._param(hole, operand, node), 0
            text = self._operand(operand, hole.binding, number=hole.number)
            return text, texts[operand][2] if operand in texts else 0
        if hole.kind == "operands":
            # Only cotangents and tangents may be numbers, never what a body computes with.
            fixed = sum(len(body.inputs) for body in graph_parameters(node)) if hole.number else 0
            several = [
                self._operand(one, LOWEST + 1, number=hole.number and position >= fixed)
                for position, one in enumerate(node.operands)
            ]
            depth = max((texts[one][2] for one in node.operands if one in texts), default=0)
            return ", ".join(several), depth
        return self._fact(hole, node), 0

    def _fact(self, hole: Hole, node: Node) -> str:
        """The text for what is known of a node besides its operands."""
        if hole.kind == "param":
            value = node.params[hole.position]
            absent = hole.prefix and is_default(hole.name, value, node)
            return "" if absent else self._param(hole, value, node)
        if hole.kind == "shape":
            return self._value(tensor(node).shape)
        if hole.kind == "dtype":
            return self._value(tensor(node).dtype)
        return "" if self.shared.device is None else f'"{self.shared.device}"'

    def _operand(self, node: Node, binding: int, *, number: bool) -> str:
        """An operand's text; a number that must be an array is made one."""
        known = self.body.texts.get(node)
        if known is None:
            if node.op is not CONSTANT:
                raise unsupported(node, self.dialect)
            if tensor(node).ndim:
                return self._constant(node)
            text, tight = number_text(node)
            if text.startswith(("math.", "-math.")):
                self.used.add("math")
            if number:
                return text if tight >= binding else f"({text})"
            self.used.update(re.findall(r"\b[A-Za-z_]\w*(?=[.(])", self.dialect.number))
            device = "" if self.shared.device is None else f', device="{self.shared.device}"'
            return self.dialect.number.format(
                value=text, dtype=self._value(node.dtype), device=device
            )
        text, tight, _ = known
        return text if tight >= binding else f"({text})"

    def _param(self, hole: Hole, value: Any, node: Node) -> str:
        if hole.name == "key" and hole.inside:
            return self._index(value, tensor(node.operands[0]) if node.operands else None)
        if hole.name == "key":
            return tuple_text([self._entry(one) for one in value])
        if hole.name == "axis":
            axes = as_tuple(value)
            value = axes[0] if len(axes) == 1 else axes
        text = self._value(value)
        atomic = hole.binding < ATOM or text[0].isalpha() or text[0] == "("
        return text if atomic else f"({text})"

    def _value(self, value: Any) -> str:
        """A parameter as Python text."""
        if isinstance(value, Graph):
            return self._function_of(value)
        if isinstance(value, DType):
            text = self.dialect.dtype(value.name)
            self.used.add(text.partition(".")[0])
            return text
        if isinstance(value, Dim):
            self.symbols.update(symbols_of(value))
            return str(value)
        if isinstance(value, tuple):
            return tuple_text([self._value(one) for one in as_tuple(value)])
        if isinstance(value, float) and not math.isfinite(value):
            self.used.add("math")
            return nonfinite(value)
        return repr(value)

    def _entry(self, entry: Any) -> str:
        """One entry of a basic index as an object."""
        if isinstance(entry, tuple):
            start, stop, step = as_tuple(entry)
            bounds = [self._value(start), self._value(stop)]
            return f"slice({', '.join(bounds if step == 1 else [*bounds, str(step)])})"
        return self._value(entry)

    def _index(self, key: tuple[Any, ...], type_: TensorType | None) -> str:
        """The inside of square brackets for a basic index."""
        parts: list[str] = []
        axis = 0
        for entry in key:
            if isinstance(entry, tuple):
                start, stop, step = as_tuple(entry)
                size = type_.shape[axis] if type_ is not None else None
                if step < 0:
                    low = "" if size is not None and start == size - 1 else str(start)
                    high = "" if stop is None else str(stop)
                else:
                    low = "" if isinstance(start, int) and start == 0 else self._value(start)
                    high = "" if stop is size or stop == size else self._value(stop)
                parts.append(f"{low}:{high}" + ("" if step == 1 else f":{step}"))
            else:
                parts.append("None" if entry is None else self._value(entry))
            axis += entry is not None
        while len(parts) > 1 and parts[-1] == ":":
            parts.pop()
        return ", ".join(parts) or "()"


# -- helpers ---------------------------------------------------------------------------------------


def unsupported(node: Node, dialect: Dialect) -> UnsupportedError:
    """The error for a node that a target cannot write, raised before anything runs."""
    reason = dialect.unsupported.get(node.op)
    types = listed(told(operand.type) for operand in node.operands)
    text = f"{dialect.name} has no row for the op {node.op.name!r} on {types}"
    error = UnsupportedError(f"{text}: {reason}" if reason else text)
    places = locations(node)
    return locate(error, places[0] if places else caller_location())
