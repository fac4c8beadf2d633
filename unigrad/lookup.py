"""Functions by name and arguments as text, as people write them on a command line."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

import unigrad
from unigrad import config
from unigrad.compiler import Function
from unigrad.errors import ArgumentError, DTypeError
from unigrad.ir.types import TensorType
from unigrad.outside import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["arguments", "function_at", "numbers", "read_type", "read_value"]


def function_at(where: str) -> Any:
    """The function that ``MODULE:FUNCTION`` names, as a function of unigrad.

    Args:
        where: a dotted module name or the path of a ``.py`` file, and a name in it.

    Raises:
        ArgumentError: if there is no such function.
    """
    module_name, colon, path = where.rpartition(":")
    if not colon or not module_name or not path:
        raise ArgumentError(f"expected MODULE:FUNCTION, such as model.py:loss, got {where!r}")
    module = _module(module_name)
    found: Any = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            hint = config.did_you_mean(name, _functions(found))
            raise ArgumentError(f"{one_line(module_name)} has no {path!r}{hint}") from None
    if isinstance(found, (Function, unigrad.Definition)):
        return found
    if not callable(found):
        kind = type(found).__name__
        raise ArgumentError(f"{one_line(where)} is no function but an object of type {kind}")
    return unigrad.function(found)


def _functions(place: Any) -> list[str]:
    """The names in a module or class under which a function can be found: nothing it imports."""
    home = getattr(place, "__module__", getattr(place, "__name__", None))
    members: dict[str, Any] = getattr(place, "__dict__", {})
    return [
        name
        for name, value in members.items()
        if not name.startswith("_")
        and (
            isinstance(value, (Function, unigrad.Definition, staticmethod))
            or (callable(value) and getattr(value, "__module__", None) == home)
        )
    ]


def _module(name: str) -> Any:
    """Import a module by its dotted name, from the working folder too, or from its file."""
    if name.endswith(".py"):
        file = Path(name)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if not file.is_file() or spec is None or spec.loader is None:
            raise ArgumentError(f"there is no file {one_line(name)}")
        sys.path.insert(0, str(file.resolve().parent))  # as `python model.py` does
        module = importlib.util.module_from_spec(spec)
        sys.modules[file.stem] = module
        spec.loader.exec_module(module)
        return module
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise  # the module is there; what it imports is not
        raise ArgumentError(f"there is no module {one_line(name)}") from None


def arguments(words: Sequence[str], read: Callable[[str], Any]) -> tuple[list[Any], dict[str, Any]]:
    """Positional arguments and those by name."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if equals and name.strip().isidentifier():
            kwargs[name.strip()] = read(text)
        else:
            args.append(read(word))
    return args, kwargs


def numbers(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, TensorType]:
    """Numbers for the arguments of a function of which a call says nothing."""
    known = inspect.signature(function)
    try:
        given = known.bind_partial(*args, **kwargs).arguments
    except TypeError:  # the call itself says it better
        return {}
    needed = [one for one in known.parameters.values() if one.default is one.empty]
    named = [
        one.name for one in needed if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]
    missing = [name for name in named if name not in given]
    return dict.fromkeys(missing, TensorType.parse("~float64"))


def read_type(text: str) -> Any:
    """A type; or a value, for an argument that is a setting or a number."""
    try:
        return TensorType.parse(text)
    except DTypeError:
        if "[" in text and not text.lstrip().startswith("["):
            raise
        return read_value(text)


def read_value(text: str) -> Any:
    """A Python literal, a list of numbers as an array; any other word is text."""
    try:
        value: Any = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return text
    if isinstance(value, list):
        return cast("Any", np.asarray(cast("Any", value)))
    return value
