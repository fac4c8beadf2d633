"""A unigrad function under the caller's JAX transforms: one operation, whose derivative is ours.

JAX takes reverse mode from forward mode, by transposing it. A ``custom_jvp`` alone would therefore
leave reverse mode to JAX, and with it what becomes of a branch that was not selected. So the
tangent is an operation of its own, linear and with a transpose of its own: forward it is our
forward derivative, transposed it is our reverse one. Each is again a unigrad function, which is
what makes the next order of derivative.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jax
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.backend import Tape

__all__ = ["attach", "strong", "wide"]

_ad: Any = cast("Any", ad)
_mlir: Any = cast("Any", mlir)
_jax: Any = cast("Any", jax)


def wide() -> Any:
    """A context in which JAX knows 64 bits in this thread, whatever the program's flag says."""
    return _jax.enable_x64(True)  # noqa: FBT003  (JAX's own signature)


def _in_64_bits(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A rule that JAX calls whatever flag the caller has set: within it, 64 bits stay 64."""

    @functools.wraps(rule)
    def applied(*args: Any, **keywords: Any) -> Any:
        with wide():
            return rule(*args, **keywords)

    return applied


def strong(values: Sequence[Any]) -> tuple[Any, ...]:
    """Arrays that keep their dtype: a weak one, as of a Python number, is as wide as the flag."""
    return tuple(
        [
            _jax.lax.convert_element_type(one, _dtype(one))
            if getattr(one, "weak_type", True)
            else one
            for one in values
        ]
    )


def _dtype(value: Any) -> Any:
    """The dtype of an array as it is, and of a Python number as NumPy has it."""
    return value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype


def attach(native: Callable[..., Any], tape: Tape, kind: Any) -> Callable[..., Any]:
    """A function of flat arrays that is one operation to JAX.

    Args:
        native: the function; returns the tuple of its outputs.
        tape: its graph and derivatives.
        kind: what differentiates; one operation serves every transform.
    """
    del kind
    inputs = [type_.is_floating for type_ in tape.graph.input_types]
    outputs = [type_.is_floating for type_ in tape.graph.output_types]
    seeds = tuple(position for position, floating in enumerate(outputs) if floating)

    def node(*values: Any) -> Any:
        return tuple(native(*values))

    node.__name__ = node.__qualname__ = tape.graph.name or "function"
    function: Any = jax.custom_jvp(node)

    @_in_64_bits
    def jvp(values: Sequence[Any], tangents: Sequence[Any]) -> Any:
        found = function(*values)
        wrt = tuple(
            position for position, floating in enumerate(inputs)
            if floating and not isinstance(tangents[position], SymbolicZero)
        )  # fmt: skip
        if wrt and seeds:
            given = [tangents[position] for position in wrt]
            pushed = iter(_apply(_Linear(len(values), tape, wrt, seeds), *values, *given))
        else:
            pushed = iter([_jax.numpy.zeros_like(found[position]) for position in seeds])
        return found, tuple(
            next(pushed) if floating else np.zeros(one.shape, jax.dtypes.float0)
            for one, floating in zip(found, outputs, strict=True)
        )

    function.defjvp(jvp, symbolic_zeros=True)
    applied = _in_64_bits(function)
    return lambda *values: applied(*strong(values))


# -- the derivative, linear in its last arguments --------------------------------------------------


class _Linear(NamedTuple):
    """A derivative of a graph at a point, in one direction of the two.

    Attributes:
        size: the number of arguments that say the point; directions follow.
        tape: the graph and its derivatives.
        wrt: the inputs that are differentiated.
        seeds: the outputs that are.
        backward: whether it takes cotangents of the outputs or tangents of the inputs.
        axes: for each ``vmap`` around it, which of the point's arguments have an axis to map;
            directions and results always have one, the first.
    """

    size: int
    tape: Tape
    wrt: tuple[int, ...]
    seeds: tuple[int, ...]
    backward: bool = False
    axes: tuple[tuple[int | None, ...], ...] = ()

    def function(self) -> Callable[..., Any]:
        """It as a function, which is itself one operation of the caller's transforms."""
        if self.backward:
            found = self.tape.derivative("vjp", self.wrt, self.seeds)
        else:
            derivative, seeds = self.tape.derivative("jvp", self.wrt), self.seeds

            def found(*arguments: Any) -> Any:
                pushed = derivative(*arguments)
                return tuple(pushed[position] for position in seeds)

        for axes in self.axes:
            directions = len(self.seeds if self.backward else self.wrt)
            found = _jax.vmap(found, in_axes=(*axes, *(0,) * directions), out_axes=0)
        return cast("Any", found)


_linear: Any = Primitive("unigrad_derivative")
_linear.multiple_results = True


def _apply(linear: _Linear, *arguments: Any) -> list[Any]:
    return _linear.bind(*arguments, linear=linear)


@_in_64_bits
def _run(*arguments: Any, linear: _Linear) -> list[Any]:
    return list(linear.function()(*strong(arguments)))


@_in_64_bits
def _types(*avals: Any, linear: _Linear) -> list[Any]:
    specs = [jax.ShapeDtypeStruct(one.shape, one.dtype, sharding=one.sharding) for one in avals]
    return list(_jax.make_jaxpr(linear.function())(*specs).out_avals)


@_in_64_bits
def _jvp(values: Sequence[Any], tangents: Sequence[Any], *, linear: _Linear) -> Any:
    """Linear in the directions; in the point, the derivative of a derivative."""
    count = linear.size
    point, directions = values[:count], values[count:]
    found = _apply(linear, *values)
    pushed: list[Any] = [None] * len(found)
    moved = [position for position in range(count) if not isinstance(tangents[position], _ad.Zero)]
    if any(not isinstance(one, _ad.Zero) for one in tangents[count:]):
        turned = [_ad.instantiate_zeros(one) for one in tangents[count:]]
        pushed = _apply(linear, *point, *turned)
    if moved:

        def along(*chosen: Any) -> Any:
            arguments = list(point)
            for position, value in zip(moved, chosen, strict=True):
                arguments[position] = value
            return linear.function()(*arguments, *directions)

        at, to = [point[one] for one in moved], [tangents[one] for one in moved]
        _, further = _jax.jvp(along, tuple(at), tuple(to))
        pushed = [
            more if one is None else one + more for one, more in zip(pushed, further, strict=True)
        ]
    return found, pushed


@_in_64_bits
def _transpose(cotangents: Sequence[Any], *arguments: Any, linear: _Linear) -> list[Any]:
    found = _apply(
        linear._replace(backward=not linear.backward),
        *arguments[: linear.size],
        *[_ad.instantiate_zeros(one) for one in cotangents],
    )
    return [*[None] * linear.size, *found]


@_in_64_bits
def _batch(values: Sequence[Any], axes: Sequence[Any], *, linear: _Linear) -> Any:
    """The same for a stack of points and directions: directions all get the axis to map."""
    count = linear.size
    size = next(
        value.shape[axis] for value, axis in zip(values, axes, strict=True) if axis is not None
    )
    stacked = [
        _jax.numpy.broadcast_to(value, (size, *value.shape)) if axis is None
        else _jax.numpy.moveaxis(value, axis, 0)
        for value, axis in zip(values[count:], axes[count:], strict=True)
    ]  # fmt: skip
    mapped = linear._replace(axes=(*linear.axes, tuple(axes[:count])))
    found = _apply(mapped, *values[:count], *stacked)
    return found, [0] * len(found)


_linear.def_impl(_run)
_linear.def_abstract_eval(_types)
_ad.primitive_jvps[_linear] = _jvp
_ad.primitive_transposes[_linear] = _transpose
batching.primitive_batchers[_linear] = _batch
_mlir.register_lowering(_linear, _mlir.lower_fun(_run, multiple_results=True))
