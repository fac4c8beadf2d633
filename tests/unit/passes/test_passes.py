"""The pipeline as a whole: an optimised graph is the same function, and a smaller one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.passes.tools import SPECIAL, arrays_for, assert_same, checked, graph_of, names
from unigrad.errors import ArgumentError, ShapeError
from unigrad.ir.nodes import Graph, Scope, current_scope, scope
from unigrad.ir.rebuild import inline
from unigrad.ops import elementwise as e
from unigrad.ops.contraction import matmul
from unigrad.ops.families import ZERO
from unigrad.ops.reduction import logsumexp, max_, mean, sum_
from unigrad.ops.shape import (
    broadcast_to,
    concat,
    expand_dims,
    flip,
    getitem,
    permute_dims,
    reshape,
)
from unigrad.ops.spec import OPS
from unigrad.passes.fold import fold
from unigrad.passes.pipeline import BEFORE_DIFFERENTIATION, PIPELINE
from unigrad.passes.simplify import economise, simplify
from unigrad.testing.reference import evaluate
from unigrad.transforms.reverse import reverse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# -- random graphs ---------------------------------------------------------------------------------

EDGE = 0.3717  # what no rounding decides
NUMBERS = (0, 1, -1, 2, -2, 3, 0.5, -0.25, 1.5)

SMOOTH: tuple[Callable[..., Any], ...] = (
    lambda a, b, k: a + b,
    lambda a, b, k: a - b,
    lambda a, b, k: a * b,
    lambda a, b, k: -a,
    lambda a, b, k: a * k,
    lambda a, b, k: k * a,
    lambda a, b, k: a + k,
    lambda a, b, k: k - a,
    lambda a, b, k: a / k if k else a,
    lambda a, b, k: a / (1 + e.square(b)),
    lambda a, b, k: a * (1 / (1 + e.square(b))),
    lambda a, b, k: e.sin(a),
    lambda a, b, k: e.sigmoid(a),
    lambda a, b, k: 1 - e.sigmoid(a),
    lambda a, b, k: e.tanh(a) ** 2,
    lambda a, b, k: e.square(a) ** 0.5,
    lambda a, b, k: abs(-a),
    lambda a, b, k: e.exp(-e.square(a)),
    lambda a, b, k: e.where(a > EDGE, a, k),
    lambda a, b, k: e.where(e.logical_not(a > EDGE), e.where(a > EDGE, b, a), b),
    lambda a, b, k: e.maximum(a, b),
    lambda a, b, k: sum_(a, axis=0) if a.ndim else a,
    lambda a, b, k: sum_(a * k, keepdims=True),
    lambda a, b, k: mean(-a, axis=-1, keepdims=True) if a.ndim else a,
    lambda a, b, k: broadcast_to(a, (2, *a.shape)) if a.ndim < 3 else a,
    lambda a, b, k: expand_dims(a, axis=0) if a.ndim < 3 else a,
    lambda a, b, k: reshape(a, (-1,)),
    lambda a, b, k: permute_dims(a, tuple(reversed(range(a.ndim)))),
    lambda a, b, k: flip(a),
    lambda a, b, k: getitem(a, (slice(0, 1),)) if a.ndim else a,
    lambda a, b, k: getitem(concat([a, a]), (slice(1, None),)) if a.ndim else a,
    lambda a, b, k: e.astype(e.astype(a, "float64"), a.dtype),
)

STABLE: tuple[Callable[..., Any], ...] = (
    *SMOOTH,
    lambda a, b, k: e.log(1 + e.exp(a)),
    lambda a, b, k: e.log(1 + e.square(a)),
    lambda a, b, k: e.exp(a) - 1,
    lambda a, b, k: e.log(e.sigmoid(a)),
    lambda a, b, k: e.log(sum_(e.exp(a), keepdims=True)),
    lambda a, b, k: 1 / (1 + e.exp(-a)),
    lambda a, b, k: e.exp(a) / sum_(e.exp(a)),
)

CHOICES = st.lists(
    st.tuples(
        st.integers(0, 200), st.integers(0, 50), st.integers(0, 50), st.sampled_from(NUMBERS)
    ),
    min_size=1,
    max_size=14,
)


def grown(choices: Sequence[tuple[int, int, int, float]], ops: Sequence[Any], dtype: str) -> Graph:
    """The graph that a list of choices makes; a choice that does not fit is left out."""

    def build(*inputs: Any) -> list[Any]:
        pool = list(inputs)
        for op, first, second, k in choices:
            a, b = pool[first % len(pool)], pool[second % len(pool)]
            try:
                made = ops[op % len(ops)](a, b, k)
            except ShapeError:
                continue
            if made.type.size <= 500:
                pool.append(made)
        return pool[-3:]

    return graph_of(build, f"{dtype}[2, 3]", f"{dtype}[3]", f"{dtype}[]")


def assert_close(
    graph: Graph, coarse: Graph, result: Graph, arrays: Sequence[Any], *, exceptions: bool
) -> None:
    """Equal up to what rounding does: float32 shows how much it does, and float64 does 1e-9 of it.

    With ``exceptions``, also NaN where it is NaN, and infinite where it is infinite.
    """
    for want, rough, have in zip(
        evaluate(graph, arrays), evaluate(coarse, arrays), evaluate(result, arrays), strict=True
    ):
        assert want.shape == have.shape
        assert want.dtype == have.dtype
        with np.errstate(all="ignore"):
            spread = np.abs(rough.astype(np.float64) - want)
            error = np.abs(have - want)
        tame = np.isfinite(spread)
        bound = 1e-12 + 1e-11 * np.abs(want) + 1e-5 * spread
        np.testing.assert_array_less(error[tame], bound[tame])
        if exceptions:
            np.testing.assert_array_equal(np.isnan(have), np.isnan(want))
            np.testing.assert_array_equal(have[np.isinf(want)], want[np.isinf(want)])


@given(choices=CHOICES, seed=st.integers(0, 1000))
@settings(max_examples=300, deadline=None)
def test_an_optimised_graph_is_the_graph(choices: list[Any], seed: int) -> None:
    graph, coarse = grown(choices, STABLE, "float64"), grown(choices, STABLE, "float32")
    arrays = [0.5 * array for array in arrays_for(graph, seed=seed)]
    for passes in (BEFORE_DIFFERENTIATION, PIPELINE):
        assert_close(graph, coarse, checked(passes, graph)[0], arrays, exceptions=False)


@given(choices=CHOICES, data=st.data())
@settings(max_examples=300, deadline=None)
def test_simplification_keeps_special_values(choices: list[Any], data: st.DataObject) -> None:
    graph, coarse = grown(choices, SMOOTH, "float64"), grown(choices, SMOOTH, "float32")
    special = st.sampled_from(SPECIAL)
    arrays = [
        np.reshape(data.draw(st.lists(special, min_size=size, max_size=size)), shape)
        for size, shape in ((6, (2, 3)), (3, (3,)), (1, ()))
    ]
    result, _ = checked((fold, simplify, economise), graph)
    assert_close(graph, coarse, result, arrays, exceptions=True)


@given(choices=CHOICES)
@settings(max_examples=100, deadline=None)
def test_one_walk_is_enough(choices: list[Any]) -> None:
    graph = grown(choices, STABLE, "float64")
    result, _ = checked(PIPELINE, graph)
    again, report = checked(PIPELINE, result)
    assert len(again) <= len(result) <= len(graph) + 8
    arrays = arrays_for(graph)
    assume(all(np.isfinite(one).all() for one in evaluate(result, arrays)))
    assert_same(evaluate(result, arrays), evaluate(again, arrays), slack=1e3)
    assert sum(firing.count for firing in report) <= 2


@given(choices=CHOICES)
@settings(max_examples=60, deadline=None)
def test_narrow_floats_keep_their_type(choices: list[Any]) -> None:
    for dtype in ("float16", "bfloat16"):
        graph = grown(choices, STABLE, dtype)
        evaluate(checked(PIPELINE, graph)[0], arrays_for(graph))


# -- what derivatives become -----------------------------------------------------------------------


def gradient_of(function: Callable[..., Any], *types: str, wrt: tuple[int, ...]) -> Graph:
    """Value and gradient of a function with one scalar result, optimised as the compiler does."""
    graph, _ = checked(BEFORE_DIFFERENTIATION, graph_of(function, *types))
    both = reverse(graph, wrt, (0,))
    place = Scope()
    with scope(place):
        inputs = [
            place.input(type_, name)
            for type_, name in zip(graph.input_types, "abcdef", strict=False)
        ]
        one = place.constant(1, graph.output_types[0].dtype)
        outputs = inline(both, [*inputs, one], place)
    return checked(PIPELINE, Graph(inputs, outputs))[0]


def logistic(z: Any, y: Any) -> Any:
    return mean(e.log(1 + e.exp(z)) - y * z)


def test_the_gradient_of_a_logistic_loss_is_as_by_hand() -> None:
    graph = gradient_of(logistic, "float64[8]", "float64[8]", wrt=(0,))
    assert names(graph) == [
        "softplus", "multiply", "subtract", "mean", "constant", "sigmoid", "subtract", "multiply",
    ]  # fmt: skip
    z, y = arrays_for(graph)
    _, z_ct = evaluate(graph, [z, y])
    np.testing.assert_allclose(z_ct, (1 / (1 + np.exp(-z)) - y) / 8, rtol=1e-14)


def test_a_stable_loss_has_a_stable_gradient() -> None:
    graph = gradient_of(logistic, "float64[2]", "float64[2]", wrt=(0,))
    value, z_ct = evaluate(graph, [[1e4, -1e4], [1.0, 0.0]])
    assert value == 0
    np.testing.assert_array_equal(z_ct, [0, 0])


def test_the_gradient_of_a_network_is_as_by_hand() -> None:
    def loss(inputs: Any, y: Any, W: Any, b: Any, w: Any) -> Any:
        hidden = e.tanh(matmul(inputs, W) + b)
        z = matmul(hidden, w)
        return mean(-e.log_sigmoid(-z) - y * z)

    types = ("float64[32, 64]", "float64[32]", "float64[64, 32]", "float64[32]", "float64[32]")
    graph = gradient_of(loss, *types, wrt=(2, 3, 4))
    found = names(graph)
    assert found.count("matmul") == 4
    assert found.count("multiply") == 5
    assert len(found) <= 25


def test_the_gradient_of_a_power_is_a_number_and_a_power() -> None:
    graph = gradient_of(lambda x: (3 * x + 2) ** 4, "float64[]", wrt=(0,))
    assert evaluate(graph, [3.0])[1] == 15972.0
    assert len(graph) <= 10


def test_a_split_and_its_gradient_join_again() -> None:
    def loss(x: Any) -> Any:
        return sum_(e.sin(getitem(x, (slice(0, 2),)))) + sum_(e.cos(getitem(x, (slice(2, 5),))))

    found = names(gradient_of(loss, "float64[5]", wrt=(0,)))
    assert found.count("concat") == 1
    assert "place_at" not in found


def test_the_shift_of_a_bias_is_not_repeated_in_front_of_the_op() -> None:
    found = names(
        gradient_of(lambda x, b: sum_(e.exp(x + b)), "float64[8, 3]", "float64[3]", wrt=(0, 1))
    )
    assert "broadcast_to" not in found


def test_named_dimensions_pass() -> None:
    graph = gradient_of(
        lambda x, b: mean(e.square(x + b)), "float64[n, 3]", "float64[3]", wrt=(0, 1)
    )
    x, b = arrays_for(graph)
    _, x_ct, b_ct = evaluate(graph, [x, b])
    np.testing.assert_allclose(x_ct, 2 * (x + b) / x.size)
    np.testing.assert_allclose(b_ct, np.sum(2 * (x + b) / x.size, axis=0))


DIFFERENTIABLE = [
    op.name
    for op in OPS.values()
    if op.elementwise
    and op.formulas is not None
    and not op.params
    and not all(formula is ZERO for formula in op.formulas)
]


@pytest.mark.parametrize("name", [*DIFFERENTIABLE, "logsumexp", "softmax", "log_softmax", "max"])
def test_the_derivative_of_an_op_keeps_its_convention(name: str) -> None:
    op: Any = OPS[name]
    count = len(op.operands)
    both = reverse(graph_of(op, *["float64[100]"] * count), tuple(range(count)), (0,))
    result, _ = checked(PIPELINE, both)
    first, second = (axis.ravel() for axis in np.meshgrid(SPECIAL, SPECIAL))
    third = np.roll(first, 37)
    arrays = [first, second, third][:count]
    for cotangent in (1.0, -2.5):
        given_ = [*arrays, np.broadcast_to(cotangent, both.input_types[-1].shape)]
        assert_same(evaluate(both, given_), evaluate(result, given_))


@pytest.mark.parametrize(
    "values", [[np.inf, 0.0], [np.inf, np.inf], [-np.inf, -np.inf], [np.inf, -np.inf]]
)
def test_the_shares_of_infinities_stay(values: list[float]) -> None:
    graph = gradient_of(logsumexp, "float64[2]", wrt=(0,))
    largest = np.equal(values, max(values))
    np.testing.assert_array_equal(evaluate(graph, [values])[1], largest / largest.sum())


# -- folding ---------------------------------------------------------------------------------------


def test_what_is_known_is_computed_once() -> None:
    graph = graph_of(lambda x: x * e.exp(matmul(_ones(3, 3), _ones(3, 3))), "float64[3, 3]")
    assert names(checked(PIPELINE, graph)[0]) == ["constant", "multiply"]


def test_folding_does_not_fill_memory() -> None:
    graph = graph_of(
        lambda x: x + sum_(_ones(1, 300) * _ones(300, 1)) + sum_(_ones(200, 200)), "float64[]"
    )
    found = names(checked((fold,), graph)[0])
    assert found.count("multiply") == 1  # its result would take 720,000 bytes
    assert found.count("sum") == 2  # one operand has 320,000 bytes


def test_what_cannot_be_folded_fails_when_it_runs() -> None:
    graph = graph_of(lambda x: x + _number(2, "int64") ** _number(-1, "int64"), "int64[]")
    result, _ = checked((fold,), graph)
    assert "pow" in names(result)
    with pytest.raises(ValueError, match="negative integer powers"):
        evaluate(result, [1])


def test_folding_keeps_nonfinite_results_and_dtypes() -> None:
    def build(x: Any) -> Any:
        return [
            x,
            e.log(_number(0.0, "float32")),
            e.divide(_number(1, "int64"), _number(0, "int64")),
        ]

    result, _ = checked((fold,), graph_of(build, "float64[]"))
    _, first, second = evaluate(result, [0.0])
    assert (first, first.dtype) == (-np.inf, np.float32)
    assert (second, second.dtype) == (np.inf, np.float64)
    assert set(names(result)) == {"constant"}


def test_extrema_over_single_elements_keep_the_gradient_at_nan() -> None:
    graph = graph_of(lambda x: max_(x, axis=0), "float64[1]")
    assert names(checked(PIPELINE, graph)[0]) == ["max"]


def _ones(*shape: int) -> Any:
    place = current_scope()
    assert place is not None
    return place.constant(np.ones(shape))


def _number(value: float, dtype: str) -> Any:
    return e.astype(_ones() * value, dtype)


# -- the reference evaluator -----------------------------------------------------------------------


def test_the_evaluator_checks_what_it_is_given() -> None:
    graph = graph_of(lambda x, y: x + y, "float64[n]", "float64[n]")
    np.testing.assert_array_equal(evaluate(graph, [np.ones(3), np.ones(3)])[0], 2 * np.ones(3))
    with pytest.raises(ShapeError):
        evaluate(graph, [np.ones(3), np.ones(4)])
    with pytest.raises(ArgumentError):
        evaluate(graph, [np.ones(3)])
