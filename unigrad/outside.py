"""Text from outside, where it comes to stand in text of ours.

A file, a variable, an argument, a key of a dict or a dimension is called what somebody called it.
Before that stands in emitted code, in a picture or in a message it passes through here, and becomes
one line, an identifier or a literal: never a statement.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import math
import unicodedata
from typing import Any, cast

__all__ = ["access", "identifier", "literal", "one_line"]


def one_line(text: str) -> str:
    r"""Text for a comment, a label or a message: what does not print is written as an escape.

    That holds for whatever ends a line somewhere, for bytes of a name that are no UTF-8, and for
    marks that reverse the order in which a line is read.

    Example:
        >>> one_line("été.py\nimport os")
        'été.py\\nimport os'
    """
    if text.isprintable():
        return text
    return "".join([one if one.isprintable() else repr(one)[1:-1] for one in text])


def identifier(text: str) -> str:
    """A name fit for a variable, ``""`` if nothing of the text can stand in one.

    Python takes names for one that are equal by NFKC, so what comes back is in that form; trailing
    underscores keep it off keywords and builtins.

    Example:
        >>> identifier("layers[0]"), identifier("max"), identifier("x\N{SUPERSCRIPT TWO}")
        ('layers_0', 'max_', 'x2')
    """
    text = unicodedata.normalize("NFKC", text)
    if not text.isidentifier():
        words = "".join([one if f"x{one}".isidentifier() else " " for one in text]).split()
        text = "_".join(words)
    text = text.strip("_")
    if text and not text.isidentifier():
        text = unicodedata.normalize("NFKC", f"x{text}")  # where it begins with an accent
    return f"{text}_" if keyword.iskeyword(text) or hasattr(builtins, text) else text


def literal(value: Any) -> str | None:
    r"""The literal of a plain value; ``None`` if Python has none that gives it back.

    Only what a class of Python's own prints is trusted: a class of somebody's prints what it likes.

    Example:
        >>> import enum
        >>> literal(("a\n", 1)), literal(enum.IntEnum("Size", "SMALL").SMALL), literal(math.inf)
        ("('a\\n', 1)", None, None)
    """
    kind: type = value.__class__
    if kind is tuple:
        inside = [literal(one) for one in cast("tuple[Any, ...]", value)]
        if None in inside:
            return None
        return f"({', '.join(cast('list[str]', inside))}{',' if len(inside) == 1 else ''})"
    if value is None or kind in (bool, int, str, bytes) or (kind is float and math.isfinite(value)):
        return repr(value)
    return None


def access(path: str) -> str | None:
    """A way into a structure such as ``"['w'][0].scale"``, as it is; ``None`` if it is none.

    Keys that are no plain values have no text that finds them again.
    """
    try:
        text = f"x{path}"
        node = ast.parse(text, mode="eval").body
        if node.end_col_offset != len(text.encode()):  # a comment follows
            return None
        while not isinstance(node, ast.Name):
            if isinstance(node, ast.Subscript):
                if literal(ast.literal_eval(node.slice)) is None:
                    return None
            elif not isinstance(node, ast.Attribute):
                return None
            node = node.value
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return path
