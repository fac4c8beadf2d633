"""NumPy's own functions on traced values: ``np.sin(x)`` in a function that is traced means ``ug.sin``.

NumPy hands a call with a traced value among its arguments to the value, by ``__array_ufunc__`` and
``__array_function__``. What is said here is which function of unigrad means the same, with NumPy's
own arguments and defaults; what cannot be said in unigrad raises and names what to use instead. It
is imported when NumPy asks for the first time.
"""

from __future__ import annotations

import inspect
import math
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

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

    from unigrad.trace.array import TracedArray

__all__ = ["call_function", "call_ufunc"]

# -- the tables: ufuncs ----------------------------------------------------------------------------

_SAME: Final = frozenset(
    """
    add bitwise_and bitwise_or bitwise_xor cbrt ceil copysign cos cosh divide equal exp exp2 expm1
    floor floor_divide fmax fmin fmod greater greater_equal heaviside hypot isfinite isinf isnan
    less less_equal log log10 log1p log2 logaddexp logaddexp2 matmul maximum minimum multiply
    negative not_equal positive remainder sign signbit sin sinh sqrt square subtract tan tanh trunc
    """.split()
)
_RENAMED: Final = {
    "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
    "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift", "power": "pow", "right_shift": "bitwise_right_shift",
    "rint": "round",
}  # fmt: skip
_SPECIAL: Final = {
    "digamma": "special.digamma", "erf": "special.erf", "erfc": "special.erfc",
    "expit": "nn.sigmoid", "gammaln": "special.gammaln", "log_expit": "nn.log_sigmoid",
    "psi": "special.digamma", "xlog1py": "special.xlog1py", "xlogy": "special.xlogy",
}  # fmt: skip
_REDUCTIONS: Final = {
    "add": "sum", "logaddexp": "logsumexp", "logical_and": "all", "logical_or": "any",
    "maximum": "max", "minimum": "min", "multiply": "prod",
}  # fmt: skip


def _floating(ug: Any, x: Any) -> Any:
    return ug.multiply(x, 1.0)


def _reciprocal(ug: Any, x: TracedArray) -> Any:
    if not x.dtype.is_floating:
        raise refused(f"np.reciprocal of {x.dtype} rounds towards zero", "use ug.reciprocal or 1 / x")
    return ug.reciprocal(x)


_COMPOSED: Final[dict[str, Adapter]] = {
    "conjugate": lambda ug, x: ug.positive(x),
    "deg2rad": lambda ug, x: ug.multiply(x, math.pi / 180),
    "degrees": lambda ug, x: ug.multiply(x, 180 / math.pi),
    "divmod": lambda ug, x, y: (ug.floor_divide(x, y), ug.remainder(x, y)),
    "fabs": lambda ug, x: ug.abs(_floating(ug, x)),
    "logical_and": lambda ug, x, y: ug.logical_and(truth(ug, x), truth(ug, y)),
    "logical_not": lambda ug, x: ug.logical_not(truth(ug, x)),
    "logical_or": lambda ug, x, y: ug.logical_or(truth(ug, x), truth(ug, y)),
    "logical_xor": lambda ug, x, y: ug.logical_xor(truth(ug, x), truth(ug, y)),
    "rad2deg": lambda ug, x: ug.multiply(x, 180 / math.pi),
    "radians": lambda ug, x: ug.multiply(x, math.pi / 180),
    "reciprocal": _reciprocal,
    "vecdot": lambda ug, x, y: ug.vecdot(x, y),
}

_NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = {
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


# -- ufuncs ----------------------------------------------------------------------------------------


def call_ufunc(
    namespace: Any, ufunc: Any, method: str, inputs: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """What a ufunc, or its ``reduce`` or ``outer``, means on traced values.

    Args:
        namespace: the public names of unigrad.
        ufunc: NumPy's or SciPy's.
        method: ``"__call__"``, ``"reduce"``, ``"outer"``, ...
        inputs: its arguments, one of which is traced.
        kwargs: its keyword arguments; NumPy passes a positional ``out`` here too.

    Raises:
        TracingError: for ``out=``, ``where=``, ``dtype=`` and the like, and for a ufunc or method
            without a counterpart in unigrad.
    """
    name: str = ufunc.__name__
    label = _label(ufunc)
    target = _target(ufunc)
    if target is None:
        raise refused(f"{label} does not work on traced values", _counterpart(namespace, name))
    values = [as_operand(namespace, value) for value in inputs]
    if method == "reduce":
        if name not in _REDUCTIONS:
            raise refused(f"{label}.reduce does not work on traced values", "unigrad has no counterpart")
        use = _REDUCTIONS[name]
        given = _checked(f"{label}.reduce", f"ug.{use}", kwargs, ("axis", "keepdims"))
        axis = given.get("axis", 0)
        return named(namespace, use)(values[0], axis=axis, keepdims=bool(given.get("keepdims", False)))
    use = target if isinstance(target, str) else name
    shown = f"ug.{use}" if hasattr(namespace, use.partition(".")[0]) else "the operation"
    if method == "at":
        raise refused(
            f"{label}.at changes an array in place",
            "a traced value never changes: build a new one with ug.where, ug.concat or x + ...",
        )
    if method not in ("__call__", "outer"):
        raise refused(f"{label}.{method} does not work on traced values", "unigrad has no counterpart")
    axis = ("axis",) if name == "vecdot" else ()
    given = _checked(label if method == "__call__" else f"{label}.outer", shown, kwargs, axis)
    if method == "outer":
        left, right = (namespace.asarray(value) for value in values)
        values = [namespace.reshape(left, (*left.shape, *(1,) * right.ndim)), right]
    if isinstance(target, str):
        return named(namespace, target)(*values)
    return target(namespace, *values) if not given else namespace.vecdot(*values, **given)


@lru_cache(maxsize=256)
def _target(ufunc: Any) -> str | Adapter | None:
    """The unigrad function of a ufunc, or how it is put together; known by the object, not by name."""
    name: str = ufunc.__name__
    if getattr(np, name, None) is ufunc:
        return name if name in _SAME else _RENAMED.get(name) or _COMPOSED.get(name)
    return _SPECIAL.get(name) if _is_special(ufunc) else None


def _is_special(ufunc: Any) -> bool:
    """Whether it is one of SciPy, which whoever calls it has imported."""
    return getattr(sys.modules.get("scipy.special"), ufunc.__name__, None) is ufunc


def _label(function: Any) -> str:
    """The name under which the user knows a function."""
    name: str = function.__name__
    if isinstance(function, np.ufunc):
        return f"scipy.special.{name}" if _is_special(function) else f"np.{name}"
    module = str(getattr(function, "__module__", None) or "numpy")
    return f"{module.replace('numpy', 'np', 1)}.{name}"


def _counterpart(namespace: Any, name: str) -> str:
    """What to use in place of a NumPy function, or that there is nothing."""
    if callable(getattr(namespace, name, None)):
        return f"use ug.{name}"
    return _INSTEAD.get(name, "unigrad has no counterpart of it")


_INSTEAD: Final = {
    "allclose": "compare the results after the call",
    "append": "use ug.concat",
    "array_equal": "compare the results after the call",
    "copyto": "a traced value is never written into an array: use ug.where",
    "diag": 'use ug.einsum("ii->i", x)',
    "diagonal": 'use ug.einsum("...ii->...i", x)',
    "empty_like": "use ug.zeros_like",
    "float_power": "use ug.pow",
    "matvec": "use ug.matmul",
    "nan_to_num": "use ug.where(ug.isnan(x), 0, x)",
    "trace": 'use ug.einsum("ii->", x)',
    "vecmat": "use ug.matmul",
}


def _checked(
    label: str, use: str, kwargs: Mapping[str, Any], accepted: Sequence[str]
) -> dict[str, Any]:
    """The keyword arguments that mean something; raises for one that unigrad has no words for."""
    given = {name: value for name, value in kwargs.items() if not _is_neutral(name, value)}
    for name in given:
        if name not in accepted:
            raise _cannot(label, use, name)
    return given


def _cannot(label: str, use: str, name: str) -> TracingError:
    advice = _ADVICE.get(name, "use {use} and say it in further operations").format(use=use)
    return refused(f"{label}: {name}= cannot be given for traced values", advice)


def _is_neutral(name: str, value: Any) -> bool:
    if isinstance(value, tuple):  # a ufunc gets its `out` as a tuple
        return all(_is_neutral(name, one) for one in value)
    neutral = _NEUTRAL.get(name, ())
    return any(value is one or (isinstance(one, str) and value is not None and str(value) == one) for one in neutral)


# -- functions -------------------------------------------------------------------------------------

def call_function(
    namespace: Any, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """What a function of NumPy means on traced values.

    Args:
        namespace: the public names of unigrad.
        function: NumPy's.
        args: its positional arguments as the user gave them.
        kwargs: its keyword arguments as the user gave them.

    Raises:
        TracingError: for ``out=``, ``dtype=`` and the like, and for a function without a
            counterpart in unigrad.
    """
    adapter = FUNCTIONS.get(function)
    label = _label(function)
    if adapter is None:
        raise refused(
            f"{label} does not work on traced values", _counterpart(namespace, function.__name__)
        )
    parameters = _parameters(adapter)
    kwargs = {k: v for k, v in kwargs.items() if k in parameters or not _is_neutral(k, v)}
    try:
        bound = inspect.signature(adapter).bind(namespace, *args, **kwargs)
    except TypeError as error:
        unknown = [one for one in _given(function, args, kwargs) if one not in parameters]
        if unknown:
            raise _cannot(label, _use(namespace, function), unknown[0]) from None
        parameters = list(inspect.signature(adapter).parameters.values())[1:]
        shown = ", ".join(str(one.replace(annotation=one.empty)) for one in parameters)
        raise refused(f"{label}: {error}", f"on traced values it takes ({shown})") from None
    return adapter(*bound.args, **bound.kwargs)


def _use(namespace: Any, function: Any) -> str:
    name = {"concatenate": "concat", "amax": "max", "amin": "min"}.get(function.__name__, function.__name__)
    return f"ug.{name}" if hasattr(namespace, name) else "the operation"


@lru_cache(maxsize=256)
def _parameters(adapter: Adapter) -> frozenset[str]:
    return frozenset(list(inspect.signature(adapter).parameters)[1:])


def _given(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[str]:
    """The names of what was given and means something, positional arguments by NumPy's signature."""
    try:
        found = inspect.signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):  # a function in C, of an older NumPy
        found = kwargs
    return [name for name, value in found.items() if not _is_neutral(name, value)]
