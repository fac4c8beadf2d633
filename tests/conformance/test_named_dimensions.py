"""Values and gradients over named dimensions are those over the sizes that the names stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests import targets
from unigrad.testing.cases import not_symmetric
from unigrad.testing.domains import reals

if TYPE_CHECKING:
    from collections.abc import Callable

VECTOR, MATRIX, SQUARE = "float64[n]", "float64[n, m]", "float64[n, n]"
V, W, M, S = reals(3), reals(2, key="w"), reals(3, 2), not_symmetric(3, 3)

FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[str, ...], tuple[Any, ...]]] = {
    "prod": (ug.prod, (VECTOR,), (V,)),
    "prod along an axis": (lambda a: ug.prod(a, axis=0), (MATRIX,), (M,)),
    "max": (lambda a: ug.max(a, axis=0), (MATRIX,), (M,)),
    "mean": (ug.mean, (MATRIX,), (M,)),
    "var": (lambda a: ug.var(a, axis=0, correction=1), (MATRIX,), (M,)),
    "std": (ug.std, (MATRIX,), (M,)),
    "logsumexp": (lambda a: ug.logsumexp(a, axis=1), (MATRIX,), (M,)),
    "softmax": (lambda a: ug.nn.softmax(a, axis=0), (MATRIX,), (M,)),
    "log_softmax": (ug.nn.log_softmax, (MATRIX,), (M,)),
    "reshape": (lambda a: ug.reshape(a, (a.shape[1], -1)), (MATRIX,), (M,)),
    "the last": (lambda a: a[-1] * a[a.shape[0] - 2], (MATRIX,), (M,)),
    "slices": (lambda a: a[1:, :-1], (MATRIX,), (M,)),
    "flip": (ug.flip, (MATRIX,), (M,)),
    "roll": (lambda a: ug.roll(a, 1, axis=0), (MATRIX,), (M,)),
    "tile": (lambda a: ug.tile(a, (2, 3)), (VECTOR,), (V,)),
    "concat": (lambda a, b: ug.concat([a, b]), (VECTOR, "float64[m]"), (V, W)),
    "concat of the elements": (
        lambda a, b: ug.concat([a, b], axis=None), (MATRIX, "float64[m]"), (M, W),
    ),
    "stack": (lambda a: ug.stack([a, a * a], axis=1), (VECTOR,), (V,)),
    "take": (lambda a: ug.take(a, np.array([0, 1, -1, 0]), axis=0), (MATRIX,), (M,)),
    "indexing by arrays": (lambda a: a[np.array([0, -1]), 1], (MATRIX,), (M,)),
    "outer": (ug.outer, (VECTOR, "float64[m]"), (V, W)),
    "meshgrid": (lambda a, b: ug.meshgrid(a, b)[1], (VECTOR, "float64[m]"), (V, W)),
    "matmul": (lambda a, b: a.T @ b, (MATRIX, VECTOR), (M, V)),
    "einsum": (lambda a, b: ug.einsum("ij,j->i", a, b), (MATRIX, "float64[m]"), (M, W)),
    "einsum of a diagonal": (lambda a: ug.einsum("ii->i", a), (SQUARE,), (S,)),
    "tensordot": (lambda a, b: ug.tensordot(a, b, axes=1), (MATRIX, "float64[m]"), (M, W)),
    "tril": (lambda a: ug.tril(a, k=-1), (SQUARE,), (S,)),
    "eye": (lambda a: ug.eye(a.shape[0]) @ a, (MATRIX,), (M,)),
    "arange": (lambda a: a * ug.arange(a.shape[0]), (VECTOR,), (V,)),
    "full_like": (lambda a: ug.full_like(a, 2.0) * a, (MATRIX,), (M,)),
    "broadcast_to": (lambda a: ug.broadcast_to(a, (2, a.shape[0])), (VECTOR,), (V,)),
    "sizes": (lambda a: ug.sum(a) / a.size + a * (2 * a.shape[0]), (MATRIX,), (M,)),
    "where": (lambda a: ug.where(a > 0, a * a, 0.0), (MATRIX,), (M,)),
    "cholesky": (
        lambda a: ug.linalg.cholesky(a @ a.T + ug.eye(a.shape[0])), (SQUARE,), (S,),
    ),
    "solve": (ug.linalg.solve, (SQUARE, VECTOR), (S, V)),
    "solve_triangular": (ug.linalg.solve_triangular, (SQUARE, VECTOR), (S, V)),
}  # fmt: skip

TARGETS = targets.ways((*targets.EAGER, "tensorflow:graph"))


@pytest.mark.parametrize(("target", "autodiff"), TARGETS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_name_stands_for_every_size(name: str, target: str, autodiff: str) -> None:
    function, types, arrays = FUNCTIONS[name]

    def scalar(*args: Any) -> Any:
        return ug.sum(ug.sin(function(*args)))

    every = tuple(range(len(types)))
    with ug.use(target, autodiff=autodiff):
        with ug.graph("named") as named:
            inputs = [ug.input(letter, type_) for letter, type_ in zip("ab", types, strict=False)]
            gradients = ug.grad(scalar, argnums=every)(*inputs)
            named.output(value=function(*inputs), **{f"by_{i}": gradients[i] for i in every})
        found = named(*arrays)
        np.testing.assert_allclose(found["value"], ug.function(function)(*arrays), rtol=1e-12)
        wanted = ug.grad(scalar, argnums=every)(*arrays)
    for i in every:
        np.testing.assert_allclose(found[f"by_{i}"], wanted[i], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("target", targets.of(("jax:jit", "tensorflow:xla")))
def test_compiled_targets_serve_every_size_in_one_function(target: str) -> None:
    """All functions at once, since each would be compiled by itself."""
    with ug.graph("named") as named:
        for i, (function, types, _) in enumerate(FUNCTIONS.values()):
            inputs = [
                ug.input(f"x{i}_{k}", type_.replace("n", f"n{i}").replace("m", f"m{i}"))
                for k, type_ in enumerate(types)
            ]
            named.output(**{f"y{i}": function(*inputs)})
    given = {
        f"x{i}_{k}": array
        for i, (_, _, arrays) in enumerate(FUNCTIONS.values())
        for k, array in enumerate(arrays)
    }
    with ug.use("numpy"):
        wanted = named(**given)
    with ug.use(target):
        found = named(**given)
    for i, name in enumerate(FUNCTIONS):
        assert found[f"y{i}"].dtype == wanted[f"y{i}"].dtype, name
        np.testing.assert_allclose(
            found[f"y{i}"], wanted[f"y{i}"], rtol=1e-12, atol=1e-14, err_msg=name
        )
