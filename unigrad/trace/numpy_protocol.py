"""NumPy's own functions on traced values: in a traced function ``np.sin(x)`` is ``ug.sin(x)``.

NumPy hands a call with a traced value among its arguments to the value, by ``__array_ufunc__`` and
``__array_function__``. What is said here, and in ``numpy_functions``, is which function of unigrad
means the same; what cannot be said in unigrad raises and names what to use instead. Functions are
known by the object and not by name, so that nobody else's ``sum`` is taken for NumPy's. It is
imported when NumPy asks for the first time.
"""

from __future__ import annotations

import inspect
import math
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from unigrad.trace.messages import INSTEAD, RENAMED, SCIPY
from unigrad.trace.numpy_functions import (
    FUNCTIONS,
    NOT_GIVEN,
    Adapter,
    as_operand,
    named,
    refused,
    truth,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unigrad.errors import TracingError

__all__ = ["call_function", "call_ufunc"]

# -- the tables of ufuncs --------------------------------------------------------------------------

_SAME: Final = {
    "add", "bitwise_and", "bitwise_or", "bitwise_xor", "cbrt", "ceil", "copysign", "cos", "cosh",
    "divide", "equal", "exp", "exp2", "expm1", "floor", "floor_divide", "fmax", "fmin", "fmod",
    "greater", "greater_equal", "heaviside", "hypot", "isfinite", "isinf", "isnan", "less",
    "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "matmul", "maximum",
    "minimum", "multiply", "negative", "not_equal", "positive", "remainder", "sign", "signbit",
    "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc",
}  # fmt: skip
_REDUCTIONS: Final = {
    "add": "sum", "logaddexp": "logsumexp", "logical_and": "all", "logical_or": "any",
    "maximum": "max", "minimum": "min", "multiply": "prod",
}  # fmt: skip


def _divmod(ug: Any, x: Any, y: Any) -> tuple[Any, Any]:
    return ug.floor_divide(x, y), ug.remainder(x, y)


def _fabs(ug: Any, x: Any) -> Any:
    return ug.abs(ug.multiply(x, 1.0))  # of integers, a float


def _reciprocal(ug: Any, x: Any) -> Any:
    if not x.dtype.is_floating:
        what = f"np.reciprocal of {x.dtype} rounds towards zero"
        raise refused(what, "use ug.reciprocal or 1 / x")
    return ug.reciprocal(x)


def _in_degrees(ug: Any, x: Any) -> Any:
    return ug.multiply(x, 180 / math.pi)


def _in_radians(ug: Any, x: Any) -> Any:
    return ug.multiply(x, math.pi / 180)


def _logical(use: str) -> Adapter:
    def call(ug: Any, *operands: Any) -> Any:
        return named(ug, use)(*(truth(ug, one) for one in operands))

    return call


_COMPOSED: Final[dict[str, Adapter]] = {
    "deg2rad": _in_radians, "degrees": _in_degrees, "divmod": _divmod, "fabs": _fabs,
    "rad2deg": _in_degrees, "radians": _in_radians, "reciprocal": _reciprocal,
    **{f"logical_{name}": _logical(f"logical_{name}") for name in ("and", "not", "or", "xor")},
}  # fmt: skip

# -- arguments beside the arrays -------------------------------------------------------------------

_NEUTRAL: Final[dict[str, tuple[Any, ...]]] = {
    "casting": ("same_kind", "safe"),
    "copy": (None, True, False),
    "device": (None, "cpu"),
    "dtype": (None,),
    "initial": (NOT_GIVEN,),
    "keepdims": (NOT_GIVEN,),
    "mean": (NOT_GIVEN,),
    "order": (None, "C", "K", "A"),
    "out": (None,),
    "subok": (True, False),
    "where": (True, NOT_GIVEN),
}
"""Arguments that say how and not what, at the values that change nothing."""

_ADVICE: Final = {
    "casting": "convert with .astype(dtype)",
    "dtype": "convert with .astype(dtype)",
    "initial": "combine the result with the initial value",
    "order": "elements are in C order; transpose first",
    "out": "a traced value is never written into an array: assign the result, y = {use}(...)",
    "where": "choose with ug.where(condition, a, b)",
}


def _is_neutral(name: str, value: Any) -> bool:
    if isinstance(value, tuple):  # a ufunc is given its `out` as a tuple
        return all(_is_neutral(name, one) for one in cast("tuple[Any, ...]", value))
    return any(
        value is one or (isinstance(value, str) and value == one) for one in _NEUTRAL.get(name, ())
    )


def _cannot(label: str, use: str, name: str) -> TracingError:
    advice = _ADVICE.get(name, "use {use} and say it in further operations").format(use=use)
    return refused(f"{label}: {name}= cannot be given for traced values", advice)


def _checked(
    label: str, use: str, kwargs: Mapping[str, Any], accepted: Sequence[str]
) -> dict[str, Any]:
    """The keyword arguments that mean something; raises for one that unigrad has no words for."""
    given = {name: value for name, value in kwargs.items() if not _is_neutral(name, value)}
    for name in given:
        if name not in accepted:
            raise _cannot(label, use, name)
    return given


def _unknown(namespace: Any, label: str) -> TracingError:
    """The error for what has no counterpart under the same meaning."""
    name = label.rpartition(".")[2]
    instead = INSTEAD.get(label.partition(".")[2]) or INSTEAD.get(name)
    if instead is None and callable(getattr(namespace, name, None)):
        instead = f"use ug.{name}"
    instead = instead or "unigrad has no counterpart of it"
    return refused(f"{label} does not work on traced values", instead)


def _label(function: Any) -> str:
    """The name under which the user knows a function."""
    name: str = function.__name__
    if isinstance(function, np.ufunc):
        return f"scipy.special.{name}" if _is_of_scipy(function) else f"np.{name}"
    module = str(getattr(function, "__module__", None) or "numpy")
    return f"{module.replace('numpy', 'np', 1)}.{name}"


# -- ufuncs ----------------------------------------------------------------------------------------


def call_ufunc(
    namespace: Any, ufunc: Any, method: str, inputs: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """What a ufunc, or its ``reduce`` or ``outer``, means on traced values.

    Args:
        namespace: the public names of unigrad.
        ufunc: one of NumPy or SciPy.
        method: ``"__call__"``, ``"reduce"``, ``"outer"``, ...
        inputs: its arguments, one of which is traced.
        kwargs: its keyword arguments; NumPy passes a positional ``out`` here too.

    Raises:
        TracingError: for ``out=``, ``where=``, ``dtype=`` and the like, and for a ufunc or method
            without a counterpart in unigrad.
    """
    label = _label(ufunc)
    target = _target(ufunc)
    if target is None:
        raise _unknown(namespace, label)
    values = [as_operand(namespace, value) for value in inputs]
    if method == "reduce":
        return _reduce(namespace, ufunc, values, kwargs)
    if method == "at":
        what = f"{label}.at changes an array in place"
        raise refused(what, "assign: y[i] += value, in which no index occurs twice")
    if method == "outer":
        label = f"{label}.outer"
        left, right = (namespace.asarray(value) for value in values)
        values = [namespace.reshape(left, (*left.shape, *(1,) * right.ndim)), right]
    elif method != "__call__":
        raise _unknown(namespace, f"{label}.{method}")
    use = target if isinstance(target, str) else ufunc.__name__
    shown = f"ug.{use}" if hasattr(namespace, use.partition(".")[0]) else "the result"
    given = _checked(label, shown, kwargs, ("axis",) if use == "vecdot" else ())
    if isinstance(target, str):
        return named(namespace, target)(*values, **given)
    return target(namespace, *values)


def _reduce(namespace: Any, ufunc: Any, values: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """``ufunc.reduce``, whose axis is the first one if none is named."""
    label = f"{_label(ufunc)}.reduce"
    use = _REDUCTIONS.get(ufunc.__name__)
    if use is None:
        raise _unknown(namespace, label)
    given = _checked(label, f"ug.{use}", kwargs, ("axis", "keepdims"))
    keepdims = bool(given.get("keepdims", False))
    return named(namespace, use)(values[0], axis=given.get("axis", 0), keepdims=keepdims)


@lru_cache(maxsize=256)
def _target(ufunc: Any) -> str | Adapter | None:
    """The unigrad function that a ufunc means, or how it is put together."""
    name: str = ufunc.__name__
    if getattr(np, name, None) is ufunc:
        return name if name in _SAME else RENAMED.get(name) or _COMPOSED.get(name)
    return SCIPY.get(name) if _is_of_scipy(ufunc) else None


def _is_of_scipy(ufunc: Any) -> bool:
    """Whether it is one of ``scipy.special``, which whoever calls it has imported."""
    return getattr(sys.modules.get("scipy.special"), ufunc.__name__, None) is ufunc


# -- functions -------------------------------------------------------------------------------------


def call_function(
    namespace: Any, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """What a function of NumPy means on traced values.

    Args:
        namespace: the public names of unigrad.
        function: one of NumPy.
        args: its positional arguments as the user gave them.
        kwargs: its keyword arguments as the user gave them.

    Raises:
        TracingError: for ``out=``, ``dtype=`` and the like, and for a function without a
            counterpart in unigrad.
    """
    adapter = FUNCTIONS.get(function)
    label = _label(function)
    if adapter is None:
        raise _unknown(namespace, label)
    signature = inspect.signature(adapter)
    accepted = list(signature.parameters.values())[1:]
    names = {one.name for one in accepted}
    kwargs = {k: v for k, v in kwargs.items() if k in names or not _is_neutral(k, v)}
    try:
        bound = signature.bind(namespace, *args, **kwargs)
    except TypeError as error:
        given = _given(function, args, kwargs)
        for name in given:
            if name not in names:
                raise _cannot(label, _use(namespace, function), name) from None
        try:
            bound = signature.bind(namespace, **given)
        except TypeError:
            shown = ", ".join(str(one.replace(annotation=one.empty)) for one in accepted)
            raise refused(f"{label}: {error}", f"on traced values it takes ({shown})") from None
    return adapter(*bound.args, **bound.kwargs)


def _use(namespace: Any, function: Any) -> str:
    name: str = function.__name__
    name = {"amax": "max", "amin": "min", "concatenate": "concat"}.get(name, name)
    return f"ug.{name}" if hasattr(namespace, name) else "the result"


def _given(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What was given and means something, by name; of positional arguments by NumPy's signature."""
    try:
        found: Mapping[str, Any] = inspect.signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):  # a wrong call, or a function in C of an older NumPy
        found = kwargs
    return {name: value for name, value in found.items() if not _is_neutral(name, value)}
