"""Checks that an author of an op, of a backend or of a model can run: values and derivatives.

Values are held against the NumPy references of the ops. Derivatives are held against differences of
values, against each other (``<v, J u> = <J' v, u>``) and, by taking derivatives of derivatives, so
to any order and in every mixture of the two modes. Each check raises ``AssertionError`` and names
the function, the input, the mode, what it got and what it wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

import unigrad as ug
from unigrad.errors import ArgumentError, with_article
from unigrad.ir.types import DTYPES, as_dtype
from unigrad.testing.differences import Flat, check_derivatives_of, check_symmetry_of
from unigrad.testing.reference import evaluate
from unigrad.trace.structure import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unigrad.config import Autodiff
    from unigrad.testing.scenarios import Scenario

__all__ = ["bundle", "check", "check_gradient", "check_grads", "check_value", "probe"]

TOLERANCES: Final = {"float64": 1e-11, "float32": 2e-5, "float16": 8e-3, "bfloat16": 6e-2}
"""For each dtype the relative error that a framework's own rounding explains."""


def check(
    scenario: Scenario,
    target: Any = None,
    *,
    autodiff: Autodiff | None = None,
    order: int | None = None,
) -> None:
    """Check a scenario whole: its value, and whatever derivatives it has.

    Args:
        scenario: what to check.
        target: where, such as ``"torch:eager"``; the current target by default.
        autodiff: ``"graph"`` or ``"native"``; the current setting by default.
        order: up to which order; by default, what the scenario says.

    Raises:
        AssertionError: naming the scenario and what is wrong.

    Example:
        >>> from unigrad.ops.spec import OPS
        >>> from unigrad.testing import op_scenarios
        >>> for scenario in op_scenarios(OPS["tanh"]):
        ...     check(scenario, "numpy")
    """
    check_value(scenario, target)
    check_gradient(scenario, target, autodiff=autodiff, order=order)


# -- values ----------------------------------------------------------------------------------------


def check_value(scenario: Scenario, target: Any = None) -> None:
    """Check values, shapes and dtypes against the references of the ops, run by NumPy.

    Args:
        scenario: what to check.
        target: where it runs; the current target by default.

    Raises:
        AssertionError: naming the scenario, the output, what it got and what it wanted.
    """
    function = ug.function(scenario.call)
    with ug.use(target):
        got, structure = flatten(function(*scenario.args))
    graph = function.graph(*scenario.args)
    leaves = [
        leaf for leaf in flatten(scenario.args)[0] if hasattr(leaf, "dtype") or _is_number(leaf)
    ]
    wanted = evaluate(_expanded(graph), leaves)
    if scenario.expected is not None:
        wanted = flatten(scenario.expected)[0]
    for path, have, want, type_ in zip(
        structure.paths(), got, wanted, graph.output_types, strict=True
    ):
        where = f"{scenario.name}: the value{path and ' ' + path}"
        dtype = type_.dtype.name
        if as_dtype(np.asarray(have).dtype).name != dtype:
            raise AssertionError(f"{where} has dtype {np.asarray(have).dtype}, expected {dtype}")
        rtol = scenario.tolerance or TOLERANCES.get(dtype, 0.0)
        compare(where, have, want, rtol=rtol, inputs=scenario.args)


def _is_number(leaf: Any) -> bool:
    return isinstance(leaf, (bool, int, float))


def _expanded(graph: Any) -> Any:
    from unigrad.transforms.expand import expand

    return expand(graph)


def compare(where: str, got: Any, wanted: Any, *, rtol: float, inputs: Any = ()) -> None:
    """Raise ``AssertionError`` unless two arrays agree.

    ``|got - wanted| <= rtol * max(1, largest |wanted|)``; NaN equals NaN, 0 equals -0, infinities
    match in sign.
    """
    have, want = _wide(got), _wide(wanted)
    if have.shape != want.shape:
        raise AssertionError(f"{where} has shape {have.shape}, expected {want.shape}")
    finite = np.isfinite(want)
    scale = max(1.0, float(np.max(np.abs(want[finite]), initial=0.0)))
    with np.errstate(invalid="ignore"):
        near = np.abs(have - want) <= rtol * scale
    same = (have == want) | (np.isnan(have) & np.isnan(want))
    if not np.all(np.where(finite, near, same)):
        raise AssertionError(f"{where} is\n{have}\nexpected\n{want}\n{_at(inputs)}")


