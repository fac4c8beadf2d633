"""Locks that a forked process can use: whoever forks waits until no thread holds one of them."""

from __future__ import annotations

import os
import threading

__all__ = ["lock"]


def lock() -> threading.Lock:
    """A lock of a module, which nobody holds in a forked child."""
    made = threading.Lock()
    if hasattr(os, "register_at_fork"):  # not where processes are only spawned
        os.register_at_fork(
            before=made.acquire, after_in_parent=made.release, after_in_child=made.release
        )
    return made
