"""What other libraries call something, and what to write here: for messages alone."""

from __future__ import annotations

import linecache
import math
import re
from typing import Any, Final

from unigrad.ir.source import caller_location

__all__ = ["INSTEAD", "RENAMED", "SCIPY", "instead_of_a_number", "missing", "no_attribute"]

RENAMED: Final = {
    "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
    "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "conjugate": "positive",
    "invert": "bitwise_invert", "left_shift": "bitwise_left_shift", "power": "pow",
    "right_shift": "bitwise_right_shift", "rint": "round", "vecdot": "vecdot",
}  # fmt: skip
SCIPY: Final = {
    "erf": "special.erf", "erfc": "special.erfc", "expit": "nn.sigmoid",
    "gammaln": "special.gammaln", "log_expit": "nn.log_sigmoid", "psi": "special.digamma",
    "xlog1py": "special.xlog1py", "xlogy": "special.xlogy",
}  # fmt: skip
_GENERAL: Final = "unigrad has no determinant of a general matrix"
_PRODUCT: Final = "ug.prod(ug.einsum('ii->i', ug.linalg.cholesky(x))) ** 2"
_LOGARITHM: Final = "ug.sum(ug.log(ug.einsum('ii->i', ug.linalg.cholesky(x))))"
_RANDOM: Final = "draw numbers with NumPy or your framework, and pass them as arguments"
_ARRAYS: Final = "arrays are those of NumPy or your framework; ug.asarray makes one"
_TRANSFORMS: Final = "derivatives are functions: ug.grad(f)(x), ug.vjp(f, x), ug.jvp(f, (x,), (t,))"
_TARGETS: Final = "the target says where, as in ug.use('torch@cuda:0')"

INSTEAD: Final = {
    "arange": "write start + step * ug.arange(n), n being the number of values",
    "allclose": "compare the results after the call",
    "append": "use ug.concat",
    "array_equal": "compare the results after the call",
    "copyto": "assign: y = ug.zeros(shape), then y[...] = value",
    "cond": "to choose, use ug.where, which computes both sides; there is no condition number",
    "det": f"{_GENERAL}; of a symmetric positive definite x it is {_PRODUCT}",
    "linalg.cond": "unigrad has no counterpart of it",
    "linalg.norm": "write ug.sqrt(ug.sum(x * x)), whose gradient at 0 is 0",
    "diag": "of a matrix, use ug.einsum('ii->i', x); of a vector, x[:, None] * ug.eye(x.shape[0])",
    "diagonal": "use ug.einsum('...ii->...i', x)",
    "empty_like": "use ug.zeros_like",
    "float_power": "use ug.pow",
    "fori_loop": "write a Python loop, which is unrolled",
    "full": "use ug.broadcast_to(value, shape)",
    "geomspace": "write start * (stop / start) ** ug.linspace(0, 1, n)",
    "linspace": "write start + (stop - start) * ug.linspace(0, 1, n)",
    "logspace": "write base ** (start + (stop - start) * ug.linspace(0, 1, n))",
    "matvec": "use ug.matmul",
    "jacobian": "take ug.jvp along each input, or ug.vjp along each output",
    "nan_to_num": "use ug.where(ug.isnan(x), 0, x)",
    "scan": "write a Python loop, which is unrolled",
    "no_grad": "wrap what is constant for derivatives in ug.stop_gradient(x)",
    "slogdet": f"{_GENERAL}; of a symmetric positive definite x its logarithm is 2 * {_LOGARITHM}",
    "detach": "use ug.stop_gradient(x)",
    "rand": _RANDOM,
    "randn": _RANDOM,
    "normal": _RANDOM,
    "random": _RANDOM,
    "Tensor": _ARRAYS,
    "Variable": _ARRAYS,
    "Parameter": _ARRAYS,
    "GradientTape": _TRANSFORMS,
    "backward": _TRANSFORMS,
    "gradient": _TRANSFORMS,
    "gradients": _TRANSFORMS,
    "autograd": _TRANSFORMS,
    "requires_grad": _TRANSFORMS,
    "item": "call float(y) on the result of the call",
    "numpy": "use np.asarray on the result",
    "cuda": _TARGETS,
    "device": _TARGETS,
    "to": _TARGETS,
    "cpu": _TARGETS,
    "put": "assign: y = x.copy(); y[i] = value",
    "index_add": "assign: y[i] += value",
    "fill_diagonal": "assign: y = x.copy(); y[i, i] = value",
    "set_default_dtype": "use ug.configure(default_float='float32')",
    "trace": "use ug.einsum('ii->', x)",
    "vecmat": "use ug.matmul",
    "vmap": "write the function for arrays with one more axis in front",
    "while_loop": "write a Python loop of a fixed number of steps, which is unrolled",
}


