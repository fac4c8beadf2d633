"""One node as an expression: the pieces of its row, and in its holes what it reads.

What is put into a hole gets parentheses where its surroundings bind tighter, a number stays a
number where the framework takes one, and a parameter is written as Python would.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from unigrad.backend.dialect import ATOM, LOWEST, binding_of
from unigrad.backend.plan import is_default
from unigrad.backend.spelling import nonfinite, number_text, tidy, tuple_text
from unigrad.errors import RuleError, UnsupportedError, listed, locate
from unigrad.ir.dims import Dim, inside_of, substitute, symbol, symbols_of
from unigrad.ir.nodes import CONSTANT, Graph, Node, graph_parameters, tensor
from unigrad.ir.source import caller_location, locations
from unigrad.ir.types import DType, TensorType, told
from unigrad.ops.families import as_tuple
from unigrad.outside import literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.backend.dialect import Dialect, Hole, Template

__all__ = ["Expressions", "unsupported"]


class Expressions:
    """Writes the expressions of one function.

    Attributes:
        texts: for each node that is written, its text, how it binds and how deep it nests.
        sizes: the named dimensions that the expressions mention, and the variable of each.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        used: set[str],
        device: str | None,
        constant: Callable[[Node], str],
        function_of: Callable[[Graph], str],
        fresh: Callable[..., str],
    ) -> None:
        """Take what the functions of a file share.

        Args:
            dialect: the framework's table.
            used: imported names and helpers that are used; grows.
            device: where new arrays are made, as the framework spells it.
            constant: the name for a captured array, which becomes a parameter.
            function_of: the name of the function of a closed body.
            fresh: a new name for a variable of the function.
        """
        self.dialect = dialect
        self.texts: dict[Node, tuple[str, int, int]] = {}
        self.sizes: dict[str, str] = {}
        self._used = used
        self._device = device
        self._constant = constant
        self._function_of = function_of
        self._fresh = fresh

    def filled(self, template: Template, node: Node, bound: dict[str, Any]) -> tuple[str, int, int]:
        """The text of a row for a node, how it binds and how deep it nests.

        Args:
            template: the row.
            node: what it is written for.
            bound: what the variables of a fused row stand for; empty for the row of an op.
        """
        self._used.update(template.names)
        alone = template.hole
        if alone is not None:  # the operand itself, which binds as it does elsewhere
            operand = bound[alone.name] if bound else node.operands[alone.position]
            return *self._operand(operand, number=False), self.depth((operand,))
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

    def depth(self, nodes: Any) -> int:
        """How deep the deepest of the texts of ``nodes`` nests."""
        texts = self.texts
        return max((texts[one][2] for one in nodes if one in texts), default=0)

    def _fill(self, hole: Hole, node: Node, bound: dict[str, Any]) -> tuple[str, int]:
        """The text for a hole, ``""`` where it may be left out, and how deep it nests."""
        texts = self.texts
        if hole.kind == "operand":
            operand = bound[hole.name] if bound else node.operands[hole.position]
            if not isinstance(operand, Node):
                return self._param(hole, operand, node), 0
            text = self.operand(operand, hole.binding, number=hole.number)
            return text, texts[operand][2] if operand in texts else 0
        if hole.kind == "operands":
            # Only cotangents and tangents may be numbers, never what a body computes with.
            fixed = sum(len(body.inputs) for body in graph_parameters(node)) if hole.number else 0
            several = [
                self.operand(one, LOWEST + 1, number=hole.number and position >= fixed)
                for position, one in enumerate(node.operands)
            ]
            return ", ".join(several), self.depth(node.operands)
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
        return "" if self._device is None else f'"{self._device}"'

    def operand(self, node: Node, binding: int, *, number: bool) -> str:
        """An operand's text where its surroundings bind so; see :meth:`_operand`."""
        text, tight = self._operand(node, number=number)
        return text if tight >= binding else f"({text})"

    def _operand(self, node: Node, *, number: bool) -> tuple[str, int]:
        """An operand's text and how it binds; a number that must be an array is made one."""
        known = self.texts.get(node)
        if known is not None:
            return known[0], known[1]
        if node.op is not CONSTANT:
            raise unsupported(node, self.dialect)
        if tensor(node).ndim:
            return self._constant(node), ATOM
        text, tight = number_text(node)
        if text.startswith(("math.", "-math.")):
            self._used.add("math")
        if number and not _is_huge(node):
            return text, tight
        self._used.update(re.findall(r"\b[A-Za-z_]\w*(?=[.(])", self.dialect.number))
        device = "" if self._device is None else f', device="{self._device}"'
        made = self.dialect.number.format(value=text, dtype=self._value(node.dtype), device=device)
        return made, ATOM

    def _param(self, hole: Hole, value: Any, node: Node) -> str:
        if hole.name == "key" and hole.inside:
            return self._index(value, tensor(node.operands[0]) if node.operands else None)
        if hole.name == "key":
            return tuple_text([self._entry(one) for one in value])
        if hole.name == "axis":
            axes = as_tuple(value)
            value = axes[0] if len(axes) == 1 else axes
        text = self._value(value)
        return text if binding_of(text) >= hole.binding else f"({text})"

    def _value(self, value: Any) -> str:
        """A parameter as Python text."""
        if isinstance(value, Graph):
            return self._function_of(value)
        if isinstance(value, DType):
            text = self.dialect.dtype(value.name)
            self._used.add(text.partition(".")[0])
            return text
        if isinstance(value, Dim):
            return self._size(value)
        if isinstance(value, tuple):
            return tuple_text([self._value(one) for one in as_tuple(value)])
        if isinstance(value, float) and not math.isfinite(value):
            self._used.add("math")
            return nonfinite(value)
        text = literal(value)
        if text is None:
            raise RuleError(f"{value!r} is no parameter: a {type(value).__name__} has no literal")
        return text

    def _size(self, size: Dim) -> str:
        """A size in the variables of its named dimensions, which may be called otherwise."""
        sizes = self.sizes
        names = symbols_of(size)
        for name in sorted(names - sizes.keys()):
            sizes[name] = self._fresh(name, "size")
        if any(sizes[name] != name for name in names):
            text = str(substitute(size, {name: symbol(sizes[name]) for name in names}))
        else:
            text = str(size)
        if "max(" not in text:
            return text
        self._used.add(self.dialect.larger.partition(".")[0])
        return text.replace("max(", f"{self.dialect.larger}(")

    def _bound(self, bound: Any, size: Any) -> str:
        """A bound of a slice of an axis: one that is counted from its end, or cut there, as such.

        Python and the frameworks count and cut by themselves: ``x[-3:]`` and ``x[:4]``.
        """
        if isinstance(bound, Dim) and isinstance(size, Dim):
            before, after = inside_of(bound), inside_of(size - bound)
            from_end = None if before is None else size - before
            if isinstance(from_end, int) and from_end > 0:
                return f"-{from_end}"
            cut = None if after is None else size - after
            if isinstance(cut, int) and cut >= 0:
                return str(cut)
        return self._value(bound)

    def _element(self, entry: Any, size: Any) -> str:
        """An index of one element: one that is counted from the end as such, which is checked."""
        from_end = size - entry if isinstance(entry, Dim) and isinstance(size, Dim) else None
        return f"-{from_end}" if isinstance(from_end, int) else self._value(entry)

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
                    low = "" if size is not None and start == size - 1 else self._value(start)
                    high = "" if stop is None else self._value(stop)
                else:
                    low = "" if isinstance(start, int) and start == 0 else self._bound(start, size)
                    high = "" if stop is size or stop == size else self._bound(stop, size)
                parts.append(f"{low}:{high}" + ("" if step == 1 else f":{step}"))
            elif entry is None:
                parts.append("None")
            else:
                parts.append(self._element(entry, type_.shape[axis] if type_ is not None else None))
            axis += entry is not None
        while len(parts) > 1 and parts[-1] == ":":
            parts.pop()
        return ", ".join(parts) or "()"


def _is_huge(number: Node) -> bool:
    """Whether a number is an unsigned one of 64 bits, which not every framework reads as such."""
    return number.dtype.kind == "uint" and number.params[0].item() >> 63 != 0


def unsupported(node: Node, dialect: Dialect) -> UnsupportedError:
    """The error for a node that a target cannot write, raised before anything runs."""
    reason = dialect.unsupported.get(node.op)
    types = listed(told(operand.type) for operand in node.operands)
    text = f"{dialect.name} has no row for the op {node.op.name!r} on {types}"
    error = UnsupportedError(f"{text}: {reason}" if reason else text)
    places = locations(node)
    return locate(error, places[0] if places else caller_location())
