"""What a training loop does with a function on PyTorch's tape, and what may stand around a call."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug

if TYPE_CHECKING:
    from collections.abc import Callable

torch = pytest.importorskip("torch")
func = pytest.importorskip("torch.func")


def loss(X: Any, y: Any, W: Any, b: Any, w: Any) -> Any:
    z = ug.tanh(X @ W + b) @ w
    return ug.mean((z - y) ** 2)


def loss_torch(X: Any, y: Any, W: Any, b: Any, w: Any) -> Any:
    z = torch.tanh(X @ W + b) @ w
    return ((z - y) ** 2).mean()


def arguments(dtype: Any = torch.float64) -> list[Any]:
    random = np.random.default_rng(0)
    shapes = (8, 4), (8,), (4, 3), (3,), (3,)
    return [torch.from_numpy(random.normal(size=shape)).to(dtype) for shape in shapes]


def parameters(dtype: Any = torch.float64) -> list[Any]:
    return [torch.nn.Parameter(one) for one in arguments(dtype)[2:]]


def close(ours: Any, theirs: Any, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def gradients(function: Callable[..., Any], wanted: tuple[int, ...], **keywords: Any) -> Any:
    given = arguments()
    for position in wanted:
        given[position].requires_grad_()
    found = function(*given)
    return torch.autograd.grad(found, [given[position] for position in wanted], **keywords)


@pytest.mark.parametrize("wanted", [(2,), (0, 4), (2, 3, 4), (0, 1, 2, 3, 4)])
def test_whichever_inputs_require_grad_get_theirs(wanted: tuple[int, ...]) -> None:
    function = ug.function(loss)
    for _ in range(2):  # the first call compiles, the second goes the fast way
        close(gradients(function, wanted), gradients(loss_torch, wanted))
    close(gradients(function, (2, 3)), gradients(loss_torch, (2, 3)))


def test_a_part_of_the_gradient_alone() -> None:
    given = arguments()
    held = [one.requires_grad_() for one in given[2:]]
    result, want = ug.function(loss)(*given), loss_torch(*given)
    for one in held:
        ours = torch.autograd.grad(result, one, retain_graph=True)
        close(ours, torch.autograd.grad(want, one, retain_graph=True))


def test_a_graph_that_is_kept_gives_the_same_again_and_one_that_is_not_raises() -> None:
    given = arguments()
    W = given[2].requires_grad_()
    result = ug.function(loss)(*given)
    first = torch.autograd.grad(result, W, retain_graph=True)
    close(torch.autograd.grad(result, W), first)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(result, W)


@pytest.mark.parametrize("order", [2, 3])
def test_derivatives_of_higher_order_after_the_fast_way(order: int) -> None:
    function = ug.function(loss)

    def nested(f: Callable[..., Any]) -> Any:
        given = arguments()
        W = given[2].requires_grad_()
        value = f(*given)
        for _ in range(order):
            (value,) = torch.autograd.grad(value.sum(), W, create_graph=True)
        return value

    nested(function)
    close(nested(function), nested(loss_torch), 1e-9)


def test_first_order_after_a_graph_of_second_order_was_made() -> None:
    given = arguments()
    W = given[2].requires_grad_()
    result = ug.function(loss)(*given)
    (slope,) = torch.autograd.grad(result, W, create_graph=True)
    close(torch.autograd.grad(result, W, retain_graph=True)[0], slope)
    (again,) = torch.autograd.grad(slope.pow(2).sum(), W)
    want = func.grad(lambda W: func.grad(loss_torch, 2)(*given[:2], W, *given[3:]).pow(2).sum())(
        W.detach()
    )
    close(again, want.detach())


def test_batched_cotangents_and_only_some_of_the_results() -> None:
    @ug.function
    def both(x: Any) -> Any:
        return ug.sin(x), ug.exp(x)

    x = torch.arange(3.0, dtype=torch.float64, requires_grad=True)
    for _ in range(2):
        sine, exponential = both(x)
        eye = torch.eye(3, dtype=torch.float64)
        (rows,) = torch.autograd.grad(sine, x, eye, retain_graph=True, is_grads_batched=True)
        close(rows, torch.diag(torch.cos(x.detach())))
        (alone,) = torch.autograd.grad(exponential.sum(), x, retain_graph=True)
        close(alone, torch.exp(x.detach()))
        (together,) = torch.autograd.grad(sine.sum() + exponential.sum(), x)
        close(together, torch.cos(x.detach()) + torch.exp(x.detach()))


@pytest.mark.parametrize("position", range(5))
def test_changing_what_the_derivative_reads_raises_as_in_pytorch(position: int) -> None:
    given = arguments()
    given[2].requires_grad_()
    function = ug.function(loss)
    for _ in range(2):
        result = function(*given)
        with torch.no_grad():
            given[position].mul_(2.0)
        with pytest.raises(RuntimeError, match="inplace operation"):
            result.backward()


def test_what_was_kept_is_freed_with_the_graph() -> None:
    function = ug.function(lambda x: ug.sum(ug.exp(x)))
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    kept: list[Any] = []

    def pack(tensor: Any) -> Any:
        held = tensor.clone()
        kept.append(weakref.ref(held))
        return held

    for _ in range(2):
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda held: held):
            result = function(x * 1.0)
        assert any(one() is not None for one in kept)
        result.backward()
        gc.collect()
        assert all(one() is None for one in kept)


def test_the_derivative_reads_what_was_kept_and_one_of_second_order_does_not() -> None:
    function = ug.function(lambda x: ug.sum(ug.exp(x)))
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    want = torch.exp(x.detach())
    for _ in range(2):
        with torch.autograd.graph.saved_tensors_hooks(lambda kept: kept, lambda kept: 2 * kept):
            result = function(x)
        # Whatever is kept counts twice here: the exponential where it is read, and x where not.
        close(torch.autograd.grad(result, x, retain_graph=True)[0], 2 * want)
        close(
            torch.autograd.grad(result, x, create_graph=True)[0].detach(), torch.exp(2 * x.detach())
        )


def test_without_grad_nothing_is_recorded_and_training_goes_on_after() -> None:
    function = ug.function(loss)
    X, y = arguments()[:2]
    held = parameters()
    for context in (torch.no_grad, torch.inference_mode):
        assert function(X, y, *held).requires_grad
        with context():
            result = function(X, y, *held)
        assert not result.requires_grad
        close(result.clone(), loss_torch(X, y, *held).detach())
    for one in held:
        one.requires_grad_(False)  # noqa: FBT003
    assert not function(X, y, *held).requires_grad


def test_hooks_see_the_gradients() -> None:
    seen: list[Any] = []
    given = arguments()
    W = given[2].requires_grad_()
    W.register_hook(lambda gradient: seen.append(gradient) or 2 * gradient)
    function = ug.function(loss)
    for count in (1, 2):
        W.grad = None
        result = function(*given)
        result.register_hook(lambda gradient: 3 * gradient)
        result.backward()
        assert len(seen) == count
        close(W.grad, 6 * gradients(loss_torch, (2,))[0])


def test_threads_differentiate_at_once() -> None:
    function = ug.function(loss)
    want = gradients(loss_torch, (2, 3, 4))
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: gradients(function, (2, 3, 4)), range(64)):
            close(found, want)


class Model(torch.nn.Module):
    """Two layers, whose loss is ours or PyTorch's."""

    def __init__(self, loss: Callable[..., Any], dtype: Any) -> None:
        super().__init__()
        self.loss = loss
        self.W, self.b, self.w = parameters(dtype)

    def forward(self, X: Any, y: Any) -> Any:
        return self.loss(X, y, self.W, self.b, self.w)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4), ("bfloat16", 0.1)]
)
def test_a_module_is_trained_as_pytorch_trains_it(dtype: str, tolerance: float) -> None:
    kind = getattr(torch, dtype)
    X, y = arguments(kind)[:2]
    models = Model(ug.function(loss), kind), Model(loss_torch, kind)
    for model in models:
        optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
        for _ in range(10):
            optimiser.zero_grad()
            model(X, y).backward()
            optimiser.step()
    for ours, theirs in zip(*(model.parameters() for model in models), strict=True):
        assert ours.grad.dtype is kind
        close(ours.detach(), theirs.detach(), tolerance)


