"""What native mode is tested on: nestings of transforms, and ops at all of their special points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import unigrad as ug
from unigrad.ops.spec import OPS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DIFFERENTIABLE", "FEW", "KINKED", "NESTINGS", "REDUCTIONS", "SPECIAL", "agree"]

SPECIAL = np.array([
    -np.inf, -1e300, -5.5, -3.0, -1.0, -0.5, -1e-310, -0.0, 0.0, 1e-310, 0.1, 0.5, 1.0, 2.0, 3.0,
    800.0, 1e300, np.inf, np.nan,
])  # fmt: skip
FEW = np.array([-np.inf, -3.0, -1.0, -0.5, -0.0, 0.0, 0.1, 0.5, 1.0, 3.0, 5.5, np.inf, np.nan])

WITHIN = ("barrier", "root_of_powers")
"""Ops that only passes make, of operands that they have looked at: they have tests of their own."""

DIFFERENTIABLE = [
    op
    for op in OPS.values()
    if op.elementwise and op.formulas is not None and not op.params and op.name not in WITHIN
]
REDUCTIONS = (
    "sum", "mean", "prod", "max", "min", "var", "std", "logsumexp", "softmax", "log_softmax"
)  # fmt: skip
KINKED = (
    "abs", "sign", "relu", "softplus", "copysign", "heaviside", "maximum", "minimum", "fmax",
    "fmin", "clip_below", "clip_above",
)  # fmt: skip
"""Ops whose second derivative is nothing special at the points where the first one jumps."""


def agree(got: Any, want: Any, told: str = "") -> None:
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-300, equal_nan=True, err_msg=told)


# -- nesting ---------------------------------------------------------------------------------------


def smooth(x: Any) -> Any:
    return ug.sin(x) * ug.exp(x * x)


def kinked(x: Any) -> Any:
    """Every kind of repair is in it: other rows, and our rules around native ops."""
    length = ug.hypot(x, x * x + 1) * ug.logsumexp(ug.stack([x, x * x]))
    return ug.abs(x) ** 3 * ug.maximum(x, 0.2) * length


def push(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: ug.jvp(f, (x,), (ug.ones_like(x),))[1]


pull = ug.grad

KINDS = (
    (pull, pull), (pull, push), (push, pull), (push, push), (push, push, push), (push, pull, push),
    (pull, push, push), (push, push, pull), (pull, pull, pull),
)  # fmt: skip


def applied(kinds: tuple[Callable[..., Any], ...], function: Callable[..., Any]) -> Any:
    """Derivatives of a function, the last kind innermost."""
    for kind in reversed(kinds):
        function = kind(function)
    return function


NESTINGS: dict[str, Callable[[Any], Any]] = {
    "x * d/dy (x * y)": pull(lambda x: x * pull(lambda y: x * y)(x)),
    "x * d/dy (x + y)": pull(lambda x: x * pull(lambda y: x + y)(x)),
    "three inside each other": pull(
        lambda x: x * pull(lambda y: x * y * pull(lambda z: x * y * z * z)(y))(x)
    ),
    "three side by side": pull(
        lambda x: pull(lambda y: y * pull(lambda z: ug.sin(x * z) * y)(x))(x * x)
    ),
    "an inner forward one": pull(lambda x: x * push(lambda y: x * y * y)(x)),
    "a forward one around": push(lambda x: x * pull(lambda y: x * y * y)(x)),
    "reverse four times": pull(pull(pull(pull(smooth)))),
    **{
        f"{'-'.join(kind.__name__ for kind in kinds)} of {function.__name__}": applied(
            kinds, function
        )
        for function in (smooth, kinked)
        for kinds in KINDS
    },
}
