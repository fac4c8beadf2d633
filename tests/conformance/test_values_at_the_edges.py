"""Values that a framework's own function gets wrong, or otherwise than others: one answer.

Half precision counts and adds up in float32; powers, signs and special functions at zeros, poles,
infinities and far from the origin; integers; indices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import mpmath
import numpy as np
import pytest

import unigrad as ug
from tests.targets import PYTORCH_IS_LOUD, TARGETS, of, ways
from unigrad.errors import IndexRangeError

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = PYTORCH_IS_LOUD

COUNT = 70_000  # more than float16 can count

# -- half precision --------------------------------------------------------------------------------

EVEN = np.full(COUNT, 0.5)
RISING = np.linspace(0.0, 1.0, COUNT)


def totals(x: Any, y: Any) -> list[Any]:
    found = [ug.mean(x), ug.mean(x, keepdims=True)[0], ug.logsumexp(x), ug.var(y), ug.std(y)]
    shares = ug.nn.softmax(x, axis=0), ug.nn.log_softmax(x, axis=0)
    return [*found, ug.var(y, correction=1), shares[0][0], shares[1][0], ug.sum(x), x @ x]


def expected_totals(dtype: Any) -> list[float]:
    y = RISING.astype(dtype).astype(np.float64)
    spread = [y.var(), y.std(), y.var(ddof=1)]
    shares = [1 / COUNT, -np.log(COUNT)]
    return [0.5, 0.5, 0.5 + np.log(COUNT), *spread, *shares, 0.5 * COUNT, 0.25 * COUNT]


SLOPES: dict[str, tuple[Callable[[Any], Any], Any, float]] = {
    "mean": (ug.mean, EVEN, 1 / COUNT),
    "max": (ug.max, EVEN, 1 / COUNT),
    "min": (ug.min, EVEN, 1 / COUNT),
    "logsumexp": (ug.logsumexp, EVEN, 1 / COUNT),
    "var": (ug.var, RISING, -1 / COUNT),
    "std": (ug.std, RISING, -0.5 / COUNT / RISING.std()),
    "log_softmax": (lambda x: ug.nn.log_softmax(x, axis=0)[0], EVEN, 1 - 1 / COUNT),
}


def sum_of_all(*args: Any) -> Any:
    return sum(function(x) for (function, _, _), x in zip(SLOPES.values(), args, strict=True))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_half_precision_counts_beyond_its_range(target: str, autodiff: str, dtype: Any) -> None:
    with ug.use(target, autodiff=autodiff):
        found = ug.function(totals)(EVEN.astype(dtype), RISING.astype(dtype))
        arrays = [point.astype(dtype) for _, point, _ in SLOPES.values()]
        slopes = ug.grad(
            lambda *args: sum(
                function(x) for (function, _, _), x in zip(SLOPES.values(), args, strict=True)
            ),
            argnums=tuple(range(len(SLOPES))),
        )(*arrays)
    assert all(one.dtype == dtype for one in (*found, *slopes))
    np.testing.assert_allclose([float(one) for one in found], expected_totals(dtype), rtol=2e-2)
    wanted = [slope for _, _, slope in SLOPES.values()]
    np.testing.assert_allclose([float(one[0]) for one in slopes], wanted, rtol=3e-2, atol=1e-7)


# -- powers and signs ------------------------------------------------------------------------------

EDGES = np.asarray([-0.0, 0.0, -np.inf, np.inf, -1.0, 4.0, np.nan])


@pytest.mark.parametrize("target", of(TARGETS))
def test_half_powers_are_those_of_the_standard(target: str) -> None:
    def powers(x: Any) -> Any:
        return x**0.5, x**-0.5, x**1.5

    nan, inf = np.nan, np.inf
    wanted = [
        [0.0, 0.0, inf, inf, nan, 2.0, nan],  # IEEE 754-2019, 9.2.1: pow
        [inf, inf, 0.0, 0.0, nan, 0.5, nan],
        [0.0, 0.0, inf, inf, nan, 8.0, nan],
    ]
    with ug.use(target):
        found = ug.function(powers)(EDGES)
        each = [[float(one) for one in ug.function(powers)(x)] for x in EDGES]
    for one, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, want, rtol=1e-15)
        assert not np.signbit(one[:4]).any()
    np.testing.assert_allclose(np.transpose(each), wanted, rtol=1e-15)


@pytest.mark.parametrize("target", of(TARGETS))
def test_the_sign_of_a_negative_zero_is_zero(target: str) -> None:
    with ug.use(target):
        found = ug.function(ug.sign)(EDGES)
    np.testing.assert_array_equal(found, [0.0, 0.0, -1.0, 1.0, -1.0, 1.0, np.nan])
    assert not np.signbit(found[0])


@pytest.mark.parametrize("target", of(TARGETS))
def test_integers_to_negative_powers_are_cut_to_integers(target: str) -> None:
    def powers(x: Any, y: Any) -> Any:
        return x**-1, x**-2, x**y

    x = np.asarray([1, 2, -1, 0, -3])
    with ug.use(target):
        found = ug.function(powers)(x, np.asarray([-1, -1, -1, -1, -2]))
    assert [one.tolist() for one in found] == [
        [1, 0, -1, 0, 0], [1, 0, 1, 0, 0], [1, 0, -1, 0, 0]
    ]  # fmt: skip


# -- special functions -----------------------------------------------------------------------------


def polygamma(n: int, x: float) -> float:
    """DLMF 5.15.6 with enough digits; mpmath's own adds up as many terms as ``-x`` says."""
    z = mpmath.mpf(x)
    turn = mpmath.diff(lambda t: mpmath.pi * mpmath.cot(mpmath.pi * t), z, n)
    return float((-1) ** n * mpmath.polygamma(n, 1 - z) - turn)


