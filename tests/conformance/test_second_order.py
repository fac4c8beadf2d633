"""Second and third derivatives at special points, on every target."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests import targets
from unigrad.ops.families import ZERO
from unigrad.ops.spec import OPS
from unigrad.testing import check_grads
from unigrad.testing.differences import Flat, check_symmetry_of

pytestmark = targets.PYTORCH_IS_LOUD

FOUND = {
    "logaddexp": (ug.logaddexp, (0.4, 0.4), {(0, 0): 0.25, (0, 1): -0.25, (1, 0): -0.25}),
    "its expression": (
        lambda x, y: ug.log(ug.exp(x) + ug.exp(y)), (0.4, 0.4),
        {(0, 0): 0.25, (0, 1): -0.25, (1, 0): -0.25, (1, 1): 0.25},
    ),
    "logaddexp of 0": (lambda x: ug.logaddexp(0.0, x), (0.0,), {(0, 0): 0.25, (0, 0, 0): 0.0}),
    "logaddexp2": (
        ug.logaddexp2, (0.4, 0.4), {(0, 0): math.log(2) / 4, (1, 0): -math.log(2) / 4}
    ),
    "xlogy": (
        ug.special.xlogy, (0.0, 2.0), {(0, 1): 0.5, (1, 0): 0.5, (1, 1, 0): -0.25, (0, 1, 1): -0.25}
    ),
    "xlog1py": (ug.special.xlog1py, (0.0, 2.0), {(0, 1): 1 / 3, (1, 0): 1 / 3}),
    "pow to 0": (ug.pow, (2.0, 0.0), {(0, 1): 0.5, (1, 0): 0.5, (0, 0): 0.0}),
    "pow to 1": (ug.pow, (2.0, 1.0), {(0, 0, 1): 0.5, (1, 0, 0): 0.5}),
    "x to x": (lambda x: x**x, (1.0,), {(0, 0): 2.0, (0, 0, 0): 3.0}),
    "hypot": (ug.hypot, (-2.0, 0.0), {(0, 0): 0.0, (0, 1): 0.0, (1, 1): 0.5}),
    "hypot with 0": (lambda x: ug.hypot(x, 0.0), (2.0,), {(0, 0): 0.0}),
    "logsumexp of what counts no units": (
        lambda x: ug.logsumexp(ug.stack([x, x * 0.0 + 1e17])), (1e17,), {(0, 0): 0.25}
    ),
    # Kinks and 0/0: the convention's own constant, also where a framework differentiates it.
    "hypot at the origin": (ug.hypot, (0.0, 0.0), {(0, 0): 0.0, (0, 1): 0.0, (1, 0): 0.0}),
    "atan2 at the origin": (ug.atan2, (0.0, 0.0), {(0, 0): 0.0, (0, 1): 0.0, (1, 0): 0.0}),
    "xlogy at 0/0": (ug.special.xlogy, (0.0, 0.0), {(0, 1): 0.0, (1, 0): 0.0, (1, 1): 0.0}),
    "xlog1py at 0/0": (ug.special.xlog1py, (0.0, -1.0), {(0, 1): 0.0, (1, 0): 0.0, (1, 1): 0.0}),
    "a power of 0": (lambda y: 0.0**y, (2.0,), {(0,): 0.0, (0, 0): 0.0}),
    "0 to 0": (lambda y: 0.0**y, (0.0,), {(0,): 0.0, (0, 0): 0.0}),
    "a power of x at 0": (ug.pow, (0.0, 2.0), {(0, 0): 2.0, (0, 1): 0.0, (1, 0): 0.0}),
    # The plain chain rule: 0 times infinity.
    "a square of a root": (lambda x: ug.sqrt(x) ** 2, (0.0,), {(0,): math.nan}),
    "a root times itself": (lambda x: ug.sqrt(x) * ug.sqrt(x), (0.0,), {(0,): math.nan}),
}  # fmt: skip


def _derivative(function: Any, along: tuple[int, ...]) -> Any:
    for position in along:
        function = ug.grad(function, argnums=position)
    return function


def wrong() -> list[str]:
    """What the target that is set gets wrong; one function of all points, compiled once."""

    def derivatives(points: Any) -> Any:
        return [
            _derivative(function, along)(*points[name])
            for name, (function, _, known) in FOUND.items()
            for along in known
        ]

    found = iter(ug.function(derivatives)({name: at for name, (_, at, _) in FOUND.items()}))
    compared = [
        (f"{name}{along}", float(next(found)), want)
        for name, (_, _, known) in FOUND.items()
        for along, want in known.items()
    ]
    return [
        f"{name}: {have}, expected {want}"
        for name, have, want in compared
        if not np.isclose(have, want, rtol=1e-12, atol=1e-14, equal_nan=True)
    ]


# -- of matrices, and at kinks ---------------------------------------------------------------------

_ONES = np.ones((2, 3))
OF_ARRAYS = {
    "matmul": (ug.matmul, (np.zeros((2, 3)), np.ones((3, 2)))),
    "solve": (ug.linalg.solve, (np.eye(2), np.zeros(2))),
    "solve_triangular": (ug.linalg.solve_triangular, (np.eye(2), np.array([0.0, 1.0]))),
    "cholesky": (lambda x: ug.linalg.cholesky(x + x.T), (np.eye(2),)),
    "softmax": (ug.nn.softmax, (_ONES,)),
    "log_softmax": (ug.nn.log_softmax, (_ONES,)),
    "logsumexp": (lambda x: ug.logsumexp(x, axis=1), (_ONES,)),
    "prod of zeros": (ug.prod, (np.array([0.0, 0.0, 2.0, 1.0]),)),
    "var": (ug.var, (np.ones(3),)),
    "std": (ug.std, (np.array([1.0, 1.0, 0.0]),)),
    "a norm": (lambda x: ug.sqrt(ug.sum(x * x)), (np.array([0.0, 1.0, 1.0]),)),
    "einsum": (lambda x, y: ug.einsum("ii,i->", x, y), (np.zeros((2, 2)), np.ones(2))),
}


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_functions_of_arrays_are_right_to_third_order(name: str) -> None:
    function, at = OF_ARRAYS[name]
    check_grads(function, at, order=3, target="numpy", autodiff="graph", name=name)


#: where the function has no second derivative, and what is given depends on the order
NOT_SYMMETRIC = {("pow", 0.0, 1.0)}
BINARY = [
    op for op in OPS.values()
    if op.elementwise and op.formulas and len(op.operands) == 2 and op.public
    and not all(formula is ZERO for formula in op.formulas)
]  # fmt: skip


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.name)
def test_hessians_are_symmetric_at_kinks_too(op: Any) -> None:
    numbers = (-2.0, -1.0, -0.0, 0.0, 0.4, 1.0, 2.0)
    points = [
        point
        for point in itertools.product(numbers, repeat=2)
        if (op.name, *point) not in NOT_SYMMETRIC
        and (op.name != "root_of_powers" or 0 < point[1] <= 1)  # what it is made for
    ]
    columns = tuple(np.array(column) for column in zip(*points, strict=True))
    with ug.use("numpy", autodiff="graph"):
        check_symmetry_of(Flat(op, columns, op.name))


SOON = [target for target in targets.TARGETS if target != "torch:compile"]


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(SOON))
def test_derivatives_at_special_points(
    target: str, autodiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets.compile_soon(target, monkeypatch)
    with ug.use(target, autodiff=autodiff):
        assert not wrong()


@pytest.mark.slow
@pytest.mark.parametrize(("target", "autodiff"), targets.ways(["torch:compile"]))
def test_they_are_right_compiled_by_torch_too(target: str, autodiff: Any) -> None:
    with ug.use(target, autodiff=autodiff):
        assert not wrong()
