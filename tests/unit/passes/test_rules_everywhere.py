"""Every rule on every dtype that it matches, at the extremes of each: both sides stay the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

import unigrad as ug
from tests.targets import EAGER, PYTORCH_IS_LOUD, TARGETS, of, ways
from tests.unit.passes.samples import SAMPLES
from tests.unit.passes.test_rules import RULES, STABILISING, one_rule
from tests.unit.passes.tools import TOLERANCES, graph_of
from unigrad.errors import UnigradError
from unigrad.ir.dims import evaluate as size_of
from unigrad.ir.types import DTYPES
from unigrad.ops.elementwise import absolute, multiply
from unigrad.ops.reduction import sum_
from unigrad.passes.values import combined
from unigrad.testing.reference import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.ir.nodes import Graph

pytestmark = PYTORCH_IS_LOUD

REAL = tuple(name for name, dtype in DTYPES.items() if dtype.kind != "complex")
FLOATS = ("float64", "float32", "float16", "bfloat16")
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, np.inf, -np.inf, np.nan)

# Sums and products of several elements at the ends of the range: in another order, another is
# the first to overflow.
SEVERAL = {
    "sum_of_multiples", "sum_of_quotients", "sum_of_negatives", "reduction_of_broadcast",
    "transposed_product", "broadcast_last", "neighbours_placed",
}  # fmt: skip

# What cancels in them leaves the rounding of what was cancelled.
CANCELLING = STABILISING | SEVERAL | {"common_number", "common_divisor"}


def ends(dtype: str) -> tuple[float, ...]:
    """Numbers at the ends of a float's range, as far from them as the rules say."""
    info: Any = ml_dtypes.finfo(dtype) if dtype == "bfloat16" else np.finfo(dtype)
    room = 16.0 if dtype == "float16" else 1e9
    large, small = float(info.max) / room, float(info.tiny) * room
    return (large, -large, small, -small)


