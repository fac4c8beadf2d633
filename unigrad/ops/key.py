"""A basic index in its one form, as parameters of ops hold it.

It is a tuple with one entry per axis of the operand, besides ``None`` for a new axis: an int, or a
slice as ``(start, stop, step)`` with its sizes resolved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from unigrad.errors import ArgumentError, IndexRangeError, ShapeError
from unigrad.ir.dims import Dim, positive_part
from unigrad.ops.families import is_int

if TYPE_CHECKING:
    from unigrad.ir.dims import Size
    from unigrad.ir.types import Shape

__all__ = ["as_index", "indexed_shape", "normalise_key"]


def indexed_shape(key: tuple[Any, ...]) -> Shape:
    """The shape of what a basic index takes."""
    shape: list[Any] = []
    for entry in key:
        if entry is None:
            shape.append(1)
        elif isinstance(entry, tuple):
            start, stop, step = cast("tuple[Any, Any, int]", entry)
            shape.append(_slice_length(start, stop, step))
    return tuple(shape)


def _slice_length(start: Any, stop: Any, step: int) -> Any:
    if step == 1:
        return positive_part(stop - start)
    return len(range(start, -1 if stop is None else stop, step))


def normalise_key(shape: Shape, key: Any) -> tuple[Any, ...]:
    """A basic index in its one form; raises ``IndexRangeError`` or ``ArgumentError``."""
    entries: list[Any] = list(cast("tuple[Any, ...]", key)) if isinstance(key, tuple) else [key]
    if entries.count(Ellipsis) > 1:
        raise ArgumentError("an index has one ellipsis at the most")
    used = sum(1 for entry in entries if entry is not None and entry is not Ellipsis)
    if used > len(shape):
        raise IndexRangeError(f"{used} indices for {len(shape)} axes")
    if Ellipsis not in entries:
        entries.append(Ellipsis)
    at = entries.index(Ellipsis)
    entries[at : at + 1] = [slice(None)] * (len(shape) - used)
    normal: list[Any] = []
    axis = 0
    for entry in entries:
        if entry is None:
            normal.append(None)
            continue
        size = shape[axis]
        if is_int(entry):
            normal.append(_static_index(int(entry), size, axis))
        elif isinstance(entry, Dim):
            normal.append(entry)  # such as n - 1, the last of n
        elif isinstance(entry, (slice, tuple)):
            normal.append(_static_slice(entry, size, axis))
        else:
            raise ArgumentError(
                f"{entry!r} is no index: ints, slices, None, ... and integer arrays are"
            )
        axis += 1
    return tuple(normal)


def _static_index(index: int, size: Size, axis: int) -> Any:
    if isinstance(size, Dim):
        return index if index >= 0 else size + index
    if not -size <= index < size:
        raise IndexRangeError(f"index {index} is out of range for axis {axis} of size {size}")
    return index % size


def _static_slice(entry: Any, size: Size, axis: int) -> tuple[Any, Any, int]:
    start, stop, step = (
        cast("tuple[Any, Any, Any]", entry)
        if isinstance(entry, tuple)
        else (entry.start, entry.stop, entry.step)
    )
    for bound in (start, stop, step):
        if bound is not None and not is_int(bound) and not isinstance(bound, Dim):
            raise ArgumentError(f"a slice is made of ints, got {start}:{stop}:{step}")
    step = 1 if step is None else step
    if step == 0:
        raise ArgumentError("the step of a slice is not 0")
    if isinstance(size, int) and not isinstance(start, Dim) and not isinstance(stop, Dim):
        start, stop, step = slice(start, stop, step).indices(size)
        if step < 0:
            # A start of -1, before everything, would be read as the last element.
            return (0, 0, 1) if start <= stop else (start, None if stop < 0 else stop, step)
        return (start, max(stop, start), step)
    if step != 1:
        raise ShapeError(f"a slice with a step needs a known size; axis {axis} has size {size}")
    start = 0 if start is None else _within(start, size)
    stop = size if stop is None else _within(stop, size)
    length = positive_part(stop - start)
    return (start, start + length, 1)


def _within(bound: Any, size: Any) -> Any:
    """A bound of a slice as Python counts it: negative ones from the end, none past an end."""
    if isinstance(bound, Dim):
        return bound
    if bound < 0:
        return positive_part(size + bound)
    return size - positive_part(size - bound)


def as_index(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """A normalised basic index as NumPy takes it."""
    return tuple(
        slice(*cast("tuple[Any, ...]", entry)) if isinstance(entry, tuple) else entry
        for entry in key
    )
