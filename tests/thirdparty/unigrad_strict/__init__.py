"""A backend over array_api_strict: all of it is this table and the functions of ``runtime.py``."""

from unigrad.backend import Backend, Dialect, Row
from unigrad.ir.nodes import Node
from unigrad.ops import contraction, linalg, special
from unigrad.ops import elementwise as e
from unigrad.ops import reduction as r
from unigrad.ops import shape as s
from unigrad.ops.spec import Op

NUMERIC = [
    e.absolute, e.sign, e.square, e.reciprocal, e.floor, e.ceil, e.trunc, e.round, e.sqrt, e.exp,
    e.expm1, e.log, e.log2, e.log10, e.log1p, e.sin, e.cos, e.tan, e.asin, e.acos, e.atan, e.sinh,
    e.cosh, e.tanh, e.asinh, e.acosh, e.atanh, e.atan2, e.hypot, e.maximum, e.minimum, e.copysign,
    e.logaddexp, e.isnan, e.isinf, e.isfinite, e.signbit, contraction.matmul,
]  # fmt: skip
BOOLEAN = [e.equal, e.not_equal, e.logical_and, e.logical_or, e.logical_xor, e.logical_not]
INFIX = {
    e.add: "+", e.subtract: "-", e.multiply: "*", e.divide: "/", e.power: "**",
    e.less: "<", e.less_equal: "<=", e.greater: ">", e.greater_equal: ">=",
}  # fmt: skip
REDUCTIONS = [r.sum_, r.prod, r.max_, r.min_, r.mean, r.argmax, r.argmin]
AXES = "axis=axis, keepdims=keepdims"
PLACE_AT = """
def place_at(x, key, shape):
    whole = xp.zeros(shape, dtype=x.dtype)
    key = tuple(one for one in key if one is not None)
    whole[key] = xp.reshape(x, whole[key].shape)
    return whole
"""


def numeric(node: Node) -> bool:
    """Whether a row for numbers serves; the standard does not compute with booleans."""
    return node.operands[0].dtype != "bool"


def call(op: Op[...]) -> str:
    """The standard's function, which has our name and takes our operands."""
    return f"xp.{op.name}({', '.join(op.operands)})"


ROWS = {op: Row(call(op), when=numeric) for op in NUMERIC} | {op: call(op) for op in BOOLEAN}
ROWS |= {op: Row(f"x {sign} y", when=numeric) for op, sign in INFIX.items()}
ROWS |= {op: Row(f"xp.{op.name}(x, {AXES})", when=numeric) for op in REDUCTIONS}
ROWS |= {
    r.any_: f"xp.any(x, {AXES})",
    r.all_: f"xp.all(x, {AXES})",
    e.negative: "-x",
    e.sigmoid: "1 / (1 + xp.exp(-x))",
    e.log_sigmoid: "-xp.logaddexp(-x, 0)",
    e.clip_between: Row("xp.minimum(xp.maximum(x, lower), upper)", when=numeric),
    e.where: Row("xp.where(condition, x, y)", numbers="x"),  # of two numbers it knows no dtype
    e.astype: Row("xp.astype(x, dtype)", numbers="", when=lambda n: "float16" not in n.dtype.name),
    e.stop_gradient: "x",
    s.reshape: "xp.reshape(x, shape)",
    s.permute_dims: "xp.permute_dims(x, axes)",
    s.broadcast_to: "xp.broadcast_to(x, shape)",
    **dict.fromkeys((s.expand_dims, s.squeeze), "xp.reshape(x, out.shape)"),
    s.concat: "xp.concat([arrays], axis=axis)",
    s.stack: "xp.stack([arrays], axis=axis)",
    s.getitem: "operator.getitem(x, key)",
    s.place_at: Row("place_at(x, key, shape)", helper=PLACE_AT),
}
BACKEND = Backend(
    name="strict",
    package="array_api_strict",
    install="pip install array-api-strict",
    runtime="unigrad_strict.runtime",
    dialect=Dialect(
        "strict",
        imports={"xp": "import array_api_strict as xp", "operator": "import operator"},
        dtypes="xp.{name}",
        number="xp.asarray({value}, dtype={dtype})",
        rows=ROWS,
        unsupported={
            special.erf: "the Array API has no error function",
            linalg.solve_matrix: "the Array API leaves open what a singular matrix gives",
        },
    ),
)
