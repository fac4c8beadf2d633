"""NumPy: straight-line code with our own derivatives; the default target, nothing to install."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unigrad.backend import Backend
from unigrad.ops import elementwise
from unigrad_numpy.dialect import DIALECT
from unigrad_numpy.narrow import in_single_precision

if TYPE_CHECKING:
    from unigrad.ir.nodes import Graph

__all__ = ["BACKEND"]


def _decorators(graph: Graph) -> tuple[str, ...]:
    """Warnings from values that a selection discards are not the user's business."""
    selects = any(node.op is elementwise.where for node in graph.nodes)
    return ('np.errstate(all="ignore")',) if selects else ()


BACKEND = Backend(
    name="numpy",
    dialect=DIALECT,
    runtime="unigrad_numpy.runtime",
    package="numpy",
    install="pip install numpy",
    tested=("2.0", "2.4"),
    decorators=_decorators,
    legalise=in_single_precision,
)
