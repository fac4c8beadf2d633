"""Which arguments of an op are arrays, and how its signature is written."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Array", "signature_of", "standard_signature"]

Array: TypeAlias = Annotated[Any, "an array of any framework, or what stands for one"]
"""An array of any framework, a traced value, a node, or a Python number."""


def signature_of(
    reference: Callable[..., Any],
) -> tuple[list[str], list[str], dict[str, Any], bool]:
    """Operand names, parameter names, defaults, and whether the operands come as one sequence.

    An argument annotated ``Array`` is an operand, ``Sequence[Array]`` all of them at once; every
    other argument is a parameter.
    """
    operands: list[str] = []
    params: list[str] = []
    defaults: dict[str, Any] = {}
    variadic = False
    for parameter in inspect.signature(reference).parameters.values():
        # Text in a module with postponed annotations, else the alias itself.
        annotation = str(parameter.annotation).replace(str(Array), "Array").rpartition(".")[2]
        if annotation in ("Array", "Sequence[Array]"):
            operands.append(parameter.name)
            variadic = variadic or annotation != "Array"
        else:
            params.append(parameter.name)
            if parameter.default is not parameter.empty:
                defaults[parameter.name] = parameter.default
    return operands, params, defaults, variadic


def standard_signature(
    reference: Callable[..., Any], operands: tuple[str, ...]
) -> inspect.Signature:
    """The signature that the Array API writes: arrays by position alone, two of them x1 and x2."""
    signature = inspect.signature(reference)
    given = list(signature.parameters.values())
    if any(one.kind is one.VAR_POSITIONAL for one in given):
        kind = inspect.Parameter.POSITIONAL_ONLY
        given = [inspect.Parameter(name, kind, annotation="Array") for name in operands]
    if "x" in operands and "y" in operands:
        names = {"x": "x1", "y": "x2"}
        given = [one.replace(name=names.get(one.name, one.name)) for one in given]
    return signature.replace(parameters=given)
