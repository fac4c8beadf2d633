"""What the compiler hands to the rooms below: running an op at once, and the derivative of a graph.

An op called on arrays outside every trace is compiled as a function of one op.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

from unigrad.compiler.arguments import Static
from unigrad.compiler.function import Function
from unigrad.compiler.tape import set_derivative
from unigrad.errors import ArgumentError, UnigradError, locate
from unigrad.ir.nodes import current_scope
from unigrad.ir.source import caller_location
from unigrad.ops.spec import Op, apply, set_evaluator
from unigrad.trace.array import node_of, wrap
from unigrad.trace.capture import refusal

if TYPE_CHECKING:
    from unigrad.ir.nodes import Scope

__all__ = ["evaluate"]

_functions: dict[Any, Function] = {}


def evaluate(op: Op[...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an op on arrays; the result is of their kind.

    A creation function, of nothing but a shape or like another array, is traced where a function is
    being traced, so that it can be assigned to; otherwise it makes an array of the current target,
    or of the other one's kind.
    """
    operands, params = op.bind(args, kwargs)
    place = current_scope()
    if place is not None and (not operands or op.name.endswith("_like")):
        # A rule that needs `iota` works on nodes; a user who writes `ug.zeros` on traced values.
        made = apply(op, place, operands, params)
        return wrap(made) if op.public else made
    for operand in operands:
        if isinstance(operand, (list, tuple, dict, str)):
            error = refusal(operand)
            if error is not None:
                error.args = (f"{op.name}: {error.args[0]}",)
                raise locate(error, caller_location())
    checked = getattr(op, "checked", None)
    if checked is not None:
        try:
            checked(*operands, **op.keywords(params))
        except UnigradError as error:
            raise locate(error, caller_location()) from None
    absent = tuple(operand is None for operand in operands)
    given = [operand for operand in operands if operand is not None]
    key = (op, Static(params), absent, len(operands))  # 1, 1.0 and True make different arrays
    try:
        function = _functions.get(key)
    except TypeError:
        raise _no_setting(op, params) from None
    if function is None:
        function = _functions[key] = _single(op, params, absent)
        if len(_functions) > _LIMIT:
            _functions.pop(next(iter(_functions)))
    return function(*given)


_LIMIT = 1024


def _no_setting(op: Op[...], params: tuple[Any, ...]) -> ArgumentError:
    """The error for a parameter that cannot be remembered, such as an array."""
    told = ""
    for name, value in zip(op.params, params, strict=True):
        try:
            hash(value)
        except TypeError:
            told = f"{name} is a Python value that is known beforehand, got {type(value).__name__}"
    return locate(ArgumentError(f"{op.name}: {told}"), caller_location())


def _single(op: Op[...], params: tuple[Any, ...], absent: tuple[bool, ...]) -> Function:
    """A function that applies one op."""

    def body(*args: Any) -> Any:
        place = cast("Scope", current_scope())
        nodes = iter([node_of(arg, place) for arg in args])
        operands = [None if missing else next(nodes) for missing in absent]
        place.origin = ()  # one function serves every caller: it remembers no line
        return wrap(apply(op, place, operands, params))

    def flat(*_: Any) -> None:
        """Only its signature matters."""

    names = op.operands if not op.variadic else [f"x{i}" for i in range(len(absent))]
    flat.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
        [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY)
            for name, missing in zip(names, absent, strict=True)
            if not missing
        ]
    )
    return Function(body, name=op.name, signature_of=flat)


set_evaluator(evaluate)


def _derivative(*args: Any) -> Function:
    from unigrad.compiler.derivative import graph_derivative  # imported by need

    return graph_derivative(*args)


set_derivative(_derivative)