def test_a_functional_call_swaps_the_parameters() -> None:
    X, y = arguments()[:2]
    model = Model(ug.function(loss), torch.float64)
    swapped = {name: (2 * one).detach() for name, one in model.named_parameters()}
    ours = func.grad(lambda p: func.functional_call(model, p, (X, y)))(swapped)
    theirs = func.grad(lambda p: func.functional_call(Model(loss_torch, torch.float64), p, (X, y)))(
        swapped
    )
    close(ours, theirs)


# -- states around a call --------------------------------------------------------------------------


@pytest.mark.parametrize("autodiff", ["graph", "native"])
def test_autocast_does_not_change_the_dtypes_of_a_function(autodiff: str) -> None:
    function = ug.function(loss, autodiff=autodiff)
    arrays = [one.numpy() for one in arguments(torch.float32)]
    tensors = arguments(torch.float32)
    held = parameters(torch.float32)
    gradient = ug.grad(loss, argnums=(2, 3, 4), autodiff=autodiff)
    want = loss_torch(*tensors), func.grad(loss_torch, (2, 3, 4))(*tensors)
    with ug.use("torch:eager"):
        for _ in range(2):
            with torch.autocast("cpu", torch.bfloat16):
                value, slopes = function(*arrays), gradient(*arrays)
                own = gradient(*tensors)
                result = function(*tensors[:2], *held)
                inside = torch.autograd.grad(result, held, retain_graph=True)
                assert torch.is_autocast_enabled("cpu")
            outside = torch.autograd.grad(result, held)
            assert value.dtype == np.float32
            assert [one.dtype for one in slopes] == [np.float32] * 3
            np.testing.assert_allclose(value, want[0].item(), rtol=1e-5)
            close(result.detach(), want[0], 1e-5)
            for found in (own, outside, tuple(map(torch.from_numpy, slopes))):
                close(found, want[1], 1e-5)
            # PyTorch's own derivatives are cast where they are computed, as those of any code.
            close(inside, want[1], 1e-5 if autodiff == "graph" else 1e-2)


