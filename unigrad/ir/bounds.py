"""How much one textual graph may hold: bounds that no model meets.

What a text makes in memory is larger than the text, and some texts say much with few words: sizes
that multiply out, graphs that hold the graph before them twice. With these bounds the memory stays
in proportion to the text.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Bounds", "TooMuchError"]

_MOST_NODES: Final = 10_000_000
_DEEPEST_GRAPHS: Final = 10_000
_MOST_OF_SIZES: Final = 250_000
_MOST_BYTES: Final = 1 << 30


class TooMuchError(Exception):
    """A bound is passed."""


class Bounds:
    """What one text has used up."""

    def __init__(self) -> None:
        self._nodes = self._depth = self._sizes = self._bytes = 0
        self._graphs: dict[str, tuple[int, int]] = {}

    def node(self) -> None:
        """Count a node of the graph that is being read."""
        self._add(1)

    def holds(self, reference: str) -> None:
        """Count the nodes of a graph that is held: when it runs, they stand in its place."""
        nodes, depth = self._graphs[reference]
        self._depth = max(self._depth, depth)
        self._add(nodes)

    def ends(self, reference: str) -> None:
        """The graph that is being read is complete, and another begins."""
        if self._depth >= _DEEPEST_GRAPHS:
            raise TooMuchError(f"over {_DEEPEST_GRAPHS} graphs within each other")
        self._graphs[reference] = self._nodes, self._depth + 1
        self._nodes = self._depth = 0

    def size(self, text: str) -> None:
        """Count a size with names in it, as it prints when it is multiplied out."""
        self._sizes += len(text)
        if self._sizes > _MOST_OF_SIZES:
            raise TooMuchError(f"over {_MOST_OF_SIZES} characters of sizes, once multiplied out")

    def constant(self, count: int) -> None:
        """Count the bytes of a constant."""
        self._bytes += count
        if self._bytes > _MOST_BYTES:
            raise TooMuchError(f"constants of over {_MOST_BYTES} bytes")

    def _add(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > _MOST_NODES:
            raise TooMuchError(f"over {_MOST_NODES} nodes, each graph counted where it is held")
