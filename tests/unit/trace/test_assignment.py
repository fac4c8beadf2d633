"""Assignment while tracing gives what NumPy gives, also to what looks at the same memory."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import unigrad as ug
from tests.targets import FRAMEWORKS, PYTORCH_IS_LOUD, TARGETS, of, ways
from unigrad.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError, TracingError
from unigrad.trace import memory

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = PYTORCH_IS_LOUD

X = np.array([1.0, 2.0, 3.0])
OUTSIDE = np.zeros(3)
SQUARE = np.arange(12.0).reshape(3, 4) + 1.0


def same(program: Callable[..., Any], *args: Any) -> None:
    """A program gives on traced values what it gives on NumPy arrays."""
    wanted = program(*(arg.copy() for arg in args))
    found = ug.function(program)(*args)
    for one, other in zip(
        *((part if isinstance(part, tuple) else (part,)) for part in (found, wanted)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


# -- programs --------------------------------------------------------------------------------------

_slices = st.builds(
    slice,
    st.none() | st.integers(-4, 4),
    st.none() | st.integers(-4, 4),
    st.none() | st.sampled_from([1, 2, 3, -1, -2]),
)


@st.composite
def _keys(draw: st.DrawFn, shape: tuple[int, ...]) -> Any:
    """A key of an array that is in range."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return np.array(draw(st.lists(st.booleans(), min_size=shape[0], max_size=shape[0])))
    if kind == 1:
        return np.array(draw(st.lists(st.integers(-shape[0], shape[0] - 1), max_size=4)), int)
    before = draw(st.integers(0, len(shape)))
    behind = draw(st.integers(0, len(shape) - before))
    entries: list[Any] = [draw(st.integers(-size, size - 1) | _slices) for size in shape[:before]]
    if behind or draw(st.booleans()):
        last = shape[len(shape) - behind :]
        entries += [..., *(draw(st.integers(-size, size - 1) | _slices) for size in last)]
    return tuple(entries) if len(entries) != 1 or draw(st.booleans()) else entries[0]


