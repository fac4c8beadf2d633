"""A unigrad function as one node of the caller's tape, whose derivative is our derivative graph.

The derivative of the node is again a unigrad function: called with tensors that require grad it
puts itself on the tape, which makes every order of derivative one more node of the same kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch._functorch.pyfunctorch import retrieve_current_functorch_interpreter
from torch.autograd import forward_ad

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.backend import Tape

__all__ = ["attach"]

# What torch.func itself is made of, and what PyTorch's annotations leave open.
_functorch: Any = cast("Any", torch)._C._functorch  # noqa: SLF001
_forward_ad: Any = cast("Any", forward_ad)


def attach(native: Callable[..., Any], tape: Tape, kind: Any) -> Callable[..., Any]:
    """A function of flat tensors that records one node.

    Args:
        native: the function that is recorded; returns the tuple of its outputs.
        tape: its graph and derivatives.
        kind: what differentiates; one node serves reverse mode, forward mode and ``torch.func``.
    """
    del kind
    inputs = [type_.is_floating for type_ in tape.graph.input_types]
    outputs = [type_.is_floating for type_ in tape.graph.output_types]

    def forward(*values: Any) -> Any:
        results = native(*values)
        # The same tensor twice, or an argument as it came, would be one tensor of the tape.
        seen = {id(value) for value in values}
        fresh: list[Any] = []
        for result in results:
            fresh.append(result.view_as(result) if id(result) in seen else result)
            seen.add(id(result))
        return tuple(fresh)

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
        found: list[Any] = [None] * len(inputs)
        if wrt and seeds:
            given = [cotangents[position] for position in seeds]
            results = tape.derivative("vjp", wrt, seeds)(*ctx.saved_tensors, *given)
            for position, result in zip(wrt, results, strict=True):
                found[position] = result
        return tuple(found)

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

    node = type(
        tape.graph.name or "function",
        (torch.autograd.Function,),
        {
            "__doc__": "One unigrad function on a tape.",
            "generate_vmap_rule": True,
            "forward": staticmethod(forward),
            "setup_context": staticmethod(setup_context),
            "backward": staticmethod(backward),
            "jvp": staticmethod(jvp),
        },
    )
    return cast("Any", node).apply


def _primal(value: torch.Tensor) -> torch.Tensor:
    """A tensor without its tangent of the innermost level of forward mode."""
    if not _functorch.is_batchedtensor(value):
        return _forward_ad.unpack_dual(value, level=0).primal
    level, axis = _functorch.maybe_get_level(value), _functorch.maybe_get_bdim(value)
    with retrieve_current_functorch_interpreter().lower():
        inner = _primal(_functorch.get_unwrapped(value))
    return _functorch._add_batch_dim(inner, axis, level)  # noqa: SLF001
