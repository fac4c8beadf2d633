"""A unigrad function as one node of the caller's tape, whose derivative is our derivative graph.

The derivative of the node is again a unigrad function: called with tensors that require grad it
puts itself on the tape, which makes every order of derivative one more node of the same kind.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from torch._functorch.pyfunctorch import retrieve_current_functorch_interpreter
from torch.autograd import forward_ad

from unigrad.errors import UnigradError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from unigrad.backend import Tape

__all__ = ["attach", "exact", "is_casting"]

# What torch.func itself is made of, and what PyTorch's annotations leave open.
_open: Any = cast("Any", torch)
_functorch: Any = _open._C._functorch  # noqa: SLF001
_forward_ad: Any = cast("Any", forward_ad)

_KINDS: Final[list[str]] = _open._C._autocast_supported_devices()  # noqa: SLF001

is_casting: Callable[[], bool] = _open._C._is_any_autocast_enabled  # noqa: SLF001
"""Whether a ``torch.autocast`` would change the dtypes of what runs now."""


@contextmanager
def exact() -> Generator[None]:
    """Let every operation keep its dtypes: those of a function follow from its arguments alone."""
    kinds = [kind for kind in _KINDS if _open.is_autocast_enabled(kind)]
    for kind in kinds:
        _open.set_autocast_enabled(kind, False)  # noqa: FBT003
    try:
        yield
    finally:
        for kind in kinds:
            _open.set_autocast_enabled(kind, True)  # noqa: FBT003


def attach(native: Callable[..., Any], tape: Tape, kind: Any) -> Callable[..., Any]:
    """A function of flat tensors that records one node.

    Args:
        native: the function that is recorded; returns the tuple of its outputs.
        tape: its graph and derivatives.
        kind: what differentiates: the tape alone (``"reverse"``), or something that one node for
            reverse mode, forward mode and ``torch.func`` serves.
    """
    if kind == "reverse":
        return _recorded(native, tape)
    inputs = [type_.is_floating for type_ in tape.graph.input_types]
    outputs = [type_.is_floating for type_ in tape.graph.output_types]

    def forward(*values: Any) -> Any:
        return _apart(native(*values), values)

    def setup_context(ctx: Any, values: Any, results: Any) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*values)
        ctx.save_for_forward(*values)
        constant = [one for one, floating in zip(results, outputs, strict=True) if not floating]
        ctx.mark_non_differentiable(*constant)

    def backward(ctx: Any, *cotangents: Any) -> Any:
        wrt = tuple(
            position for position, floating in enumerate(inputs)
            if floating and ctx.needs_input_grad[position]
        )  # fmt: skip
        seeds = tuple(
            position for position, floating in enumerate(outputs)
            if floating and cotangents[position] is not None
        )  # fmt: skip
        results: Sequence[Any] = ()
        if wrt and seeds:
            given = [cotangents[position] for position in seeds]
            results = tape.derivative("vjp", wrt, seeds)(*ctx.saved_tensors, *given)
        return _spread(results, wrt, len(inputs))

    def jvp(ctx: Any, *tangents: Any) -> Any:
        wrt = tuple(
            position for position, floating in enumerate(inputs)
            if floating and tangents[position] is not None
        )  # fmt: skip
        # PyTorch switches forward mode off in here, silently also for the levels around this one:
        # switched on again, on values that have no tangent of this level, these are right.
        values = [_primal(one) for one in ctx.saved_tensors]
        given = [tangents[one] for one in wrt]
        with _forward_ad._set_fwd_grad_enabled(True):  # noqa: FBT003, SLF001
            found = tape.derivative("jvp", wrt)(*values, *given)
        return tuple(
            one if floating else None for one, floating in zip(found, outputs, strict=True)
        )

    return _node(
        tape, forward=forward, setup_context=setup_context, backward=backward, jvp=jvp,
    )  # fmt: skip


def _node(tape: Tape, **functions: Callable[..., Any]) -> Callable[..., Any]:
    """The function of PyTorch's tape that these make."""
    known: dict[str, Any] = {name: staticmethod(function) for name, function in functions.items()}
    known["__doc__"] = "One unigrad function on a tape."
    known["generate_vmap_rule"] = "setup_context" in known  # as PyTorch asks
    node: Any = type(tape.graph.name or "function", (torch.autograd.Function,), known)
    return node.apply


