"""A function on the caller's tape: what a runtime needs to make it one node there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from unigrad.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.backend.registry import Backend
    from unigrad.ir.nodes import Graph

__all__ = ["Kept", "Tape", "set_derivative"]


def _no_derivative(*args: Any) -> Any:
    raise RuleError(f"a derivative was asked for before `unigrad` was imported ({args})")


_derive: Callable[..., Any] = _no_derivative


def set_derivative(derive: Callable[..., Any]) -> None:
    """Hand over what makes a function of the derivative of a graph (it is made like any other)."""
    global _derive  # noqa: PLW0603
    _derive = derive


class Kept(NamedTuple):
    """A function that keeps what its derivative reads; both are native functions of flat arrays.

    Attributes:
        forward: from the arguments to the results, then what is kept.
        pull: for the positions that are wanted, from the arguments, what was kept and the
            cotangents to their cotangents.
    """

    forward: Callable[..., tuple[Any, ...]]
    pull: Callable[[tuple[int, ...]], Callable[..., tuple[Any, ...]]]


class Tape:
    """What a runtime needs to put a function on the caller's tape as one node.

    Attributes:
        graph: the function's graph; inputs are the arrays of the call, then the hidden ones.
        backend: the backend whose tape it is.
        keeping: splits the derivative in these inputs, of these outputs, in two parts.
    """

    def __init__(
        self,
        graph: Graph,
        backend: Backend,
        keeping: Callable[[tuple[int, ...], tuple[int, ...]], Kept],
    ) -> None:
        self.graph = graph
        self.backend = backend
        self.keeping = keeping

    def derivative(self, kind: str, wrt: tuple[int, ...], seeds: tuple[int, ...] = ()) -> Any:
        """The derivative as a function of flat arrays: ``"vjp"`` (cotangents last) or ``"jvp"``."""
        key = ("derivative", self.backend.name, kind, wrt, seeds)
        known = self.graph.memo.get(key)
        if known is None:
            known = self.graph.memo[key] = _derive(self.graph, kind, wrt, seeds, self.backend)
        return known
