"""From a graph to the source text that a person would have written for it.

One walk, one statement per node that deserves a name: what the user named, what is used twice, what
would make a line too long. Everything else stands inside the expression that uses it. A comment
gives the user's line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

from unigrad.backend.dialect import ATOM, LOWEST, OURS
from unigrad.backend.expressions import Expressions, unsupported
from unigrad.backend.names import FileNames
from unigrad.backend.native import Rule, arguments_of, parts_of, result_name, rule_key
from unigrad.backend.plan import count_uses, is_large, match_fused, user_labels
from unigrad.backend.spelling import tuple_text, without_parentheses
from unigrad.errors import ShapeError, listed
from unigrad.ir.nodes import CONSTANT, INPUT, Graph, Node, graph_parameters, tensor
from unigrad.ir.source import array_name, locations
from unigrad.outside import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from unigrad.backend.dialect import Dialect

__all__ = ["Emitted", "Parameter", "emit"]

Line: TypeAlias = "tuple[str, Node | None]"
"""A line of the file, and the node that it computes."""

_DEPTH: Final = 20  # CPython refuses 200 nested parentheses
_WIDTH: Final = 64  # beyond this an expression deserves a name
_INDENT: Final = "    "
_NOTHING: Final[frozenset[str]] = frozenset()
_RULES: Final = 3  # to which order a rule that needs its own op on other arrays is written


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
        constants: the captured arrays that its trailing parameters take, by their names.
        flat: whether the function returns its outputs flat because their structure has no literal.
        places: for each line of the text that computes something, the node that it computes.
    """

    text: str
    name: str
    constants: dict[str, Node]
    flat: bool
    places: dict[int, Node]


@dataclass
class _Module:
    """What the functions of one emitted file share.

    Attributes:
        names: all names of the file.
        device: where new arrays are made, ``None`` for the framework's default.
        rules: where a framework differentiates what is written by our convention: makes the rule
            that stands around an op whose native gradient breaks it.
        used: imported names and helpers that are used.
        functions: the name and lines of each function of a closed body, by its graph, and of each
            op with a rule, by what the rule serves.
    """

    names: FileNames
    device: str | None = None
    rules: Callable[[Node], Rule] | None = None
    used: set[str] = field(default_factory=set)
    functions: dict[Hashable, tuple[str, list[Line]]] = field(default_factory=dict)


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
    named = dialect.devices(device) if device is not None and dialect.devices is not None else None
    module = _Module(FileNames((*dialect.imports, *dialect.helpers)), named, rules)
    emitter = _Emitter(graph, dialect, name, release=release, module=module, ours=rules is not None)
    if rules is None and not any(True for node in graph.nodes for _ in graph_parameters(node)):
        module.names.functions.taken.discard(
            emitter.name
        )  # alone in the file: a variable may share its name
    return emitter.module(parameters, render, decorators)