@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_polygamma_far_below_zero(target: str, autodiff: str) -> None:
    points = [-0.7, -20.25, -1e4 - 0.3, -1e8 - 0.3, -1e10 - 0.5, -1e15 - 0.5]
    with mpmath.workdps(60):
        wanted = [[polygamma(n, x) for x in points] for n in (0, 1, 2, 3)]
    with ug.use(target, autodiff=autodiff):
        slopes = ug.grad(lambda x: ug.sum(ug.special.digamma(x)))(np.asarray(points))
        found = ug.function(
            lambda x: [ug.special.polygamma(n, x) for n in (0, 1, 2, 3)]
        )(np.asarray(points))  # fmt: skip
    np.testing.assert_allclose(slopes, wanted[1], rtol=1e-9)
    for one, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, want, rtol=1e-8, atol=1e-6)


@pytest.mark.parametrize("target", of(TARGETS))
def test_polygamma_at_infinity_and_at_poles(target: str) -> None:
    x = np.asarray([np.inf, 0.0, -2.0])
    with ug.use(target):
        found = ug.function(lambda x: [ug.special.polygamma(n, x) for n in (0, 1, 2)])(x)
    np.testing.assert_array_equal(found[0][0], np.inf)
    np.testing.assert_array_equal(found[1], [0.0, np.inf, np.inf])
    np.testing.assert_array_equal(found[2], [0.0, -np.inf, np.nan])


@pytest.mark.parametrize("target", of(("numpy", "torch:eager", "torch:compile")))
def test_gammaln_of_subnormal_numbers(target: str) -> None:
    """TensorFlow and XLA take a subnormal number for 0."""
    x = np.asarray([5e-324, 1e-310, -5e-324, 1e-308, 1e-40])
    with mpmath.workdps(40):
        wanted = [float(mpmath.log(abs(mpmath.gamma(mpmath.mpf(one))))) for one in x.tolist()]
    with ug.use(target):
        np.testing.assert_allclose(ug.function(ug.special.gammaln)(x), wanted, rtol=1e-14)


@pytest.mark.parametrize("target", of(TARGETS))
def test_numbers_beside_narrow_arrays_leave_their_dtype(target: str) -> None:
    functions = [
        ug.special.xlogy, ug.special.xlog1py, ug.logaddexp, ug.logaddexp2, ug.hypot, ug.atan2,
        ug.maximum, ug.copysign, ug.pow,
    ]  # fmt: skip

    def model(x: Any) -> list[Any]:
        return [one for f in functions for one in (f(x, 2), f(2.0, x))]

    for dtype, rtol in ((np.float32, 1e-6), (np.float16, 2e-3)):
        x = np.asarray([0.5, 1.0], dtype)
        with ug.use(target):
            found = ug.function(model)(x)
        wanted = ug.function(model)(x.astype(np.float64))
        for one, want in zip(found, wanted, strict=True):
            assert one.dtype == dtype
            np.testing.assert_allclose(one.astype(np.float64), want, rtol=rtol)


# -- integers and indices --------------------------------------------------------------------------


@pytest.mark.parametrize("target", of(TARGETS))
def test_products_of_small_integers_stay_small(target: str) -> None:
    x = np.asarray([100, 100], np.int8)
    with ug.use(target):
        found = ug.function(ug.vecdot)(x, x)
    want = np.vecdot(x, x)
    assert (found.dtype, int(found)) == (want.dtype, int(want))


@pytest.mark.parametrize("target", of(TARGETS))
@pytest.mark.parametrize("bad", [3, -4])
def test_an_index_out_of_range_is_one_also_at_once(target: str, bad: int) -> None:
    x = np.arange(3.0)
    with ug.use(target):
        assert ug.take(x, np.asarray([-3, 2]), axis=0).tolist() == [0.0, 2.0]
        with pytest.raises(
            IndexRangeError, match=rf"index {bad} is out of range for axis 0 of size 3"
        ):
            ug.take(x, np.asarray([0, bad]), axis=0)
        with pytest.raises(IndexRangeError, match="out of range"):
            ug.function(lambda x: ug.take(x, np.asarray([bad]), axis=0))(x)
