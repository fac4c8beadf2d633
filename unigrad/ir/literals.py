"""Constants as text and back, to the last bit: what both directions must agree on stands here.

A number is written as short as it reads back to the same bits, ``(re, im)`` if it is complex.
Everything else is the base64 of its elements in C order, little-endian.
"""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from unigrad.ir.types import TensorType

__all__ = ["from_bytes", "from_number", "literal"]


def literal(value: np.ndarray[Any, Any], type_: TensorType) -> str:
    """The text of a constant of that type."""
    dtype = type_.dtype
    array: np.ndarray[Any, Any] = np.asarray(value, dtype.numpy)  # in native byte order
    if array.ndim == 0:
        if dtype.kind in ("bool", "int", "uint"):
            return str(array.item())
        parts = [array.real, array.imag] if dtype.kind == "complex" else [array]
        numbers = [_float(part) for part in parts]
        if None not in numbers:
            inside = ", ".join(cast("list[str]", numbers))
            return f"({inside})" if dtype.kind == "complex" else inside
    if sys.byteorder == "big":
        array = array.byteswap()
    return f'"{base64.b64encode(array.tobytes()).decode()}"'


def _float(number: np.ndarray[Any, Any]) -> str | None:
    """The shortest text that reads back to the same bits; none for a NaN with a payload."""
    texts = [repr(float(number))]
    if number.dtype in (np.float16, np.float32):
        texts.insert(
            0, repr(float(np.format_float_scientific(cast("np.floating[Any]", number[()]))))
        )
    for text in texts:
        if np.asarray(float(text), number.dtype).tobytes() == number.tobytes():
            return text
    return None


def from_number(value: Any, type_: TensorType) -> np.ndarray[Any, Any]:
    """The constant of a number; raises ``ValueError`` or ``OverflowError``."""
    dtype = type_.dtype
    if type_.shape:
        raise ValueError("expected the base64 of the elements as a string, found a number")
    if dtype.kind == "complex":
        parts = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else ()
        if list(map(type, parts)) != [float, float]:
            raise ValueError(f"expected a pair of floats for {dtype}, found {value!r}")
        part_type = np.dtype(f"float{dtype.itemsize * 4}")
        pair = np.asarray([_rounded(part, part_type) for part in parts], part_type)
        return pair.view(dtype.numpy).reshape(())
    wanted = {"bool": bool, "int": int, "uint": int, "float": float}[dtype.kind]
    if type(value) is not wanted:
        raise ValueError(f"expected a {wanted.__name__} for {dtype}, found {value!r}")
    return _rounded(value, dtype.numpy)


def _rounded(value: float, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    with np.errstate(over="ignore"):
        array = np.asarray(value, dtype)
    if isinstance(value, float) and np.isinf(array) and abs(value) != float("inf"):
        raise OverflowError(f"{value!r} does not fit into {dtype}")
    return array


def from_bytes(text: str, type_: TensorType) -> np.ndarray[Any, Any]:
    """The constant of base64; raises ``ValueError`` or ``OverflowError``."""
    data = base64.b64decode(text, validate=True)
    dtype = type_.dtype
    size: Any = type_.size
    if len(data) != size * dtype.itemsize:
        raise ValueError(f"{type_} has {size * dtype.itemsize} bytes, found {len(data)}")
    if dtype.kind == "bool" and data.translate(None, b"\0\1"):
        raise ValueError("a bool is a byte that is 0 or 1")
    array: np.ndarray[Any, Any] = np.ndarray(type_.shape, dtype.numpy, data)  # pyright: ignore[reportArgumentType]
    return array.byteswap() if sys.byteorder == "big" else array
