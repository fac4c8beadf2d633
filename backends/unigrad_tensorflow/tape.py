"""A unigrad function as one operation of the caller's tape or graph, whose derivative is ours.

What TensorFlow records of an operation is written down here by hand: a tape and a forward
accumulator obey it alike, nested in any order. ``tf.custom_gradient`` would be ignored in forward
mode, without a word, and a ``tf.function`` around it loses what a tape sees of its tangents. Where
a graph is being built, the operation also tells what differentiates the graph later.

The derivative reads what the operation kept. One that is itself followed, or asked for in a graph,
is computed from the arguments instead: it is again a unigrad function, which puts itself on the
tape in its turn, so that every order of derivative is one more operation of the same kind.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, cast

import tensorflow as tf
from tensorflow.python import pywrap_tfe  # pyright: ignore[reportUnknownVariableType]
from tensorflow.python.eager import forwardprop_util, record

from unigrad.errors import UnigradError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Sequence

    from unigrad.backend import Tape
    from unigrad.ir.types import TensorType

__all__ = ["TYPED", "attach", "no_tape", "on_tape"]

TYPED: Final = "_unigrad_type"
"""What of a graph's tensor holds its type, while a derivative is called whose types are known."""

_tf: Any = cast("Any", tf)
_record: Any = cast("Any", record)
_forward: Any = cast("Any", forwardprop_util)

# There is no public way to ask whether a tape or a forward accumulator is active.
no_tape: Callable[[], bool] = cast("Any", pywrap_tfe).TFE_Py_TapeSetIsEmpty


def on_tape(values: Sequence[Any]) -> Hashable:
    """What of the caller's differentiates ``values``, or may later; ``None`` for nothing.

    ``"graph"`` is a ``tf.function`` that is being traced; a tuple says of each value whether a tape
    or a forward accumulator follows it.
    """
    if not _tf.executing_eagerly():
        return "graph"
    if no_tape():
        return None
    followed = tuple([_is_followed(value) for value in values])
    return followed if any(followed) else None


def _is_followed(value: Any) -> bool:
    if isinstance(value, _tf.Variable):
        # A tape may follow it by itself, when it is read.
        return value.trainable or _record.should_record_backprop([value.handle])
    return isinstance(value, _tf.Tensor) and (
        _record.should_record_backprop([value]) or bool(_forward.pack_tangents([value]).indices)
    )


def attach(native: Callable[..., Any], tape: Tape, kind: Any) -> Callable[..., Any]:
    """A function of flat tensors that is one operation.

    Args:
        native: the function; returns the tuple of its outputs.
        tape: its graph and derivatives.
        kind: what :func:`on_tape` said of the arguments.
    """
    inputs = [type_.is_floating for type_ in tape.graph.input_types]
    outputs = [type_.is_floating for type_ in tape.graph.output_types]
    followed: list[bool] = list(cast("Any", kind)) if isinstance(kind, tuple) else []
    followed += [True] * (len(inputs) - len(followed))  # hidden ones come last
    # What nothing follows is left out: forward mode would multiply by its tangent, which is 0.
    wrt = tuple(i for i, floating in enumerate(inputs) if floating and followed[i])
    seeds = tuple(i for i, floating in enumerate(outputs) if floating)
    types = [*tape.graph.input_types, *(tape.graph.output_types[i] for i in seeds)]
    pushed_types = [*tape.graph.input_types, *(tape.graph.input_types[i] for i in wrt)]

    keeps = _keeping(tape, wrt, seeds) if isinstance(kind, tuple) else None

    def operation(*values: Any) -> tuple[Any, ...]:
        building = not _tf.executing_eagerly()
        if building:
            values = _inside(values)
        residuals: Sequence[Any] = ()

        def backward(*cotangents: Any) -> Sequence[Any]:
            # A graph gets it all from its optimiser; what is followed is differentiated again.
            if keeps is not None and not building and no_tape() and _tf.executing_eagerly():
                return keeps[1](*values, *residuals, *cotangents)
            with _typed((*values, *cotangents), types):
                return tape.derivative("vjp", wrt, seeds)(*values, *cotangents)

        def forward(*tangents: Any) -> Sequence[Any]:
            with _typed((*values, *tangents), pushed_types):
                found = tape.derivative("jvp", wrt)(*values, *tangents)
            return [found[i] for i in seeds]

        with _record.stop_recording():
            if keeps is None or building:
                results = _apart(native(*values), values)
            else:
                found = keeps[0](*values)
                results, residuals = _apart(found[: len(outputs)], values), found[len(outputs) :]
            if wrt and seeds and building:
                marked = _with_gradient(
                    [results[i] for i in seeds], [values[i] for i in wrt], backward
                )
                for i, result in zip(seeds, marked, strict=True):
                    results[i] = result
        if wrt and seeds:
            varied, varying = [values[i] for i in wrt], [results[i] for i in seeds]
            _record.record_operation(tape.graph.name, varying, varied, backward, forward)
        return tuple(results)

    return operation


def _keeping(tape: Tape, wrt: tuple[int, ...], seeds: tuple[int, ...]) -> Any:
    """The function that keeps what its pull reads, and that pull; ``None`` if there is none."""
    if wrt and seeds:
        with suppress(UnigradError):  # what has no derivative says so when it is asked for one
            kept = tape.keeping(wrt, seeds)
            return kept.forward, kept.pull(wrt)
    return None


def _inside(values: Sequence[Any]) -> tuple[Any, ...]:
    """Values as tensors of the graph that is being built.

    A derivative of that graph cannot reach tensors of the graphs around it.
    """
    graph = _tf.compat.v1.get_default_graph()
    return tuple(
        [one if getattr(one, "graph", None) is graph else _tf.identity(one) for one in values]
    )


@contextmanager
def _typed(tensors: Sequence[Any], types: Sequence[TensorType]) -> Generator[None]:
    """Let tensors whose sizes TensorFlow does not know have those that the graph says."""
    marked: list[Any] = []
    for tensor, type_ in zip(tensors, types, strict=True):
        if type_.is_symbolic:
            setattr(tensor, TYPED, type_)
            marked.append(tensor)
    try:
        yield
    finally:
        for tensor in marked:
            tensor.__dict__.pop(TYPED, None)


def _apart(results: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """Results that are tensors of their own, and not an argument or the same tensor twice."""
    seen = {id(value) for value in values}
    found: list[Any] = []
    for result in results:
        found.append(_tf.identity(result) if id(result) in seen else result)
        seen.add(id(result))
    return found


def _with_gradient(
    results: list[Any], values: list[Any], backward: Callable[..., Sequence[Any]]
) -> list[Any]:
    """Results that tell what differentiates the graph later how to go back to ``values``.

    What ``tf.custom_gradient`` does, but for its table of all gradients ever made, which would keep
    every graph alive: here the gradient is kept by the operation, and goes with it.
    """
    with suppress(KeyError):  # it is registered already
        _tf.RegisterGradient("UnigradFunction")(_later)
    graph = _tf.compat.v1.get_default_graph()
    with graph.gradient_override_map({"IdentityN": "UnigradFunction"}):
        marked = _tf.identity_n([*results, *values])
    marked[0].op.unigrad = backward, len(results)
    return marked[: len(results)]


def _later(operation: Any, *cotangents: Any) -> list[Any]:
    """The gradient of that operation, whose inputs are the results, then the arguments."""
    backward, count = operation.unigrad
    return [None] * count + list(backward(*cotangents[:count]))
