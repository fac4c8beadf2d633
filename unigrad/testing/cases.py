"""Inputs for the ops that are neither elementwise nor reductions: shapes, axes, keys and flags.

An op that is not listed here is tested by its own samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unigrad.ops.spec import Sample
from unigrad.testing.domains import generator, reals

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["cases", "not_symmetric", "positive_definite", "triangular"]


def case(
    *args: Any, note: str = "", gradient: tuple[Any, ...] | None = None, **params: Any
) -> Sample:
    """A sample whose parameters are keywords."""
    return Sample(args, params, gradient, note)


def positive_definite(*shape: int) -> np.ndarray[Any, Any]:
    """Symmetric matrices with eigenvalues of at least 1."""
    square = generator("positive definite", shape).uniform(-1, 1, shape)
    return square @ np.swapaxes(square, -1, -2) + np.eye(shape[-1])


def not_symmetric(*shape: int) -> np.ndarray[Any, Any]:
    """Matrices that are far from singular."""
    return generator("regular", shape).uniform(-0.5, 0.5, shape) + 2 * np.eye(shape[-1])


def triangular(*shape: int) -> np.ndarray[Any, Any]:
    """Matrices whose triangles are both far from singular and hold different numbers."""
    return not_symmetric(*shape) + 0.1


def _structural() -> dict[str, list[Sample]]:
    return {
        "where": [
            case(reals(2, 3) > 0, reals(2, 3, key="x"), reals(2, 3, key="y")),
            case(reals(3) > 0, reals(2, 1), reals(), note="broadcast"),
            case(np.zeros((0, 3), bool), reals(0, 3), reals(3), note="empty"),
        ],
        "astype": [
            case(reals(3), dtype="float64"),
            case(reals(3), dtype="float32", note="narrow", gradient=(np.ones(3),)),
            case(reals(3).astype("float32"), dtype="float64", gradient=(np.ones(3),)),
            case(reals(3), dtype="int64", gradient=(np.zeros(3),), note="constant"),
            case(reals(3), dtype="bool", gradient=(np.zeros(3),)),
            case(np.array([0, 3, -2]), dtype="bool"),
            case(np.array([0, 3, 2]), dtype="uint8"),
            case(np.array([True, False]), dtype="float32"),
            case(np.array([1, 2]), dtype="bfloat16"),
        ],
        "stop_gradient": [
            case(reals(2, 3), gradient=(np.zeros((2, 3)),), note="a constant"),
            case(np.array([1, 2])),
        ],
        "reshape": [
            case(reals(2, 3), shape=(3, 2)),
            case(reals(2, 3, 4), shape=(-1, 6)),
            case(reals(), shape=(1, 1)),
            case(reals(1, 1), shape=()),
            case(reals(0, 3), shape=(3, 0, 2)),
        ],
        "permute_dims": [
            case(reals(2, 3, 4), axes=(2, 0, 1)),
            case(reals(2, 3), axes=(1, 0)),
            case(reals(2, 3, 4), axes=(-3, -1, 1)),
            case(reals(), axes=()),
            case(reals(0, 3), axes=(1, 0)),
        ],
        "broadcast_to": [
            case(reals(3, 1), shape=(2, 3, 4)),
            case(reals(), shape=(2, 3)),
            case(reals(2, 3), shape=(2, 3)),
            case(reals(1), shape=(0,)),
        ],
        "expand_dims": [
            case(reals(2, 3), axis=1),
            case(reals(2, 3), axis=-1),
            case(reals(2, 3), axis=(0, 2)),
            case(reals(), axis=0),
        ],
        "squeeze": [
            case(reals(1, 3, 1)),
            case(reals(1, 3, 1), axis=0),
            case(reals(1, 3, 1), axis=-1),
            case(reals(1, 3, 1), axis=(0, 2)),
        ],
        "flip": [
            case(reals(2, 3)),
            case(reals(2, 3), axis=0),
            case(reals(2, 3, 4), axis=(0, -1)),
            case(reals(0)),
        ],
        "reweigh": [case(reals(2), weak=True), case(reals(), weak=False)],
        "concat": [
            case(reals(2, 3), reals(1, 3), reals(2, 3, key="z")),
            case(reals(2, 3), reals(2, 1), axis=-1),
            case(reals(0, 3), reals(2, 3)),
            case(reals(2), np.array([1, 2, 3]), note="promotion"),
            case(reals(2)),
        ],
        "stack": [
            case(reals(2, 3), reals(2, 3, key="y")),
            case(reals(2, 3), reals(2, 3, key="y"), reals(2, 3, key="z"), axis=-1),
            case(reals(), reals(key="y"), axis=0),
            case(reals(2), np.array([1, 2]), axis=1, note="promotion"),
        ],
        "dim_value": [case(size=3, dtype="float64"), case(size=2, dtype="int64")],
        "iota": [
            case(shape=(2, 3), axis=0, dtype="int64"),
            case(shape=(2, 3), axis=1, dtype="float64"),
            case(shape=(0,), axis=0, dtype="int64"),
        ],
        "getitem": [
            case(reals(4, 3), key=(slice(1, 3), 2)),
            case(reals(4, 3), key=(slice(None, None, -2),)),
            case(reals(4, 3), key=(-1,)),
            case(reals(4, 3), key=(Ellipsis, None, slice(0, 1))),
            case(reals(4, 3), key=(slice(3, 1),), note="empty"),
            case(reals(4, 3), key=(slice(2, 99),), note="past the end"),
            case(reals(5), key=(slice(-1, 0, -3),)),
        ],
        "place_at": [
            case(reals(2, 3), key=((1, 3, 1), (0, 3, 1)), shape=(4, 3)),
            case(reals(2), key=(0, (0, 3, 2)), shape=(2, 3)),
            case(reals(3), key=((2, None, -1),), shape=(3,)),
            case(reals(), key=(1, 2), shape=(2, 3)),
        ],
        "take_within": [
            case(reals(4, 3), np.array([0, 3, 1, 1]), axis=0),
            case(reals(4, 3), np.array([[2, 0], [1, 1]]), axis=-1),
            case(reals(4), np.array(2), axis=0),
            case(reals(4, 3), np.zeros((0,), int), axis=1),
        ],
        "add_at": [
            case(reals(4, 3), np.array([0, 2, 2, 1]), axis=0, size=5),
            case(reals(2, 3), np.array([3, 0, 0]), axis=1, size=4),
            case(reals(2, 3), np.array(1), axis=1, size=2),
        ],
    }


def _products() -> dict[str, list[Sample]]:
    return {
        "matmul": [
            case(reals(2, 3), reals(3, 4)),
            case(reals(3), reals(3, key="y")),
            case(reals(2, 3), reals(3)),
            case(reals(3), reals(3, 4)),
            case(reals(2, 1, 2, 3), reals(4, 3, 2)),
            case(reals(2, 2, 3), reals(3)),
            case(reals(3), reals(2, 3, 2)),
            case(reals(2, 3), reals(2, 3, 2)),
            case(reals(2, 0), reals(0, 3), note="empty"),
            case(reals(1, 1), reals(1, 1, key="y")),
            case(np.zeros((2, 3)), np.ones((3, 2)), note="zeros and equal numbers"),
            case(np.arange(6).reshape(2, 3), np.arange(3), note="integers"),
        ],
        "tensordot": [
            case(reals(2, 3), reals(3, 4), axes=1),
            case(reals(2, 3, 4), reals(3, 4, 5)),
            case(reals(2, 3, 4), reals(4, 2, 5), axes=((0, 2), (1, 0))),
            case(reals(2, 3), reals(3, 2), axes=((0, 1), (1, 0))),
            case(reals(2), reals(3), axes=0),
            case(reals(2, 3), reals(4, 3, 2), axes=((1,), (-2,))),
        ],
        "contract": [
            case(reals(2, 3), reals(3, 4), subscripts="ij,jk->ik"),
            case(reals(3, 3), subscripts="ii->i"),
            case(reals(3, 3), subscripts="ii->"),
            case(reals(3, 3, 2), subscripts="iij->j"),
            case(reals(2, 3), reals(2, 3, key="y"), subscripts="ij,ij->"),
            case(reals(2), reals(3), subscripts="i,j->ji"),
            case(reals(2, 3, 4), subscripts="ijk->ki"),
            case(reals(2, 2, 3), reals(3, 2), subscripts="iij,ji->j"),
            case(reals(2, 3), reals(4), subscripts="ij,k->ik"),
            case(reals(), reals(3), subscripts=",i->i"),
            case(np.zeros((3, 3)), np.ones(3), subscripts="ii,i->i", note="zeros"),
        ],
    }


def _matrices() -> dict[str, list[Sample]]:
    return {
        "cholesky": [
            # Its gradient is that of a symmetric argument: see `cholesky of symmetric`.
            case(positive_definite(3, 3), gradient=(None,)),
            case(positive_definite(2, 3, 3), gradient=(None,)),
            case(positive_definite(1, 1)),
            case(np.zeros((0, 2, 2)), note="no matrices"),
        ],
        "solve_matrix": [
            case(not_symmetric(3, 3), reals(3, 2)),
            case(not_symmetric(2, 3, 3), reals(2, 3, 1)),
            case(not_symmetric(3, 3), reals(2, 3, 2), note="broadcast"),
            case(not_symmetric(2, 1, 2, 2), reals(3, 2, 1), note="broadcast"),
            case(not_symmetric(1, 1), reals(1, 1)),
            case(np.eye(2), np.zeros((2, 2)), note="zeros and equal eigenvalues"),
        ],
        "solve_triangular_matrix": [
            case(
                triangular(3, 3), reals(3, 2),
                lower=lower, transpose=transpose, unit_diagonal=unit,
            )
            for lower in (True, False)
            for transpose in (True, False)
            for unit in (True, False)
        ]
        + [
            case(
                triangular(2, 3, 3), reals(3, 2),
                lower=True, transpose=False, unit_diagonal=False, note="broadcast",
            ),
        ],
        "softmax": [
            case(reals(2, 3)),
            case(reals(2, 3), axis=0),
            case(reals(2, 3, 2), axis=(0, 2)),
            case(reals(3, 1)),
            case(np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 2.0]]), note="equal numbers"),
            case(np.array([1000.0, 0.0, -1000.0]), note="large", gradient=(np.zeros(3),)),
        ],
        "log_softmax": [
            case(reals(2, 3)),
            case(reals(2, 3), axis=0),
            case(reals(3, 1)),
            case(np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 2.0]]), note="equal numbers"),
            case(
                np.array([1000.0, 0.0, -1000.0]),
                note="large", gradient=(np.array([-2.0, 1.0, 1.0]),),
            ),
        ],
        "polygamma_of": [case(reals(3) + 3, n=n) for n in (0, 1, 2, 3)],
    }  # fmt: skip


_TABLES: tuple[Callable[[], dict[str, list[Sample]]], ...] = (_structural, _products, _matrices)


def cases() -> dict[str, list[Sample]]:
    """Samples by the name of the op."""
    return {name: samples for table in _TABLES for name, samples in table().items()}
