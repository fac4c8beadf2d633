"""What a node computes, as a person would write it on a blackboard: ``3·x + 2``, ``u⁴``, ``hᵀ``.

Texts are built in the order of the nodes, without recursion, and cut where they grow too long to be
read in a picture.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from unigrad.ir.dims import Dim
from unigrad.ir.nodes import CONSTANT, tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from unigrad.ir.nodes import Node

__all__ = ["Expression", "expressions", "number"]

LONGEST: Final = 38  # characters of one expression in a picture

_COMPARE, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(6)

_INFIX: Final = {
    "add": (" + ", _SUM, _SUM), "subtract": (" - ", _SUM, _PRODUCT),
    "multiply": ("·", _PRODUCT, _PRODUCT), "divide": (" / ", _PRODUCT, _SIGN),
    "matmul": (" @ ", _PRODUCT, _SIGN), "remainder": (" % ", _PRODUCT, _SIGN),
    "floor_divide": (" // ", _PRODUCT, _SIGN), "equal": (" = ", _COMPARE, _SUM),
    "not_equal": (" ≠ ", _COMPARE, _SUM), "less": (" < ", _COMPARE, _SUM),
    "less_equal": (" ≤ ", _COMPARE, _SUM), "greater": (" > ", _COMPARE, _SUM),
    "greater_equal": (" ≥ ", _COMPARE, _SUM), "logical_and": (" and ", _COMPARE, _SUM),
    "logical_or": (" or ", _COMPARE, _SUM),
}  # fmt: skip
"""For each op its sign, how tightly it binds, and how tightly its right operand must bind."""

_TRANSPARENT: Final = {"barrier", "broadcast_to", "expand_dims", "positive", "reweigh", "squeeze"}
_RENAMED: Final = {
    "clip_above": "clip", "clip_below": "clip", "clip_between": "clip", "contract": "einsum",
    "solve_matrix": "solve", "solve_triangular_matrix": "solve_triangular", "take_within": "take",
    "polygamma_of": "polygamma",
}  # fmt: skip
_RAISED: Final = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class Expression(NamedTuple):
    """Text, and how tightly its outermost operation binds."""

    text: str
    binding: int = _ATOM

    def within(self, binding: int) -> str:
        """The text as an operand that must bind so tightly."""
        return self.text if self.binding >= binding else f"({self.text})"


def expressions(
    nodes: Iterable[Node], names: Mapping[Node, str], longest: int = LONGEST
) -> dict[Node, Expression]:
    """The expression of each node; what has a name is called by it.

    Args:
        nodes: the nodes of one expression, operands first.
        names: names of the nodes at which expressions end.
        longest: where a text is cut.
    """
    found: dict[Node, Expression] = {}

    def of(node: Node) -> Expression:
        name = names.get(node)
        if name is not None:
            return Expression(name)
        if node.op is CONSTANT:
            return _constant(node)
        return found.get(node) or Expression("…")

    for node in nodes:
        if node.op is CONSTANT:
            found[node] = _constant(node)
        else:
            made = _written(node, [of(operand) for operand in node.operands])
            found[node] = made if len(made.text) <= longest else _cut(made, longest)
    return found


def _cut(expression: Expression, longest: int) -> Expression:
    text = expression.text
    return Expression(f"{text[: longest - 1].rstrip()}…", _ATOM if text.endswith(")") else _COMPARE)


def number(value: Any, *, digits: int | None = None) -> str:
    """A number as a person writes it: without ``.0``, in full or to some significant digits."""
    plain = value.item() if isinstance(value, (np.ndarray, np.generic)) else value
    if isinstance(plain, bool) or not isinstance(plain, (int, float)):
        return str(plain)
    if isinstance(plain, float):
        if not math.isfinite(plain):
            return str(plain).replace("inf", "∞")
        if plain.is_integer() and abs(plain) < 1e15:  # noqa: PLR2004  (exact, and readable in full)
            return str(int(plain)) if plain or math.copysign(1, plain) > 0 else "-0"
    if digits is not None and isinstance(plain, float):
        return f"{plain:.{digits}g}"
    narrow = isinstance(value, (np.ndarray, np.generic)) and value.dtype.itemsize < 8  # noqa: PLR2004
    return str(value[()]) if narrow and isinstance(plain, float) else repr(plain)


def _constant(node: Node) -> Expression:
    if tensor(node).ndim:
        return Expression("constant")
    text = number(node.params[0], digits=6)
    return Expression(text, _SIGN if text.startswith("-") else _ATOM)


def _written(node: Node, operands: list[Expression]) -> Expression:  # noqa: PLR0911  (one a notation)
    name = node.op.name
    infix = _INFIX.get(name)
    if infix is not None and len(operands) == 2:  # noqa: PLR2004
        return _infix(*infix, *operands)
    if name in _TRANSPARENT:
        return operands[0]
    if name == "negative":
        return Expression(f"-{operands[0].within(_SIGN)}", _SIGN)
    if name == "pow":
        return _power(*operands)
    if name == "square":
        return _power(operands[0], Expression("2"))
    if name == "reciprocal":
        return _infix(" / ", _PRODUCT, _SIGN, Expression("1"), operands[0])
    if name == "abs":
        return Expression(f"|{operands[0].text}|")
    if name == "permute_dims":
        return _transposed(node, operands[0])
    if name == "dim_value":
        return Expression(str(node.params[0]))
    if name == "astype":
        return Expression(f"{node.params[0]}({operands[0].text})")
    if name == "getitem":
        return Expression(f"{operands[0].within(_ATOM)}[{_key(node.params[0])}]")
    name = _RENAMED.get(name, name)
    return Expression(f"{name}({', '.join([*(one.text for one in operands), *_params(node)])})")


def _infix(sign: str, binding: int, right: int, x: Expression, y: Expression) -> Expression:
    if sign == "·" and x == y:
        return _power(x, Expression("2"))
    first, second = x.within(binding), y.within(right)
    if sign == "·" and (first[-1].isdigit() and second[0].isdigit()):
        sign = " · "
    if second.startswith("-"):
        second = f"({second})"
    return Expression(f"{first}{sign}{second}", binding)


def _power(base: Expression, exponent: Expression) -> Expression:
    text = exponent.text
    if text.removeprefix("-").isdigit():
        return Expression(f"{base.within(_ATOM)}{text.translate(_RAISED)}", _POWER)
    return Expression(f"{base.within(_ATOM)}^{exponent.within(_ATOM)}", _POWER)


def _transposed(node: Node, operand: Expression) -> Expression:
    axes = node.params[0]
    if axes == (1, 0) or (axes[-2:] == (len(axes) - 1, len(axes) - 2) and _leads(axes[:-2])):
        return Expression(f"{operand.within(_ATOM)}ᵀ")
    return Expression(f"permute_dims({operand.text}, {axes})")


def _leads(axes: tuple[int, ...]) -> bool:
    return axes == tuple(range(len(axes)))


def _key(key: tuple[Any, ...]) -> str:
    parts: list[str] = []
    for entry in key:
        if isinstance(entry, tuple):
            start, stop, step = entry
            parts.append(f"{start or ''}:{'' if stop is None else stop}{f':{step}' * (step != 1)}")
        else:
            parts.append("None" if entry is None else str(entry))
    return ", ".join(parts)


def _params(node: Node) -> list[str]:
    """Parameters that tell the reader something: no defaults, no internals."""
    labels = getattr(node.op, "params", ())
    shown: list[str] = []
    for label, value in zip(labels, node.params, strict=False):
        if label == "axis" and node.operands:
            axes = value if isinstance(value, tuple) else (value,)
            if len(axes) < tensor(node.operands[0]).ndim:
                shown.append(f"axis={axes[0] if len(axes) == 1 else axes}")
        elif label in {"shape", "subscripts", "correction", "n"} and value:
            shown.append(str(value))
        elif isinstance(value, Dim):
            shown.append(f"{label}={value}")
    return shown