def _wide(array: Any) -> np.ndarray[Any, Any]:
    found = np.asarray(array)
    if found.dtype.kind == "b":
        return found.astype(np.int64)
    return found if found.dtype.kind in "iuc" else found.astype(np.float64)


def _at(inputs: Any) -> str:
    leaves = [leaf for leaf in flatten(inputs)[0] if hasattr(leaf, "dtype") or _is_number(leaf)]
    return "at " + ", ".join(np.array2string(np.asarray(leaf), threshold=20) for leaf in leaves)


# -- derivatives -----------------------------------------------------------------------------------


def check_gradient(
    scenario: Scenario,
    target: Any = None,
    *,
    autodiff: Autodiff | None = None,
    order: int | None = None,
) -> None:
    """Check the derivatives of a scenario, by what is known of it.

    A gradient that the scenario states is expected as it is. In float64, derivatives are held
    against differences; in narrower dtypes, against those of the same function in float64. What is
    a promise of graph mode alone is not checked in native mode.

    Args:
        scenario: what to check.
        target: where it runs; the current target by default.
        autodiff: ``"graph"`` or ``"native"``; the current setting by default.
        order: up to which order; by default, what the scenario says.

    Raises:
        AssertionError: naming the scenario, the input, the mode, what it got and what it wanted.
    """
    dtypes = {as_dtype(leaf.dtype).name for leaf in _floating(scenario.args)}
    if not dtypes:
        return
    with ug.use(target, autodiff=autodiff) as settings:
        if scenario.graph_only and settings.autodiff == "native":
            return
        if scenario.gradient is not None:
            _check_stated(scenario)
            if dtypes == {"float64"} and settings.autodiff == "graph":
                check_symmetry_of(Flat(scenario.call, scenario.args, scenario.name))
        elif dtypes == {"float64"}:
            check_derivatives_of(
                Flat(scenario.call, scenario.args, scenario.name), order or scenario.order,
                ("reverse", "forward"),
            )  # fmt: skip
        else:
            _check_narrow(scenario, min(dtypes, key=lambda name: DTYPES[name].itemsize))


def _floating(args: Any) -> list[Any]:
    return [
        np.asarray(leaf)
        for leaf in flatten(args)[0]
        if isinstance(leaf, float) or (hasattr(leaf, "dtype") and as_dtype(leaf.dtype).is_floating)
    ]


def _gradients(scenario: Scenario, args: Sequence[Any]) -> tuple[Flat, Sequence[Any]]:
    """The cotangents of the floating inputs for a cotangent of ones."""
    flat = Flat(scenario.call, args, scenario.name)
    ones = [np.ones_like(one) for one in flat.values()]
    return flat, flat.pulled_back(ones)


def _check_stated(scenario: Scenario) -> None:
    """Hold the gradient of the sum of the value against the one that the scenario states."""
    flat, found = _gradients(scenario, scenario.args)
    stated = cast("tuple[Any, ...]", scenario.gradient)
    for label, got, position in zip(flat.labels, found, flat.moving, strict=True):
        want = stated[position]
        if want is None:
            continue
        where = f"{scenario.name}: the gradient in {label} (stated by the sample)"
        point = flat.point[flat.moving.index(position)]
        _check_form(where, got, point)
        rtol = TOLERANCES[as_dtype(point.dtype).name]
        compare(
            where, got, np.broadcast_to(_wide(want), point.shape), rtol=rtol, inputs=scenario.args
        )


def _check_narrow(scenario: Scenario, dtype: str) -> None:
    """Hold a gradient in narrow floats against the same one in float64."""
    flat, found = _gradients(scenario, scenario.args)
    wide = tuple(
        arg.astype(np.float64) if hasattr(arg, "dtype") and as_dtype(arg.dtype).is_floating else arg
        for arg in scenario.args
    )
    _, wanted = _gradients(scenario, wide)
    rtol = 4 * TOLERANCES[dtype]
    for label, got, want, point in zip(flat.labels, found, wanted, flat.point, strict=True):
        where = f"{scenario.name}: the gradient in {label}"
        _check_form(where, got, point)
        compare(f"{where} (against float64)", got, want, rtol=rtol, inputs=scenario.args)


