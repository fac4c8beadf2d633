"""Products and decompositions of matrices; stacks of matrices in the last two axes.

A decomposition that fails (a singular matrix, one that is not positive definite) gives NaN in the
matrices that failed, on every target: a compiled graph cannot raise. Sources: M. B. Giles, "An
extended collection of matrix derivative results" (2008); I. Murray, "Differentiation of the
Cholesky decomposition" (2016).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from unigrad.errors import ArgumentError, ShapeError
from unigrad.ir.nodes import Node, tensor
from unigrad.ir.types import Shape, TensorType, broadcast_shapes
from unigrad.ops.contraction import matmul, matrix_transpose
from unigrad.ops.cotangents import unless_dead
from unigrad.ops.elementwise import astype, greater_equal, where
from unigrad.ops.families import normalise_axis, operation
from unigrad.ops.reduction import sum_
from unigrad.ops.shape import expand_dims, iota, squeeze, unbroadcast
from unigrad.ops.spec import Array, Op, check_kind, composite, promoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.ir.nodes import Scope

__all__ = [
    "cholesky", "cholesky_", "outer", "solve", "solve_triangular", "tril", "triu", "vecdot",
]  # fmt: skip


def _infer_square(operands: tuple[Node, ...], *params: Any) -> TensorType:
    del params
    type_ = tensor(operands[0])
    _check_square(type_.shape)
    return type_


def _check_square(shape: Shape) -> None:
    if len(shape) < 2 or shape[-1] != shape[-2]:  # noqa: PLR2004
        raise ShapeError(f"takes square matrices (..., n, n), got shape {shape}")


def _inside(x: Any, *, lower: bool, offset: int = 0) -> Any:
    """Booleans of the last two axes of ``x``: true in one triangle."""
    shape = x.shape[-2:]
    row, column = iota(shape, 0, "int64"), iota(shape, 1, "int64")
    return greater_equal(row, column - offset) if lower else greater_equal(column, row + offset)


def triangle(x: Any, *, lower: bool, offset: int = 0) -> Any:
    """``x`` with zeros outside of one triangle; ``offset`` moves the diagonal that is kept."""
    if x.ndim < 2:  # noqa: PLR2004
        raise ShapeError(f"takes matrices (..., n, m), got shape {x.shape}")
    zero = False if x.dtype.kind == "bool" else 0
    return where(_inside(x, lower=lower, offset=offset), x, zero)


@composite
def tril(x: Array, /, *, k: int = 0) -> Any:
    """The lower triangle of each matrix, with the ``k``-th diagonal."""
    return triangle(x, lower=True, offset=k)


@composite
def triu(x: Array, /, *, k: int = 0) -> Any:
    """The upper triangle of each matrix, with the ``k``-th diagonal."""
    return triangle(x, lower=False, offset=k)


def _reference_cholesky(x: Any) -> Any:
    matrices = np.asarray(x)
    symmetric = np.tril(matrices) + np.swapaxes(np.tril(matrices, -1), -1, -2)
    out = np.full_like(matrices, np.nan)
    for position in np.ndindex(matrices.shape[:-2]):
        try:
            out[position] = np.linalg.cholesky(symmetric[position])
        except np.linalg.LinAlgError:
            continue
    return out


@operation(_infer_square, kinds="floating", floating=True)
def cholesky(x: Array, /) -> Any:
    """Lower triangular ``L`` with ``L @ L.T = x``; its gradient is symmetrised."""
    return _reference_cholesky(x)


def _batch_of(g: Node) -> tuple[int | None, ...]:
    """The axes that a function of matrices keeps: a matrix is dead where all of it is."""
    return (*range(g.ndim - 2), None, None)


@cholesky.vjp
def _(g: Node, out: Node, x: Node) -> Any:
    del x
    inner = matmul(matrix_transpose(out), triangle(g, lower=True))
    # Murray's Phi(inner), with half of the diagonal, and its transpose: the triangle, mirrored.
    symmetric = 0.5 * where(_inside(inner, lower=True), inner, matrix_transpose(inner))
    # L^-T symmetric L^-1, as two triangular solves.
    left = solve_triangular(out, symmetric, lower=True, transpose=True)
    right = solve_triangular(out, matrix_transpose(left), lower=True, transpose=True)
    return unless_dead(g, matrix_transpose(right), _batch_of(g), dense=False)


@composite
def cholesky_(x: Array, /, *, upper: bool = False) -> Any:
    """Lower triangular ``L`` with ``L @ L.T = x``; only the lower triangle of ``x`` is read.

    The gradient is symmetric: it is that of a symmetric ``x``, so build one. Of a matrix that is
    filled in its lower triangle alone, each entry off the diagonal gets half of its derivative; the
    other half is at the mirrored place. A matrix that is not positive definite gives NaN.

    Args:
        x: symmetric positive definite matrices ``(..., n, n)``.
        upper: whether to return the transpose, ``U`` with ``U.T @ U = x``.
    """
    factor = cholesky(x)
    return matrix_transpose(factor) if upper else factor


def _prepare_solve(op: Op[...], place: Scope, operands: Sequence[Any]) -> list[Node]:
    del op
    nodes, dtype = promoted(place, operands, floating=True)
    check_kind(dtype, "floating")
    return nodes


def _infer_solve(operands: tuple[Node, ...], *params: Any) -> TensorType:
    del params
    a, b = (tensor(operand) for operand in operands)
    _check_square(a.shape)
    if b.ndim < 2 or b.shape[-2] != a.shape[-1]:  # noqa: PLR2004
        raise ShapeError(f"matrices {a.shape} and right sides {b.shape} do not fit")
    return TensorType(a.dtype, (*broadcast_shapes((a.shape[:-2], b.shape[:-2])), *b.shape[-2:]))


@operation(_infer_solve, prepare=_prepare_solve, public=False)
def solve_matrix(a: Array, b: Array, /) -> Any:
    """``x`` with ``a @ x = b`` for matrices ``b``; NaN where ``a`` is singular."""
    a, b = np.asarray(a), np.asarray(b)
    try:
        return cast("Any", np.linalg.solve(a, b))
    except np.linalg.LinAlgError:
        return _solve_each(a, b)


def _solve_each(a: Any, b: Any) -> Any:
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, (*batch, *a.shape[-2:]))
    b = np.broadcast_to(b, (*batch, *b.shape[-2:]))
    out = np.full(b.shape, np.nan, b.dtype)
    for position in np.ndindex(batch):
        try:
            out[position] = np.linalg.solve(a[position], b[position])
        except np.linalg.LinAlgError:
            continue
    return out


@solve_matrix.vjp
def _(g: Node, out: Node, a: Node, b: Node) -> tuple[Any, ...]:
    kept = _batch_of(g)
    b_ct = unless_dead(g, solve_matrix(matrix_transpose(a), g), kept, dense=False)
    a_ct = unless_dead(g, -matmul(b_ct, matrix_transpose(out)), kept, dense=False)
    return unbroadcast(a_ct, a.shape), unbroadcast(b_ct, b.shape)


@composite
def solve(a: Array, b: Array, /) -> Any:
    """``x`` with ``a @ x = b``; ``b`` is a vector (one axis) or holds matrices.

    Args:
        a: square matrices ``(..., n, n)``.
        b: a vector ``(n,)`` or matrices ``(..., n, k)``.

    Returns:
        ``(..., n)`` for a vector, else ``(..., n, k)``; NaN where ``a`` is singular.

    Example:
        >>> import numpy as np, unigrad as ug
        >>> ug.linalg.solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([2.0, 4.0]))
        array([1., 1.])
    """
    if b.ndim == 1:
        return squeeze(solve_matrix(a, expand_dims(b, axis=1)), axis=-1)
    return solve_matrix(a, b)


def _reference_triangular(a: Any, b: Any, *, lower: bool, transpose: bool, unit: bool) -> Any:
    linalg = importlib.import_module("scipy.linalg")  # when it is first needed
    a, b = np.asarray(a), np.asarray(b)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, (*batch, *a.shape[-2:]))
    b = np.broadcast_to(b, (*batch, *b.shape[-2:]))
    out = np.full(b.shape, np.nan, b.dtype)
    for position in np.ndindex(batch):
        try:
            out[position] = linalg.solve_triangular(
                a[position], b[position], trans=int(transpose), lower=lower, unit_diagonal=unit,
                check_finite=False,
            )  # fmt: skip
        except np.linalg.LinAlgError:
            continue
    return out


@operation(_infer_solve, prepare=_prepare_solve, public=False)
def solve_triangular_matrix(
    a: Array, b: Array, /, *, lower: bool, transpose: bool, unit_diagonal: bool
) -> Any:
    """``x`` with ``a @ x = b`` (or ``a.T @ x = b``) for triangular ``a`` and matrices ``b``."""
    return _reference_triangular(a, b, lower=lower, transpose=transpose, unit=unit_diagonal)


@solve_triangular_matrix.vjp
def _(
    g: Node, out: Node, a: Node, b: Node, *, lower: bool, transpose: bool, unit_diagonal: bool
) -> tuple[Any, ...]:
    b_ct = solve_triangular_matrix(
        a, g, lower=lower, transpose=not transpose, unit_diagonal=unit_diagonal
    )
    kept = _batch_of(g)
    b_ct = unless_dead(g, b_ct, kept, dense=False)
    if transpose:
        a_ct = -matmul(out, matrix_transpose(b_ct))
    else:
        a_ct = -matmul(b_ct, matrix_transpose(out))
    offset = (-1 if lower else 1) if unit_diagonal else 0
    a_ct = unless_dead(g, triangle(a_ct, lower=lower, offset=offset), kept, dense=False)
    return unbroadcast(a_ct, a.shape), unbroadcast(b_ct, b.shape)


@composite
def solve_triangular(
    a: Array,
    b: Array,
    /,
    *,
    lower: bool = False,
    transpose: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """``x`` with ``a @ x = b`` for triangular ``a``, of which one triangle is read.

    Args:
        a: square matrices ``(..., n, n)``.
        b: a vector ``(n,)`` or matrices ``(..., n, k)``.
        lower: whether the lower triangle is read.
        transpose: whether to solve ``a.T @ x = b`` instead.
        unit_diagonal: whether the diagonal counts as ones, whatever it holds.

    Example:
        >>> import numpy as np, unigrad as ug
        >>> a = np.array([[1.0, 0.0], [1.0, 2.0]])
        >>> ug.linalg.solve_triangular(a, np.array([1.0, 5.0]), lower=True)
        array([1., 2.])
    """
    flags = {"lower": lower, "transpose": transpose, "unit_diagonal": unit_diagonal}
    for name, flag in flags.items():
        if not isinstance(flag, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"solve_triangular: {name} is True or False, got {flag!r}")
    if b.ndim == 1:
        return squeeze(solve_triangular_matrix(a, expand_dims(b, axis=1), **flags), axis=-1)
    return solve_triangular_matrix(a, b, **flags)


@composite
def outer(x: Array, y: Array, /) -> Any:
    """All products of the elements of two vectors: ``x[:, None] * y[None, :]``."""
    for operand in (x, y):
        if operand.ndim != 1:
            raise ShapeError(f"outer: takes two vectors, got shapes {x.shape} and {y.shape}")
    return expand_dims(x, axis=1) * y


@composite
def vecdot(x: Array, y: Array, /, *, axis: int = -1) -> Any:
    """Sum of products along one axis, which has the same size in both operands."""
    if x.shape[normalise_axis(axis, x.ndim)] != y.shape[normalise_axis(axis, y.ndim)]:
        raise ShapeError(f"vecdot: axis {axis} differs in size: {x.shape} and {y.shape}")
    products = x * y
    return astype(sum_(products, axis=axis), products.dtype)
