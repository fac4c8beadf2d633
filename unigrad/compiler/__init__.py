"""What joins the rooms: trace, transform, optimise, emit, load; and the caches of what was made."""

from __future__ import annotations

from unigrad.compiler.function import Function
from unigrad.compiler.state import CacheInfo

__all__ = ["CacheInfo", "Function"]
