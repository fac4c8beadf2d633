"""Reads the records of ``conventions.json`` and holds them against the current target.

Frameworks disagree about values and gradients at ties, kinks, poles, infinities and NaN; unigrad
has one answer, and the records state it point by point. One record is one line of the file:

``id``              case, point and dtype
``op``              a label: records of one label belong together
``expr``            the function, an expression in ``ug`` and ``x``, ``y``, ``z``
``inputs``          one array per variable: a number, nested lists, or ``{"empty": shape}``;
                    numbers may be ``"nan"``, ``"inf"`` and ``"-inf"``, and -0.0 is kept
``dtype``           the dtype of the inputs; the expected results are those of float64
``expected_value``  an array, ``"UNSPECIFIED"``, ``"RAISES"`` or ``"RAISES_OR_NONFINITE"``
``expected_grad``   one array per input, or ``null`` for an input that has no derivative;
                    ``"UNSPECIFIED"`` in place of an array or of the list is no promise
``cotangent``       ``"ones"``, or ``"ramp"``: 1, 2, ..., n in C order
``autodiff``        ``"graph"`` where only our own differentiation makes the promise
``point``, ``reason``, ``native_breaks``   for the reader: the point's name, why the answer is
                    what it is, and the frameworks whose own answer differs

A result agrees if ``|got - want| <= atol * max(1, largest |want|) + rtol * |want|``; NaN equals
NaN, 0 equals -0, infinities match in sign. Shapes agree, and dtypes are those of the inputs.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import unigrad as ug
from unigrad.errors import UnigradError
from unigrad.ir.types import as_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "RECORDS_FILE", "Record", "check", "check_together", "decode", "disagreement", "read_records",
]  # fmt: skip

RECORDS_FILE = Path(__file__).with_name("conventions.json")

#: dtype -> (rtol, atol)
TOLERANCES = {"float64": (1e-6, 1e-9), "float32": (2e-4, 1e-5)}

UNSPECIFIED, RAISES, RAISES_OR_NONFINITE = "UNSPECIFIED", "RAISES", "RAISES_OR_NONFINITE"


@dataclass(frozen=True)
class Record:
    """One point of the convention, as the file states it."""

    id: str
    op: str
    expr: str
    point: str
    inputs: Sequence[Any]
    dtype: str
    expected_value: Any
    expected_grad: Any
    cotangent: str
    reason: str
    native_breaks: Sequence[str] = ()
    autodiff: str | None = None

    def function(self) -> Callable[..., Any]:
        """Return the function of ``x``, ``y``, ``z`` that ``expr`` spells."""
        variables = ", ".join("xyz"[: len(self.inputs)])
        code = compile(f"lambda {variables}: {self.expr}", f"<convention {self.id}>", "eval")
        return eval(code, {"ug": ug})  # noqa: S307 - the expressions are part of this repository

    def arguments(self) -> list[np.ndarray]:
        """Return the inputs as arrays of the record's dtype."""
        return [decode(value, self.dtype) for value in self.inputs]

    def gradients(self) -> Sequence[Any]:
        """Return what is expected of the gradient, one entry for each input."""
        if self.expected_grad in (UNSPECIFIED, None):
            return [self.expected_grad] * len(self.inputs)
        return self.expected_grad


def read_records(path: Path = RECORDS_FILE) -> list[Record]:
    """Read the records, in the order of the file."""
    return [Record(**fields) for fields in json.loads(path.read_text())["records"]]


def decode(value: Any, dtype: str) -> np.ndarray:
    """Turn the file's notation into an array; ``float("nan")`` and its like read the strings."""
    if isinstance(value, dict):
        return np.zeros(value["empty"], dtype)
    return np.array(value, dtype=object).astype(dtype)


def disagreement(got: Any, want: np.ndarray, dtype: str) -> str | None:
    """Say how ``got`` differs from ``want``, by the tolerances of ``dtype``; ``None`` if not."""
    got = np.asarray(got)
    if got.shape != want.shape:
        return f"shape {got.shape}, expected {want.shape}"
    if got.dtype.kind == "f" and got.dtype != dtype:
        return f"dtype {got.dtype}, expected {dtype}"
    rtol, atol = TOLERANCES[dtype]
    given = got.astype(np.float64)
    finite = np.isfinite(want)
    scale = max(1.0, np.max(np.abs(want[finite]), initial=0.0))
    with np.errstate(invalid="ignore"):
        close = np.abs(given - want) <= atol * scale + rtol * np.abs(want)
    same = (given == want) | (np.isnan(given) & np.isnan(want))
    if np.all(np.where(finite, close, same)):
        return None
    return f"{got.tolist()}, expected {want.tolist()}"


