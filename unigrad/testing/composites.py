"""Inputs for public functions that are made of several ops, where making them has choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import unigrad as ug
from unigrad.testing.cases import case, not_symmetric, positive_definite, triangular
from unigrad.testing.domains import reals

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.ops.spec import Sample

__all__ = ["composites"]


def _einsum(*operands: Any, subscripts: str) -> Any:
    return ug.einsum(subscripts, *operands)


def _index(x: Any, *places: Any, key: tuple[Any, ...]) -> Any:
    """``x[key]`` with the arrays ``places`` where the key has the name of one."""
    named = dict(zip("ijk", places, strict=False))
    return x[tuple(named[entry] if isinstance(entry, str) else entry for entry in key)]


def _clip(x: Any, *, low: float | None, high: float | None) -> Any:
    return ug.clip(x, low, high)


def _cholesky(x: Any, *, upper: bool = False) -> Any:
    """The factor of the symmetric part, as moving one triangle alone would leave the domain."""
    return ug.linalg.cholesky(0.5 * (x + ug.matrix_transpose(x)), upper=upper)


def _concat(*arrays: Any, axis: int | None) -> Any:
    return ug.concat(arrays, axis=axis)


def _meshgrid(*arrays: Any, indexing: str) -> Any:
    return ug.meshgrid(*arrays, indexing=indexing)


def composites() -> dict[str, tuple[Callable[..., Any], list[Sample]]]:
    """Functions and their samples by name."""
    rows, columns = np.array([0, -1, 2]), np.array([1, 1, -2])
    return {
        "take": (
            ug.take,
            [
                case(reals(4), np.array([-1, 0, 0])),
                case(reals(3, 4), np.array([[1, -2], [0, 0]]), axis=0),
                case(reals(3, 4), np.array(2, "uint8"), axis=-1),
                case(reals(3), np.array([7, -9]), note="out of range: clamped"),
            ],
        ),
        "indexing by arrays": (
            _index,
            [
                case(reals(3, 4), rows, key=("i",)),
                case(reals(3, 4), rows, columns, key=("i", "j")),
                case(reals(3, 4, 2), rows, rows % 2, key=("i", slice(None), "j"), note="apart"),
                case(reals(2, 3, 4), rows, columns, key=(slice(None, None, -1), "i", "j")),
                case(reals(3, 4), rows.reshape(3, 1), columns, key=("i", "j"), note="broadcast"),
                case(reals(2, 3, 4), rows, key=(1, slice(0, 2), "i"), note="an int beside"),
                case(reals(3, 4), rows, key=(Ellipsis, "i", None)),
            ],
        ),
        "einsum": (
            _einsum,
            [
                case(reals(2, 3), reals(3, 4), subscripts="ij,jk"),
                case(reals(2, 3), reals(3, 4), reals(4, 2), subscripts="ij,jk,kl->il"),
                case(reals(5, 2, 3), reals(3, 2), subscripts="...ij,jk->...ik"),
                case(reals(2, 3, 3), subscripts="...ii->..."),
                case(reals(2), reals(3), reals(2, 3), reals(3, 2), subscripts="i,j,ij,ji->"),
                case(reals(2, 3), subscripts="ji"),
                case(reals(2, 3), reals(1, 3), subscripts="...i,...i->...", note="broadcast"),
                case(reals(2, 1, 3), reals(4, 3), subscripts="...i,...i", note="broadcast"),
                case(reals(1, 3), reals(2, 1), subscripts="ij,ij->ij", note="broadcast"),
            ],
        ),
        "clip": (
            _clip,
            [
                case(reals(5) * 1.01, low=-0.9, high=0.9),
                case(reals(5), low=None, high=0.5),
                case(reals(5), low=-0.5, high=None),
                case(reals(5), low=None, high=None),
            ],
        ),
        "solve": (
            ug.linalg.solve,
            [
                case(not_symmetric(3, 3), reals(3)),
                case(not_symmetric(2, 3, 3), reals(3), note="broadcast"),
                case(not_symmetric(3, 3), reals(3, 2)),
            ],
        ),
        "solve_triangular": (
            ug.linalg.solve_triangular,
            [
                case(triangular(3, 3), reals(3)),
                case(triangular(3, 3), reals(3), lower=True, transpose=True),
                case(triangular(2, 3, 3), reals(3), unit_diagonal=True),
            ],
        ),
        "cholesky of symmetric": (
            _cholesky,
            [
                case(positive_definite(3, 3)),
                case(positive_definite(2, 3, 3)),
                case(positive_definite(3, 3), upper=True),
            ],
        ),
        "concat of the elements": (
            _concat, [case(reals(2, 3), reals(2), reals(), axis=None), case(reals(2, 1), axis=1)],
        ),
        "meshgrid": (
            _meshgrid,
            [
                case(reals(2), reals(3), indexing="xy"),
                case(reals(2), reals(3), reals(4), indexing="xy"),
                case(reals(2), reals(), np.arange(3), indexing="ij"),
                case(reals(2), indexing="xy"),
            ],
        ),
        "sum in a dtype": (
            ug.sum,
            [
                case(np.array([100, 100], "int8"), dtype="int8", note="wraps"),
                case(np.array([[True, False]]), axis=0, dtype="float32"),
                case(reals(2, 3), axis=1, dtype="float32", gradient=(np.ones((2, 3)),)),
            ],
        ),
        "prod in a dtype": (
            ug.prod,
            [case(np.array([3, 4], "uint8"), dtype="uint8"), case(reals(3), dtype="float64")],
        ),
        "outer": (ug.outer, [case(reals(2), reals(3))]),
        "vecdot": (
            ug.vecdot,
            [case(reals(2, 3), reals(2, 3, key="y")), case(reals(2, 3), reals(2, 1), axis=0)],
        ),
        "tril": (ug.tril, [case(reals(3, 3)), case(reals(2, 3, 4), k=-1), case(reals(3, 2), k=1)]),
        "triu": (ug.triu, [case(reals(3, 3)), case(reals(2, 3, 4), k=-1), case(reals(3, 2), k=1)]),
        "matrix_transpose": (ug.matrix_transpose, [case(reals(2, 3, 4))]),
    }  # fmt: skip
