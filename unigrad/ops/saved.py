"""Graphs as data: text that any process can read back, which is also how graphs are pickled."""

from __future__ import annotations

import copyreg

from unigrad.errors import ArgumentError, with_article
from unigrad.ir.nodes import Graph
from unigrad.ops.spec import OPS

__all__ = ["from_text", "to_text"]


def to_text(graph: Graph) -> str:
    """A graph as text.

    Example:
        >>> import unigrad as ug
        >>> graph = ug.function(lambda x: ug.sin(x)).graph("float64[3]")
        >>> ug.to_text(ug.from_text(ug.to_text(graph))) == ug.to_text(graph)
        True
    """
    from unigrad.ir import text  # imported by need

    return text.to_text(graph)


def from_text(text: str) -> Graph:
    """The graph that ``text`` describes; reading runs no code.

    Raises:
        ArgumentError: if it is no text at all.
        GraphFormatError: with line and column, if the text is no graph.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"from_text: takes text, got {with_article(type(text).__name__)}")
    from unigrad.ir.text import from_text as read

    return read(text, OPS)


copyreg.pickle(Graph, lambda graph: (from_text, (to_text(graph),)))
