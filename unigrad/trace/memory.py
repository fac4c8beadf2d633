"""Which traced values NumPy would keep in one memory, and what an assignment to one does to others.

A value that is traced never changes; assignment gives the user's handle another one. A slice or a
transpose is a view in NumPy: it changes with its base, and the base with it. Each handle therefore
knows the memory it looks at and the ops that lead there; whoever is used after an assignment looks
again. Where NumPy itself decides by the layout in memory whether a result is a view (``reshape``),
the use of the other one raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from unigrad.errors import TracingError, locate
from unigrad.ir.nodes import Node, Operators, Scope, scope
from unigrad.ir.source import caller_location
from unigrad.ops.assignment import assigned
from unigrad.ops.shape import permute_dims, reshape
from unigrad.ops.spec import Op, apply

if TYPE_CHECKING:
    from unigrad.errors import Location

__all__ = ["VIEWS", "Handle", "Memory", "View"]

Step: TypeAlias = "tuple[Op[...], tuple[Any, ...]]"


class Memory:
    """What handles share.

    Attributes:
        node: the value of all of it now.
        place: the function that made it, which alone assigns to it.
        fixed: why nothing is assigned to it; ``""`` if it can be.
        version: the number of assignments so far.
        base: the memory that this one may or may not be a part of, and its version when last seen.
        changed: where it was changed through what may be a part of it.
    """

    __slots__ = ("base", "changed", "fixed", "node", "place", "version")

    def __init__(
        self, node: Node, place: Scope, fixed: str = "", base: Memory | None = None
    ) -> None:
        self.node = node
        self.place = place
        self.fixed = fixed
        self.version = 0
        self.base = None if base is None else (base, base.version)
        self.changed: list[Location | None] = []


class View:
    """How a handle looks at a memory: the ops that lead there, and the assignments it has seen."""

    __slots__ = ("memory", "path", "version")

    def __init__(self, memory: Memory, path: tuple[Step, ...] = ()) -> None:
        self.memory = memory
        self.path = path
        self.version = memory.version


VIEWS: Final = {
    "broadcast_to", "expand_dims", "flip", "matrix_transpose", "permute_dims", "reshape", "squeeze",
    "x[...]",
}  # fmt: skip
"""Ops whose result is a view of their operand in NumPy."""


class Handle(Operators):
    """What the user holds: a node now, and perhaps another one after an assignment."""

    __slots__ = ("_node", "_view")
    _node: Node
    _view: View | None

    def __init__(self, node: Node, view: View | None = None) -> None:
        self._node = node
        self._view = view

    def _looking(self) -> View:
        """How it looks at its memory; the result of an op has one of its own."""
        if self._view is None:
            self._view = View(Memory(self._node, self._node.scope))
        return self._view

    def look_at(self, whole: Handle, op: Op[...], params: tuple[Any, ...]) -> None:
        """Note that this is the result of one of :data:`VIEWS`."""
        if op.name == "x[...]" and not self._node.ndim and Ellipsis not in params[0]:
            return  # one element is a number
        if op.name == "reshape" and params[1:] == (True,):
            return  # copy=True
        view = whole._looking()
        memory = view.memory
        if op.name == "reshape":
            self._view = View(Memory(self._node, memory.place, memory.fixed, memory))
        else:
            self._view = View(memory, (*view.path, (op, params)))

    def refresh(self) -> Node:
        """The node now, with the assignments to what it looks at."""
        view = self._view
        if view is None:
            return self._node
        memory = view.memory
        base = memory.base
        while base is not None:
            if base[0].version != base[1]:
                raise _unclear(base[0])
            base = base[0].base
        if view.version != memory.version:
            if memory.changed:
                raise _unclear(memory)
            node = memory.node
            with scope(memory.place):
                for op, params in view.path:
                    node = apply(op, memory.place, [node], params)
            self._node, view.version = node, memory.version
        return self._node

    def fixed(self, place: Scope | None) -> str:
        """Why nothing can be assigned to it; ``""`` if something can."""
        view = self._looking()
        if view.memory.fixed:
            return view.memory.fixed
        if any(op.name == "broadcast_to" for op, _ in view.path):
            return "is broadcast: several of its elements are one; assign to a copy, y = y.copy()"
        if view.memory.place is not place:
            return (
                "was made around the function that is being differentiated or traced; assign to a"
                " copy, y = y.copy(), and return that"
            )
        return ""

    def is_part(self, whole: Handle, step: Step) -> bool:
        """Whether it is the very part of another to which it is assigned (``y[1:] += x``)."""
        view, other = self._view, whole._view
        if view is None or other is None or view.memory is not other.memory:
            return False
        return view.path == (*other.path, step)

    def put(self, node: Node) -> None:
        """Stand for a node from now on, and so do all that look at the same memory."""
        view = self._looking()
        memory = view.memory
        memory.node = _written(memory.node, view.path, node)
        memory.version += 1
        self._node, view.version = node, memory.version
        while memory.base is not None:
            whole = memory.base[0]
            whole.version += 1
            whole.changed.append(caller_location())
            memory.base = (whole, whole.version)
            memory = whole


def _unclear(memory: Memory) -> TracingError:
    error = TracingError(
        "an array was assigned to after it was reshaped, and the other one of the two is used:"
        " whether NumPy copies in reshape depends on the layout in memory; write"
        " y.reshape(shape).copy(), or assign before reshaping"
    )
    if memory.changed:
        error.add_note("it was assigned to here:")
        locate(error, memory.changed[-1])
        error.add_note("and used here:")
    return locate(error, caller_location())


def _written(whole: Node, path: tuple[Step, ...], part: Node) -> Node:
    """The whole, after what ``path`` leads to became ``part``."""
    if not path:
        return part
    (op, params), *rest = path
    place = part.scope
    if rest:
        inner = apply(op, place, [whole], params)
        part = _written(inner, tuple(rest), part)
    if op.name == "x[...]":
        return apply(assigned, place, [whole, part], params)
    if op.name == "permute_dims":
        order = [int(axis) % whole.ndim for axis in params[0]]
        return permute_dims(part, tuple(sorted(range(whole.ndim), key=order.__getitem__)))
    if op.name in ("flip", "matrix_transpose"):
        return apply(op, place, [part], params)
    return reshape(part, whole.shape)  # expand_dims, squeeze
