"""Source text of functions that emitted files need and PyTorch does not have under one name.

Those that a file uses are written at its head: it imports torch and nothing else. Nothing branches
on a value, so that everything runs under ``vmap``, under ``torch.compile`` and on the meta device.
"""

from __future__ import annotations

__all__ = ["VALUES"]

VALUES = '''
def sign(x):
    """-1, 0 or 1, and NaN of NaN."""
    return torch.where(torch.isnan(x), math.nan, torch.sign(x))


def floor_divide(x, y):
    """x // y of integers, and 0 where y is 0."""
    zero = y == 0
    return torch.where(zero, 0, x // torch.where(zero, 1, y))


def remainder(x, y):
    """x % y of integers, and 0 where y is 0."""
    zero = y == 0
    return torch.where(zero, 0, x % torch.where(zero, 1, y))


def fmod(x, y):
    """The remainder of integers with the sign of x, and 0 where y is 0."""
    zero = y == 0
    return torch.where(zero, 0, torch.fmod(x, torch.where(zero, 1, y)))


def cbrt(x):
    """The real cube root: a power, and a step of Newton's method where it does not underflow."""
    if x.dtype.itemsize < 4:
        return cbrt(x.to(torch.float32)).to(x.dtype)
    root = torch.copysign(torch.abs(x) ** (1 / 3), x)
    closer = root - (root * root * root - x) / (3.0 * root * root)
    limits = torch.finfo(x.dtype)
    exact = (torch.abs(x) > limits.tiny / limits.eps) & torch.isfinite(x)
    return torch.where(exact, closer, root)


def heaviside(x, y):
    """0 for negative x, 1 for positive x, y at 0, and NaN of NaN."""
    step = torch.where(torch.isnan(x), math.nan, (x > 0).to(x.dtype))
    return torch.where(x == 0, y, step)


def polygamma(n, x):
    """The n-th derivative of digamma; at a pole its limit, or NaN where the two sides differ."""
    pole = (x <= 0) & (x == torch.floor(x))
    value = torch.where(x == math.inf, 0.0, torch.polygamma(n, x))
    if n % 2:
        return torch.where(pole, math.inf, value)
    return torch.where(pole, torch.where(x == 0, torch.copysign(value, -x), math.nan), value)


def prod(x, axes, keepdims):
    """The product over several axes, one after the other."""
    for axis in reversed(axes):
        x = x.prod(axis, keepdim=keepdims)
    return x


def iota(shape, axis, dtype, device=None):
    """The index along one axis of each element."""
    sides = [1] * len(shape)
    sides[axis] = shape[axis]
    return torch.arange(shape[axis], dtype=dtype, device=device).reshape(sides).expand(shape)


def place_at(x, key, shape):
    """Zeros of a shape with x at an index."""
    whole = x.new_zeros(shape)
    whole[key] = x
    return whole


def take(x, indices, axis):
    """Elements of x along one axis, at integers of any shape and dtype."""
    flat = torch.index_select(x, axis, indices.reshape(-1).to(torch.int64))
    return flat.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def add_at(x, indices, axis, size):
    """Zeros with x added at indices along one axis."""
    before, after = x.shape[:axis], x.shape[axis + indices.ndim :]
    flat = x.reshape((*before, indices.numel(), *after))
    whole = x.new_zeros((*before, size, *after))
    return whole.index_add(axis, indices.reshape(-1).to(torch.int64), flat)


def in_float32(function, *arguments):
    """Half precision is computed in single precision inside."""
    wide = [one.to(torch.float32) if torch.is_tensor(one) else one for one in arguments]
    return function(*wide).to(arguments[0].dtype)


def cholesky(x):
    """The lower factor, NaN for a matrix that is not positive definite."""
    factor, info = torch.linalg.cholesky_ex(x)
    return torch.where((info == 0)[..., None, None], factor, math.nan)


def solve(a, b):
    """x with a @ x = b for matrices b, NaN where a is singular."""
    if b.ndim < a.ndim:  # else it could be taken for a batch of vectors
        b = b.expand((*a.shape[:-2], *b.shape[-2:]))
    x, info = torch.linalg.solve_ex(a, b)
    return torch.where((info == 0)[..., None, None], x, math.nan)


def solve_triangular(a, b, lower, transpose, unit_diagonal):
    """x with a @ x = b for triangular a, NaN where a is singular."""
    if transpose:
        a = a.mT
    x = torch.linalg.solve_triangular(
        a, b, upper=lower == transpose, unitriangular=unit_diagonal
    )
    if unit_diagonal:
        return x
    singular = (a.diagonal(dim1=-2, dim2=-1) == 0).any(-1)
    return torch.where(singular[..., None, None], math.nan, x)
'''
