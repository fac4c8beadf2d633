"""A unigrad function as one operation of the caller's tape or graph, whose derivative is ours.

TensorFlow's forward mode does not see a custom gradient, and differentiates what is inside, without
a word. It obeys a ``tf.function``: so where a forward accumulator follows, or may follow later
because a graph is being built, the operation is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import forwardprop_util, record

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from unigrad.ir.nodes import Graph

__all__ = ["attach", "no_tape", "on_tape"]

_tf: Any = cast("Any", tf)
_record: Any = cast("Any", record)
_forward: Any = cast("Any", forwardprop_util)

# There is no public way to ask whether a tape or a forward accumulator is active.
no_tape: Callable[[], bool] = cast("Any", pywrap_tfe).TFE_Py_TapeSetIsEmpty


class Tape(Protocol):
    """What the compiler hands over: a graph and its derivatives as functions of flat arrays."""

    graph: Graph

    def derivative(
        self, kind: str, wrt: tuple[int, ...], seeds: tuple[int, ...] = ()
    ) -> Callable[..., tuple[Any, ...]]:
        """The ``"vjp"`` (of inputs and cotangents) or ``"jvp"`` (of inputs and tangents)."""
        ...


def on_tape(values: Sequence[Any]) -> Hashable:
    """What of the caller's differentiates ``values``, or will; ``None`` for nothing.

    ``"graph"`` is a ``tf.function`` that is being traced, ``"forward"`` an accumulator, and a tuple
    says of each value whether a tape follows it.
    """
    if not _tf.executing_eagerly():
        return "graph"
    if no_tape():
        return None
    tensors = [value for value in values if isinstance(value, (_tf.Tensor, _tf.Variable))]
    if _forward.pack_tangents([one for one in tensors if isinstance(one, _tf.Tensor)]).tangents:
        return "forward"
    followed = tuple(
        isinstance(value, _tf.Variable)
        or (isinstance(value, _tf.Tensor) and bool(_record.should_record_backprop([value])))
        for value in values
    )
    return followed if any(followed) else None


def attach(native: Callable[..., Any], tape: Tape, kind: Any) -> Callable[..., Any]:
    """A function of flat tensors that is one operation.

    Args:
        native: the function; returns the tuple of its outputs.
        tape: its graph and derivatives.
        kind: what :func:`on_tape` said of the arguments.
    """
    inputs = [type_.is_floating for type_ in tape.graph.input_types]
    outputs = [type_.is_floating for type_ in tape.graph.output_types]
    followed = kind if isinstance(kind, tuple) else (True,) * len(inputs)
    followed = (*followed, *(True,) * (len(inputs) - len(followed)))  # hidden ones come last
    wrt = tuple(i for i, floating in enumerate(inputs) if floating and followed[i])
    seeds = tuple(i for i, floating in enumerate(outputs) if floating)

    def node(*values: Any) -> Any:
        results = tuple(native(*values))

        def gradient(*cotangents: Any) -> Any:
            found: list[Any] = [None] * len(inputs)
            if wrt and seeds:
                given = [cotangents[position] for position in seeds]
                pulled = tape.derivative("vjp", wrt, seeds)(*values, *given)
                for position, cotangent in zip(wrt, pulled, strict=True):
                    found[position] = cotangent
            return found

        return results, gradient

    function = _tf.custom_gradient(node)
    if isinstance(kind, tuple):
        return function
    return _tf.function(function, autograph=False)