def _spread(results: Sequence[Any], positions: Sequence[int], count: int) -> tuple[Any, ...]:
    """``count`` cotangents, of which those at ``positions`` are ``results``."""
    found: list[Any] = [None] * count
    if results:
        for position, result in zip(positions, results, strict=True):
            found[position] = result
    return tuple(found)


def _recorded(native: Callable[..., Any], tape: Tape) -> Callable[..., Any]:
    """The same for the tape alone: the derivative reads what the function kept.

    What is differentiated again, or under a transform, or in part only, has its derivative computed
    from the arguments, as one more node.
    """
    inputs = [type_.is_floating for type_ in tape.graph.input_types]
    outputs = [type_.is_floating for type_ in tape.graph.output_types]
    seeds = tuple(position for position, floating in enumerate(outputs) if floating)
    constant = [position for position, floating in enumerate(outputs) if not floating]
    given = len(inputs)
    ways: dict[tuple[bool, ...], Any] = {}

    def wanted(needed: Sequence[bool]) -> tuple[int, ...]:
        return tuple(i for i, floating in enumerate(inputs) if floating and needed[i])

    def way(needed: tuple[bool, ...]) -> Any:
        """Forward, and the pull of all that this call needs; ``None`` for what there is not."""
        wrt = wanted(needed)
        found: tuple[Any, Any, Any] = (native, None, None)
        if wrt and seeds:
            # What has no derivative says so when it is asked for one.
            with suppress(UnigradError):
                kept = tape.keeping(wrt, seeds)
                found = (kept.forward, kept.pull, kept.pull(wrt))
        ways[needed] = found
        return found

    def forward(ctx: Any, *values: Any) -> Any:
        needed = ctx.needs_input_grad
        run, _, _ = ctx.way = ways.get(needed) or way(needed)
        ctx.needed = needed
        found = run(*values)
        results = _apart(found[: len(outputs)], values)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*values, *found[len(outputs) :])
        if constant:
            ctx.mark_non_differentiable(*[results[position] for position in constant])
        return results

    def backward(ctx: Any, *cotangents: Any) -> Any:
        saved, needed = ctx.saved_tensors, ctx.needs_input_grad
        _, pull, whole = ctx.way
        active = [position for position in seeds if cotangents[position] is not None]
        wrt = wanted(needed)
        if not active or not wrt:
            return (None,) * given
        moved = [cotangents[position] for position in active]
        if whole is None or len(active) < len(seeds) or _is_followed():
            results = tape.derivative("vjp", wrt, tuple(active))(*saved[:given], *moved)
        else:
            run = whole if needed == ctx.needed else pull(wrt)
            with exact() if is_casting() else nullcontext():
                results = run(*saved, *moved)
        return _spread(results, wrt, given)

    return _node(tape, forward=forward, backward=backward)


def _is_followed() -> bool:
    """Whether a derivative that is computed now may itself be differentiated, or mapped."""
    return (
        torch.is_grad_enabled()
        or _functorch.peek_interpreter_stack() is not None
        or _forward_ad._current_level >= 0  # noqa: SLF001
    )


def _apart(results: Sequence[Any], values: Sequence[Any]) -> tuple[Any, ...]:
    """Results that are tensors of their own: the same twice would be one tensor of the tape."""
    seen = {id(value) for value in values}
    found: list[Any] = []
    for result in results:
        found.append(result.view_as(result) if id(result) in seen else result)
        seen.add(id(result))
    return tuple(found)


def _primal(value: torch.Tensor) -> torch.Tensor:
    """A tensor without its tangent of the innermost level of forward mode."""
    if not _functorch.is_batchedtensor(value):
        return _forward_ad.unpack_dual(value, level=0).primal
    level, axis = _functorch.maybe_get_level(value), _functorch.maybe_get_bdim(value)
    with retrieve_current_functorch_interpreter().lower():
        inner = _primal(_functorch.get_unwrapped(value))
    return _functorch._add_batch_dim(inner, axis, level)  # noqa: SLF001