class _Emitter:
    """Writes one function: its statements, and the functions of the bodies that its nodes hold."""

    def __init__(
        self,
        graph: Graph,
        dialect: Dialect,
        name: str,
        *,
        release: bool,
        module: _Module,
        ours: bool,
        within: tuple[object, ...] = (),
    ) -> None:
        self.graph = graph
        self.dialect = dialect
        self.release = release
        self.ours = ours
        self.within = within  # the ops in whose rules this function is
        self.shared = module
        self.names = self.shared.names.of_function()
        self.used = self.shared.used
        self.name = module.names.functions.fresh(name, "function")
        self.lines: list[Line] = []
        self.constants: list[Node] = []
        # For each node that is written, the large arrays that its text names.
        self.reads: dict[Node, frozenset[str]] = {}
        self.expressions = Expressions(
            dialect, used=self.used, device=module.device,
            constant=self._constant, function_of=self._function_of, fresh=self.names.fresh,
        )  # fmt: skip
        self.texts = self.expressions.texts
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
        outputs = self._outputs()
        rendered = None if render is None else render(outputs)
        if rendered is None:
            rendered = outputs[0] if len(outputs) == 1 and render is None else tuple_text(outputs)
            flat = render is not None
        else:
            flat = False
        if rendered.startswith("(") and rendered.endswith(")") and (len(outputs) > 1 or flat):
            rendered = without_parentheses(rendered)
        body = [*_plain(prelude), *self._body(rendered)]
        constants = {self.texts[node][0]: node for node in self.constants}
        captured = ", ".join(f"{name} {node.type}" for name, node in constants.items())
        remark = [f"# Last come the arrays from around it: {captured}"] if constants else []
        for decorator in decorators:
            self.used.update(
                re.findall(r"[A-Za-z_]\w*", decorator.partition("(")[0].partition(".")[0])
            )
        head = f"def {self.name}({', '.join((*arguments, *constants))}):"
        functions = [
            line for _, lines in self.shared.functions.values() for line in (*lines, *_GAP)
        ]
        lines = [
            *_plain(self._head()), *functions, *_plain(remark),
            *_plain(f"@{one}" for one in decorators),
            (head, None), *_indented(body),
        ]  # fmt: skip
        text = "\n".join([line for line, _ in lines]) + "\n"
        places = {number: node for number, (_, node) in enumerate(lines, 1) if node is not None}
        return Emitted(text, self.name, constants, flat, places)

    def function_lines(self) -> list[Line]:
        """This graph as one more function of the file, which returns the tuple of its outputs."""
        arguments, _ = self._arguments(None)
        self._statements()
        body = self._body(tuple_text(self._outputs()))
        return [(f"def {self.name}({', '.join(arguments)}):", None), *_indented(body)]

    def _outputs(self) -> list[str]:
        written = self.expressions.operand
        return [written(node, LOWEST + 1, number=False) for node in self.graph.outputs]

    def _body(self, returned: str) -> list[Line]:
        """The statements, after those that read sizes and before the one that returns."""
        place = self.graph.outputs[0] if self.graph.outputs else None
        return [*_plain(self._sizes()), *self.lines, (f"return {returned}", place)]

    def _function_of(self, graph: Graph) -> str:
        """The name of the function for a closed body, written when it is first needed."""
        known = self.shared.functions.get(graph)
        if known is None:
            known = self.shared.functions[graph] = self._function(
                graph, graph.name or "body", ours=self.ours
            )
        return known[0]

    def _function(
        self, graph: Graph, name: str, *, ours: bool, within: tuple[object, ...] = ()
    ) -> tuple[str, list[Line]]:
        inner = _Emitter(
            graph, self.dialect, name, release=self.release, module=self.shared, ours=ours,
            within=(*self.within, *within),
        )  # fmt: skip
        return inner.name, inner.function_lines()

    def _ruled(self, node: Node) -> tuple[str, int, int]:
        """A call of the op as a function with our derivative, written when first needed."""
        key = ("rule", rule_key(node))
        if key not in self.shared.functions:
            rule = cast("Callable[[Node], Rule]", self.shared.rules)(node)
            name = self.shared.names.functions.fresh(node.op.name)
            self.shared.functions[key] = (name, [])  # a rule may use its own op
            names: dict[Graph | None, str] = {None: "None"}
            lines: list[Line] = []
            for graph in (rule.value, *rule.pulls, *rule.pushes):
                if graph is not None and graph not in names:
                    ours = graph is not rule.value
                    names[graph], written = self._function(
                        graph, graph.name, ours=ours, within=(node.op,)
                    )
                    lines += [*written, *_GAP]
            made = self.dialect.rule.format(
                value=names[rule.value],
                pulls=tuple_text([names[graph] for graph in rule.pulls]),
                pushes=tuple_text([names[graph] for graph in rule.pushes]),
            )
            self.used.update(re.findall(r"[A-Za-z_]\w*", self.dialect.rule))
            self.shared.functions[key] = (name, [*lines, (f"{name} = {made}", None)])
        arguments = arguments_of(node)
        written = self.expressions.operand
        inside = ", ".join(written(one, LOWEST + 1, number=False) for one in arguments)
        depth = self.expressions.depth(arguments)
        return f"{self.shared.functions[key][0]}({inside})", ATOM, depth

    def _unpacked(self, node: Node) -> str:
        """Names for the results of a node that has several; ``_`` for what nothing reads."""
        targets: list[str] = []
        for position in range(len(node.type)):  # pyright: ignore[reportArgumentType]
            part = self.parts.get(node, {}).get(position)
            if part is None or not self.uses.get(part):
                targets.append("_")
                continue
            name = self.names.fresh(
                self.labels.get(part, ""), result_name(node, position), "result"
            )
            self.texts[part] = (name, ATOM, 0)
            targets.append(name)
        return f"({targets[0]},)" if len(targets) == 1 else ", ".join(targets)

    def _head(self) -> list[str]:
        helpers, words = self.dialect.head_of(self.used)
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
            label = self.names.fresh(parameter.name, "x")
            arguments.append(label)
            for position, path in parameter.leaves:
                placed.add(position)
                node = inputs[position]
                if not path:
                    self.texts[node] = (label, ATOM, 0)
                    continue
                text = f"{label}{path}"
                if self.uses.get(node):
                    leaf = self.names.fresh(re.split(r"\W+", path.rstrip("]'\""))[-1], label)
                    prelude.append(f"{leaf} = {text}")
                    text = leaf
                self.texts[node] = (text, ATOM, 0)
        for position, node in enumerate(inputs):
            if position not in placed:
                label = self.names.fresh(node.params[0], "x")
                arguments.append(label)
                self.texts[node] = (label, ATOM, 0)
        return arguments, prelude

    def _sizes(self) -> list[str]:
        """Lines that read named dimensions from the first input that has one bare."""
        lines: list[str] = []
        missing = dict(self.expressions.sizes)
        for node in self.graph.inputs:
            for axis, size in enumerate(tensor(node).shape):
                name = missing.pop(str(size), None)
                if name is not None:
                    text = self.dialect.size.format(x=self.texts[node][0], axis=axis)
                    lines.append(f"{name} = {text}")
                    self.used.update(re.findall(r"\b[A-Za-z_]\w*(?=\()", text))
        if missing:
            raise ShapeError(
                f"the size {listed(sorted(missing))} cannot be read from an argument:"
                " give the name alone as a dimension of one of them"
            )
        return lines

    # -- statements --------------------------------------------------------------------------------

    def _statements(self) -> None:
        texts, uses, reads = self.texts, self.uses, self.reads
        statements: list[tuple[Line, frozenset[str]]] = []
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
                statements.append(((line, node), self._read_by(node) if reads else _NOTHING))
                continue
            label = self.labels.get(node, "")
            read = self._read_by(node) if reads else _NOTHING
            if count == 1 and not label and depth < _DEPTH and len(text) <= _WIDTH:
                texts[node] = (text, binding, depth + 1)
                if read:
                    reads[node] = read
                continue
            fresh = self.names.fresh(label, node.op.name, "value")
            texts[node] = (fresh, ATOM, 0)
            statements.append(((f"{fresh} = {text}{self._comment(node)}", node), read))
            if self.release and is_large(node):
                reads[node] = frozenset((fresh,))
        returned: frozenset[str] = _NOTHING.union(
            *(reads.get(node, _NOTHING) for node in self.graph.outputs)
        )
        self._release(statements, returned)

    def _read_by(self, node: Node) -> frozenset[str]:
        """The large arrays that the text of a node names, through whatever stands inside of it."""
        reads = self.reads
        operands = node.operands
        if node in self.fused:
            operands = tuple(one for one in self.fused[node][1].values() if isinstance(one, Node))
        found = [reads[operand] for operand in operands if operand in reads]
        return found[0] if len(found) == 1 else _NOTHING.union(*found)

    def _release(
        self, statements: list[tuple[Line, frozenset[str]]], returned: frozenset[str]
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
            self.lines.append(line)
            if number in dead:
                self.lines.append((f"del {', '.join(dead[number])}", None))

    def _comment(self, node: Node) -> str:
        places = locations(node)
        if not places:
            return ""
        place = places[0]
        file = place.file.replace("\\", "/").rpartition("/")[-1]
        return f"  # {one_line(file)}:{place.line}"

    def _constant(self, node: Node) -> str:
        """A captured array becomes a trailing parameter."""
        label = self.names.fresh(array_name(node.params[0]), f"constant_{len(self.constants)}")
        self.texts[node] = (label, ATOM, 0)
        self.constants.append(node)
        return label

    # -- expressions -------------------------------------------------------------------------------

    def _expression(self, node: Node) -> tuple[str, int, int]:
        """The text of a node, how it binds and how deep it nests: of a fused row or its own."""
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
        elif self.ours and template.row.gradient == OURS and self.within.count(node.op) < _RULES:
            return self._ruled(node)
        return self.expressions.filled(template, node, bound)


# -- lines -----------------------------------------------------------------------------------------

_GAP: Final[tuple[Line, ...]] = (("", None), ("", None))


def _plain(lines: Iterable[str]) -> list[Line]:
    """Lines that compute nothing of the user's; a text of several is taken apart."""
    return [(line, None) for text in lines for line in text.split("\n")]


def _indented(lines: Iterable[Line]) -> list[Line]:
    return [(f"{_INDENT}{text}", node) for text, node in lines]
