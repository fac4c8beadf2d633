"""Where the user wrote a node, and what the user called it: read from code objects, only on demand.

A node remembers a code object and the offset of an instruction. The line, the columns and the name
of the variable that the result was assigned to follow from these when somebody asks; tracing pays
for none of it.
"""

from __future__ import annotations

import itertools
import weakref
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from unigrad.errors import Location
from unigrad.ir.nodes import caller_frame, caller_origin

if TYPE_CHECKING:
    from types import CodeType

    import numpy as np

    from unigrad.ir.nodes import Node, Origin

__all__ = [
    "array_name",
    "caller_location",
    "location_of",
    "locations",
    "name_array",
    "name_in_caller",
    "variable_name",
]

_Place: TypeAlias = tuple[int, str]
"""The offset of an instruction, and the position of what it unpacks, as in an origin's role."""

_STORES = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")


def location_of(origin: Origin) -> Location:
    """File, line and columns of the expression behind an origin."""
    code, offset, _ = origin
    return _location(code, offset, code.co_filename)  # equal code may stand in several files


@lru_cache(maxsize=4096)
def _location(code: CodeType, offset: int, file: str) -> Location:
    positions = next(itertools.islice(code.co_positions(), offset // 2, None), (None,) * 4)
    line, end_line, column, end_column = positions
    if line is None:
        line = code.co_firstlineno
    if end_line != line:
        end_column = None
    return Location(file, line, column, end_column, code.co_name)


_array_names: dict[int, str] = {}


def name_array(array: np.ndarray[Any, Any], name: str) -> None:
    """Remember what the user calls a captured array, as long as the array lives."""
    if name and id(array) not in _array_names:
        _array_names[id(array)] = name
        weakref.finalize(array, _array_names.pop, id(array), None)


def array_name(array: np.ndarray[Any, Any]) -> str:
    """What the user calls a captured array; ``""`` if that is not known."""
    return _array_names.get(id(array), "")


def name_in_caller(value: object) -> str:
    """The variable in which the running function of the user holds ``value``, or ``""``."""
    frame = caller_frame()
    if frame is None:
        return ""
    for names in (frame.f_locals, frame.f_globals):
        for name, held in names.items():
            if held is value:
                return name
    return ""


def locations(node: Node) -> tuple[Location, ...]:
    """Every place that made ``node``."""
    return tuple(location_of(origin) for origin in node.origins)


def caller_location() -> Location | None:
    """The user's own place that is running now."""
    origins = caller_origin()
    return location_of(origins[0]) if origins else None


_PUSH_NOTHING = frozenset((
    "POP_TOP", "RETURN_VALUE", "STORE_ATTR", "STORE_SUBSCR", "STORE_SLICE", "LIST_APPEND",
    "SET_ADD", "MAP_ADD", "DELETE_SUBSCR", "DELETE_ATTR", "YIELD_VALUE",
))  # fmt: skip


@lru_cache(maxsize=1024)
def _stores(code: CodeType) -> dict[_Place, str]:
    """For each instruction, and for each element that it unpacks, the variable that takes it.

    The stack of values is followed as far as names need it: each value stands for the instruction
    that made it. Jumps are not followed, so what lies deep in the stack may be wrong; what is
    assigned lies on top.
    """
    import dis  # imported by need

    names: dict[_Place, str] = {}
    stack: list[_Place] = []
    for instruction in dis.get_instructions(code):
        kind, count, offset = instruction.opname, instruction.arg, instruction.offset
        if kind in ("CACHE", "EXTENDED_ARG"):
            continue
        if kind in _STORES:
            if stack:
                names.setdefault(stack.pop(), str(instruction.argval))
        elif kind == "COPY" and count is not None and count <= len(stack):
            stack.append(stack[-count])
        elif kind == "SWAP" and count is not None and count <= len(stack):
            stack[-1], stack[-count] = stack[-count], stack[-1]
        elif kind == "UNPACK_SEQUENCE" and count is not None:
            del stack[-1:]
            stack += [(offset, str(place)) for place in reversed(range(count))]
        else:
            change = dis.stack_effect(instruction.opcode, count, jump=False)
            pushed = 0 if kind in _PUSH_NOTHING or "JUMP" in kind else max(change, 1)
            del stack[max(len(stack) + change - pushed, 0) :]
            stack += [(offset, "")] * pushed
    return names


def variable_name(node: Node) -> str:
    """The variable to which the user assigned this very result; ``""`` if there is none.

    The cotangent of what the user called ``z`` is called ``z_ct``, its tangent ``z_t``.
    """
    for code, offset, role in node.origins:
        if role != "d":
            element = role.isdigit()
            name = _stores(code).get((offset, role if element else ""))
            # Tools that rewrite code store under names that nobody can write (pytest's "@py_...").
            if name is not None and name.isidentifier():
                return f"{name}_{role}" if role and not element else name
    return ""
