"""A backend over array_api_strict: all of it is this table and the functions of ``runtime.py``."""

from unigrad.backend import Backend, Dialect, Row
from unigrad.ir.nodes import Node
from unigrad.ops import contraction, linalg, special
from unigrad.ops import elementwise as e
from unigrad.ops import reduction as r
from unigrad.ops import shape as s

SAME_NAME = [
    e.absolute, e.sign, e.square, e.reciprocal, e.floor, e.ceil, e.trunc, e.round, e.sqrt, e.exp,
    e.expm1, e.log, e.log2, e.log10, e.log1p, e.sin, e.cos, e.tan, e.asin, e.acos, e.atan, e.sinh,
    e.cosh, e.tanh, e.asinh, e.acosh, e.atanh, e.atan2, e.hypot, e.maximum, e.minimum, e.copysign,
    e.logaddexp, e.equal, e.not_equal, e.isnan, e.isinf, e.isfinite, e.signbit, e.logical_and,
    e.logical_or, e.logical_xor, e.logical_not, contraction.matmul,
]  # fmt: skip
INFIX = {
    e.add: "+", e.subtract: "-", e.multiply: "*", e.divide: "/", e.power: "**",
    e.less: "<", e.less_equal: "<=", e.greater: ">", e.greater_equal: ">=",
}  # fmt: skip
REDUCTIONS = [r.sum_, r.prod, r.max_, r.min_, r.mean, r.argmax, r.argmin]
AXES = "axis=axis, keepdims=keepdims"
PLACE_AT = '''
def place_at(x, key, shape):
    """Zeros of a shape with x at an index."""
    whole = xp.zeros(shape, dtype=x.dtype)
    whole[key] = x
    return whole
'''


def numeric(node: Node) -> bool:
    """Whether a row for numbers serves; the standard does not compute with booleans."""
    return node.operands[0].dtype != "bool"


ROWS = {op: f"xp.{op.name}({', '.join(op.operands)})" for op in SAME_NAME}
ROWS |= {op: Row(f"x {sign} y", when=numeric) for op, sign in INFIX.items()}
ROWS |= {op: Row(f"xp.{op.name}(x, {AXES})", when=numeric) for op in REDUCTIONS}
ROWS |= {
    r.any_: f"xp.any(x, {AXES})",
    r.all_: f"xp.all(x, {AXES})",
    e.negative: "-x",
    e.sigmoid: "1 / (1 + xp.exp(-x))",
    e.log_sigmoid: "-xp.logaddexp(-x, 0)",
    e.clip_between: "xp.minimum(xp.maximum(x, lower), upper)",
    e.where: Row("xp.where(condition, x, y)", numbers="x"),  # of two numbers it knows no dtype
    e.astype: Row("xp.astype(x, dtype)", numbers=""),
    e.stop_gradient: "x",
    s.reshape: "xp.reshape(x, shape)",
    s.permute_dims: "xp.permute_dims(x, axes)",
    s.broadcast_to: "xp.broadcast_to(x, shape)",
    s.expand_dims: "xp.reshape(x, out.shape)",
    s.squeeze: "xp.reshape(x, out.shape)",
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
            linalg.cholesky: "the Array API leaves open what a failed decomposition gives",
            linalg.solve_matrix: "the Array API leaves open what a singular matrix gives",
        },
    ),
)
