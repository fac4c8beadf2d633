"""Arrays of frameworks that a traced function takes from around it."""

from __future__ import annotations

from typing import Any

from unigrad.backend import registry
from unigrad.compiler.arguments import owner_of
from unigrad.trace.capture import NOT_NATIVE, set_reader

__all__ = ["read_native"]


def read_native(value: Any) -> Any:
    """A NumPy snapshot of a native array, its type if a tape follows it, or ``NOT_NATIVE``."""
    backend = owner_of(value)
    if backend is None:
        return NOT_NATIVE
    runtime = registry.runtime(backend)
    follows = getattr(runtime, "follows", None)
    if follows is not None and follows(value):
        return runtime.type_of(value)
    return runtime.to_numpy(value).copy()


set_reader(read_native)
