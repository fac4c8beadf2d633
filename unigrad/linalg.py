"""Linear algebra: matrices stand in the last two axes."""

from unigrad.ops.contraction import matmul, matrix_transpose, tensordot
from unigrad.ops.linalg import cholesky_ as cholesky
from unigrad.ops.linalg import outer, solve, solve_triangular, vecdot

__all__ = [
    "cholesky", "matmul", "matrix_transpose", "outer", "solve", "solve_triangular", "tensordot",
    "vecdot",
]  # fmt: skip
