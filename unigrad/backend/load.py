"""From source text to a function whose lines show in tracebacks and in the debugger."""

from __future__ import annotations

import itertools
import linecache
import weakref
from typing import Any

__all__ = ["load"]

_number = itertools.count(1)


def load(text: str, name: str, label: str, namespace: dict[str, Any] | None = None) -> Any:
    """Execute a module's text and return the function ``name`` of it.

    Args:
        text: the module.
        name: the function wanted.
        label: what the module is called in tracebacks, such as ``torch:eager loss``.
        namespace: names that the text may use beside its own imports.
    """
    file = f"<unigrad {label} {next(_number)}>"
    module: dict[str, Any] = dict(namespace or {})
    exec(compile(text, file, "exec"), module)  # noqa: S102  (text that this library wrote)
    function = module[name]
    # The lines stay as long as the function does; `None` for the time keeps checkcache from
    # dropping what is no file.
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    weakref.finalize(function, linecache.cache.pop, file, None)
    return function
