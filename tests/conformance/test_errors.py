"""What is wrong with a call is told on every target alike: the same error, in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests import targets
from unigrad.errors import UnigradError

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = targets.PYTORCH_IS_LOUD

X = np.ones((2, 3))


def branches(x: Any) -> Any:
    return x if x > 0 else -x


def loss(x: Any, y: Any) -> Any:
    return ug.sum((x - y) ** 2)


WRONG: dict[str, Callable[[], Any]] = {
    "shapes": lambda: ug.function(loss)(X, np.ones(4)),
    "shapes of a product": lambda: ug.function(lambda x: x @ x)(X),
    "a dtype": lambda: ug.function(lambda x: ug.bitwise_and(x, 1))(X),
    "too few arguments": lambda: ug.function(loss)(X),
    "too many arguments": lambda: ug.grad(loss)(X, X, X),
    "an unknown name": lambda: ug.function(loss)(X, z=X),
    "no scalar": lambda: ug.grad(lambda x: 2 * x)(X),
    "two values": lambda: ug.grad(lambda x: (ug.sum(x), ug.sum(x)))(X),
    "an integer value": lambda: ug.grad(ug.argmax)(np.ones(3)),
    "a branch on a value": lambda: ug.function(branches)(1.0),
    "an index out of range": lambda: ug.function(lambda x: x[5])(X),
    "an axis that is not there": lambda: ug.sum(X, axis=2),
    "an array of objects": lambda: ug.sin(np.array([None, 1])),
    "a masked array": lambda: ug.sin(np.ma.masked_array([1.0])),
    "text": lambda: ug.function(lambda x, y: x + y)(X, "three"),
    "a cotangent of another shape": lambda: ug.vjp(lambda x: 2 * x, X)[1](np.ones(3)),
    "a tangent of another shape": lambda: ug.jvp(lambda x: 2 * x, (X,), (np.ones(3),)),
    "an argument that is not there": lambda: ug.grad(loss, argnums=2)(X, X),
    "a name that is not there": lambda: ug.grad(loss, argnames="z")(X, X),
}


def told(call: Callable[[], Any]) -> tuple[type, str, list[str]]:
    with pytest.raises(UnigradError) as caught:
        call()
    return type(caught.value), str(caught.value), getattr(caught.value, "__notes__", [])


@pytest.fixture(scope="module")
def words() -> dict[str, Any]:
    """What NumPy says."""
    with ug.use("numpy", autodiff="graph"):
        return {name: told(call) for name, call in WRONG.items()}


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(targets.TARGETS))
def test_an_error_is_the_same_everywhere(target: str, autodiff: Any, words: dict[str, Any]) -> None:
    with ug.use(target, autodiff=autodiff):
        for name, call in WRONG.items():
            assert told(call) == words[name], name
