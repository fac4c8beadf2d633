"""TensorFlow: a ``tf.function`` (``graph``, ``xla``), or operation by operation (``eager``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unigrad.backend import Backend, Gap
from unigrad.ir.nodes import graph_parameters
from unigrad.ops.shape import concat
from unigrad_tensorflow.dialect import DIALECT, XLA
from unigrad_tensorflow.legalise import legalise

if TYPE_CHECKING:
    from unigrad.backend import Transform
    from unigrad.ir.nodes import Graph

__all__ = ["BACKEND"]


def _concatenates(body: Graph) -> bool:
    return any(
        node.op is concat or any(map(_concatenates, graph_parameters(node))) for node in body.nodes
    )


def _is_nested_over_concat(transform: Transform) -> bool:
    inner = any(True for node in transform.body.nodes for _ in graph_parameters(node))
    return inner and _concatenates(transform.body)


BACKEND = Backend(
    name="tensorflow",
    dialect=DIALECT,
    dialects={"xla": XLA},
    runtime="unigrad_tensorflow.runtime",
    package="tensorflow",
    install="pip install 'unigrad[tensorflow]'",
    tested=("2.18", "2.21"),
    modes=("graph", "eager", "xla"),
    flat=("graph", "xla"),
    frees=("graph", "xla"),
    native=True,
    gaps=(
        Gap(
            "TensorFlow cannot differentiate what it makes of the derivative of `tf.concat` for"
            " XLA, and raises",
            _is_nested_over_concat,
            modes=("xla",),
        ),
    ),
    legalise=legalise,
)
