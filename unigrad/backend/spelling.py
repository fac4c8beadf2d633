"""How numbers and tuples are spelled in the source that is written."""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING

from unigrad.backend.dialect import ATOM, UNARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.ir.nodes import Node

__all__ = ["nonfinite", "number_text", "tidy", "tuple_text", "without_parentheses"]


def tuple_text(parts: Sequence[str]) -> str:
    """A tuple of expressions."""
    return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"


def without_parentheses(text: str) -> str:
    """A tuple as a person returns it; text that is no tuple stays as it is."""
    tree = ast.parse(text, mode="eval").body
    if not isinstance(tree, ast.Tuple) or len(tree.elts) < 2 or tree.end_col_offset != len(text):  # noqa: PLR2004
        return text
    return text[1:-1]


def tidy(text: str) -> str:
    """Left-out first keywords leave a comma behind an opening parenthesis."""
    return text.replace("(, ", "(") if "(, " in text else text


def nonfinite(value: float) -> str:
    """NaN or an infinity, by its name in ``math``."""
    return "math.nan" if value != value else "math.inf" if value > 0 else "-math.inf"  # noqa: PLR0124


def number_text(node: Node) -> tuple[str, int]:
    """A number as Python text, the shortest that means the same in its dtype."""
    array = node.params[0]
    value = array.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            text = nonfinite(value)
        elif array.dtype.itemsize < 8:  # noqa: PLR2004  (narrower than float64)
            text = str(array[()])
        else:
            text = repr(value)
        if "." not in text and "e" not in text and "n" not in text:
            text += ".0"
    else:
        text = repr(value)
    return text, UNARY if text.startswith("-") else ATOM