def test_autocast_before_a_function_gives_it_what_it_gives() -> None:
    layer = torch.nn.Linear(4, 3)
    function = ug.function(lambda h, w: ug.sum(ug.tanh(h) @ w))
    w = torch.nn.Parameter(torch.ones(3))
    for _ in range(2):
        layer.zero_grad()
        w.grad = None
        with torch.autocast("cpu", torch.bfloat16):
            hidden = layer(torch.ones(2, 4))
            assert hidden.dtype is torch.bfloat16
            result = function(hidden, w)
            assert result.dtype is torch.float32
            result.backward()
        assert (w.grad.dtype, layer.weight.grad.dtype) == (torch.float32, torch.float32)
        close(w.grad, torch.tanh(hidden.detach()).float().sum(0), 1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_the_default_dtype_of_pytorch_changes_nothing(dtype: str) -> None:
    function = ug.function(lambda x, n: ug.sum(ug.sqrt(x * 0.1) * (n / 3) + ug.ones(3) + 0.5))
    x, n = torch.ones(3, requires_grad=True), torch.arange(3)
    want = function(x, n)
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        fresh = ug.function(lambda x, n: ug.sum(ug.sqrt(x * 0.1) * (n / 3) + ug.ones(3) + 0.5))
        for called in (function, fresh):
            result = called(x, n)
            assert result.dtype is want.dtype
            close(result, want)
            close(
                torch.autograd.grad(result, x, retain_graph=True),
                torch.autograd.grad(want, x, retain_graph=True),
            )
    finally:
        torch.set_default_dtype(before)


def test_the_default_device_of_pytorch_does_not_move_what_goes_with_tensors() -> None:
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    captured = np.arange(3.0)
    for _ in range(2):
        with torch.device("meta"):
            result = ug.function(lambda x: ug.sum(x * captured + ug.ones(3) * 0.5))(x)
            (gradient,) = torch.autograd.grad(result, x)
        assert (result.device.type, result.item()) == ("cpu", 4.5)
        assert gradient.tolist() == [0.0, 1.0, 2.0]


def test_deterministic_algorithms_are_enough() -> None:
    function = ug.function(lambda x, i: ug.sum(ug.take(x, i) ** 2))
    x = torch.arange(3.0, dtype=torch.float64, requires_grad=True)
    torch.use_deterministic_algorithms(True)  # noqa: FBT003
    try:
        for _ in range(2):
            (gradient,) = torch.autograd.grad(function(x, torch.tensor([0, 2, 2])), x)
            assert gradient.tolist() == [0.0, 0.0, 8.0]
    finally:
        torch.use_deterministic_algorithms(False)  # noqa: FBT003
