"""Model math, written once: values and derivatives from NumPy, PyTorch, TensorFlow or JAX."""

import math as _math
import sys as _sys

from unigrad import errors, linalg, nn, special
from unigrad.api import function, grad, jvp, value_and_grad, vjp
from unigrad.compiler import CacheInfo, Function, eager, native
from unigrad.config import configure, use
from unigrad.creation import asarray
from unigrad.ir.nodes import Graph
from unigrad.ir.types import DTYPES as _DTYPES
from unigrad.ir.types import DType, TensorType
from unigrad.ops.contraction import einsum, matmul, matrix_transpose, tensordot
from unigrad.ops.creation import (
    arange, eye, full, full_like, linspace, ones, ones_like, zeros, zeros_like,
)  # fmt: skip
from unigrad.ops.elementwise import (
    absolute as abs,  # noqa: A004  (the Array API's names, here and below)
)
from unigrad.ops.elementwise import (
    acos, acosh, add, asin, asinh, astype, atan, atan2, atanh, bitwise_and, bitwise_invert,
    bitwise_left_shift, bitwise_or, bitwise_right_shift, bitwise_xor, cbrt, ceil, clip, copysign, cos,
    cosh, divide, equal, exp, exp2, expm1, floor, floor_divide, fmax, fmin, fmod, greater,
    greater_equal, heaviside, hypot, isfinite, isinf, isnan, less, less_equal, log, log1p, log2, log10,
    logaddexp, logaddexp2, logical_and, logical_not, logical_or, logical_xor, maximum, minimum, multiply,
    negative, not_equal, positive, reciprocal, remainder, round, rsqrt, sign, signbit, sin, sinh, sqrt,
    square, stop_gradient, subtract, tan, tanh, trunc, where,
)  # fmt: skip
from unigrad.ops.elementwise import power as pow  # noqa: A004
from unigrad.ops.indexing import take
from unigrad.ops.linalg import outer, tril, triu, vecdot
from unigrad.ops.saved import from_text, to_text
from unigrad.ops.reduction import all_ as all  # noqa: A004
from unigrad.ops.reduction import any_ as any  # noqa: A004
from unigrad.ops.reduction import argmax, argmin, logsumexp, mean, prod, std, var
from unigrad.ops.reduction import max_ as max  # noqa: A004
from unigrad.ops.reduction import min_ as min  # noqa: A004
from unigrad.ops.reduction import sum_ as sum  # noqa: A004
from unigrad.ops.shape import (
    broadcast_to, concat, expand_dims, flip, permute_dims, reshape, roll, squeeze, stack, tile,
)  # fmt: skip
from unigrad.trace.array import set_namespace as _set_namespace

__version__ = "0.1.0"

bool = _DTYPES["bool"]  # noqa: A001
int8, int16, int32, int64 = (_DTYPES[f"int{bits}"] for bits in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (_DTYPES[f"uint{bits}"] for bits in (8, 16, 32, 64))
float16, bfloat16, float32, float64 = (
    _DTYPES[name] for name in ("float16", "bfloat16", "float32", "float64")
)
e, inf, nan, pi, newaxis = _math.e, _math.inf, _math.nan, _math.pi, None

_set_namespace(lambda: _sys.modules[__name__])