@st.composite
def _programs(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Steps on a growing list of arrays, the first of which is of shape (3, 4)."""
    arrays = [np.zeros((3, 4))]
    steps: list[tuple[Any, ...]] = []
    for count in range(draw(st.integers(1, 6))):
        at = draw(st.sampled_from([i for i, one in enumerate(arrays) if one.ndim]))
        kind = draw(st.sampled_from(["set", "set", "add", "view", "turn", "copy", "use", "whole"]))
        step: tuple[Any, ...] = (kind, at)
        if kind in ("set", "add", "view") and 0 not in arrays[at].shape:
            key = draw(_keys(arrays[at].shape))
            taken = arrays[at][key]
            if kind == "view":
                arrays.append(np.asarray(taken))
            step = (kind, at, key, float(count + 2), draw(st.booleans()))
        elif kind in ("set", "add", "view"):
            continue
        elif kind != "whole":
            arrays.append(arrays[at].T if kind == "turn" else arrays[at].copy())
        steps.append(step)
    return steps


def _run(steps: list[tuple[Any, ...]], start: Any) -> tuple[Any, ...]:
    arrays: list[Any] = [start * 1.0]
    for kind, at, *rest in steps:
        one = arrays[at]
        if kind in ("set", "add"):
            key, number, full = rest
            value = number * one[key] if full else number * start[0, 0]
            if kind == "set":
                one[key] = value
            else:
                one[key] += value
        elif kind == "view":
            arrays.append(one[rest[0]])
        elif kind == "whole":
            one *= 2.0
            arrays[at] = one
        else:
            arrays.append({"turn": one.T, "copy": one.copy(), "use": one + 0.0}[kind])
    return tuple(arrays)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_programs())
def test_random_programs_give_what_numpy_gives(steps: list[tuple[Any, ...]]) -> None:
    wanted = _run(steps, SQUARE)
    found = ug.function(lambda start: _run(steps, start))(SQUARE)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_programs_find_a_view_that_is_not_kept_up(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [("view", 0, 0, 2.0, False), ("set", 0, (0, 1), 5.0, False)]
    found = ug.function(lambda start: _run(steps, start))(SQUARE)
    np.testing.assert_array_equal(found[1], _run(steps, SQUARE)[1])
    monkeypatch.setattr(memory.Handle, "refresh", lambda self: self._node)
    found = ug.function(lambda start: _run(steps, start))(SQUARE)
    assert not np.array_equal(found[1], _run(steps, SQUARE)[1])


# -- every target, both ways -----------------------------------------------------------------------


def elements(x: Any) -> Any:
    y = ug.zeros(3)
    y[0] = x[0]
    y[1:] += x[1:] ** 2
    y[::-2] *= x[0]
    y[np.array([0, 0])] = x[1:]
    y[np.array([False, True, False])] += 3.0 * y[2]
    return ug.sum(y * y)


@pytest.mark.parametrize("target", of(TARGETS))
def test_an_array_is_filled_on_every_target(target: str) -> None:
    # y = [c, b^2 + 3 a c^2, a c^2] of x = [a, b, c]
    with ug.use(target):
        assert ug.function(elements)(X) == pytest.approx(9.0 + 31.0**2 + 9.0**2)


@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_derivatives_go_through_assignment(target: str, autodiff: str) -> None:
    a, b, c = X
    second, third = b * b + 3 * a * c * c, a * c * c
    wanted = [
        2 * second * 3 * c * c + 2 * third * c * c,
        2 * second * 2 * b,
        2 * c + 2 * second * 6 * a * c + 2 * third * 2 * a * c,
    ]
    with ug.use(target, autodiff=autodiff):
        np.testing.assert_allclose(ug.grad(elements)(X), wanted)
        tangent = np.array([1.0, -1.0, 0.5])
        np.testing.assert_allclose(ug.jvp(elements, (X,), (tangent,))[1], tangent @ wanted)


@pytest.mark.parametrize(("target", "autodiff"), ways(FRAMEWORKS))
def test_second_derivatives_go_through_assignment(target: str, autodiff: str) -> None:
    def loss(x: Any) -> Any:
        y = ug.ones(3)
        y[1] = x[0] * x[1]
        y[2] = y[1] * x[2]
        return ug.sum(y * y)

    with ug.use(target, autodiff=autodiff):
        product = ug.grad(lambda x: ug.sum(ug.grad(loss)(x) * np.array([1.0, 0.0, 0.0])))(X)
    # f = a^2 b^2 (1 + c^2)
    np.testing.assert_allclose(product, [2 * 4 * 10, 4 * 1 * 2 * 10, 4 * 1 * 4 * 3])


@pytest.mark.parametrize("target", of(FRAMEWORKS))
def test_indices_and_conditions_may_be_traced(target: str) -> None:
    def program(x: Any, at: Any, several: Any) -> Any:
        y = ug.zeros(3) if not isinstance(x, np.ndarray) else np.zeros(3)
        y[at] = x[0]
        y[several] = x[:2]
        y[x > 2.5] = 7.0
        return y

    arguments = (X, np.array(-1), np.array([1, 1]))
    with ug.use(target):
        found = np.asarray(ug.function(program)(*arguments))
    np.testing.assert_array_equal(found, program(*arguments))


def test_a_named_dimension_is_assigned_to() -> None:
    with ug.graph("shifted") as g:
        x = ug.input("x", "float64[n]")
        y = ug.zeros(x.shape)
        y[1:] = x[:-1]
        y[0] = -1.0
        g.output(y=y)
    np.testing.assert_array_equal(g(x=X)["y"], [-1.0, 1.0, 2.0])
    np.testing.assert_array_equal(g(x=X[:1])["y"], [-1.0])


# -- what NumPy does -------------------------------------------------------------------------------


def test_rows_change_places_as_in_numpy() -> None:
    def rows(x: Any) -> Any:
        y = x.copy()
        y[0], y[1] = y[1], y[0]  # views: NumPy's well-known surprise
        z = x[:, 0].copy()
        z[0], z[1] = z[1], z[0]  # numbers
        return y, z

    same(rows, SQUARE)


def test_views_of_views_and_turned_ones_change_their_base() -> None:
    def program(x: Any) -> Any:
        y = x * 2.0
        part = y.T[1:, ::2]
        part[0, 0] = -1.0
        y[0, 1] += 5.0
        np.expand_dims(part, 0)[0, 1] *= 3.0
        np.flip(y)[0, 0] = 9.0
        for row in y:
            row[:] += 1.0
        return y, part

    same(program, SQUARE)


def test_the_value_is_cast_and_broadcast_as_numpy_does() -> None:
    def program(x: Any) -> Any:
        y = x.astype(np.int32)
        y[0] = 2.7
        y[1:2] = x[2] * 0.6
        y[2] = x[None, 0]
        return y

    same(program, SQUARE)


def test_an_assignment_reads_before_it_writes() -> None:
    def program(x: Any) -> Any:
        y = x * 1.0
        y[1:] = y[:-1]
        y[:, 1:] += y[:, :-1]
        return y

    same(program, SQUARE)


def test_a_recurrence_is_written_into_an_array() -> None:
    def program(x: Any) -> Any:
        y = ug.empty(5)
        y[0] = x[0]
        for i in range(1, 5):
            y[i] = y[i - 1] * x[1]
        return y

    np.testing.assert_allclose(ug.function(program)(X), 2.0 ** np.arange(5))


@pytest.mark.parametrize(
    "make",
    [
        lambda x: ug.zeros(3),
        lambda x: ug.ones((3,)),
        lambda x: ug.full(3, 2.0),
        ug.zeros_like,
        lambda x: ug.ones_like(OUTSIDE),
        lambda x: ug.full_like(OUTSIDE, 2.0),
        lambda x: x + 1.0,
        lambda x: x.copy(),
        np.copy,
        copy.copy,
        copy.deepcopy,
        lambda x: ug.asarray(x, copy=True),
        lambda x: ug.asarray([x[0], 1.0, 2.0]),
        lambda x: ug.astype(x, ug.float64),
        lambda x: x.flatten(),
        lambda x: ug.stack([x[0], x[1], x[2]]),
    ],
)
def test_what_a_function_made_can_be_assigned_to(make: Callable[[Any], Any]) -> None:
    def program(x: Any) -> Any:
        y = make(x)
        y[1] = x[0]
        return y, x

    y, x = ug.function(program)(X)
    assert y[1] == 1.0
    np.testing.assert_array_equal(x, X)


# -- what is refused -------------------------------------------------------------------------------


def _argument(x: Any) -> None:
    x[0] = 1.0


def _part_of_an_argument(x: Any) -> None:
    x[1:][0] = 1.0


def _around(x: Any) -> None:
    ug.asarray(OUTSIDE)[0] = x[0]


def _broadcast(x: Any) -> None:
    ug.broadcast_to(x * 1.0, (2, 3))[0, 0] = 1.0


@pytest.mark.parametrize(
    ("program", "wanted"),
    [
        (_argument, r"is an argument, which stays as the caller gave it; .* y = x\.copy\(\)"),
        (_part_of_an_argument, "is an argument"),
        (_around, r"comes from around the function .* y = x\.copy\(\)"),
        (_broadcast, "several of its elements are one"),
    ],
)
def test_what_is_not_ours_is_not_changed(program: Callable[[Any], None], wanted: str) -> None:
    with pytest.raises(TracingError, match=wanted) as caught:
        ug.function(program)(X)
    assert any("test_assignment.py" in note for note in caught.value.__notes__)


def test_a_wrong_value_or_key_says_so() -> None:
    def put(key: Any, value: Any) -> Callable[[Any], Any]:
        def program(x: Any) -> Any:
            y = ug.zeros(3)
            y[key] = value(x)
            return y

        return program

    with pytest.raises(ShapeError, match=r"a value of shape \(3,\) does not fit into .* \(2,\)"):
        ug.function(put(slice(2), lambda x: x))(X)
    with pytest.raises(IndexRangeError, match="index 3 is out of range"):
        ug.function(put(3, lambda x: x[0]))(X)
    with pytest.raises(IndexRangeError, match="out of bounds"):
        ug.function(put(np.array([5]), lambda x: x[0]))(X)

    def chosen(x: Any) -> Any:
        y = ug.zeros(3)
        y[x > 1.0] = x[1:]
        return y

    with pytest.raises(ArgumentError, match=r"y = ug\.where\(condition, value, y\)"):
        ug.function(chosen)(X)


def test_a_reshaped_array_is_not_guessed_about() -> None:
    def program(x: Any, first: str) -> Any:
        y = x * 1.0
        z = y.reshape(4, 3)
        if first == "base":
            y[0, 0] = 1.0
            return z
        z[0, 0] = 1.0
        return y if first == "view" else z

    for first in ("base", "view"):
        with pytest.raises(TracingError, match="whether NumPy copies in reshape depends"):
            ug.function(program)(SQUARE, first)
    assert ug.function(program)(SQUARE, "alone")[0, 0] == 1.0


# -- functions in functions ------------------------------------------------------------------------


def test_a_function_within_assigns_to_its_own_arrays_alone() -> None:
    def outer(x: Any) -> Any:
        y = x * 1.0

        def inner(z: Any) -> Any:
            y[0] = z[0]
            return z[0]

        return ug.grad(inner)(x)

    with pytest.raises(TracingError, match="was made around the function that is being"):
        ug.function(outer)(X)

    def right(x: Any) -> Any:
        y = x * 1.0

        def inner(z: Any) -> Any:
            own = y.copy()
            own[0] = z[0] ** 2
            return ug.sum(own)

        y[1] = 4.0
        gradient = ug.grad(inner)(x)
        gradient[1] += 1.0
        return gradient, y

    gradient, y = ug.function(right)(X)
    np.testing.assert_array_equal(gradient, [2.0, 1.0, 0.0])
    np.testing.assert_array_equal(y, [1.0, 4.0, 3.0])


def test_nothing_of_an_assignment_stays_for_the_next_trace() -> None:
    @ug.function
    def program(x: Any) -> Any:
        y = ug.zeros(x.shape)
        y[0] += x[0]
        return y

    for size in (3, 2, 3):
        np.testing.assert_array_equal(program(X[:size]), [1.0, *[0.0] * (size - 1)])
        np.testing.assert_array_equal(program(2.0 * X[:size]), [2.0, *[0.0] * (size - 1)])


# -- arrays of traced numbers ----------------------------------------------------------------------


@pytest.mark.parametrize(("target", "autodiff"), ways(FRAMEWORKS))
def test_nested_lists_of_traced_values_are_an_array(target: str, autodiff: str) -> None:
    def turned(x: Any) -> Any:
        return ug.asarray([[x[0], 1.0], (0.0, x[1])])

    with ug.use(target, autodiff=autodiff):
        np.testing.assert_array_equal(ug.function(turned)(X), [[1.0, 1.0], [0.0, 2.0]])
        gradient = ug.grad(lambda x: ug.sum(turned(x) ** 2))(X)
    np.testing.assert_array_equal(gradient, [2.0, 4.0, 0.0])


def test_the_dtype_of_nested_lists_is_that_of_all_members() -> None:
    x = X.astype(np.float32)
    for make, dtype, shape in [
        (lambda x: ug.asarray([[1.0, 2.0], [x[0], 3]]), np.float32, (2, 2)),
        (lambda x: ug.asarray([x, X]), np.float64, (2, 3)),
        (lambda x: ug.asarray([x, [1.0, 2.0, x[0]]]), np.float32, (2, 3)),
        (lambda x: ug.asarray([x[0], True]), np.float32, (2,)),
        (lambda x: ug.asarray([[x], [x]], dtype=ug.float64), np.float64, (2, 1, 3)),
    ]:
        made = ug.function(make)(x)
        assert (made.dtype, made.shape) == (dtype, shape)


def test_rows_of_unequal_length_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"one shape, got \(2,\) and \(1,\)"):
        ug.function(lambda x: ug.asarray([[x[0], 1.0], [x[1]]]))(X)


def test_an_array_of_objects_becomes_one_of_numbers() -> None:
    def held(x: Any) -> Any:
        y = np.empty(2, object)
        y[0], y[1] = x[0], 1.0
        return y

    with pytest.raises(DTypeError, match=r"make one with ug\.asarray\(y\.tolist\(\)\)"):
        ug.function(lambda x: ug.sum(held(x)))(X)
    assert ug.function(lambda x: ug.sum(ug.asarray(held(x).tolist())))(X) == 2.0
