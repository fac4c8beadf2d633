"""Graphs to print and to parse: one by hand that has everything, and random ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from unigrad.errors import UnigradError
from unigrad.ir.nodes import Graph, Node, Scope, scope, tensor
from unigrad.ir.rebuild import close
from unigrad.ir.types import TensorType
from unigrad.ops import apply, indexing, linalg, nn
from unigrad.ops.contraction import einsum, matmul, tensordot
from unigrad.ops.elementwise import (
    add,
    astype,
    exp,
    greater,
    maximum,
    multiply,
    negative,
    sin,
    where,
)
from unigrad.ops.reduction import argmax, logsumexp, max_, mean, sum_, var
from unigrad.ops.shape import (
    broadcast_to,
    concat,
    dim_value,
    expand_dims,
    flip,
    getitem,
    iota,
    permute_dims,
    place_at,
    reshape,
    squeeze,
    stack,
)

VALID = """\
unigrad graph 1

define @1 square
  %0 = input(x) : float64[n]
  %1 = multiply(%0, %0) : float64[n]
  return %1
end

graph slope
  %0 = input(x) : float64[n]
  %1 = constant(1.0) : float64[]
  %2 = broadcast_to(%1, shape=({n},)) : float64[n]
  %3 = vjp(%0, %2, graph=@1, wrt=(0,), seeds=(0,)) : (float64[n], float64[n])
  %4 = get(%3, position=1) : float64[n]
  %5 = constant("AAAAAAAA8D8AAAAAAAAAQA==") : float64[2]
  %6 = concat(%4, %5, axis=0) : float64[n + 2]
  %7 = sum(%6, axis=(0,), keepdims=False) : float64[]
  %8 = astype(%7, dtype=float32) : float32[]
  %9 = var(%6, axis=(0,), keepdims=True, correction=0.5) : float64[1]
  return y=%8, "['w']"=%9, %7
end
"""


def kind(text: str) -> TensorType:
    return TensorType.parse(text)


def derivative(x: Node, y: Node) -> Node:
    """The cotangent of ``x`` through a body that captures ``y``."""
    outer = x.scope
    inner = Scope(outer)
    with scope(inner):
        inside = inner.input(tensor(x), "inside")
        out = multiply(exp(inside), y)
    body, captures = close(inner, [inside], [out], name="body")
    seed = broadcast_to(outer.constant(1, out.dtype), out.shape)
    return apply.get(apply.vjp_of([x, *captures, seed], body, (0,), (0,)), 1)


STEPS: list[Any] = [
    lambda x, _: sin(x),
    lambda x, _: negative(x),
    add,
    multiply,
    maximum,
    lambda x, y: where(greater(x, y), x, y),
    lambda x, y: where(greater(x, 0), y, 1.5),
    lambda x, _: sum_(x),
    lambda x, _: sum_(x, axis=-1, keepdims=True),
    lambda x, _: mean(x, axis=0),
    lambda x, _: max_(x, axis=0),
    lambda x, _: var(x, correction=0.5),
    lambda x, _: logsumexp(x, axis=0),
    lambda x, _: argmax(x, axis=0),
    lambda x, _: reshape(x, (-1,)),
    lambda x, _: reshape(x, (1, *x.shape, 1)),
    lambda x, _: broadcast_to(x, (2, *x.shape)),
    lambda x, _: expand_dims(x, axis=-1),
    lambda x, _: squeeze(expand_dims(x, axis=0), axis=0),
    lambda x, _: permute_dims(x, tuple(reversed(range(x.ndim)))),
    lambda x, _: flip(x),
    lambda x, _: getitem(x, 0),
    lambda x, _: getitem(x, (..., slice(None, None, -1))),
    lambda x, _: getitem(x, (slice(1, None), None)),
    lambda x, _: getitem(x, (None, ..., slice(0, None, 2))),
    lambda x, _: place_at(x, (2, *((0, size, 1) for size in x.shape)), (4, *x.shape)),
    lambda x, y: concat([x, y, x]),
    lambda x, y: stack([x, y], axis=-1),
    matmul,
    lambda x, y: tensordot(x, y, axes=1),
    lambda x, y: einsum("i,i->", x, y),
    lambda x, _: astype(x, "float32"),
    lambda x, _: astype(x, "int64"),
    lambda x, _: iota(x.shape, 0, "int32"),
    lambda x, _: dim_value(x.shape[0], "float64"),
    lambda x, _: nn.softmax(x),
    lambda x, y: indexing.take(x, astype(y, "int64"), axis=0),
    lambda x, _: multiply(x, np.arange(3.0)),
    lambda x, _: linalg.cholesky(x),
    derivative,
]

TYPES = [
    "float64[n, 3]",
    "float64[3]",
    "float32[3, 3]",
    "int64[n]",
    "bool[3]",
    "~float64[]",
    "float64[]",
]
NUMBERS = st.floats() | st.integers(-(2**31), 2**31) | st.booleans()


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    place = Scope()
    with scope(place), np.errstate(over="ignore"):
        types = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=4))
        names = draw(st.lists(st.text(max_size=3), min_size=len(types), max_size=len(types)))
        inputs = [place.input(kind(one), name) for one, name in zip(types, names, strict=True)]
        nodes = list(inputs)
        for _ in range(draw(st.integers(0, 12))):
            x, y = draw(st.sampled_from(nodes)), draw(st.sampled_from(nodes))
            if draw(st.integers(0, 4)) == 0:
                y = place.constant(draw(NUMBERS), weak=draw(st.booleans()))
            try:
                nodes.append(draw(st.sampled_from(STEPS))(x, y))
            except (UnigradError, IndexError):
                continue
    outputs = [*draw(st.lists(st.sampled_from(nodes), max_size=3)), nodes[-1]]
    labels = draw(st.lists(st.text(max_size=3), min_size=len(outputs), max_size=len(outputs)))
    return Graph(inputs, outputs, name=draw(st.text(max_size=3)), output_names=labels)