def extremes(graph: Graph, seed: int, *, infinite: bool, far: bool) -> list[Any]:
    """One array for each input, of the numbers at which a dtype is special."""
    random = np.random.default_rng(seed)
    arrays: list[Any] = []
    for type_ in graph.input_types:
        shape = tuple(size_of(size, {"n": 2, "m": 5}) for size in type_.shape)
        if type_.dtype.kind in ("int", "uint"):
            info = np.iinfo(type_.dtype.numpy)
            low, high = int(info.min), int(info.max)
            choice: Any = [low, low + 1, 0, 1, 2, high // 2, high // 2 + 1, high - 1, high]
            choice = np.asarray([*choice, max(low, -1)], type_.dtype.numpy)
        elif type_.dtype.kind == "bool":
            choice = np.asarray([False, True])
        else:
            values = [one for one in SPECIAL if infinite or not np.isinf(one)]
            values += ends(type_.dtype.name) if far else []
            choice = np.asarray(values, np.float64)
        arrays.append(random.choice(choice, shape).astype(type_.dtype.numpy))
    return arrays


def cases() -> list[Any]:
    found: list[Any] = []
    for name, samples in SAMPLES.items():
        for number, (types, build) in enumerate(samples):
            for dtype in REAL:
                wanted = tuple(re.sub("float64|int64|int32", dtype, text) for text in types)
                graph = applied(name, wanted, build)
                if graph is not None:
                    found.append(pytest.param(name, graph, id=f"{name}-{number}-{dtype}"))
    return found


def applied(name: str, types: tuple[str, ...], build: Callable[..., Any]) -> Graph | None:
    """The graph of a sample on these types, ``None`` if the rule has nothing to do with it."""
    try:
        graph = graph_of(build, *types)
    except UnigradError:  # the ops do not take the dtype
        return None
    return graph if name in one_rule(name, graph)[1] else None


CASES = cases()


def test_rules_are_tried_on_integers_and_on_every_float() -> None:
    tried = {str(case.id).rsplit("-", 1)[1] for case in CASES}
    assert tried == set(REAL)
    assert {case.values[0] for case in CASES} == set(RULES)


def differences(wanted: Any, found: Any, scale: float, *, where_finite: bool) -> Any:
    """Where two results are not the same: NaN and infinities are kept, numbers but for rounding.

    The rounding is that of numbers as large as ``scale``.
    """
    if wanted.dtype.kind in "biu":
        return wanted != found
    rtol, _ = TOLERANCES[wanted.dtype.name]
    w, f = wanted.astype(np.float64), found.astype(np.float64)
    info: Any = ml_dtypes.finfo(wanted.dtype)
    with np.errstate(all="ignore"):
        close = np.abs(w - f) <= rtol * (np.abs(w) + scale) + 2 * float(info.smallest_subnormal)
        same = np.where(np.isfinite(w), close, (w == f) | (np.isnan(w) & np.isnan(f)))
    return ~same & (np.isfinite(w) if where_finite else True)


def complaints(name: str, graph: Graph) -> list[str]:
    """What a rule changes of a graph that it may not change."""
    result, _ = one_rule(name, graph)
    found: list[str] = []
    for seed in range(25):
        arrays = extremes(
            graph, seed,
            infinite=name not in ("softmax_written_out", "log_softmax_written_out"),
            far=name not in SEVERAL and name not in STABILISING,
        )  # fmt: skip
        numbers = np.abs(np.concatenate([one.ravel().astype(np.float64) for one in arrays]))
        largest = max([1.0, *numbers[np.isfinite(numbers)]]) if name in CANCELLING else 0.0
        pairs = zip(evaluate(graph, arrays), evaluate(result, arrays), strict=True)
        for wanted, have in pairs:
            wrong = differences(wanted, have, largest, where_finite=name in STABILISING)
            if np.any(wrong):
                found.append(f"{arrays}: {wanted} became {have}")
    return found


@pytest.mark.parametrize(("name", "graph"), CASES)
def test_a_rule_keeps_every_dtype(name: str, graph: Graph) -> None:
    assert not complaints(name, graph)


# -- the checker sees what it is for ---------------------------------------------------------------


PLANTED = {
    "sum_of_negatives": (
        "uint8[2, 3]",
        lambda node: -node.op(node.operands[0].operands[0], axis=0),
    ),
    "even_of_negative": ("uint8[4]", lambda node: node.op(node.operands[0].operands[0])),
    "multiple_of_multiple": ("float64[4]", lambda c, d, x, out: combined(multiply, c, d) * x),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_rule_that_is_wrong_for_some_dtype_or_magnitude_is_caught(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_, wrong = PLANTED[name]
    builds = {
        "sum_of_negatives": lambda x: sum_(-x, axis=0),
        "even_of_negative": lambda x: absolute(-x),
        "multiple_of_multiple": lambda x: 1e-300 * (1e300 * x),
    }
    graph = graph_of(builds[name], type_)
    assert not complaints(name, graph)
    monkeypatch.setattr(RULES[name], "function", wrong)
    assert complaints(name, graph)


@pytest.mark.parametrize("target", of(EAGER))  # compilers merge them, by their own arithmetic
def test_numbers_that_leave_the_range_in_between_are_not_merged(target: str) -> None:
    def model(x: Any) -> Any:
        return (
            (x * 1e300) * 1e-300,
            (x / 1e-300) / 1e300,
            1e300 * (1e-300 / x),
            1e-300 / (x * 1e300),
        )

    rules = {firing.rule for firing in ug.function(model).explain("float64[2]")}
    assert not rules
    with ug.use(target):
        found = ug.function(model)(np.asarray([1e10, 2.0]))
    np.testing.assert_allclose(found[0], [np.inf, 2.0], rtol=1e-14)
    np.testing.assert_allclose(found[1], [np.inf, 2.0], rtol=1e-14)


@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_integers_keep_their_values(target: str, autodiff: str) -> None:
    x = np.asarray([1, 2, 3], np.uint8)
    low = np.asarray([-128, 127], np.int8)

    def model(x: Any, low: Any, y: Any) -> Any:
        shares = ug.exp(x * 0.5) / ug.sum(ug.exp(x * 0.5))
        return ug.sum(-x), ug.abs(-x), ug.sum(-low), ug.abs(-low), shares * y

    with ug.use(target, autodiff=autodiff):
        total, sizes, below, most, shares = ug.function(model)(x, low, 1.0)
    assert (int(total), sizes.tolist()) == (762, [255, 254, 253])
    assert (int(below), most.tolist()) == (int(np.sum(-low)), np.abs(-low).tolist())
    np.testing.assert_allclose(shares, np.exp(x * 0.5) / np.exp(x * 0.5).sum(), rtol=1e-12)


@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_without_rewriting_values_and_gradients_are_the_same(target: str, autodiff: str) -> None:
    def model(w: Any, X: Any, y: Any) -> Any:
        return ug.mean(ug.log(1 + ug.exp(-y * (X @ w)))) + 0.5 * ug.sum(w * 1 * w) / (2.0 * 4.0)

    random = np.random.default_rng(0)
    args = random.normal(size=3), random.normal(size=(5, 3)), np.sign(random.normal(size=5))
    with ug.use(target, autodiff=autodiff):
        value, gradient = ug.value_and_grad(model)(*args)
        plain_value, plain_gradient = ug.value_and_grad(model, optimise=False)(*args)
    assert value == pytest.approx(plain_value, rel=1e-12)
    np.testing.assert_allclose(gradient, plain_gradient, rtol=1e-12)


def test_without_rewriting_what_is_written_is_run() -> None:
    def model(x: Any) -> Any:
        return ug.log(ug.sum(ug.exp(x * 1)))

    assert len(ug.function(model, optimise=False).explain("float64[3]")) == 0
    assert ug.function(model)(np.asarray([800.0])) == 800.0
    with ug.use(optimise=False):
        assert "np.log(" in ug.function(model).source("numpy", "float64[3]")
        assert ug.function(model)(np.asarray([800.0])) == np.inf
    assert ug.function(model)(np.asarray([800.0])) == 800.0
