"""PyTorch's table and runtime: values are NumPy's, arrays go in and out, the fast way is safe."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests.guarded import is_taken
from unigrad.errors import TargetError
from unigrad.ir.types import DTYPES

torch = pytest.importorskip("torch")

# -- what is written -------------------------------------------------------------------------------


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


# -- arrays in and out -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in DTYPES if not name.startswith("complex")])
def test_a_tensor_comes_back_as_one(name: str) -> None:
    tensor = torch.ones(3).to(getattr(torch, name))
    with ug.use("torch"):
        assert ug.function(lambda x: x)(tensor).dtype is tensor.dtype


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


# -- the fast way ----------------------------------------------------------------------------------


def test_the_guard_takes_what_it_was_made_for_and_nothing_else() -> None:
    @ug.function
    def double(x: Any) -> Any:
        return 2 * x

    x = torch.ones(3, dtype=torch.float64)
    with ug.use("torch"):
        double(x)
        assert is_taken(double, x + 1)
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
