"""The garbage collector waits while a graph is built: it would walk every node again and again.

A graph has no garbage while it grows, and the collector's full passes make building one cost more
than linear time (measured: 2.1 against 0.8 microseconds per node).
"""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from unigrad.locks import lock

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["collector_paused"]

_lock = lock()
_depth = 0
_was_enabled = False


@contextmanager
def collector_paused() -> Generator[None]:
    """Hold the collector back; several threads and nested uses may overlap."""
    global _depth, _was_enabled  # noqa: PLW0603  (the collector is one for the process)
    with _lock:
        if _depth == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _was_enabled:
                gc.enable()


def _start_anew() -> None:
    """In a forked child: whoever held the collector back in another thread is not here."""
    global _depth  # noqa: PLW0603
    if _depth and _was_enabled:
        gc.enable()
    _depth = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
