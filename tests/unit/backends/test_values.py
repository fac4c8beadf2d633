"""Every framework's table and runtime: values are NumPy's, in every dtype; arrays go in and out."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unigrad as ug
from tests import targets
from unigrad.errors import DTypeError, UnsupportedError
from unigrad.ir.types import DTYPES
from unigrad.ops.spec import OPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unigrad.ops.spec import Op


pytestmark = pytest.mark.usefixtures("target")


@pytest.fixture(params=targets.of(targets.FRAMEWORKS))
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    """A framework, which runs what the test calls."""
    with ug.use(request.param):
        yield request.param


FLOATS = ("float16", "bfloat16", "float32", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
SPECIAL = (
    -np.inf, -700.5, -5.5, -3.0, -1.0, -0.5, -1e-3, -0.0, 0.0, 1e-3, 0.1, 0.5, 1.0, 2.0, 3.0, 25.0,
    700.0, np.inf, np.nan,
)  # fmt: skip
TOLERANCES = {"float16": 4e-3, "bfloat16": 4e-2, "float32": 1e-5, "float64": 1e-13}
ELEMENTWISE = [op for op in OPS.values() if op.elementwise and not op.params and op.name != "where"]
REFUSED = {
    ("torch", "uint64"): {"floor_divide", "remainder", "fmod", "pow", "bitwise_right_shift"},
}
"""What a framework cannot do and says so before anything runs."""


# -- values ----------------------------------------------------------------------------------------


def points(dtype: str, count: int) -> list[np.ndarray]:
    """Every combination of the special values of a dtype."""
    if dtype == "bool":
        values = np.array([False, True])
    elif dtype in FLOATS:
        values = np.array(SPECIAL[:: count if count > 2 else 1]).astype(DTYPES[dtype].numpy)
    else:
        limits = np.iinfo(dtype)
        negative = [-1, -2, -7, limits.min] if limits.min else []
        values = np.array([0, 1, 2, 3, 7, limits.max - 1, limits.max, *negative], dtype)
    return [axis.ravel() for axis in np.meshgrid(*[values] * count)]


def disagreements(got: Any, want: Any, tolerance: float) -> Any:
    """Where two arrays differ; NaN equals NaN."""
    got, want = np.asarray(got), np.asarray(want)
    if got.dtype.kind not in "fV":
        return np.flatnonzero(got != want)
    got, want = got.astype(np.float64), want.astype(np.float64)
    with np.errstate(all="ignore"):
        close = np.abs(got - want) <= tolerance * np.maximum(np.abs(want), 1e-2)
    return np.flatnonzero(~(close | (got == want) | (np.isnan(got) & np.isnan(want))))


def check_value(
    op: Callable[..., Any], name: str, arrays: list[np.ndarray], dtype: str, target: str
) -> None:
    """Compare an op on a framework with NumPy; half precision with single precision, rounded."""
    with ug.use("numpy"):
        try:
            want = np.asarray(op(*arrays))
        except DTypeError:
            want = None
        if want is not None and dtype in ("float16", "bfloat16"):
            wide = op(*[array.astype(np.float32) for array in arrays])
            with np.errstate(over="ignore"):
                want = np.asarray(wide).astype(want.dtype)
    if want is None:
        with pytest.raises(DTypeError):
            op(*arrays)
        return
    if name in REFUSED.get((target.partition(":")[0], dtype), ()):
        with pytest.raises(UnsupportedError, match=f"no {name} of uint64"):
            op(*arrays)
        return
    got = np.asarray(op(*arrays))
    assert (got.dtype, got.shape) == (want.dtype, want.shape), (name, dtype)
    wrong = disagreements(got, want, TOLERANCES.get(str(got.dtype), 0.0))
    told = [(*(array[i] for array in arrays), "is", got[i], "not", want[i]) for i in wrong[:5]]
    assert not told, f"{name} of {dtype}: {told}"


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_an_elementwise_op_has_the_values_of_numpy_in_every_dtype(op: Op[...], target: str) -> None:
    for dtype in (*FLOATS, *SIGNED, *UNSIGNED, "bool"):
        if op.name == "pow" and dtype in SIGNED:
            continue  # NumPy refuses negative exponents of integers
        arrays = points(dtype, len(op.operands))
        if "shift" in op.name and dtype in (*SIGNED, *UNSIGNED):
            arrays[1] = np.minimum(arrays[1], np.array(5, dtype)) & np.array(7, dtype)
        check_value(op, op.name, arrays, dtype, target)


@pytest.mark.parametrize(
    "name", ["sum", "prod", "max", "min", "any", "all", "argmax", "argmin", "mean"]
)
@pytest.mark.parametrize("dtype", [*FLOATS, *SIGNED, *UNSIGNED, "bool"])
def test_a_reduction_has_the_values_of_numpy_in_every_dtype(
    name: str, dtype: str, target: str
) -> None:
    op = OPS[name]
    array = np.random.default_rng(0).integers(0, 3, (2, 3, 2)).astype(DTYPES[dtype].numpy)
    choices: list[Any] = [0, 2, None] if "arg" in name else [0, (0, 2), (), None]
    for axis in choices:
        for keepdims in (False, True):
            check_value(partial(op, axis=axis, keepdims=keepdims), name, [array], dtype, target)


def test_the_first_nan_is_the_extremum() -> None:
    x = np.array([1.0, np.nan, 3.0, np.nan])
    assert (ug.argmax(x), ug.argmin(x)) == (1, 1)
    assert np.isnan(ug.max(x))


def test_variance_without_freedom_is_nan_and_no_warning() -> None:
    assert np.isnan(ug.var(np.ones(1), correction=1))
    assert ug.var(np.ones((0, 3)), axis=1).shape == (0,)
    np.testing.assert_array_equal(ug.std(np.ones((2, 3)), axis=()), np.zeros((2, 3)))


entries = st.one_of(
    st.integers(-4, 3),
    st.builds(
        slice, *[st.none() | st.integers(-5, 5)] * 2, st.sampled_from([None, 1, 2, -1, -2, -3])
    ),
    st.none(),
    st.just(Ellipsis),
)


@settings(deadline=None)  # every key is compiled
@given(st.lists(entries, max_size=4).filter(lambda key: key.count(Ellipsis) < 2))
def test_every_basic_index_is_that_of_numpy_and_so_is_its_transpose(key: list[Any]) -> None:
    array = np.arange(4.0 * 4 * 4).reshape(4, 4, 4)
    if sum(entry is not None and entry is not Ellipsis for entry in key) > array.ndim:
        return
    index = tuple(key)
    got = ug.function(lambda x: x[index])(array)
    gradient = ug.grad(lambda x: ug.sum(x[index] * array[index]))(array)
    placed = np.zeros_like(array)
    placed[index] = array[index]
    np.testing.assert_array_equal(got, array[index])
    np.testing.assert_array_equal(gradient, placed)


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_unsigned_integers_are_moved_and_compared(dtype: str) -> None:
    top = np.iinfo(dtype).max
    x = np.array([0, 1, top, top - 1], dtype)

    def moved(x: Any) -> Any:
        bounded = ug.clip(x, 1, np.array(top - 1, dtype))
        return x[::-1], ug.max(x), ug.argmin(x), bounded, ug.sum(x), ug.take(x, x[:2])

    got = ug.function(moved)(x)
    with ug.use("numpy"):
        want = ug.function(moved)(x)
    for ours, theirs in zip(got, want, strict=True):
        assert np.asarray(ours).dtype == np.asarray(theirs).dtype
        np.testing.assert_array_equal(ours, theirs)


def test_the_sign_of_zero_tells_the_side_of_a_pole() -> None:
    for n in (2, 4):
        assert ug.special.polygamma(n, np.array([0.0, -0.0])).tolist() == [-np.inf, np.inf]
    assert ug.special.polygamma(3, np.array([0.0, -0.0])).tolist() == [np.inf, np.inf]


# -- matrices --------------------------------------------------------------------------------------


def test_what_fails_in_a_stack_of_matrices_is_nan_and_the_rest_is_right() -> None:
    good, singular = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[0.0, 0.0], [0.0, -1.0]])
    stack, right = np.stack([good, singular]), np.ones((2, 1))
    solved = ug.linalg.solve(stack, right)
    factor = ug.linalg.cholesky(stack)
    triangular = ug.linalg.solve_triangular(stack, right, lower=True)
    np.testing.assert_allclose(solved[0], np.linalg.solve(good, right))
    np.testing.assert_allclose(factor[0], np.linalg.cholesky(good))
    for result in (solved, factor, triangular):
        assert np.isfinite(result[0]).all()
        assert np.isnan(result[1]).all()


def test_a_matrix_that_holds_nan_fails_whole() -> None:
    stack = np.stack([np.eye(2), np.array([[np.nan, 0.0], [0.0, 1.0]])])
    factor = ug.linalg.cholesky(stack)
    np.testing.assert_array_equal(factor[0], np.eye(2))
    assert np.isnan(factor[1]).all()


def test_one_right_side_for_a_stack_of_matrices_is_no_stack_of_vectors() -> None:
    a = np.random.default_rng(1).normal(size=(2, 2, 2)) + 3 * np.eye(2)
    b = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_allclose(ug.linalg.solve(a, b), np.linalg.solve(a, np.stack([b, b])))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_matrices_are_computed_in_single_precision(dtype: str) -> None:
    half = DTYPES[dtype].numpy
    a, b = np.array([[4.0, 1.0], [1.0, 3.0]]).astype(half), np.ones((2, 1)).astype(half)
    results = (
        ug.linalg.cholesky(a),
        ug.linalg.solve(a, b),
        ug.linalg.solve_triangular(a, b, lower=True),
    )  # fmt: skip
    wide = a.astype(float)
    wanted = (np.linalg.cholesky(wide), np.linalg.solve(wide, np.ones((2, 1))), [[0.25], [0.25]])
    for got, want in zip(results, wanted, strict=True):
        assert got.dtype == half
        np.testing.assert_allclose(got.astype(float), want, rtol=1e-2)


def test_a_number_keeps_the_dtype_of_the_array_it_meets() -> None:
    def numbers(x: Any) -> Any:
        return 3 / x, ug.where(x > 1, x, 0.5), ug.maximum(0.5, x), ug.fmax(x, 2), x**-0.5, 2**x

    for dtype in ("float32", "float64", "float16"):
        x = np.array([0.25, 1.0, 4.0], dtype)
        with ug.use("numpy"):
            want = ug.function(numbers)(x)
        got = ug.function(numbers)(x)
        assert [one.dtype for one in got] == [x.dtype] * 6
        for ours, theirs in zip(got, want, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-2 if dtype == "float16" else 1e-6)


@pytest.mark.parametrize("name", [name for name in DTYPES if not name.startswith("complex")])
def test_arrays_come_back_as_they_came_in(name: str) -> None:
    array = np.array([0, 1, 1]).astype(DTYPES[name].numpy)
    identity = ug.function(lambda x: x)
    for _ in range(2):  # the general way, then the guard
        back = identity(array)
        assert (type(back), back.dtype) == (np.ndarray, array.dtype)
        assert not np.shares_memory(back, array)
        np.testing.assert_array_equal(back, array)


def test_a_structure_with_nothing_at_a_place_comes_back_as_it_is() -> None:
    function = ug.function(lambda x: (x, None, (x + 1, [None])))
    for _ in range(2):
        x, nothing, (more, empty) = function(np.zeros(2))
        assert (x.tolist(), nothing, more.tolist(), empty) == ([0, 0], None, [1, 1], [None])


def test_an_array_that_cannot_be_shared_is_copied_without_a_warning() -> None:
    read_only = np.arange(3.0)
    read_only.flags.writeable = False
    arrays = [read_only, np.arange(6.0)[::-2], np.arange(3.0).astype(">f8"), np.float64(2.0)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for array in arrays:
            np.testing.assert_array_equal(ug.square(array), np.square(array))


def test_bfloat16_travels_bit_by_bit() -> None:
    x = np.array([1.0, -2.5, np.inf, np.nan], ml_dtypes.bfloat16)
    assert (ug.abs(x).view(np.uint16) == np.abs(x).view(np.uint16)).all()


@pytest.mark.parametrize(
    "target", targets.of(one for one in targets.TARGETS if "compile" not in one)
)
def test_powers_and_casts_that_integers_do_not_hold(target: str) -> None:
    base, exponent = np.array([2, -1, -1, 1, 0, -2, 3]), np.array([-1, -1, -2, -3, -1, -64, 2])
    beyond = np.array([np.nan, 1e20, -1e20, 3e9, 300.0, -1.0])
    with ug.use(target):
        powers = ug.function(lambda x, y: x**y)(base, exponent)
        cast = [ug.astype(beyond, dtype) for dtype in ("int32", "uint8")]
    assert powers.tolist() == [0, -1, 1, 1, 0, 0, 9]
    least = -(2**31)
    assert cast[0].tolist() == [least, least, least, least, 300, -1]
    assert cast[1].tolist()[4:] == [44, 255]


def test_an_outer_product_with_a_selected_scalar_has_a_derivative() -> None:
    def loss(x: Any) -> Any:
        return ug.sum(ug.nn.relu(ug.tensordot(x, x[0], axes=0)))

    for size, slopes in ((1, [2.0]), (2, [3.0, 1.0])):
        assert ug.grad(loss)(np.ones(size)).tolist() == slopes
