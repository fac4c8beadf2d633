"""A function on the caller's tape: what a runtime needs to make it one node there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unigrad.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.backend.registry import Backend
    from unigrad.ir.nodes import Graph

__all__ = ["Tape", "set_derivative"]


def _no_derivative(*args: Any) -> Any:
    raise RuleError(f"a derivative was asked for before `unigrad` was imported ({args})")


_derive: Callable[..., Any] = _no_derivative


def set_derivative(derive: Callable[..., Any]) -> None:
    """Hand over what makes a function of the derivative of a graph (it is made like any other)."""
    global _derive  # noqa: PLW0603
    _derive = derive


class Tape:
    """What a runtime needs to put a function on the caller's tape as one node.

    Attributes:
        graph: the function's graph; inputs are the arrays of the call, then the hidden ones.
        backend: the backend whose tape it is.
    """

    def __init__(self, graph: Graph, backend: Backend) -> None:
        self.graph = graph
        self.backend = backend

    def derivative(self, kind: str, wrt: tuple[int, ...], seeds: tuple[int, ...] = ()) -> Any:
        """The derivative as a function of flat arrays: ``"vjp"`` (cotangents last) or ``"jvp"``."""
        key = ("derivative", self.backend.name, kind, wrt, seeds)
        known = self.graph.memo.get(key)
        if known is None:
            known = self.graph.memo[key] = _derive(self.graph, kind, wrt, seeds, self.backend)
        return known
