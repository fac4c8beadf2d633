"""A backend's table: one native expression per op, written as text and checked when it is built.

A row is parsed once into pieces of text and holes. Each hole knows how tightly its surroundings
bind, so that parentheses come out right and an operand that is used once can stand in the place
where it is used. Nothing here imports a framework: the source of a target can be shown on a machine
that does not have it.
"""

from __future__ import annotations

import ast
import builtins
import re
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from unigrad.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from unigrad.ir.nodes import Node
    from unigrad.ops.pattern import Pattern
    from unigrad.ops.spec import Op

__all__ = ["ATOM", "LOWEST", "OURS", "Dialect", "Fused", "Hole", "Row", "Template"]

OURS: Final = "ours"
"""The gradient of a row whose native one breaks the convention."""

LOWEST: Final = 0
COMPARE: Final = 6
UNARY: Final = 13
POWER: Final = 14
ATOM: Final = 16

_BINARY: Final[dict[type[ast.operator], int]] = {
    ast.BitOr: 7, ast.BitXor: 8, ast.BitAnd: 9, ast.LShift: 10, ast.RShift: 10, ast.Add: 11,
    ast.Sub: 11, ast.Mult: 12, ast.Div: 12, ast.FloorDiv: 12, ast.Mod: 12, ast.MatMult: 12,
    ast.Pow: POWER,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """How a framework spells an op.

    Attributes:
        text: an expression in the names of the op's operands and parameters; ``out.shape`` and
            ``out.dtype`` are those of the result, ``out.device`` is where new arrays are made (a
            keyword that is left out where the target names none).
        when: for which nodes the row serves; the first row that serves is taken.
        numbers: operands that may be a Python number instead of an array.
        gradient: ``OURS`` if the native gradient breaks the convention.
        helper: the source of a function that ``text`` calls, written at the head of the file.
        faithful: where the native gradient of ``text`` breaks the convention, an expression of the
            same value whose native gradient keeps it.
    """

    text: str
    when: Callable[[Node], bool] | None = None
    numbers: str | None = None
    gradient: str = "native"
    helper: str = ""
    faithful: str = ""


@dataclass(frozen=True, slots=True)
class Fused:
    """A row for a small pattern of ops, in the names of the pattern's variables."""

    pattern: Pattern
    text: str
    when: Callable[[Node, Mapping[str, Any]], bool] | None = None


class Hole(NamedTuple):
    """A place in a row that is filled when a node is written.

    Attributes:
        kind: ``"operand"``, ``"operands"`` (all of them), ``"param"``, ``"shape"``, ``"dtype"`` or
            ``"device"``.
        name: the operand's or parameter's name.
        position: its position among the operands or the parameters.
        binding: how tightly the surroundings bind.
        number: whether a Python number may stand here.
        prefix: text before the hole that goes with it, if the argument may be left out.
        inside: whether the hole is the inside of square brackets.
    """

    kind: str
    name: str
    position: int
    binding: int
    number: bool = False
    prefix: str = ""
    inside: bool = False


class Template(NamedTuple):
    """A row as pieces of text and holes."""

    pieces: tuple[str | Hole, ...]
    binding: int
    names: frozenset[str]
    row: Row
    faithful: Template | None = None

    @property
    def hole(self) -> Hole | None:
        """The one hole of a row that is an operand as it is; ``None`` for any other row."""
        first = self.pieces[0]
        return None if len(self.pieces) > 1 or isinstance(first, str) else first


class Dialect:
    """A framework's table.

    Args:
        name: the backend's name.
        imports: for each name that rows use, the line that imports it.
        rows: the rows of each op.
        dtypes: how a dtype is written, with ``{name}`` for its name.
        dtype_names: dtypes whose name differs in this framework.
        unsupported: ops that this framework cannot do, each with the reason.
        fused: rows for small patterns.
        number: how a number that must be an array is written, with ``{value}``, ``{dtype}`` and
            ``{device}`` (a keyword argument with the comma before it, or nothing).
        helpers: the source of functions that rows call, written at the head of the files that do.
        rule: how a function with a derivative of its own is made of the functions ``{value}``,
            ``{pulls}`` and ``{pushes}``, for rows whose gradient is ``OURS``.
        devices: how this framework spells a device where arrays are made; ``None`` if the text does
            not say where it runs.
        size: how the size of an axis is read, with ``{x}`` and ``{axis}``.
        larger: a function that gives the larger one of two sizes.

    Raises:
        RuleError: if a row names an argument that its op does not have, or does not parse.
    """

    def __init__(
        self,
        name: str,
        *,
        imports: Mapping[str, str],
        rows: Mapping[Op[...], str | Row | Sequence[Row]],
        dtypes: str,
        number: str,
        dtype_names: Mapping[str, str] | None = None,
        unsupported: Mapping[Op[...], str] | None = None,
        fused: Sequence[Fused] = (),
        helpers: str = "",
        rule: str = "",
        devices: Callable[[str], str] | None = str,
        size: str = "{x}.shape[{axis}]",
        larger: str = "max",
    ) -> None:
        self.name = name
        self.imports = dict(imports)
        self.dtypes = dtypes
        self.dtype_names = dict(dtype_names or {})
        self.unsupported: dict[Any, str] = dict(unsupported or {})
        self.number = number
        self.rule = rule
        self.devices = devices
        self.size = size
        self.larger = larger
        self.helpers = _helpers(helpers)
        self.templates: dict[Any, tuple[Template, ...]] = {}
        self.add(rows)
        self.fused = self.parse_fused(fused)

    def variant(
        self, rows: Mapping[Op[...], str | Row | Sequence[Row]], fused: Sequence[Fused]
    ) -> Dialect:
        """The same table with other rows for some ops and for patterns, for a mode that needs them.

        Args:
            rows: for each op that differs, its rows.
            fused: all rows for patterns.
        """
        other = copy(self)
        other.helpers, other.templates = dict(self.helpers), dict(self.templates)
        other.add(rows)
        other.fused = other.parse_fused(fused)
        return other

    def parse_fused(self, fused: Sequence[Fused]) -> dict[Any, list[tuple[Fused, Template]]]:
        """Rows for patterns, by the op at the root of each."""
        found: dict[Any, list[tuple[Fused, Template]]] = {}
        for one in fused:
            words = set(re.findall(r"\w+", one.text))
            names = [name for name in one.pattern.variable_names if name in words]
            what = f"the pattern {one.pattern!r}"
            template = self._template(Row(one.text), what, _Arguments(tuple(names)))
            found.setdefault(one.pattern.op, []).append((one, template))
        return found

    def add(self, rows: Mapping[Op[...], str | Row | Sequence[Row]]) -> None:
        """Rows for ops, in the place of those that are there."""
        for op, given in rows.items():
            listed = (given,) if isinstance(given, (str, Row)) else tuple(given)
            self.templates[op] = tuple(
                self._parse(op, row if isinstance(row, Row) else Row(row)) for row in listed
            )

    def template(self, node: Node) -> Template | None:
        """The first row that serves a node."""
        for template in self.templates.get(node.op, ()):
            when = template.row.when
            if when is None or when(node):
                return template
        return None

    def is_ruled(self, node: Node) -> bool:
        """Whether native mode must put our rule around the node to keep the convention."""
        template = self.template(node)
        return template is not None and template.row.gradient == OURS and template.faithful is None

    def dtype(self, name: str) -> str:
        """A dtype as this framework writes it."""
        return self.dtypes.format(name=self.dtype_names.get(name, name))

    def head_of(self, names: Iterable[str]) -> tuple[list[str], set[str]]:
        """The helpers that a text with these names needs, in order, and all names that are used."""
        used, waiting = set[str](), list(names)
        while waiting:
            name = waiting.pop()
            if name not in used:
                used.add(name)
                waiting += _names_in(self.helpers.get(name, ""))
        return [text for name, text in self.helpers.items() if name in used], used

    def _parse(self, op: Op[...], row: Row) -> Template:
        self.helpers |= _helpers(row.helper)
        what = f"the row of {op.name!r}"
        arguments = _Arguments(
            op.operands,
            op.params,
            op.operands[0] if op.variadic else "",
            elementwise=op.elementwise,
        )
        template = self._template(row, what, arguments)
        if not row.faithful:
            return template
        other = replace(row, text=row.faithful, faithful="", numbers="")
        return template._replace(faithful=self._template(other, what, arguments))

    def _template(self, row: Row, what: str, arguments: _Arguments) -> Template:
        what = f"{self.name}: {what} ({row.text!r})"
        try:
            tree = ast.parse(row.text, mode="eval").body
        except SyntaxError as error:
            raise RuleError(f"{what} does not parse: {error.msg}") from None
        numbers = None if row.numbers is None else row.numbers.split()
        for number in numbers or ():
            if number not in arguments.operands:
                raise RuleError(f"{what}: {number!r} is no operand")
        holes: list[tuple[int, int, Hole]] = []
        names: set[str] = set()
        seen: set[str] = set()
        for node, binding, context in _walk(tree, LOWEST, ""):
            start, end, prefix = _span(row.text, node, context)
            hole = arguments.hole(node, binding, context, prefix, numbers)
            if hole is None:
                if not self._is_known(node.id):
                    known = ", ".join((*arguments.operands, *arguments.params, *self.imports))
                    raise RuleError(f"{what} uses {node.id!r}; it may use {known}")
                names.add(node.id)
                continue
            if hole.name in seen and hole.name in arguments.operands:
                raise RuleError(f"{what} uses {hole.name!r} twice, which would compute it twice")
            seen.add(hole.name)
            holes.append((start, end, hole))
        missing = [name for name in arguments.operands if name not in seen]
        if missing:
            raise RuleError(f"{what} does not use {', '.join(missing)}")
        return Template(_pieces(row.text, holes), binding_of(row.text), frozenset(names), row)

    def _is_known(self, name: str) -> bool:
        return name in self.imports or name in self.helpers or hasattr(builtins, name)


@dataclass(frozen=True, slots=True)
class _Arguments:
    """What the text of a row may name: operands (one of them all of them) and parameters."""

    operands: tuple[str, ...]
    params: tuple[str, ...] = ()
    variadic: str = ""
    elementwise: bool = True

    def hole(
        self, node: Any, binding: int, context: str, prefix: str, numbers: Sequence[str] | None
    ) -> Hole | None:
        """The hole for a name in the text; ``None`` if it is no argument."""
        if isinstance(node, ast.Attribute):
            return Hole(node.attr, "out", 0, binding, prefix=prefix)
        name: str = node.id
        if name == self.variadic:
            number = name in (numbers or ())
            return Hole("operands", name, 0, binding, number=number, prefix=prefix)
        if name in self.operands:
            free = context == "operator" or self.elementwise
            number = free if numbers is None else name in numbers
            position = self.operands.index(name)
            return Hole("operand", name, position, binding, number=number, prefix=prefix)
        if name in self.params:
            position, inside = self.params.index(name), context == "index"
            return Hole("param", name, position, binding, prefix=prefix, inside=inside)
        return None


def _span(text: str, node: Any, context: str) -> tuple[int, int, str]:
    """Where a hole begins and ends, and the text in it that goes with a keyword argument."""
    start, end = node.col_offset, node.end_col_offset or 0
    if context != "keyword":
        return start, end, ""
    comma = text.rindex("," if "," in text[:start] else "(", 0, start)
    first = comma if text[comma] == "," else comma + 1
    return first, end, text[first:start]


def _pieces(text: str, holes: list[tuple[int, int, Hole]]) -> tuple[str | Hole, ...]:
    pieces: list[str | Hole] = []
    at = 0
    for start, end, hole in sorted(holes, key=lambda item: item[0]):
        if start > at:
            pieces.append(text[at:start])
        pieces.append(hole)
        at = end
    if at < len(text):
        pieces.append(text[at:])
    return tuple(pieces)


def _helpers(source: str) -> dict[str, str]:
    """The functions and classes in a source, each with its text."""
    helpers: dict[str, str] = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            helpers[node.name] = "\n".join(source.splitlines()[first - 1 : node.end_lineno])
    return helpers


@lru_cache(maxsize=1024)
def _names_in(source: str) -> frozenset[str]:
    return frozenset(one.id for one in ast.walk(ast.parse(source)) if isinstance(one, ast.Name))


@lru_cache(maxsize=1024)
def binding_of(text: str) -> int:
    """How tightly an expression binds; what stands where a tighter one is wanted gets brackets."""
    tree = ast.parse(text, mode="eval").body
    within = tree.col_offset or (isinstance(tree, ast.Tuple) and text.startswith("("))
    return ATOM if within else _binding_of(tree)


def _binding_of(tree: ast.expr) -> int:
    if isinstance(tree, ast.BinOp):
        return _BINARY[type(tree.op)]
    if isinstance(tree, ast.UnaryOp):
        return LOWEST if isinstance(tree.op, ast.Not) else UNARY
    if isinstance(tree, ast.Compare):
        return COMPARE
    if isinstance(tree, (ast.Tuple, ast.IfExp, ast.Lambda, ast.BoolOp)):
        return LOWEST
    return ATOM


def _walk(tree: ast.expr, binding: int, context: str) -> list[tuple[Any, int, str]]:
    """Every name in an expression (and ``out.shape`` and its like) with how its place binds."""
    found: list[tuple[Any, int, str]] = []
    stack: list[tuple[ast.AST, int, str]] = [(tree, binding, context)]
    while stack:
        node, tight, where = stack.pop()
        match node:
            case (
                ast.Name()
                | ast.Attribute(value=ast.Name(id="out"), attr="shape" | "dtype" | "device")
            ):
                found.append((node, tight, where))
            case ast.Attribute(value=value):
                stack.append((value, ATOM, "attribute"))
            case ast.BinOp(left=left, op=operator, right=right):
                level = _BINARY[type(operator)]
                power = isinstance(operator, ast.Pow)
                stack.append((left, level + power, "operator"))
                stack.append((right, UNARY if power else level + 1, "operator"))
            case ast.UnaryOp(operand=operand):
                stack.append((operand, UNARY + 1, "operator"))  # not --x
            case ast.Compare(left=left, comparators=comparators):
                stack.extend((one, COMPARE + 1, "operator") for one in (left, *comparators))
            case ast.Subscript(value=value, slice=inside):
                stack.append((value, ATOM, "subscripted"))
                stack.append((inside, LOWEST, "index"))
            case ast.Call(func=function, args=args, keywords=keywords):
                stack.append((function, ATOM, "function"))
                stack.extend((arg, LOWEST + 1, "argument") for arg in args)
                stack.extend((keyword.value, LOWEST + 1, "keyword") for keyword in keywords)
            case ast.keyword(value=value):
                stack.append((value, LOWEST + 1, "keyword"))
            case _:
                stack.extend((child, LOWEST + 1, "element") for child in ast.iter_child_nodes(node))
    return found
