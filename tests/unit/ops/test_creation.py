"""Creation functions: what they take, what they refuse, and that they are NumPy's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.errors import ArgumentError, DTypeError, ShapeError, UnigradError

if TYPE_CHECKING:
    from collections.abc import Callable

X = np.arange(6.0, dtype="float32").reshape(2, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda xp: xp.zeros((2, 3)),
        lambda xp: xp.ones(3, dtype=xp.int32),
        lambda xp: xp.full((2,), 7),
        lambda xp: xp.full(2, float("nan")),
        lambda xp: xp.full((2, 1), np.float32(1.5)),
        lambda xp: xp.full((2,), np.array(2.5)),
        lambda xp: xp.full((2,), np.bool_(True)),  # noqa: FBT003
        lambda xp: xp.full((), 3, dtype=xp.float32),
        lambda xp: xp.zeros_like(X),
        lambda xp: xp.ones_like(X, dtype=xp.int8),
        lambda xp: xp.full_like(X, 3),
        lambda xp: xp.empty_like(X) * 0,
        lambda xp: xp.empty((2, 0), dtype=xp.float32),
        lambda xp: xp.arange(5),
        lambda xp: xp.arange(1, 8, 3),
        lambda xp: xp.arange(5, 0, -2),
        lambda xp: xp.arange(5, 0),
        lambda xp: xp.arange(0.0, 1.0, 0.25),
        lambda xp: xp.arange(3, dtype=xp.float32),
        lambda xp: xp.linspace(0, 1, 5),
        lambda xp: xp.linspace(0, 1, 4, endpoint=False),
        lambda xp: xp.linspace(2, 1, 0),
        lambda xp: xp.eye(3),
        lambda xp: xp.eye(2, 3, k=-1, dtype=xp.float32),
        lambda xp: xp.tril(X, k=-1),
        lambda xp: xp.triu(X),
        lambda xp: xp.meshgrid(X[0], X[1])[0],
        lambda xp: xp.meshgrid(X[0], X[:, 1], X[1], indexing="ij")[2],
        lambda xp: xp.meshgrid(X[0], X[:, 1], X[1])[1],
        lambda xp: xp.concat([X, X[0]], axis=None),
        lambda xp: xp.sum(X, axis=0, dtype=xp.float64),
        lambda xp: xp.prod(xp.astype(X, xp.int8), dtype=xp.int8),
        lambda xp: xp.astype(X, xp.int16, copy=False),
    ],
)
def test_what_is_made_is_what_numpy_makes(make: Callable[[Any], Any]) -> None:
    made, wanted = make(ug), make(np)
    assert (made.dtype, made.shape) == (wanted.dtype, wanted.shape)
    np.testing.assert_array_equal(made, wanted)
    traced = ug.function(lambda: make(ug))()
    np.testing.assert_array_equal(traced, wanted)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: ug.arange(0, 5, 0), ArgumentError, "arange: step is not 0"),
        (lambda: ug.arange(float("inf")), ArgumentError, "arange: stop is finite, got inf"),
        (lambda: ug.arange("3"), ArgumentError, "arange: stop is a Python number, got str"),
        (lambda: ug.linspace(0, 1, -1), ArgumentError, "linspace: num is an int, 0 or more"),
        (lambda: ug.linspace(0, 1, 2.5), ArgumentError, "linspace: num is an int"),
        (lambda: ug.full(2, 1j), ArgumentError, "full: fill_value is a Python number"),
        (lambda: ug.full(2, 300, dtype="int8"), DTypeError, "full: the number 300 does not fit"),
        (lambda: ug.full(2, float("nan"), dtype="int8"), DTypeError, "nan does not fit into int8"),
        (lambda: ug.full_like(X, "a"), ArgumentError, "full_like: fill_value is a Python number"),
        (lambda: ug.eye(2, k=0.5), ArgumentError, "eye: k is an int"),
        (lambda: ug.meshgrid(X), ShapeError, r"meshgrid: takes vectors .* float32\[2, 3\]"),
        (lambda: ug.meshgrid(X[0], indexing="yx"), ArgumentError, "indexing is 'xy' or 'ij'"),
        (lambda: ug.zeros(3, device="cpu"), ArgumentError, r"zeros: device is None, .* ug\.use"),
    ],
)
def test_what_cannot_be_made_is_refused(
    make: Callable[[], Any], kind: type[UnigradError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        make()


def test_code_for_any_array_library_may_pass_on_the_device() -> None:
    @ug.function
    def model(x: Any) -> Any:
        xp = x.__array_namespace__()
        made = xp.full(x.shape, 2.0, dtype=x.dtype, device=x.device)
        return made + xp.ones_like(x, device=x.device) * xp.asarray(1.0, device=x.device)

    np.testing.assert_array_equal(model(X), np.full((2, 3), 3.0))


def test_an_upper_factor_is_the_lower_one_turned() -> None:
    a = X @ X.T + np.eye(2, dtype="float32")
    upper = ug.linalg.cholesky(a, upper=True)
    np.testing.assert_array_equal(upper, ug.linalg.cholesky(a).T)
    np.testing.assert_allclose(upper.T @ upper, a, rtol=1e-5)


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x.astype("float64", copy=False),
        lambda x: x.sum(0, dtype="float64"),
        lambda x: x.prod(dtype="int8"),
        lambda x: x.var(1, ddof=1),
        lambda x: x.std(ddof=2, keepdims=True),
    ],
)
def test_methods_take_the_arguments_of_numpys(use: Callable[[Any], Any]) -> None:
    got, wanted = ug.function(use)(X), use(X)
    assert got.dtype == wanted.dtype
    np.testing.assert_allclose(got, wanted, rtol=1e-6)
