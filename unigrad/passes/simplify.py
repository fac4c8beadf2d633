"""Algebraic simplification: the rules that make a graph smaller, as two passes.

``simplify`` keeps every derivative, at every special point, and therefore also runs before a graph
is differentiated and in native mode. ``economise`` saves work in a graph that only runs any more.
"""

from __future__ import annotations

from unigrad.passes.arithmetic import ARITHMETIC, ECONOMIES
from unigrad.passes.rewrite import rewriting
from unigrad.passes.structure import STRUCTURE, broadcast_last

__all__ = ["economise", "simplify"]

simplify = rewriting("simplify", *STRUCTURE, *ARITHMETIC)

economise = rewriting("economise", broadcast_last, *ECONOMIES)
