"""What is raised when a framework fails in the middle of a run: its error, and the user's line.

Shapes and dtypes are checked while a function is traced, so what is left are failures of the
machine (memory, a device) and of the framework. They come from a line of emitted code, and that
line serves a line of the user's.
"""

from __future__ import annotations

from typing import NoReturn

from unigrad.backend.load import node_that_failed
from unigrad.errors import ExecutionError, UnigradError, locate
from unigrad.ir.source import caller_location, locations

__all__ = ["reraise"]


def reraise(error: Exception, name: str) -> NoReturn:
    """Raise what a compiled function raised, with the user's line.

    Raises:
        ExecutionError: from ``error``, unless it is one of our own.
    """
    if isinstance(error, UnigradError):
        raise error
    node = node_that_failed(error.__traceback__)
    places = () if node is None else locations(node)
    told = ExecutionError(f"{name} failed while it ran: {type(error).__name__}: {_gist(error)}")
    raise locate(told, places[0] if places else caller_location()) from error


def _gist(error: Exception) -> str:
    """The first line of a message that says more than that there was an error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if not line.endswith("error:")), "no message")
