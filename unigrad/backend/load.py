"""From source text to a function whose lines show in tracebacks and in the debugger."""

from __future__ import annotations

import itertools
import linecache
import weakref
from typing import TYPE_CHECKING, Any

from unigrad.outside import one_line

if TYPE_CHECKING:
    from types import TracebackType

    from unigrad.ir.nodes import Node

__all__ = ["load", "node_that_failed"]

_number = itertools.count(1)
_places: dict[str, dict[int, Node]] = {}


def load(
    text: str,
    name: str,
    label: str,
    namespace: dict[str, Any] | None = None,
    places: dict[int, Node] | None = None,
) -> Any:
    """Execute a module's text and return the function ``name`` of it.

    Args:
        text: the module.
        name: the function wanted.
        label: what the module is called in tracebacks, such as ``torch:eager loss``.
        namespace: names that the text may use beside its own imports.
        places: for lines of the text, the nodes that they compute.
    """
    file = f"<unigrad {one_line(label)} {next(_number)}>"
    module: dict[str, Any] = dict(namespace or {})
    exec(compile(text, file, "exec"), module)  # noqa: S102  (text that this library wrote)
    function = module[name]
    # The lines stay as long as the function does; `None` for the time keeps checkcache from
    # dropping what is no file.
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    weakref.finalize(function, linecache.cache.pop, file, None)
    if places:
        _places[file] = places
        weakref.finalize(function, _places.pop, file, None)
    return function


def node_that_failed(traceback: TracebackType | None) -> Node | None:
    """The node whose line of a loaded text raised an error; ``None`` if no such line did."""
    found: Node | None = None
    while traceback is not None:
        places = _places.get(traceback.tb_frame.f_code.co_filename)
        if places is not None:
            found = places.get(traceback.tb_lineno) or found
        traceback = traceback.tb_next
    return found