def _check_form(where: str, got: Any, point: Any) -> None:
    array = np.asarray(got)
    if (array.shape, array.dtype) != (point.shape, point.dtype):
        raise AssertionError(
            f"{where} has type {array.dtype}{list(array.shape)},"
            f" expected {point.dtype}{list(point.shape)}, as the input"
        )


def check_grads(
    function: Callable[..., Any],
    args: Sequence[Any],
    *,
    order: int = 2,
    modes: Sequence[str] = ("reverse", "forward"),
    target: Any = None,
    autodiff: Autodiff | None = None,
    step: float = 5e-4,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    name: str | None = None,
) -> None:
    """Check derivatives against differences, in every mixture of modes up to an order.

    Along a random direction, the derivative in each mode is compared with differences of values in
    float64 (of fourth order, so that their own error is about ``step ** 4``), the two modes with
    each other by ``<v, J u> = <J' v, u>``, and then the derivatives themselves are checked as
    functions, one order lower.

    Args:
        function: of arrays and structures of them, smooth near ``args``.
        args: where to check; every floating array and Python float in it is differentiated.
        order: 1 for first derivatives, 2 for those of these too, and so on.
        modes: ``"reverse"``, ``"forward"`` or both.
        target: where it runs; the current target by default.
        autodiff: ``"graph"`` or ``"native"``; the current setting by default.
        step: the step of the differences; inputs are moved by up to twice this.
        rtol: relative tolerance, against the sum of the magnitudes that are added up.
        atol: absolute tolerance.
        name: what a message calls the function; by default, its own name.

    Raises:
        AssertionError: naming the function, the input, the mode, what it got and what it wanted.
        ArgumentError: if ``args`` is no tuple, ``modes`` holds another word, or ``order`` is less
            than 1.

    Example:
        >>> import numpy as np, unigrad as ug
        >>> from unigrad.testing import check_grads
        >>> check_grads(lambda x, y: ug.sum(ug.sin(x) * y), (np.ones(3), np.arange(3.0)))
    """
    if not isinstance(args, (tuple, list)):
        given = with_article(type(args).__name__)
        raise ArgumentError(f"check_grads: args is a tuple of arguments, got {given}")
    unknown = [mode for mode in modes if mode not in ("reverse", "forward")]
    if unknown or not modes:
        raise ArgumentError(f"check_grads: modes are 'reverse' and 'forward', got {tuple(modes)!r}")
    if order < 1:
        raise ArgumentError(f"check_grads: order is 1 or more, got {order!r}")
    label = name or getattr(function, "__name__", type(function).__name__)
    with ug.use(target, autodiff=autodiff):
        flat = Flat(function, tuple(args), label, step=step, rtol=rtol, atol=atol)
        check_derivatives_of(flat, order, tuple(modes))


# -- many at once ----------------------------------------------------------------------------------


def bundle(scenarios: Sequence[Scenario]) -> Callable[..., Any]:
    """One function of many scenarios, for targets that take long to compile one.

    Args:
        scenarios: whose functions it calls.

    Returns:
        A function of one tuple of arguments per scenario, which returns the tuple of their values.

    Example:
        >>> from unigrad.testing import model_scenarios
        >>> chosen = list(model_scenarios())[:2]
        >>> values = ug.function(bundle(chosen))(*(one.args for one in chosen))
        >>> len(values)
        2
    """
    chosen = tuple(scenarios)

    def bundled(*groups: Any) -> Any:
        return tuple(one.call(*group) for one, group in zip(chosen, groups, strict=True))

    return bundled


def probe(scenarios: Sequence[Scenario], order: int = 2) -> Callable[..., Any]:
    """One function of many scenarios that returns values and all first and second derivatives.

    Args:
        scenarios: what it evaluates; those without floating inputs contribute their values.
        order: 1 leaves second derivatives out, as a scenario of that order does.

    Returns:
        A function of one tuple of arguments per scenario. It returns one dict per scenario, of what
        a check on one target compares with another: ``value``, ``reverse``, ``forward``,
        ``reverse over reverse``, ``forward over reverse``, ``reverse over forward``,
        ``forward over forward``.
    """
    flats = [(one, Flat(one.call, one.args, one.name)) for one in scenarios]

    def probed(*groups: Any) -> Any:
        return tuple(
            flat.probed(group, order=min(order, one.order))
            for (one, flat), group in zip(flats, groups, strict=True)
        )

    return probed
