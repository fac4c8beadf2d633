"""Frameworks against each other, on the user's own function.

No time is told without equal values and gradients. Every framework runs in a process of its own, in
rounds that take turns, so that what disturbs one disturbs all; what is compiled, first called and
called again is timed apart.
"""

from __future__ import annotations

from unigrad.bench.plan import DERIVATIVES, Row, rows
from unigrad.bench.report import Report, Result
from unigrad.bench.run import run

__all__ = ["DERIVATIVES", "Report", "Result", "Row", "rows", "run"]
