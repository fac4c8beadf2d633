"""TensorFlow: a ``tf.function`` (``graph``, ``xla``), or operation by operation (``eager``)."""

from __future__ import annotations

from unigrad.backend import Backend
from unigrad_tensorflow.dialect import DIALECT, XLA
from unigrad_tensorflow.legalise import legalise

__all__ = ["BACKEND"]

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
    native=True,
    legalise=legalise,
)
