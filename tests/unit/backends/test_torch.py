"""PyTorch's table and runtime: values are NumPy's, arrays go in and out, the fast way is safe."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unigrad as ug
from unigrad.errors import DTypeError, TargetError, UnsupportedError
from unigrad.ir.types import DTYPES
from unigrad.ops.spec import OPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.ops.spec import Op

torch = pytest.importorskip("torch")

FLOATS = ("float16", "bfloat16", "float32", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
SPECIAL = (
    -np.inf, -700.5, -5.5, -3.0, -1.0, -0.5, -1e-3, -0.0, 0.0, 1e-3, 0.1, 0.5, 1.0, 2.0, 3.0, 25.0,
    700.0, np.inf, np.nan,
)  # fmt: skip
TOLERANCES = {"float16": 4e-3, "bfloat16": 4e-2, "float32": 1e-5, "float64": 1e-13}
ELEMENTWISE = [op for op in OPS.values() if op.elementwise and not op.params and op.name != "where"]
NOT_OF_UINT64 = {"floor_divide", "remainder", "fmod", "pow", "bitwise_right_shift"}


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


def check_value(op: Callable[..., Any], name: str, arrays: list[np.ndarray], dtype: str) -> None:
    """Compare an op on PyTorch with NumPy; half precision with single precision, rounded."""
    with ug.use("numpy"):
        try:
            want = np.asarray(op(*arrays))
        except DTypeError:
            with ug.use("torch"), pytest.raises(DTypeError):
                op(*arrays)
            return
        if dtype in ("float16", "bfloat16"):
            wide = op(*[array.astype(np.float32) for array in arrays])
            with np.errstate(over="ignore"):
                want = np.asarray(wide).astype(want.dtype)
    with ug.use("torch:eager"):
        if dtype == "uint64" and name in NOT_OF_UINT64:
            with pytest.raises(UnsupportedError, match=f"no {name} of uint64"):
                op(*arrays)
            return
        got = np.asarray(op(*arrays))
    assert (got.dtype, got.shape) == (want.dtype, want.shape), (name, dtype)
    wrong = disagreements(got, want, TOLERANCES.get(str(got.dtype), 0.0))
    told = [(*(array[i] for array in arrays), "is", got[i], "not", want[i]) for i in wrong[:5]]
    assert not told, f"{name} of {dtype}: {told}"


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_an_elementwise_op_has_the_values_of_numpy_in_every_dtype(op: Op[...]) -> None:
    for dtype in (*FLOATS, *SIGNED, *UNSIGNED, "bool"):
        if op.name == "pow" and dtype in SIGNED:
            continue  # NumPy refuses negative exponents of integers
        arrays = points(dtype, len(op.operands))
        if "shift" in op.name and dtype in (*SIGNED, *UNSIGNED):
            arrays[1] = np.minimum(arrays[1], np.array(5, dtype)) & np.array(7, dtype)
        check_value(op, op.name, arrays, dtype)


@pytest.mark.parametrize(
    "name", ["sum", "prod", "max", "min", "any", "all", "argmax", "argmin", "mean"]
)
@pytest.mark.parametrize("dtype", [*FLOATS, *SIGNED, *UNSIGNED, "bool"])
def test_a_reduction_has_the_values_of_numpy_in_every_dtype(name: str, dtype: str) -> None:
    op = OPS[name]
    array = np.random.default_rng(0).integers(0, 3, (2, 3, 2)).astype(DTYPES[dtype].numpy)
    choices: list[Any] = [0, 2, None] if "arg" in name else [0, (0, 2), (), None]
    for axis in choices:
        for keepdims in (False, True):
            check_value(partial(op, axis=axis, keepdims=keepdims), name, [array], dtype)


def test_the_first_nan_is_the_extremum() -> None:
    x = np.array([1.0, np.nan, 3.0, np.nan])
    with ug.use("torch"):
        assert (ug.argmax(x), ug.argmin(x)) == (1, 1)
        assert np.isnan(ug.max(x))


def test_variance_without_freedom_is_nan_and_no_warning() -> None:
    with ug.use("torch"):
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


@given(st.lists(entries, max_size=4).filter(lambda key: key.count(Ellipsis) < 2))
def test_every_basic_index_is_that_of_numpy_and_so_is_its_transpose(key: list[Any]) -> None:
    array = np.arange(4.0 * 4 * 4).reshape(4, 4, 4)
    if sum(entry is not None and entry is not Ellipsis for entry in key) > array.ndim:
        return
    index = tuple(key)
    with ug.use("torch"):
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

    with ug.use("torch"):
        got = ug.function(moved)(x)
    with ug.use("numpy"):
        want = ug.function(moved)(x)
    for ours, theirs in zip(got, want, strict=True):
        assert np.asarray(ours).dtype == np.asarray(theirs).dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_the_sign_of_zero_tells_the_side_of_a_pole(target: str) -> None:
    with ug.use(target):
        for n in (2, 4):
            assert ug.special.polygamma(n, np.array([0.0, -0.0])).tolist() == [-np.inf, np.inf]
        assert ug.special.polygamma(3, np.array([0.0, -0.0])).tolist() == [np.inf, np.inf]


# -- matrices --------------------------------------------------------------------------------------


def test_what_fails_in_a_stack_of_matrices_is_nan_and_the_rest_is_right() -> None:
    good, singular = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[0.0, 0.0], [0.0, -1.0]])
    stack, right = np.stack([good, singular]), np.ones((2, 1))
    with ug.use("torch"):
        solved = ug.linalg.solve(stack, right)
        factor = ug.linalg.cholesky(stack)
        triangular = ug.linalg.solve_triangular(stack, right, lower=True)
    np.testing.assert_allclose(solved[0], np.linalg.solve(good, right))
    np.testing.assert_allclose(factor[0], np.linalg.cholesky(good))
    for result in (solved, factor, triangular):
        assert np.isfinite(result[0]).all()
        assert np.isnan(result[1]).all()


@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_a_matrix_that_holds_nan_fails_whole(target: str) -> None:
    stack = np.stack([np.eye(2), np.array([[np.nan, 0.0], [0.0, 1.0]])])
    with ug.use(target):
        factor = ug.linalg.cholesky(stack)
    np.testing.assert_array_equal(factor[0], np.eye(2))
    assert np.isnan(factor[1]).all()


def test_one_right_side_for_a_stack_of_matrices_is_no_stack_of_vectors() -> None:
    a = np.random.default_rng(1).normal(size=(2, 2, 2)) + 3 * np.eye(2)
    b = np.array([[1.0, 2.0], [3.0, 4.0]])
    with ug.use("torch"):
        np.testing.assert_allclose(ug.linalg.solve(a, b), np.linalg.solve(a, np.stack([b, b])))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_matrices_are_computed_in_single_precision(dtype: str) -> None:
    half = DTYPES[dtype].numpy
    a, b = np.array([[4.0, 1.0], [1.0, 3.0]]).astype(half), np.ones((2, 1)).astype(half)
    with ug.use("torch"):
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


# -- what is written -------------------------------------------------------------------------------


def network(X: Any, y: Any, W: Any, b: Any, w: Any) -> Any:
    hidden = ug.tanh(X @ W + b)
    z = hidden @ w
    loss = ug.mean(-ug.nn.log_sigmoid(-z) - y * z)
    return loss  # noqa: RET504  (the name shows in the written code)


TYPES = ("float64[32, 64]", "float64[32]", "float64[64, 32]", "float64[32]", "float64[32]")


def code_of(source: str) -> list[str]:
    """The lines of a source without comments."""
    return [line.partition("  #")[0] for line in source.splitlines() if line.strip()]


def test_the_gradient_of_a_network_reads_as_a_person_would_write_it() -> None:
    source = ug.value_and_grad(network, argnums=(2, 3, 4)).source("torch", *TYPES)
    assert code_of(source) == [
        "import torch",
        "import torch.nn.functional as F",
        "def network_value_and_grad(X, y, W, b, w):",
        "    hidden = torch.tanh(torch.addmm(b, X, W))",
        "    z = torch.mv(hidden, w)",
        "    loss = (-F.logsigmoid(-z) - y * z).mean()",
        "    z_ct = (torch.sigmoid(z) - y) * 0.03125",
        "    hidden_ct = torch.outer(z_ct, w)",
        "    multiply = hidden_ct * (1.0 - hidden * hidden)",
        "    return loss, (X.T @ multiply, multiply.sum(0), torch.mv(hidden.T, z_ct))",
    ]


@pytest.mark.parametrize("autodiff", ["graph", "native"])
def test_a_written_file_stands_alone(autodiff: Any) -> None:
    def model(x: Any) -> Any:
        return ug.sum(ug.abs(x[::-1]) ** 1.5 * ug.logsumexp(x) + ug.sign(x) * ug.cbrt(x))

    x = np.array([0.5, -1.5, 2.0])
    gradient = ug.grad(model, autodiff=autodiff)
    source = gradient.source("torch", x)
    assert "unigrad" not in source
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102  (text that was written a line earlier)
    alone = space["model_grad"](torch.from_numpy(x))
    np.testing.assert_allclose(alone.numpy(), gradient(x), rtol=1e-12)


def test_a_number_keeps_the_dtype_of_the_array_it_meets() -> None:
    def numbers(x: Any) -> Any:
        return 3 / x, ug.where(x > 1, x, 0.5), ug.maximum(0.5, x), ug.fmax(x, 2), x**-0.5, 2**x

    for dtype in ("float32", "float64", "float16"):
        x = np.array([0.25, 1.0, 4.0], dtype)
        with ug.use("numpy"):
            want = ug.function(numbers)(x)
        with ug.use("torch"):
            got = ug.function(numbers)(x)
        assert [one.dtype for one in got] == [x.dtype] * 6
        for ours, theirs in zip(got, want, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-2 if dtype == "float16" else 1e-6)


# -- arrays in and out -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in DTYPES if not name.startswith("complex")])
def test_arrays_come_back_as_they_came_in(name: str) -> None:
    array = np.array([0, 1, 1]).astype(DTYPES[name].numpy)
    identity = ug.function(lambda x: x)
    with ug.use("torch"):
        for _ in range(2):  # the general way, then the guard
            back = identity(array)
            assert (type(back), back.dtype) == (np.ndarray, array.dtype)
            assert not np.shares_memory(back, array)
            np.testing.assert_array_equal(back, array)
        tensor = torch.ones(3).to(getattr(torch, name))
        assert identity(tensor).dtype is tensor.dtype


def test_an_array_that_cannot_be_shared_is_copied_without_a_warning() -> None:
    read_only = np.arange(3.0)
    read_only.flags.writeable = False
    arrays = [read_only, np.arange(6.0)[::-2], np.arange(3.0).astype(">f8"), np.float64(2.0)]
    with ug.use("torch"), warnings.catch_warnings():
        warnings.simplefilter("error")
        for array in arrays:
            np.testing.assert_array_equal(ug.square(array), np.square(array))


def test_bfloat16_travels_bit_by_bit() -> None:
    x = np.array([1.0, -2.5, np.inf, np.nan], ml_dtypes.bfloat16)
    with ug.use("torch"):
        assert (ug.abs(x).view(np.uint16) == np.abs(x).view(np.uint16)).all()


def test_a_tensor_goes_to_its_own_framework_where_no_target_is_chosen() -> None:
    result = ug.function(lambda x: ug.sin(x) + 1)(torch.zeros(2, dtype=torch.float64))
    assert isinstance(result, torch.Tensor)


# -- devices ---------------------------------------------------------------------------------------


def model_on_device(x: Any) -> Any:
    scale = ug.where(x > 0, 1.0, 3.0) + ug.arange(3) + np.array([1.0, 2.0, 3.0])
    return ug.sum(ug.sin(x) * scale), ug.zeros((2,)), ug.eye(2)


def test_a_device_holds_everything_that_a_function_makes() -> None:
    x = torch.ones(3, dtype=torch.float64)
    function = ug.function(model_on_device)
    with ug.use("torch@meta"):
        for _ in range(2):
            assert [one.device.type for one in function(x)] == ["meta"] * 3
        assert 'device="meta"' in function.source(None, x)
    assert [one.device.type for one in function(x.to("meta"))] == ["meta"] * 3
    assert [one.device.type for one in function(x)] == ["cpu"] * 3
    for autodiff in ("graph", "native"):
        gradient = ug.grad(lambda x: model_on_device(x)[0], autodiff=autodiff)  # type: ignore[arg-type]
        assert gradient(x.to("meta")).device.type == "meta"


def test_the_meta_device_has_no_data_to_give_back() -> None:
    with ug.use("torch@meta"), pytest.raises(TargetError, match="a shape and no data"):
        ug.sin(np.ones(3))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_here_is_told_with_those_that_are() -> None:
    with (
        ug.use("torch@gpu:1"),
        pytest.raises(TargetError, match=r"no device 'gpu:1'.* cpu and meta"),
    ):
        ug.sin(np.ones(3))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_holds_everything_that_a_function_makes() -> None:
    x = np.array([1.0, 2.0, 3.0])
    with ug.use("torch@gpu"):
        on_gpu = ug.function(model_on_device)(x)
        assert ug.function(model_on_device)(torch.from_numpy(x))[0].device.type == "cuda"
    with ug.use("torch"):
        on_cpu = ug.function(model_on_device)(x)
    for ours, theirs in zip(on_gpu, on_cpu, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


# -- the fast way ----------------------------------------------------------------------------------


def test_the_guard_takes_what_it_was_made_for_and_nothing_else() -> None:
    @ug.function
    def double(x: Any) -> Any:
        return 2 * x

    x = torch.ones(3, dtype=torch.float64)
    with ug.use("torch"):
        double(x)
        before = double.cache_info()
        double(x + 1)
        assert double.cache_info() == before  # the guard answered: nothing was looked up
        assert double(x.to(torch.float32)).dtype is torch.float32
        assert double(torch.ones(2, dtype=torch.float64)).shape == (2,)
        assert double(x.to("meta")).device.type == "meta"
        double(x)
        recorded = double(x.clone().requires_grad_())
        assert recorded.grad_fn is not None
        assert double(torch.nn.Parameter(x)).grad_fn is not None
        with torch.no_grad():
            assert double(x.clone().requires_grad_()).grad_fn is None
        doubled, tangent = torch.func.jvp(double, (x,), (x,))
        assert torch.equal(doubled, tangent)


def test_inference_mode_leaves_nothing_behind() -> None:
    weights = np.arange(3.0)
    loss = ug.function(lambda x: ug.sum(x * x * weights))
    x = torch.ones(3, dtype=torch.float64)
    with ug.use("torch"), torch.inference_mode():
        inside = loss(x)
    again = x.clone().requires_grad_()
    with ug.use("torch"):
        (gradient,) = torch.autograd.grad(loss(again), again)
    assert inside.item() == 3.0
    assert gradient.tolist() == [0.0, 2.0, 4.0]
