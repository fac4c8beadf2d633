"""Arrays that a traced function takes from around it: snapshots, taken when traced.

A NumPy array becomes a constant. A tensor of a framework is read through the room that knows
frameworks; one that the caller's tape follows becomes a hidden input, so that its gradient arrives.
Objects that only look like arrays are refused with the way out.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from unigrad.errors import DTypeError, TracingError, locate, with_article
from unigrad.ir.source import caller_location, name_array, name_in_caller
from unigrad.ir.types import DTYPES, DType, TensorType, as_dtype, is_numpy
from unigrad.ops.spec import set_capture
from unigrad.trace.array import TracedArray, node_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.ir.nodes import Node, Scope
    from unigrad.ir.types import NumPyArray

__all__ = ["NOT_NATIVE", "as_numpy", "capture", "is_setting", "refusal", "set_reader"]

NOT_NATIVE = object()
"""What a reader answers for an object that is no framework's array."""


def _no_reader(value: Any) -> Any:
    del value
    return NOT_NATIVE


_read: Callable[[Any], Any] = _no_reader


def set_reader(reader: Callable[[Any], Any]) -> None:
    """Hand over what reads a framework's array.

    The reader answers a NumPy array, a ``TensorType`` for an array on the caller's tape (it becomes
    a hidden input), or ``NOT_NATIVE``.
    """
    global _read  # noqa: PLW0603
    _read = reader


def _is_masked(value: object) -> bool:
    return isinstance(value, np.ma.MaskedArray)


def refusal(value: Any) -> DTypeError | None:
    """Why an object is no array, with what to do instead; ``None`` for a plain NumPy array."""
    kind: type = value.__class__
    module = kind.__module__.partition(".")[0]
    if module == "pandas":
        return DTypeError(f"a pandas {kind.__name__} is not an array; pass its .to_numpy()")
    if _is_masked(value):
        return DTypeError(
            "a masked array is not an array: derivatives through a mask are not defined; pass .data"
            " and the mask, and choose with ug.where"
        )
    if isinstance(value, np.generic):
        return None
    if is_numpy(value):
        if value.dtype == object:
            return _of_objects(value)
        if value.dtype.kind not in "biufc" and value.dtype.name not in DTYPES:
            return DTypeError(f"a NumPy array of dtype {value.dtype} holds no numbers")
        return None
    if isinstance(value, (list, tuple)):
        return _not_one_array(kind.__name__, cast("Sequence[Any]", value))
    if isinstance(value, complex):
        return DTypeError("complex numbers are not computed with")
    if value is None:
        return DTypeError("None is not an array")
    prefix = "" if module == "builtins" else f"{module}."
    return DTypeError(f"{with_article(prefix + kind.__name__)} is not an array")


def _of_objects(value: NumPyArray) -> DTypeError:
    """A NumPy array of Python objects, some of which may be traced values."""
    if any(isinstance(one, TracedArray) for one in value.flat):
        return DTypeError(
            "a NumPy array of Python objects that holds traced values is no array of numbers; make"
            " one with ug.asarray(y.tolist()), or assign to one made by ug.zeros in place of"
            " np.empty"
        )
    return DTypeError(
        "a NumPy array of Python objects has no dtype to compute in; convert it with .astype(float)"
        " or build it from rows of equal length"
    )


def _not_one_array(kind: str, values: Sequence[Any]) -> DTypeError:
    """A list or tuple where one array is needed: it is a structure, of scalars as a rule."""
    count = len(values)
    traced = [one for one in values if isinstance(one, TracedArray)]
    if not count or not all(
        one.ndim == 0 if isinstance(one, TracedArray) else isinstance(one, (bool, int, float))
        for one in values
    ):
        return DTypeError(f"{with_article(kind)} is not an array; make one with ug.asarray")
    numbers, scalars = ("number", "scalar") if count == 1 else ("numbers", "scalars")
    # Inside the function the members of an argument are traced one by one: join them there, or pass
    # an array from the start.
    advice = "make one with ug.asarray"
    if traced:
        advice += " before the call, or with ug.stack in the function"
    text = f"a {kind} of {count} {numbers} (a structure of {count} {scalars})"
    return DTypeError(f"{text} is not an array; {advice}")


_SETTINGS = (str, bytes, enum.Enum, DType, type, np.dtype)


def is_setting(value: Any) -> bool:
    """Whether a leaf is no array by its nature and passes through a function as it is."""
    return isinstance(value, _SETTINGS) or (callable(value) and not hasattr(value, "dtype"))


def as_numpy(value: NumPyArray) -> np.ndarray[Any, Any]:
    """A NumPy array of a dtype that unigrad knows, in this machine's byte order, or an error."""
    error = refusal(value)
    if error is not None:
        raise error
    array = np.asarray(value)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def capture(place: Scope, value: Any) -> Node:
    """The node for an array met while tracing."""
    if value.__class__ is TracedArray:
        return node_of(value, place)
    given, root = value, place.bodies
    if not is_numpy(value) or _is_masked(value):
        found = _read(value)
        if isinstance(found, TensorType):
            for node, native in root.hidden:
                if native is value:
                    return node
            node = root.input(found, f"captured_{len(root.hidden)}")
            root.hidden.append((node, value))
            return node
        if found is NOT_NATIVE:
            error = refusal(value) or TracingError(f"{value!r} cannot be captured")
            raise locate(error, caller_location())
        value = found
    try:
        array = as_numpy(value)
    except DTypeError as error:
        raise locate(error, caller_location()) from None
    node = place.constant(value if array is value else array, as_dtype(array.dtype))
    name_array(node.params[0], name_in_caller(given))
    return node


set_capture(capture)
