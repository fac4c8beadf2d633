"""What a backend is: a value made of a table of native expressions and a few functions.

This is the whole interface for authors of backends, in the tree and outside. A backend is found
through the entry point group ``unigrad.backends``; the guide is ``docs/how-to/add-a-backend.md``.
"""

from __future__ import annotations

from unigrad.backend.dialect import OURS, Dialect, Fused, Row
from unigrad.backend.registry import INTERFACE, Backend, Compilation, Gap, Tape, Transform

__all__ = [
    "INTERFACE", "OURS", "Backend", "Compilation", "Dialect", "Fused", "Gap", "Row", "Tape",
    "Transform",
]  # fmt: skip
