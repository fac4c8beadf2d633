"""The command line: which targets are here, which settings hold, what becomes of a function.

A framework is never imported to look at its name and version. To ask it for its devices it is
imported in a process of its own, so that one which is broken stops nothing else.
"""

from __future__ import annotations

from unigrad.cli import bench, functions, settings, targets
from unigrad.cli.common import app

__all__ = ["app", "bench", "functions", "main", "settings", "targets"]


def main() -> None:
    """The console entry point; exits with 0, with 1 after an error, with 2 after a wrong call."""
    app()