_ELSEWHERE: Final = {
    "amax": "max", "amin": "min", "argsort": None, "array": "asarray", "concatenate": "concat",
    "convolve": None, "cumprod": None, "cumsum": None, "digamma": "special.digamma",
    "dot": "matmul", "hessian": "jvp(ug.grad(f), ...)", "inner": "vecdot", "inv": "linalg.solve",
    "jit": "function", "constant": "asarray", "convert_to_tensor": "asarray", "tensor": "asarray",
    "cat": "concat", "clamp": "clip", "permute": "permute_dims", "unsqueeze": "expand_dims",
    "view": "reshape", "reduce_sum": "sum", "reduce_mean": "mean", "expand": "broadcast_to",
    "mm": "matmul", "t": "matrix_transpose", "neg": "negative", "mul": "multiply",
    "sub": "subtract", "div": "divide", "arctan2": "atan2", "fabs": "abs",
    "mod": "remainder", "norm": "sqrt(ug.sum(x * x))", "product": "prod",
    "sigmoid": "nn.sigmoid", "sort": None, "lgamma": "special.gammaln", "transpose": "permute_dims",
    "true_divide": "divide",
}  # fmt: skip
"""Names of NumPy, SciPy, PyTorch and JAX, and what unigrad calls it; ``None``: it has none."""


def missing(namespace: Any, name: str) -> str:
    """What to say of a name that unigrad does not have: what it is called here, or one like it."""
    text = f"module 'unigrad' has no attribute {name!r}"
    ours = {**SCIPY, **RENAMED, **_ELSEWHERE}
    if name in INSTEAD:
        return f"{text}; {INSTEAD[name]}"
    if name in ours:
        found = ours[name]
        return f"{text}; {f'use ug.{found}' if found else 'unigrad has no counterpart of it'}"
    for room in ("nn", "special", "linalg"):
        if name in getattr(namespace, room).__all__:
            return f"{text}; use ug.{room}.{name}"
    import difflib  # only for a message

    known: list[str] = namespace.__all__
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f"{text}; did you mean ug.{close[0]}?" if close else text


_MATH: Final = {
    **RENAMED, **SCIPY, "fabs": "abs", "fsum": "sum", "lgamma": "special.gammaln",
}  # fmt: skip
_MATH_INSTEAD: Final = {
    "degrees": "x * (180 / math.pi)", "radians": "x * (math.pi / 180)",
    "dist": "ug.sqrt(ug.sum((x - y) ** 2))", "isclose": "ug.abs(x - y) <= tolerance",
    "gamma": "ug.exp(ug.special.gammaln(x))", "ldexp": "x * 2.0**i", "fma": "x * y + z",
    "isqrt": "ug.floor(ug.sqrt(x))", "factorial": "ug.exp(ug.special.gammaln(x + 1))",
    "sumprod": "ug.sum(x * y)", "pow": "x ** y", "prod": "ug.prod(x)", "modf": "x - ug.trunc(x)",
}  # fmt: skip
_CALL: Final = re.compile(r"(?:\w+\.)*(\w+)\s*\(")


def instead_of_a_number(namespace: Any) -> str:
    """What to write where a Python number was wanted: of a function of ``math``, ours."""
    place = caller_location()
    line = "" if place is None else linecache.getline(place.file, place.line)
    called = _CALL.match(line.encode()[place.column :].decode(errors="replace")) if place else None
    name = called[1] if called else ""
    if hasattr(math, name):
        ours = _counterpart(namespace, name)
        if ours:
            return f"write {ours} for math.{name}"
    return (
        "keep it an array (a NumPy array cannot hold it: assign to one made by ug.zeros in place of"
        " np.zeros, or by ug.asarray(y, copy=True)), write ug.exp for math.exp and so on, or name"
        " the argument in static= if it is a setting"
    )


def _counterpart(namespace: Any, name: str) -> str:
    """What does for arrays what a function of ``math`` does for numbers; ``""`` if nothing."""
    if name in _MATH_INSTEAD:
        return _MATH_INSTEAD[name]
    ours = name if hasattr(namespace, "__all__") and name in namespace.__all__ else ""
    ours = ours or _MATH.get(name, "")
    return f"ug.{ours}" if ours else ""


def no_attribute(namespace: Any, name: str) -> str:
    """What to say of an attribute that a traced value does not have."""
    text = f"a traced value has no attribute {name!r}"
    if name == "at":
        return f"{text}; assign: y = x.copy(), then y[i] = value or y[i] += value"
    if name not in INSTEAD and name in namespace.__all__ and callable(getattr(namespace, name)):
        return f"{text}; use ug.{name}(x)"
    found = missing(namespace, name).partition("; ")[2]
    return f"{text}; {found}" if found else text
