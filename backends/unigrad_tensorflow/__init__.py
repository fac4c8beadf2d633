"""TensorFlow: a ``tf.function`` (``graph``, ``xla``), or operation by operation (``eager``)."""

from __future__ import annotations

from unigrad.backend import Backend, Gap
from unigrad.ops import apply
from unigrad_tensorflow.dialect import DIALECT

__all__ = ["BACKEND"]

BACKEND = Backend(
    name="tensorflow",
    dialect=DIALECT,
    runtime="unigrad_tensorflow.runtime",
    package="tensorflow",
    install="pip install 'unigrad[tensorflow]'",
    tested=("2.18", "2.21"),
    modes=("graph", "eager", "xla"),
    flat=("graph", "xla"),
    native=True,
    gaps=(
        Gap(
            "reverse mode over two nested forward accumulators leaves a term out, silently",
            lambda transform: (
                transform.kind == "jvp"
                and any(node.op is apply.jvp_of for node in transform.body.nodes)
            ),
        ),
    ),
)
