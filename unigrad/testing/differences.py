"""Derivatives as functions of flat arrays, and what differences of values say about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

import unigrad as ug
from unigrad.compiler import Function
from unigrad.ir.types import as_dtype
from unigrad.testing.domains import generator
from unigrad.trace.structure import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Flat", "check_derivatives_of", "check_symmetry_of"]


class Flat:
    """A function at a point, as one of its floating inputs alone, from arrays to arrays.

    Attributes:
        name: what a message calls it.
        point: the floating inputs, as arrays.
        labels: what a message calls them.
        moving: for each of them, the position of the argument that holds it.
        step: the step of differences.
        rtol: the relative tolerance.
        atol: the absolute tolerance.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        name: str,
        *,
        step: float = 5e-4,
        rtol: float = 1e-6,
        atol: float = 1e-9,
        labels: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.step, self.rtol, self.atol = step, rtol, atol
        self._function = function if isinstance(function, Function) else ug.function(function)
        leaves, self._structure = flatten(tuple(args))
        self._places = [place for place, leaf in enumerate(leaves) if _is_floating(leaf)]
        self._leaves = leaves
        self.point = [np.asarray(leaves[place]) for place in self._places]
        owners = [number for number, arg in enumerate(args) for _ in flatten(arg)[0]]
        self.moving = [owners[place] for place in self._places]
        paths = self._structure.paths()
        self.labels = list(labels) or [f"input {paths[place]}" for place in self._places]
        self._run = ug.function(self._outputs)
        self._reverse = ug.function(self._pulled)
        self._forward = ug.function(self._pushed)

    # -- traced ------------------------------------------------------------------------------------

    def _outputs(self, moving: Sequence[Any], fixed: Sequence[Any]) -> tuple[Any, ...]:
        """The floating outputs."""
        leaves = list(fixed)
        for place, value in zip(self._places, moving, strict=True):
            leaves[place] = value
        outputs, _ = flatten(self._function(*self._structure.unflatten(leaves)))
        arrays = [ug.asarray(one) for one in outputs]
        return tuple(one for one in arrays if as_dtype(one.dtype).is_floating)

    def _pulled(self, moving: Any, fixed: Any, cotangents: Any) -> tuple[Any, ...]:
        _, pullback = ug.vjp(lambda *inputs: self._outputs(inputs, fixed), *moving)
        return pullback(tuple(cotangents))

    def _pushed(self, moving: Any, fixed: Any, tangents: Any) -> tuple[Any, ...]:
        _, pushed = ug.jvp(
            lambda *inputs: self._outputs(inputs, fixed), tuple(moving), tuple(tangents)
        )
        return pushed

    @property
    def _fixed(self) -> list[Any]:
        """The other inputs, with ``None`` in the places of those that move."""
        return [None if place in self._places else leaf for place, leaf in enumerate(self._leaves)]

    # -- run ---------------------------------------------------------------------------------------

    @property
    def has_outputs(self) -> bool:
        """Whether there is anything to differentiate."""
        return bool(self.values())

    def values(self, point: Sequence[Any] | None = None) -> list[np.ndarray[Any, Any]]:
        """The floating outputs at ``point`` (by default, at its own)."""
        found = self._run(tuple(self.point if point is None else point), self._fixed)
        return [np.asarray(one) for one in found]

    def pulled_back(self, cotangents: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
        """Cotangents of the inputs, in reverse mode."""
        found = self._reverse(tuple(self.point), self._fixed, tuple(cotangents))
        return [np.asarray(one) for one in found]

    def pushed_forward(self, tangents: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
        """Tangents of the outputs, in forward mode."""
        found = self._forward(tuple(self.point), self._fixed, tuple(tangents))
        return [np.asarray(one) for one in found]

    def differences(self, tangents: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
        """Tangents of the outputs by central differences of the fourth order."""

        def moved(steps: float) -> list[Any]:
            return self.values(
                [x + steps * self.step * u for x, u in zip(self.point, tangents, strict=True)]
            )

        near, far = (moved(1), moved(-1)), (moved(2), moved(-2))
        return [
            (8 * (a - b) - (c - d)) / (12 * self.step)
            for a, b, c, d in zip(near[0], near[1], far[0], far[1], strict=True)
        ]

    def derivative(self, mode: str, along: Sequence[Any]) -> Flat:
        """Its derivative in one mode as a function of the inputs and of what it is applied to."""
        traced = self._pulled if mode == "reverse" else self._pushed
        count = len(self.point)

        def derivative(arrays: Any, fixed: Any) -> tuple[Any, ...]:
            return traced(arrays[:count], fixed, arrays[count:])

        applied_to = "cotangent" if mode == "reverse" else "tangent"
        return Flat(
            derivative, ((*self.point, *along), self._fixed),
            f"the {mode} derivative of {self.name}",
            step=self.step, rtol=self.rtol, atol=self.atol,
            labels=[*self.labels, *(f"{applied_to} {number}" for number in range(len(along)))],
        )  # fmt: skip

    def probed(self, args: Sequence[Any], *, order: int) -> dict[str, Any]:
        """Values and derivatives at ``args``, traced: everything that two targets must agree on."""
        found: dict[str, Any] = {"value": self._function(*args)}
        leaves, _ = flatten(tuple(args))
        fixed = [None if place in self._places else leaf for place, leaf in enumerate(leaves)]
        inputs = tuple(leaves[place] for place in self._places)
        outputs = self._outputs(inputs, fixed)
        if not inputs or not outputs:
            return found
        tangents = _directions([ug.asarray(one) for one in inputs], "tangents", self.name)
        cotangents = _directions(outputs, "cotangents", self.name)

        def pulled(*point: Any) -> tuple[Any, ...]:
            return self._pulled(point, fixed, cotangents)

        def pushed(*point: Any) -> tuple[Any, ...]:
            return self._pushed(point, fixed, tangents)

        found["reverse"], found["forward"] = pulled(*inputs), pushed(*inputs)
        if order > 1:
            for name, first, along in (
                ("reverse", pulled, tangents),
                ("forward", pushed, cotangents),
            ):
                _, pullback = ug.vjp(first, *inputs)
                found[f"reverse over {name}"] = pullback(tuple(along))
                found[f"forward over {name}"] = ug.jvp(first, inputs, tuple(tangents))[1]
        return found


def _is_floating(leaf: Any) -> bool:
    return isinstance(leaf, float) or (hasattr(leaf, "dtype") and as_dtype(leaf.dtype).is_floating)


def _directions(arrays: Sequence[Any], *key: Any) -> list[np.ndarray[Any, Any]]:
    """One direction per array: entries between 1/2 and 1, of either sign."""
    random = generator(*key)

    def direction(one: Any) -> np.ndarray[Any, Any]:
        sizes = cast("Any", random.uniform(0.5, 1, one.shape))
        signs = random.choice([-1.0, 1.0], one.shape)
        return np.asarray(sizes * signs, as_dtype(one.dtype).numpy)

    return [direction(one) for one in arrays]


def _dot(a: Sequence[Any], b: Sequence[Any]) -> tuple[float, float]:
    """The inner product of two lists of arrays, and the sum of the magnitudes that it adds up."""
    terms = [np.ravel(x) * np.ravel(y) for x, y in zip(a, b, strict=True)]
    flat = np.concatenate([np.zeros(1), *terms])
    return float(np.sum(flat)), float(np.sum(np.abs(flat)))


def check_derivatives_of(flat: Flat, order: int, modes: tuple[str, ...]) -> None:
    """Check a function's derivatives, then these as functions, down to order 0.

    Raises:
        AssertionError: see ``check_grads``.
    """
    values = flat.values()
    if not values or not flat.point:
        return
    for value in values:
        if not np.all(np.isfinite(value)):
            raise AssertionError(
                f"{flat.name} is not finite, so that differences say nothing: {value}\n"
                f"{_point(flat)}"
            )
    tangents = _directions(flat.point, "tangents", flat.name)
    cotangents = _directions(values, "cotangents", flat.name)
    # What rounding of the values does to their differences.
    noise = 1e-15 / flat.step * sum(float(np.max(np.abs(value), initial=0.0)) for value in values)
    apart = [
        flat.differences([u if i == k else np.zeros_like(u) for k, u in enumerate(tangents)])
        for i in range(len(tangents))
    ]
    if "forward" in modes:
        _check_forward(flat, values, tangents, apart, noise)
    if "reverse" in modes:
        _check_reverse(flat, tangents, cotangents, apart, noise)
    if len(modes) > 1:
        _check_products(flat, tangents, cotangents)
    if order > 1:
        if "reverse" in modes:
            check_symmetry_of(flat, tangents, cotangents)
        for mode in modes:
            along = cotangents if mode == "reverse" else tangents
            check_derivatives_of(flat.derivative(mode, along), order - 1, modes)


def _check_forward(
    flat: Flat, values: Sequence[Any], tangents: Sequence[Any], apart: Sequence[Any], noise: float
) -> None:
    """Hold the tangent along each input, and along all at once, against differences."""
    for number, label in [*enumerate(flat.labels), (-1, "all inputs together")]:
        along = [u if number in (k, -1) else np.zeros_like(u) for k, u in enumerate(tangents)]
        wanted = (
            apart[number] if number >= 0 else [sum(parts) for parts in zip(*apart, strict=True)]
        )
        got = flat.pushed_forward(along)
        for position, (have, want, value) in enumerate(zip(got, wanted, values, strict=True)):
            if have.shape != value.shape or have.dtype != value.dtype:
                raise AssertionError(
                    f"{flat.name}: the forward derivative of output {position} has type"
                    f" {have.dtype}{list(have.shape)}, expected {value.dtype}{list(value.shape)}"
                )
            scale = float(np.max(np.abs(want), initial=0.0))
            if not np.all(np.abs(have - want) <= flat.atol + noise + flat.rtol * scale):
                raise AssertionError(
                    f"{flat.name}: the forward derivative along {label} is\n{have}\n"
                    f"expected, by differences,\n{want}\n{_point(flat)}"
                )


def _check_reverse(
    flat: Flat,
    tangents: Sequence[Any],
    cotangents: Sequence[Any],
    apart: Sequence[Any],
    noise: float,
) -> None:
    """Hold the cotangent of each input against differences, by inner products."""
    pulled = flat.pulled_back(cotangents)
    for label, got, along, differences, x in zip(
        flat.labels, pulled, tangents, apart, flat.point, strict=True
    ):
        if got.shape != x.shape or got.dtype != x.dtype:
            raise AssertionError(
                f"{flat.name}: the reverse derivative in {label} has type"
                f" {got.dtype}{list(got.shape)}, expected {x.dtype}{list(x.shape)}"
            )
        have, have_scale = _dot([got], [along])
        want, scale = _dot(cotangents, differences)
        count = sum(one.size for one in cotangents)
        if not abs(have - want) <= flat.atol + noise * count + flat.rtol * max(scale, have_scale):
            raise AssertionError(
                f"{flat.name}: the reverse derivative in {label} is {have!r} along a random"
                f" direction, expected {want!r}, by differences; the cotangent is\n{got}\n"
                f"{_point(flat)}"
            )


def _check_products(flat: Flat, tangents: Sequence[Any], cotangents: Sequence[Any]) -> None:
    """Check ``<v, J u> = <J' v, u>``, which holds up to rounding."""
    forward, scale = _dot(cotangents, flat.pushed_forward(tangents))
    reverse, other = _dot(flat.pulled_back(cotangents), tangents)
    if not abs(forward - reverse) <= 1e-9 * (scale + other) + 1e-12:
        raise AssertionError(
            f"{flat.name}: forward and reverse mode differ: <v, J u> is {forward!r},"
            f" <J' v, u> is {reverse!r}\n{_point(flat)}"
        )


def check_symmetry_of(
    flat: Flat, tangents: Sequence[Any] | None = None, cotangents: Sequence[Any] | None = None
) -> None:
    """Check ``H u = H' u`` for the second derivatives ``H`` of a weighted sum of the outputs.

    No differences are taken, so that this can be asked at a kink or a tie too. What is not finite
    says nothing.

    Args:
        flat: the function at its point.
        tangents: ``u``; by default, random directions.
        cotangents: the weights; by default, random ones.

    Raises:
        AssertionError: naming the function, the input and the two products.
    """
    tangents = tangents or _directions(flat.point, "tangents", flat.name)
    cotangents = cotangents or _directions(flat.values(), "cotangents", flat.name)
    gradient = flat.derivative("reverse", cotangents)
    still = [np.zeros_like(one) for one in cotangents]
    forward = gradient.pushed_forward([*tangents, *still])
    reverse = gradient.pulled_back(tangents)[: len(forward)]
    for label, have, want in zip(flat.labels, reverse, forward, strict=True):
        known = np.isfinite(have) & np.isfinite(want)
        apart = np.abs(np.where(known, have, 0) - np.where(known, want, 0))
        scale = float(np.max(np.abs(want[known]), initial=0.0))
        if not np.all(apart <= flat.atol + flat.rtol * scale):
            raise AssertionError(
                f"{flat.name}: its second derivatives are not symmetric: in {label}, along a random"
                f" direction, reverse over reverse is\n{have}\nforward over reverse\n{want}\n"
                f"{_point(flat)}"
            )


def _point(flat: Flat) -> str:
    return "at " + ", ".join(
        f"{label} = {np.array2string(x, threshold=20)}"
        for label, x in zip(flat.labels, flat.point, strict=True)
    )
