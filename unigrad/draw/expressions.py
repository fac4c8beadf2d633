"""What a node computes, as a person would write it on a blackboard: ``3·x + 2``, ``u⁴``, ``hᵀ``.

Texts are built in the order of the nodes, without recursion, and cut where they grow too long to be
read in a picture.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np

from unigrad.ir.nodes import CONSTANT, Node, tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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
    exact: Any = value.item() if hasattr(value, "item") else value
    if isinstance(exact, bool) or not isinstance(exact, (int, float)):
        return str(exact)
    if isinstance(exact, int):
        return str(exact)
    if not math.isfinite(exact):
        return str(exact).replace("inf", "∞")
    if exact.is_integer() and abs(exact) < _READABLE:
        return str(int(exact)) if exact or math.copysign(1, exact) > 0 else "-0"
    if digits is not None:
        return f"{exact:.{digits}g}"
    return str(np.asarray(value)[()])  # the shortest that is this number in its dtype


_READABLE: Final = 1e15


def _constant(node: Node) -> Expression:
    if tensor(node).ndim:
        return Expression("constant")
    text = number(node.params[0], digits=6)
    return Expression(text, _SIGN if text.startswith("-") else _ATOM)


def _written(node: Node, operands: list[Expression]) -> Expression:
    name = node.op.name
    infix = _INFIX.get(name)
    if infix is not None and len(operands) == 2:  # noqa: PLR2004
        return _infix(*infix, *operands)
    special = _SPECIAL.get(name)
    if special is not None:
        return special(node, operands)
    if name in _TRANSPARENT:
        return operands[0]
    inside = ", ".join([*(one.text for one in operands), *_params(node)])
    return Expression(f"{_RENAMED.get(name, name)}({inside})")


def _infix(sign: str, binding: int, right: int, x: Expression, y: Expression) -> Expression:
    if sign == "·" and x == y:
        return _power(x, Expression("2"))
    first, second = x.within(binding), y.within(right)
    if sign == "·" and (first[-1].isdecimal() and second[0].isdecimal()):
        sign = " · "
    if second.startswith("-"):
        second = f"({second})"
    return Expression(f"{first}{sign}{second}", binding)


def _power(base: Expression, exponent: Expression) -> Expression:
    text = exponent.text
    if text.removeprefix("-").isdecimal():
        return Expression(f"{base.within(_ATOM)}{text.translate(_RAISED)}", _POWER)
    return Expression(f"{base.within(_ATOM)}^{exponent.within(_ATOM)}", _POWER)


def _negated(node: Node, operands: list[Expression]) -> Expression:
    del node
    return Expression(f"-{operands[0].within(_SIGN)}", _SIGN)


def _raised(node: Node, operands: list[Expression]) -> Expression:
    del node
    base, *exponent = operands
    return _power(base, *(exponent or [Expression("2")]))


def _inverse(node: Node, operands: list[Expression]) -> Expression:
    del node
    return _infix(" / ", _PRODUCT, _SIGN, Expression("1"), operands[0])


def _absolute(node: Node, operands: list[Expression]) -> Expression:
    del node
    return Expression(f"|{operands[0].text}|")


def _transposed(node: Node, operands: list[Expression]) -> Expression:
    axes: tuple[int, ...] = node.params[0]
    count = len(axes)
    if axes == (*range(count - 2), count - 1, count - 2):
        return Expression(f"{operands[0].within(_ATOM)}ᵀ")
    return Expression(f"permute_dims({operands[0].text}, {axes})")


def _size(node: Node, operands: list[Expression]) -> Expression:
    del operands
    return Expression(str(node.params[0]))


def _cast(node: Node, operands: list[Expression]) -> Expression:
    return Expression(f"{node.params[0]}({operands[0].text})")


def _part(node: Node, operands: list[Expression]) -> Expression:
    parts: list[str] = []
    for entry in cast("tuple[Any, ...]", node.params[0]):
        if isinstance(entry, tuple):
            start, stop, step = cast("tuple[Any, Any, int]", entry)
            end = "" if stop is None else str(stop)
            parts.append(f"{start or ''}:{end}{f':{step}' if step != 1 else ''}")
        else:
            parts.append(str(entry))
    return Expression(f"{operands[0].within(_ATOM)}[{', '.join(parts)}]")


_SPECIAL: Final[dict[str, Callable[[Node, list[Expression]], Expression]]] = {
    "abs": _absolute, "astype": _cast, "dim_value": _size, "getitem": _part, "negative": _negated,
    "permute_dims": _transposed, "pow": _raised, "reciprocal": _inverse, "square": _raised,
}  # fmt: skip


def _params(node: Node) -> list[str]:
    """Parameters that tell the reader something: no defaults, no internals."""
    labels: tuple[str, ...] = getattr(node.op, "params", ())
    shown: list[str] = []
    for label, value in zip(labels, node.params, strict=False):
        if label == "axis" and node.operands:
            axes = cast("tuple[int, ...]", value if isinstance(value, tuple) else (value,))
            if len(axes) < tensor(node.operands[0]).ndim:
                shown.append(f"axis={axes[0] if len(axes) == 1 else axes}")
        elif label in {"shape", "subscripts", "correction", "n"} and value:
            shown.append(str(value))
    return shown
