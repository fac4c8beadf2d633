"""On the caller's PyTorch tape, a function is one node whose derivative is ours, to every order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.errors import DifferentiationError

if TYPE_CHECKING:
    from collections.abc import Callable

torch = pytest.importorskip("torch")
forward_ad = pytest.importorskip("torch.autograd.forward_ad")
func = pytest.importorskip("torch.func")

FLOAT = torch.float64


def model(x: Any, y: Any) -> Any:
    a = ug.tanh(x) * y + ug.sum(x * x)
    return a, ug.sum(a * a)


def model_torch(x: Any, y: Any) -> Any:
    a = torch.tanh(x) * y + (x * x).sum()
    return a, (a * a).sum()


def kinks(x: Any) -> Any:
    return ug.sum(ug.abs(x) ** 3 * ug.maximum(x, 0.2) * ug.nn.relu(x + 1)) * ug.logsumexp(x)


def kinks_torch(x: Any) -> Any:
    bound = torch.tensor(0.2, dtype=FLOAT)
    parts = torch.abs(x) ** 3 * torch.maximum(x, bound) * torch.relu(x + 1)
    return parts.sum() * torch.logsumexp(x, 0)


def numbers(*shape: int, seed: int = 0) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def recorded(*shape: int, seed: int = 0) -> Any:
    return numbers(*shape, seed=seed).requires_grad_()


def close(ours: Any, theirs: Any) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.fixture(params=["graph", "native"])
def autodiff(request: pytest.FixtureRequest) -> Any:
    return request.param


# -- reverse mode ----------------------------------------------------------------------------------


def test_a_function_is_one_node_of_the_tape() -> None:
    x, y = recorded(3), recorded(3, seed=1)
    a, total = ug.function(model)(x, y)
    assert type(total.grad_fn).__name__ == "modelBackward"
    assert a.grad_fn is total.grad_fn
    assert {kind for kind, _ in total.grad_fn.next_functions if kind is not None} == {
        torch.autograd.graph.get_gradient_edge(one).node for one in (x, y)
    }


def test_first_and_second_derivatives_pass_the_checks_of_pytorch(autodiff: Any) -> None:
    function = ug.function(model, autodiff=autodiff)
    inputs = recorded(3), recorded(3, seed=1)
    assert torch.autograd.gradcheck(
        function, inputs, check_forward_ad=True, check_batched_grad=True,
        check_batched_forward_grad=True,
    )  # fmt: skip
    assert torch.autograd.gradgradcheck(
        function, inputs, check_fwd_over_rev=True, check_rev_over_rev=True
    )


def test_a_gradient_is_a_function_like_any_other_on_the_tape(autodiff: Any) -> None:
    gradient = ug.grad(kinks, autodiff=autodiff)
    x = recorded(4)
    assert gradient(x).grad_fn is not None
    assert torch.autograd.gradcheck(gradient, (x,), check_forward_ad=True)
    with torch.no_grad():
        assert not gradient(x).requires_grad
    assert not gradient(x.detach()).requires_grad
    close(gradient(x), torch.autograd.grad(kinks_torch(x), x)[0])


def test_the_third_derivative_by_create_graph() -> None:
    x = recorded(4)
    function = ug.function(kinks)

    def third(f: Callable[..., Any]) -> Any:
        result = f(x)
        for _ in range(3):
            (slope,) = torch.autograd.grad(result, x, create_graph=True)
            result = (slope * slope.detach()).sum()
        return result

    close(third(function), third(kinks_torch))


def test_what_does_not_matter_gets_zeros_and_integers_get_nothing(autodiff: Any) -> None:
    @ug.function(autodiff=autodiff)
    def chosen(x: Any, unused: Any, count: Any) -> Any:
        del unused
        return ug.sum(x * count), count + 1, ug.floor(x)

    x, unused, count = recorded(3), recorded(2), torch.tensor([1, 2, 3])
    total, more, floor = chosen(x, unused, count)
    assert not more.requires_grad
    assert more.dtype is torch.int64
    gradients = torch.autograd.grad(
        total, (x, unused), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    assert [one.tolist() for one in gradients] == [[1.0, 2.0, 3.0], [0.0, 0.0]]
    (slope,) = torch.autograd.grad(floor.sum(), x)
    assert slope.tolist() == [0.0, 0.0, 0.0]


def test_inputs_that_are_returned_and_results_returned_twice() -> None:
    @ug.function
    def passing(x: Any) -> Any:
        y = ug.sin(x)
        return x, x, y, y, x.reshape((3, 1)), ug.astype(x, "int64")

    x = recorded(3)
    first, again, y, twice, column, whole = passing(x)
    assert not whole.requires_grad
    total = first.sum() + 2 * again.sum() + y.sum() + 3 * twice.sum() + 5 * column.sum()
    (gradient,) = torch.autograd.grad(total, x)
    close(gradient, 8 + 4 * torch.cos(x.detach()))


def test_numpy_arrays_beside_a_recorded_tensor_travel_along() -> None:
    x = recorded(3)
    result = ug.function(lambda x, y: ug.sum(x * y))(x, np.arange(3.0))
    assert torch.autograd.grad(result, x)[0].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gradients_have_the_dtype_of_the_tensor(dtype: str) -> None:
    x = torch.ones(3, dtype=getattr(torch, dtype), requires_grad=True)
    (gradient,) = torch.autograd.grad(ug.function(lambda x: ug.sum(ug.exp(2 * x)))(x), x)
    assert (gradient.dtype, gradient.shape) == (x.dtype, x.shape)


def test_a_parameter_is_trained() -> None:
    weights = torch.nn.Parameter(torch.zeros(2, dtype=FLOAT))
    optimiser = torch.optim.SGD([weights], lr=0.25)
    loss = ug.function(lambda w: ug.sum((w - 1) ** 2))
    for _ in range(60):
        optimiser.zero_grad()
        loss(weights).backward()
        optimiser.step()
    close(weights.detach(), torch.ones(2, dtype=FLOAT))


# -- captured tensors ------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", [np.arange(3.0), torch.arange(3.0, dtype=FLOAT)])
def test_a_captured_tensor_that_requires_grad_gets_its_gradient(
    argument: Any, autodiff: Any
) -> None:
    scale = recorded(3)
    result = ug.function(lambda x: ug.sum(x * scale * scale), autodiff=autodiff)(argument)
    (gradient,) = torch.autograd.grad(result, scale)
    close(gradient, 2 * scale.detach() * torch.as_tensor(argument))
    inner = ug.grad(lambda x: ug.sum(x * scale * scale), autodiff=autodiff)(argument)
    (gradient,) = torch.autograd.grad(inner.sum(), scale)
    close(gradient, 2 * scale.detach())


def test_a_captured_parameter_is_read_anew_after_a_step() -> None:
    weights = torch.nn.Parameter(torch.ones(3, dtype=FLOAT))
    predict = ug.function(lambda x: ug.sum(x * weights))
    x = torch.ones(3, dtype=FLOAT)
    with torch.no_grad():
        assert predict(x).item() == 3.0
        weights.mul_(2.0)
        assert predict(x).item() == 6.0


def test_another_target_refuses_a_captured_tensor_on_the_tape() -> None:
    weights = recorded(3)
    with ug.use("numpy"), pytest.raises(DifferentiationError, match="detach it"):
        ug.function(lambda x: ug.sum(x * weights))(np.ones(3))


# -- torch.func and forward mode -------------------------------------------------------------------

TRANSFORMS: dict[str, Callable[..., Any]] = {
    "grad": func.grad,
    "jacrev": func.jacrev,
    "jacfwd": func.jacfwd,
    "hessian": func.hessian,
    "jacrev of jacrev": lambda f: func.jacrev(func.jacrev(f)),
    "jacrev of jacfwd": lambda f: func.jacrev(func.jacfwd(f)),
    "jacfwd of jacfwd": lambda f: func.jacfwd(func.jacfwd(f)),
    "jacfwd three times": lambda f: func.jacfwd(func.jacfwd(func.jacfwd(f))),
    "vmap": lambda f: lambda x: func.vmap(f)(torch.stack([x, 2 * x])),
    "vmap of hessian": lambda f: lambda x: func.vmap(func.hessian(f))(torch.stack([x, 2 * x])),
    "grad of vmap": lambda f: func.grad(lambda x: func.vmap(f)(torch.stack([x, 2 * x])).sum()),
    "jvp": lambda f: lambda x: func.jvp(f, (x,), (x * x,)),
    "vjp": lambda f: lambda x: func.vjp(f, x)[1](torch.tensor(2.0, dtype=FLOAT)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("kind", ["function", "gradient"])
def test_a_function_goes_through_every_transform_of_torch_func(
    name: str, kind: str, autodiff: Any
) -> None:
    ours, theirs = ug.function(kinks, autodiff=autodiff), kinks_torch
    if kind == "gradient":
        gradient = ug.grad(kinks, autodiff=autodiff)
        ours = ug.function(lambda x: ug.sum(gradient(x) * x), autodiff=autodiff)

        def theirs(x: Any) -> Any:
            return (func.grad(kinks_torch)(x) * x).sum()

    x = numbers(4)
    close(TRANSFORMS[name](ours)(x), TRANSFORMS[name](theirs)(x))


def test_a_dual_number_carries_its_tangent_through(autodiff: Any) -> None:
    x, direction = numbers(4), numbers(4, seed=1)
    for ours, theirs in (
        (ug.function(kinks, autodiff=autodiff), kinks_torch),
        (ug.grad(kinks, autodiff=autodiff), func.grad(kinks_torch)),
    ):
        value, tangent = func.jvp(theirs, (x,), (direction,))
        with forward_ad.dual_level():
            dual = forward_ad.unpack_dual(ours(forward_ad.make_dual(x, direction)))
            close(dual.primal, value)
            close(dual.tangent, tangent)


def test_inference_mode_and_what_comes_out_of_it(autodiff: Any) -> None:
    x = numbers(4)
    want = func.grad(kinks_torch)(x)
    gradient = ug.grad(kinks, autodiff=autodiff)
    with torch.inference_mode():
        inside = x.clone()
        close(gradient(inside).clone(), want)
    close(gradient(inside), want)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch.compile warns of itself
def test_a_compiled_function_of_the_caller_calls_us_as_we_are() -> None:
    function = ug.function(kinks)
    compiled = torch.compile(lambda x: function(2 * x) + 1)
    x = recorded(4)
    function(x)  # from its first call on a function is opaque to the compiler
    result = compiled(x)
    close(result, kinks_torch(2 * x) + 1)
    close(torch.autograd.grad(result, x), torch.autograd.grad(kinks_torch(2 * x), x))