def check(record: Record) -> list[str]:
    """Evaluate ``record`` on the current target; return what breaks it, nothing if it holds."""
    function = ug.function(record.function())
    try:
        value = function(*record.arguments())
    except Exception as error:  # noqa: BLE001 - one broken record must not hide the others
        promised = record.expected_value in (RAISES, RAISES_OR_NONFINITE)
        if promised and isinstance(error, UnigradError):
            return []
        complaints = [f"value raises {_told(error)}"]
    else:
        complaints = [*_value_complaints(record, value), *_gradient_complaints(record, function)]
    return [f"{record.id}  {record.expr}  at {record.point}: {what}" for what in complaints]


def check_together(records: Sequence[Record]) -> list[str]:
    """The same of many records in one function, for a target that takes long to compile one.

    Records that promise an error are left out: of many functions in one, one error is the end.
    """
    chosen = [one for one in records if one.expected_value not in (RAISES, RAISES_OR_NONFINITE)]

    def everything(groups: Sequence[Any]) -> Any:
        return [
            _value_and_gradients(record, record.function(), arguments)
            for record, arguments in zip(chosen, groups, strict=True)
        ]

    results = ug.function(everything)([record.arguments() for record in chosen])
    return [
        f"{record.id}  {record.expr}  at {record.point}: {what}"
        for record, (value, gradients) in zip(chosen, results, strict=True)
        for what in (*_value_complaints(record, value), *_wrong_gradients(record, gradients))
    ]


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _value_complaints(record: Record, value: Any) -> list[str]:
    expected = record.expected_value
    if expected == UNSPECIFIED:
        return []
    if expected == RAISES:
        return [f"value is {np.asarray(value).tolist()}, expected an error"]
    if expected == RAISES_OR_NONFINITE:
        if np.isfinite(np.asarray(value)).all():
            return [f"value is {np.asarray(value).tolist()}, expected an error or NaN"]
        return []
    different = disagreement(value, decode(expected, "float64"), record.dtype)
    return [f"value is {different}"] if different else []


def _gradient_complaints(record: Record, function: Callable[..., Any]) -> list[str]:
    """Pull the record's cotangent back to the inputs that have a derivative, and compare."""
    if not _moving(record) or record.expected_value in (RAISES, RAISES_OR_NONFINITE):
        return []
    try:
        value, gradients = _value_and_gradients(record, function, record.arguments())
    except Exception as error:  # noqa: BLE001 - one broken record must not hide the others
        return [f"gradient raises {_told(error)}"]
    return [
        *[f"vjp's {what}" for what in _value_complaints(record, value)],
        *_wrong_gradients(record, gradients),
    ]


def _moving(record: Record) -> list[int]:
    """The positions of the inputs that have a derivative."""
    return [i for i, gradient in enumerate(record.gradients()) if gradient is not None]


def _value_and_gradients(record: Record, function: Callable[..., Any], arguments: Any) -> Any:
    positions = _moving(record)
    if not positions:
        return function(*arguments), ()

    def of_differentiable(*moving: Any) -> Any:
        everything: list[Any] = list(arguments)
        for position, argument in zip(positions, moving, strict=True):
            everything[position] = argument
        return function(*everything)

    value, pullback = ug.vjp(of_differentiable, *(arguments[i] for i in positions))
    return value, tuple(pullback(_cotangent(record.cotangent, value)))


def _wrong_gradients(record: Record, gradients: Sequence[Any]) -> list[str]:
    arguments, expected = record.arguments(), record.gradients()
    complaints: list[str] = []
    for position, gradient in zip(_moving(record), gradients, strict=True):
        different = _form_disagreement(gradient, arguments[position])
        if not different and expected[position] != UNSPECIFIED:
            want = decode(expected[position], "float64")
            different = disagreement(gradient, want, record.dtype)
        if different:
            complaints.append(f"gradient in {'xyz'[position]} is {different}")
    return complaints


def _cotangent(kind: str, value: Any) -> np.ndarray:
    dtype = as_dtype(value.dtype).numpy
    if kind != "ramp":
        return np.ones(value.shape, dtype)
    return np.arange(1, math.prod(value.shape) + 1, dtype=dtype).reshape(value.shape)


def _form_disagreement(gradient: Any, argument: np.ndarray) -> str | None:
    """Compare shape and dtype with the input's: they hold also where the value is no promise."""
    gradient = np.asarray(gradient)
    if (gradient.shape, gradient.dtype) == (argument.shape, argument.dtype):
        return None
    return (
        f"{gradient.dtype}{list(gradient.shape)}, "
        f"expected {argument.dtype}{list(argument.shape)} as the input"
    )
