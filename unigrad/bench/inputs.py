"""What a function is timed on: its arguments, as NumPy arrays and as a framework's own."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

import unigrad as ug
from unigrad.api.call import name_of
from unigrad.backend import registry
from unigrad.errors import ArgumentError, DifferentiationError, DTypeError, ShapeError
from unigrad.ir.types import TensorType, as_dtype, is_numpy
from unigrad.lookup import arguments, function_at, read_type, read_value
from unigrad.trace.structure import flatten, map_structure

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.backend.registry import Backend
    from unigrad.compiler import Function

__all__ = [
    "Call", "Inputs", "arguments_of", "as_numpy", "function_of", "native_arguments",
    "timed_functions",
]  # fmt: skip


class Inputs(NamedTuple):
    """What gives the arguments, in words.

    Attributes:
        kind: ``"types"`` for random arrays of types, ``"values"`` for values, ``"function"`` for
            what a function of the same module returns.
        words: the types, the values, or the name of that function.
    """

    kind: Literal["types", "values", "function"]
    words: tuple[str, ...] = ()


class Call(NamedTuple):
    """The arguments of a call."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def arrays(self) -> list[Any]:
        """The arguments that hold arrays, in their order: those of a bare compiled function."""
        everything = (*self.args, *self.kwargs.values())
        return [one for one in everything if any(hasattr(x, "dtype") for x in flatten(one)[0])]


def function_of(where: str) -> Function:
    """The function that ``MODULE:FUNCTION`` names; of a graph with one output, that output.

    Raises:
        ArgumentError: if there is none, or if it is a graph with several outputs.
    """
    found = function_at(where)
    if not isinstance(found, ug.Definition):
        return found
    names = found.graph.output_names
    if len(names) != 1:
        raise ArgumentError(f"{where} has several outputs: {', '.join(names)}")
    return found[names[0]]


def arguments_of(function: Function, where: str, inputs: Inputs) -> Call:
    """The arguments, the same ones in every process.

    Raises:
        ArgumentError: if they are not said in full.
    """
    if inputs.kind == "function":
        module = where.rpartition(":")[0]
        given = function_at(f"{module}:{inputs.words[0]}").function()
        return Call((), given) if isinstance(given, dict) else Call(tuple(given), {})  # pyright: ignore[reportUnknownArgumentType]
    read = read_type if inputs.kind == "types" else read_value
    args, kwargs = arguments(inputs.words, read)
    needed = inspect.signature(function).parameters.values()
    missing = [one.name for one in needed if one.default is one.empty][len(args) :]
    missing = [name for name in missing if name not in kwargs]
    if missing:
        raise ArgumentError(
            f"{where}: no argument for {', '.join(missing)}; give --like TYPE or --at VALUE for"
            " each, or --inputs with the name of a function that returns them"
        )
    random = np.random.default_rng(0)
    return Call(
        tuple(_drawn(one, random) for one in args),
        {name: _drawn(one, random) for name, one in kwargs.items()},
    )


def _drawn(value: Any, random: Any) -> Any:
    """An array of a type: standard normal, or small integers."""
    if not isinstance(value, TensorType):
        return value
    if value.is_symbolic:
        raise ShapeError(f"the type {value} has a named dimension; times need a size")
    shape: Any = value.shape
    if value.dtype.is_floating:
        drawn = np.asarray(random.normal(size=shape))
        return float(drawn) if value.weak else drawn.astype(value.dtype.numpy)
    high = 2 if value.dtype.kind == "bool" else 10
    return np.asarray(random.integers(0, high, shape)).astype(value.dtype.numpy)


def native_arguments(call: Call, backend: Backend, device: str | None, *, numbers: bool) -> Call:
    """The arguments with a framework's own arrays in place of NumPy's.

    Args:
        call: NumPy arrays, numbers and settings.
        backend: the framework.
        device: where its arrays are, ``None`` for the framework's default.
        numbers: whether numbers become arrays too.
    """
    asarray = registry.runtime(backend).asarray

    def native(value: Any) -> Any:
        if numbers and isinstance(value, (bool, int, float)):
            default = np.dtype(type(value) if not isinstance(value, float) else np.float64)
            value = np.asarray(value, default)
        if not is_numpy(value):
            return value
        array = np.asarray(value)
        return asarray(array, as_dtype(array.dtype), device)

    args: Any = map_structure(native, call.args)
    kwargs: Any = map_structure(native, call.kwargs)
    return Call(args, kwargs)


def as_numpy(result: Any, runtime: Any) -> list[Any]:
    """The arrays of a result, in order."""
    return [
        np.asarray(runtime.to_numpy(leaf) if runtime.is_native(leaf) else leaf)
        for leaf in flatten(result)[0]
    ]


def timed_functions(
    function: Function, call: Call, argnames: tuple[str, ...]
) -> dict[str, Callable[[dict[str, str]], Function]]:
    """What is timed, each a function of settings: the value, and value and gradient together.

    The gradient of a function that returns no scalar is that of the sum of what it returns.
    """
    names = argnames or None
    graph = function.graph(*call.args, **call.kwargs)
    scalar = len(graph.outputs) == 1 and not graph.output_types[0].ndim

    def value(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    def summed(*args: Any, **kwargs: Any) -> Any:
        found = flatten(function(*args, **kwargs))[0]
        total: Any = 0.0
        for one in found:
            if as_dtype(one.dtype).is_floating:
                total = total + ug.sum(one)
        return total

    differentiated = value if scalar else summed
    for one in (value, summed):
        one.__name__ = one.__qualname__ = name_of(function)
        one.__signature__ = inspect.signature(function)  # pyright: ignore[reportFunctionMemberAccess]

    def of_value(settings: Any) -> Function:
        return ug.function(value, **settings)

    def of_gradient(settings: Any) -> Function:
        return ug.value_and_grad(differentiated, argnames=names, **settings)

    timed: dict[str, Callable[[dict[str, str]], Function]] = {"value": of_value}
    try:
        ug.value_and_grad(differentiated, argnames=names).graph(*call.args, **call.kwargs)
    except (ArgumentError, DTypeError, DifferentiationError):  # no floats, in or out
        return timed
    return {**timed, "gradient": of_gradient}
