"""Mistakes put into the definition of an op for a while."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unigrad.ops.spec import Op

__all__ = ["planted"]


@contextmanager
def planted(op: Op[...], **parts: Any) -> Iterator[None]:
    """Give parts of an op's definition other values, and the old ones back afterwards."""
    before = {name: getattr(op, name) for name in parts}
    for name, value in parts.items():
        setattr(op, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(op, name, value)
