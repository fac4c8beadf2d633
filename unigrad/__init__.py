"""Model math, written once: values and derivatives from NumPy, PyTorch, TensorFlow or JAX."""

# isort: skip_file
# Names stand in rows, in the alphabet's order.

import math as _math
import sys as _sys
import typing as _typing

from unigrad import errors, linalg, nn, special
from unigrad.api import function, grad, jvp, value_and_grad, vjp
from unigrad.compiler import CacheInfo, Function
from unigrad.compiler import eager as _eager, native as _native  # they hand themselves down
from unigrad.config import configure, use
from unigrad.creation import asarray
from unigrad.draw import Drawing, draw
from unigrad.dsl import Definition, graph
from unigrad.dsl import input_ as input
from unigrad.ir.nodes import Graph
from unigrad.ir.types import DTYPES as _DTYPES
from unigrad.ir.types import DType, TensorType
from unigrad.ops.contraction import einsum, matmul, matrix_transpose, tensordot
from unigrad.ops.creation import (
    arange, empty, empty_like, eye, full, full_like, linspace, meshgrid, ones, ones_like, zeros,
    zeros_like,
)  # fmt: skip
from unigrad.ops.creation import astype_ as astype
from unigrad.ops.creation import reshape_ as reshape
from unigrad.ops.elementwise import absolute as abs
from unigrad.ops.elementwise import (
    acos, acosh, add, asin, asinh, atan, atan2, atanh, bitwise_and, bitwise_invert,
    bitwise_left_shift, bitwise_or, bitwise_right_shift, bitwise_xor, cbrt, ceil, clip, copysign,
    cos, cosh, divide, equal, exp, exp2, expm1, floor, floor_divide, fmax, fmin, fmod, greater,
    greater_equal, heaviside, hypot, isfinite, isinf, isnan, less, less_equal, log, log1p, log2,
    log10, logaddexp, logaddexp2, logical_and, logical_not, logical_or, logical_xor, maximum,
    minimum, multiply, negative, not_equal, positive, reciprocal, remainder, round, rsqrt, sign,
    signbit, sin, sinh, sqrt, square, stop_gradient, subtract, tan, tanh, trunc, where,
)  # fmt: skip
from unigrad.ops.elementwise import power as pow
from unigrad.ops.indexing import take
from unigrad.ops.linalg import outer, tril, triu, vecdot
from unigrad.ops.reduction import all_ as all
from unigrad.ops.reduction import any_ as any
from unigrad.ops.reduction import argmax, argmin, logsumexp, mean, std, var
from unigrad.ops.reduction import max_ as max
from unigrad.ops.reduction import min_ as min
from unigrad.ops.reduction import prod_ as prod
from unigrad.ops.reduction import sum__ as sum
from unigrad.ops.saved import from_text, to_text
from unigrad.ops.shape import (
    broadcast_to, expand_dims, flip, permute_dims, roll, squeeze, stack, tile,
)  # fmt: skip
from unigrad.ops.shape import concat_ as concat
from unigrad.trace.array import set_namespace as _set_namespace
from unigrad.trace.structure import register_structure

__all__ = [
    # functions and their derivatives
    "CacheInfo", "Function", "function", "grad", "jvp", "stop_gradient", "value_and_grad", "vjp",
    # where and how they run
    "configure", "use",
    # graphs
    "DType", "Definition", "Drawing", "Graph", "TensorType", "draw", "from_text", "graph", "input",
    "register_structure", "to_text",
    # rooms of their own
    "errors", "linalg", "nn", "special",
    # dtypes
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "bfloat16", "float32", "float64",
    # constants
    "e", "inf", "nan", "newaxis", "pi",
    # making arrays
    "arange", "asarray", "astype", "empty", "empty_like", "eye", "full", "full_like", "linspace",
    "meshgrid", "ones", "ones_like", "tril", "triu", "zeros", "zeros_like",
    # arithmetic and rounding
    "abs", "add", "cbrt", "ceil", "clip", "copysign", "divide", "floor", "floor_divide", "fmax",
    "fmin", "fmod", "heaviside", "maximum", "minimum", "multiply", "negative", "positive", "pow",
    "reciprocal", "remainder", "round", "rsqrt", "sign", "sqrt", "square", "subtract", "trunc",
    # exponentials, logarithms, trigonometry
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "exp", "exp2",
    "expm1", "hypot", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "sin", "sinh",
    "tan", "tanh",
    # comparison, logic, bits, selection
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "less",
    "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "not_equal",
    "signbit", "take", "where",
    # reductions
    "all", "any", "argmax", "argmin", "logsumexp", "max", "mean", "min", "prod", "std", "sum",
    "var",
    # shapes
    "broadcast_to", "concat", "expand_dims", "flip", "permute_dims", "reshape", "roll", "squeeze",
    "stack", "tile",
    # products
    "einsum", "matmul", "matrix_transpose", "outer", "tensordot", "vecdot",
]  # fmt: skip

__version__ = "0.1.0"

bool = _DTYPES["bool"]
int8, int16, int32, int64 = (_DTYPES[f"int{bits}"] for bits in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (_DTYPES[f"uint{bits}"] for bits in (8, 16, 32, 64))
float16, bfloat16, float32, float64 = (
    _DTYPES[name] for name in ("float16", "bfloat16", "float32", "float64")
)
e, inf, nan, pi, newaxis = _math.e, _math.inf, _math.nan, _math.pi, None

if not _typing.TYPE_CHECKING:  # a type checker knows all names; it must go on telling which fail

    def __getattr__(name: str) -> _typing.NoReturn:
        """Say what a name of another library is called here."""
        if name.startswith("_"):
            raise AttributeError(f"module 'unigrad' has no attribute {name!r}")
        from unigrad.trace.messages import missing  # imported by need

        raise AttributeError(missing(_sys.modules[__name__], name))


del _eager, _native
_set_namespace(lambda: _sys.modules[__name__])
