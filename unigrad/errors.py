"""Every way in which unigrad fails, one class per kind, so that callers can catch what they mean.

A message says what was expected, what was given, where the user wrote it, and what to try. The
location is added by :func:`locate` from the frame of the call that failed, as a note, so that it
shows in every traceback and never hides the message itself.
"""

from __future__ import annotations

import linecache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from unigrad.outside import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ArgumentError",
    "BackendError",
    "BackendNotInstalledError",
    "DTypeError",
    "DifferentiationError",
    "ExecutionError",
    "GraphFormatError",
    "IndexRangeError",
    "Location",
    "RuleError",
    "SettingsError",
    "ShapeError",
    "StaleError",
    "TargetError",
    "TracingError",
    "TracingWarning",
    "UnigradError",
    "UnsupportedError",
    "VerificationError",
    "listed",
    "locate",
]


class UnigradError(Exception):
    """Base of every error that unigrad raises on purpose.

    It pickles and copies as it is, with its message, its notes and its attributes.
    """

    def __getstate__(self) -> dict[str, Any]:
        """The attributes, notes among them."""
        return dict(self.__dict__)

    def __reduce__(self) -> tuple[Any, ...]:
        # Made anew without the constructor, whose arguments are not those of the message.
        return _restored, (type(self), self.args), self.__getstate__()


def _restored(kind: type[UnigradError], args: tuple[Any, ...]) -> UnigradError:
    return kind.__new__(kind, *args)


class ShapeError(UnigradError, ValueError):
    """Shapes that do not fit each other, or do not fit the op."""


class DTypeError(UnigradError, TypeError):
    """A dtype that the op does not take, or an object that is not an array."""


class IndexRangeError(UnigradError, IndexError):
    """A static index outside its axis."""


class ArgumentError(UnigradError, TypeError):
    """A wrong number, name or structure of arguments."""


class TracingError(UnigradError, TypeError):
    """A traced value was used as if it had a value, outside its trace, or with another trace's."""


class StaleError(UnigradError, RuntimeError):
    """A function was traced with values that are others now; raised by ``check_stale`` alone."""


class TracingWarning(UserWarning):
    """Something was done while tracing that will not be done again in later calls."""


class DifferentiationError(UnigradError, TypeError):
    """A derivative that does not exist or was asked for in the wrong way."""


class RuleError(UnigradError):
    """A rule of an op, of a pass or of a backend breaks its own contract (an author's mistake)."""


class SettingsError(UnigradError, ValueError):
    """An unknown setting, an unknown value of a setting, or a settings file that does not parse."""


class TargetError(SettingsError):
    """An unknown target, mode or device."""


class BackendNotInstalledError(UnigradError, ImportError):
    """The target is known, the framework behind it is not installed."""


class BackendError(UnigradError):
    """A backend that cannot be loaded or breaks its contract."""


class UnsupportedError(UnigradError, NotImplementedError):
    """An op that the chosen target cannot do; raised before anything runs."""


class ExecutionError(UnigradError, RuntimeError):
    """A framework failed while it ran a function; its own error is the ``__cause__``."""


class VerificationError(UnigradError):
    """A graph that is not well formed."""


class GraphFormatError(UnigradError, ValueError):
    """Text that is not a graph.

    Attributes:
        line: 1-based line of the text at which reading failed.
        column: 1-based column in that line.
    """

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column


class Location(NamedTuple):
    """A place in the user's source: what an error points at and an emitted comment quotes."""

    file: str
    line: int
    column: int | None = None
    end_column: int | None = None
    function: str = ""


def with_article(noun: str) -> str:
    """A noun with its article, as messages say what was given: ``a str``, ``an int``."""
    return f"{'an' if noun == 'ndarray' or noun[:1] in 'aeiouAEIOU' else 'a'} {noun}"


_E = TypeVar("_E", bound=BaseException)


def locate(error: _E, location: Location | None) -> _E:
    """Add the user's own line, with carets below the expression, to ``error``; return ``error``."""
    if location is None:
        return error
    heading = f'  File "{one_line(location.file)}", line {location.line}'
    if location.function:
        heading += f", in {one_line(location.function)}"
    try:
        source = linecache.getline(location.file, location.line).rstrip("\n")
    except ValueError:  # what no file can be called
        source = ""
    lines = [heading]
    if source.strip():
        stripped = source.strip()
        lines.append("    " + one_line(stripped))
        column, end = location.column, location.end_column
        if column is not None and end is not None and stripped.isprintable():
            start = max(column - (len(source) - len(source.lstrip())), 0)
            width = max(min(end, len(source)) - column, 1)
            lines.append("    " + " " * start + "^" * width)
    error.add_note("\n".join(lines))
    return error


def listed(names: Iterable[str], *, conjunction: str = "and") -> str:
    """Join names for a message: ``a, b and c``; ``none`` if there are none."""
    words = list(names)
    if len(words) <= 1:
        return words[0] if words else "none"
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"
