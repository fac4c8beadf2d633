"""NumPy's own functions on traced values mean what they mean on arrays, or they raise."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

import unigrad as ug
from unigrad.errors import ShapeError, TracingError

if TYPE_CHECKING:
    from collections.abc import Callable

_RNG = np.random.default_rng(7)
X = _RNG.normal(size=(3, 4))
POSITIVE = np.abs(X) + 0.1
COUNTS = np.arange(12).reshape(3, 4) - 2
VECTOR = _RNG.normal(size=4)
SQUARE = X @ X.T + 3 * np.eye(3)
STACK = _RNG.normal(size=(2, 4, 5))

CALLS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    # operators with an array on either side
    "x + array": (lambda x: x + X, POSITIVE),
    "array + x": (lambda x: X + x, POSITIVE),
    "array - x": (lambda x: X - x, POSITIVE),
    "array / x": (lambda x: X / x, POSITIVE),
    "array ** x": (lambda x: POSITIVE**x, X),
    "array < x": (lambda x: POSITIVE < x, X),  # noqa: SIM300  (the array is asked first)
    "array == x": (lambda x: COUNTS == x, COUNTS),  # noqa: SIM300
    "array @ x": (lambda x: SQUARE @ x, X),
    "x @ array": (lambda x: x @ VECTOR, X),
    "np.float32 * x": (lambda x: np.float32(2) * x, X),
    # ufuncs
    "add": (lambda x: np.add(x, x), X),
    "add a list": (lambda x: np.add(x, [1, 2, 3, 4]), X),
    "add a list with traced values": (lambda x: np.add(x, [[1.0, 2.0, x[0, 0], 4.0]]), X),
    "add with neutral arguments": (
        lambda x: np.add(x, 1, order="C", casting="same_kind", out=None, where=True),
        X,
    ),
    "arctan2": (lambda x: np.arctan2(x, POSITIVE), X),
    "conjugate": (np.conjugate, X),
    "deg2rad": (np.deg2rad, X),
    "degrees": (np.degrees, X),
    "divmod": (lambda x: np.stack(np.divmod(x, 0.3)), X),
    "fabs of integers": (np.fabs, COUNTS),
    "invert": (np.invert, COUNTS),
    "left_shift": (lambda x: np.left_shift(x, 2), COUNTS),
    "logaddexp": (lambda x: np.logaddexp(x, X), X),
    "logical_and of numbers": (lambda x: np.logical_and(x, COUNTS.T.reshape(3, 4)), COUNTS),
    "logical_not": (np.logical_not, COUNTS),
    "logical_or of a number": (lambda x: np.logical_or(x, 0), COUNTS),
    "maximum": (lambda x: np.maximum(x, 0), X),
    "mod": (lambda x: np.mod(x, 0.7), X),
    "power": (lambda x: np.power(x, 2.5), POSITIVE),
    "reciprocal": (np.reciprocal, POSITIVE),
    "rint": (np.rint, X),
    "vecdot": (lambda x: np.vecdot(x, VECTOR), X),
    "vecdot along an axis": (lambda x: np.vecdot(x, POSITIVE, axis=0), X),
    "scipy erf": (special.erf, X),
    "scipy expit": (special.expit, X),
    "scipy psi": (special.psi, POSITIVE),
    "scipy xlogy": (lambda x: special.xlogy(x, x), POSITIVE),
    # methods of ufuncs
    "add.reduce": (np.add.reduce, X),
    "add.reduce of booleans": (lambda x: np.add.reduce(x > 0), X),
    "add.reduce over all": (lambda x: np.add.reduce(x, axis=None, keepdims=True), X),
    "multiply.reduce": (lambda x: np.multiply.reduce(x, 1), X),
    "maximum.reduce": (np.maximum.reduce, X),
    "logaddexp.reduce": (lambda x: np.logaddexp.reduce(x, axis=1), X),
    "logical_or.reduce": (lambda x: np.logical_or.reduce(x > 1), X),
    "subtract.outer": (lambda x: np.subtract.outer(x, VECTOR), X),
    # reductions
    "sum": (lambda x: np.sum(x, axis=0), X),
    "sum of several axes": (lambda x: np.sum(x, axis=(0, -1)), STACK),
    "sum of booleans": (lambda x: np.sum(x > 0), X),
    "sum with neutral arguments": (lambda x: np.sum(x, 1, None, None), X),
    "prod": (np.prod, X),
    "mean": (lambda x: np.mean(x, 1, keepdims=True), X),
    "mean of integers": (np.mean, COUNTS),
    "var": (lambda x: np.var(x, ddof=1), X),
    "var, corrected": (lambda x: np.var(x, axis=1, correction=1), X),
    "std": (lambda x: np.std(x, axis=0, ddof=1), X),
    "max": (lambda x: np.max(x, axis=1), X),
    "amax": (np.amax, X),
    "min": (lambda x: np.min(x, 0), X),
    "amin": (np.amin, X),
    "any": (lambda x: np.any(x > 1, axis=0), X),
    "all of numbers": (np.all, COUNTS),
    "argmax": (np.argmax, X),
    "argmin": (lambda x: np.argmin(x, axis=1), X),
    "ptp": (lambda x: np.ptp(x, axis=0), X),
    "count_nonzero": (lambda x: np.count_nonzero(x, axis=0), COUNTS),
    # element by element
    "where": (lambda x: np.where(x > 0, x, 0.5), X),
    "where with a condition of numbers": (lambda x: np.where(COUNTS, x, -x), X),
    "clip": (lambda x: np.clip(x, -0.5, 0.5), X),
    "clip below": (lambda x: np.clip(x, 0.1, None), X),
    "clip by keyword": (lambda x: np.clip(x, min=-0.1, max=POSITIVE), X),
    "clip by old keyword": (lambda x: np.clip(x, a_min=None, a_max=0.2), X),
    "round": (np.round, X),
    "real": (np.real, X),
    "copy": (np.copy, X),
    # shapes
    "reshape": (lambda x: np.reshape(x, (2, -1)), X),
    "ravel": (np.ravel, X),
    "expand_dims": (lambda x: np.expand_dims(x, (0, 2)), X),
    "squeeze": (lambda x: np.squeeze(np.expand_dims(x, 1)), X),
    "transpose": (np.transpose, STACK),
    "transpose to an order": (lambda x: np.transpose(x, [1, 2, 0]), STACK),
    "matrix_transpose": (np.matrix_transpose, STACK),
    "swapaxes": (lambda x: np.swapaxes(x, 0, -1), STACK),
    "moveaxis": (lambda x: np.moveaxis(x, 0, -1), STACK),
    "moveaxis of several": (lambda x: np.moveaxis(x, [0, 1], [-1, 0]), STACK),
    "flip": (np.flip, X),
    "flip along an axis": (lambda x: np.flip(x, 1), X),
    "flipud": (np.flipud, X),
    "fliplr": (np.fliplr, X),
    "tril": (lambda x: np.tril(x, -1), SQUARE),
    "triu": (np.triu, SQUARE),
    "broadcast_to": (lambda x: np.broadcast_to(x, (2, 3, 4)), X),
    "broadcast_arrays": (lambda x: np.broadcast_arrays(x, X)[0], VECTOR),
    "atleast_2d": (np.atleast_2d, VECTOR),
    "concatenate": (lambda x: np.concatenate([x, POSITIVE]), X),
    "concatenate columns": (lambda x: np.concatenate((POSITIVE, x), axis=1), X),
    "concatenate flat": (lambda x: np.concatenate((x, VECTOR), axis=None), X),
    "stack": (lambda x: np.stack([x, POSITIVE], axis=-1), X),
    "vstack": (lambda x: np.vstack([x, VECTOR]), X),
    "hstack": (lambda x: np.hstack([x, X]), POSITIVE),
    "hstack of vectors": (lambda x: np.hstack([x, VECTOR]), VECTOR),
    "column_stack": (lambda x: np.column_stack([x, VECTOR, STACK[0]]), VECTOR),
    "sum by position and name": (lambda x: np.sum(x, 1, None, None, keepdims=True), X),
    "take of all": (lambda x: np.take(x, [0, 5, -1]), X),
    "take": (lambda x: np.take(x, [1, -1], axis=1), X),
    "take at traced indices": (lambda x: np.take(x, x), np.array([[3, 0], [1, 1]])),
    "shape, ndim, size": (lambda x: x * np.size(x) * np.shape(x)[1] * np.ndim(x), X),
    "size of an axis": (lambda x: x * np.size(x, 1), X),
    # creation
    "zeros_like": (np.zeros_like, X),
    "ones_like": (lambda x: np.ones_like(x, dtype=np.float32), X),
    "ones_like of a shape": (lambda x: np.ones_like(x, shape=(2,)), COUNTS),
    "empty_like": (lambda x: np.empty_like(x) * 0, X),
    "full_like": (lambda x: np.full_like(x, 2), X),
    "meshgrid": (lambda x: np.meshgrid(x, VECTOR)[0], VECTOR),
    "meshgrid by rows": (lambda x: np.meshgrid(VECTOR, x, indexing="ij")[1], X),
    "full_like of a traced value": (lambda x: np.full_like(x, x[0, 0]), X),
    # products
    "dot": (lambda x: np.dot(x, VECTOR), X),
    "dot of a number": (lambda x: np.dot(2.0, x), X),
    "dot of stacks": (lambda x: np.dot(x, STACK), X),
    "inner": (lambda x: np.inner(x, VECTOR), X),
    "vdot": (lambda x: np.vdot(x, POSITIVE), X),
    "outer": (lambda x: np.outer(x, VECTOR), X),
    "tensordot": (lambda x: np.tensordot(x, VECTOR, 1), X),
    "tensordot of lists": (lambda x: np.tensordot(x, X, axes=([1], [1])), POSITIVE),
    "einsum": (lambda x: np.einsum("ij,kj->ik", x, X, optimize=True), POSITIVE),
    "linalg.matmul": (lambda x: np.linalg.matmul(x, STACK), X),
    "linalg.vecdot": (lambda x: np.linalg.vecdot(x, POSITIVE, axis=0), X),
    "linalg.solve": (lambda x: np.linalg.solve(SQUARE, x), X),
    "linalg.solve for a vector": (lambda x: np.linalg.solve(x, VECTOR[:3]), SQUARE),
    "linalg.cholesky": (np.linalg.cholesky, SQUARE),
    "linalg.cholesky, upper": (lambda x: np.linalg.cholesky(x + np.tri(3), upper=True), SQUARE),
}


@pytest.mark.parametrize("name", CALLS)
def test_numpy_functions_mean_the_same_on_traced_values(name: str) -> None:
    function, x = CALLS[name]
    expected = function(x)
    found = ug.function(lambda x: function(x))(x)  # noqa: PLW0108  (the parameters are its own)
    assert np.shape(found) == np.shape(expected)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)


_UNARY = (
    "abs", "arcsinh", "arctan", "cbrt", "ceil", "cos", "cosh", "exp", "exp2", "expm1", "floor",
    "isfinite", "isinf", "isnan", "negative", "positive", "sign", "signbit", "sin", "sinh",
    "square", "tan", "tanh", "trunc",
)  # fmt: skip
_BINARY = (
    "add", "copysign", "divide", "equal", "floor_divide", "fmax", "fmin", "fmod", "greater",
    "greater_equal", "heaviside", "hypot", "less", "less_equal", "maximum", "minimum", "multiply",
    "not_equal", "remainder", "subtract",
)  # fmt: skip
_NUMBERS = hnp.arrays(np.float64, (3,), elements=st.floats(-5, 5))


@cache
def _traced(name: str) -> Any:
    ufunc = getattr(np, name)
    return ug.function(lambda *operands: ufunc(*operands))  # noqa: PLW0108


@given(name=st.sampled_from(_UNARY), x=_NUMBERS)
def test_unary_ufuncs_agree_with_numpy(name: str, x: np.ndarray[Any, Any]) -> None:
    ufunc = getattr(np, name)
    found = _traced(name)(x)
    np.testing.assert_allclose(found, ufunc(x), rtol=1e-15)


@given(name=st.sampled_from(_BINARY), x=_NUMBERS, y=_NUMBERS)
def test_binary_ufuncs_agree_with_numpy(
    name: str, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]
) -> None:
    ufunc = getattr(np, name)
    found = _traced(name)(x, y)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(found, ufunc(x, y))


def test_a_gradient_passes_through_numpy_functions() -> None:
    def loss(w: Any) -> Any:
        return np.mean(np.log1p(np.exp(np.negative(X @ w))))

    w = VECTOR
    expected = -X.T @ (1 / (1 + np.exp(X @ w))) / 3
    np.testing.assert_allclose(ug.grad(loss)(w), expected, rtol=1e-13)


def test_a_variable_keeps_the_users_name_when_numpy_made_it() -> None:
    @ug.function
    def model(x: Any) -> Any:
        hidden = np.tanh(x)
        return hidden * hidden

    assert "hidden = " in model.source("numpy", VECTOR)


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "out": (lambda x: np.sin(x, out=np.zeros((3, 4))), r"np\.sin: out= .* y = ug\.sin\(\.\.\.\)"),
    "out by position": (lambda x: np.add(x, 1, np.zeros((3, 4))), r"np\.add: out="),
    "where": (lambda x: np.add(x, 1, where=X > 0), r"np\.add: where= .* ug\.where"),
    "dtype": (lambda x: np.add(x, 1, dtype=np.float32), r"np\.add: dtype= .* \.astype\(dtype\)"),
    "casting": (lambda x: np.add(x, 1, casting="unsafe"), r"np\.add: casting="),
    "axes": (lambda x: np.matmul(x, VECTOR, axes=[(0, 1), 0, 0]), r"np\.matmul: axes="),
    "accumulate": (np.add.accumulate, r"np\.add\.accumulate does not work .* no counterpart"),
    "reduce of a difference": (np.subtract.reduce, r"np\.subtract\.reduce does not work"),
    "where in reduce": (lambda x: np.add.reduce(x, where=X > 0), r"np\.add\.reduce: where="),
    "at": (lambda x: np.add.at(np.zeros((3, 4)), [0], x), r"np\.add\.at changes an array in place"),
    "reciprocal of integers": (
        lambda x: np.reciprocal(ug.astype(x, "int64")),
        r"np\.reciprocal of int64 rounds .* ug\.reciprocal",
    ),
    "unknown ufunc": (lambda x: np.nextafter(x, 1), r"np\.nextafter does not .* no counterpart"),
    "ufunc under another name": (lambda x: np.float_power(x, 2), r"np\.float_power .* use ug\.pow"),
    "ufunc of the user": (np.frompyfunc(float, 1, 1), r"does not work on traced values"),
    "scipy": (lambda x: special.jv(1, x), r"scipy\.special\.jv does not work .* no counterpart"),
    "out of a function": (lambda x: np.sum(x, out=np.zeros(())), r"np\.sum: out= .* ug\.sum"),
    "dtype by position": (lambda x: np.sum(x, 0, np.float32), r"np\.sum: dtype= .* \.astype"),
    "initial": (lambda x: np.max(x, initial=3.0), r"np\.max: initial= .* initial value"),
    "where of a function": (lambda x: np.mean(x, where=X > 0), r"np\.mean: where= .* ug\.where"),
    "order": (lambda x: np.reshape(x, (4, 3), order="F"), r"np\.reshape: order= .* transpose"),
    "dtype of concatenate": (
        lambda x: np.concatenate([x, x], dtype="float32"),
        r"np\.concatenate: dtype= .* \.astype",
    ),
    "one argument of where": (lambda x: np.where(x > 0), r"np\.where without x and y .* ug\.where"),
    "mode": (lambda x: np.take(x, [1], mode="clip"), r"np\.take: mode='clip'"),
    "decimals": (lambda x: np.round(x, 2), r"np\.round to 2 decimals; use ug\.round"),
    "lists of subscripts": (lambda x: np.einsum(x, [0, 1], [1, 0]), r"np\.einsum: subscripts as"),
    "two corrections": (lambda x: np.var(x, ddof=1, correction=1), r"mean the same"),
    "unknown function": (np.cumsum, r"np\.cumsum does not work .* unigrad has no counterpart"),
    "unknown in linalg": (np.linalg.inv, r"np\.linalg\.inv does not work .* no counterpart"),
    "needs a value": (lambda x: np.allclose(x, 1), r"np\.allclose .* after the call"),
    "other function instead": (np.trace, r"np\.trace .* ug\.einsum"),
    "moveaxis": (lambda x: np.moveaxis(x, [0, 1], [0]), r"np\.moveaxis: .* differ in length"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said_names_the_function_and_the_line(name: str) -> None:
    function, message = REFUSED[name]

    def model(x: Any) -> Any:
        return function(x)

    with pytest.raises(TracingError, match=message) as caught:
        ug.function(model)(X)
    assert __file__ in "\n".join(caught.value.__notes__)


def test_an_array_is_not_changed_in_place_by_a_traced_value() -> None:
    total = np.zeros((3, 4))

    @ug.function
    def accumulate(x: Any) -> Any:
        nonlocal total
        total += x
        return total

    with pytest.raises(TracingError, match=r"np\.add: out=") as caught:
        accumulate(X)
    assert not total.any()
    (note,) = caught.value.__notes__
    assert "total += x" in note


def test_shapes_that_do_not_fit_are_told_as_for_operators() -> None:
    with pytest.raises(ShapeError, match=r"\(3, 4\)"):
        ug.function(lambda x: np.add(x, np.ones(3)))(X)


def test_a_function_of_the_same_name_is_not_taken_for_numpys() -> None:
    add = np.frompyfunc(lambda a, b: a - b, 2, 1)
    with pytest.raises(TracingError, match="does not work on traced values"):
        ug.function(lambda x: add(x, 1))(X)
