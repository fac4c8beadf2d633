"""Reverse mode as users ask for it: ``grad``, ``value_and_grad``, ``vjp``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import unigrad as ug
from tests.unit.transforms.graphs import graph_of
from unigrad.errors import ArgumentError, DifferentiationError
from unigrad.ir.verify import verify
from unigrad.ops.elementwise import sin
from unigrad.testing import evaluate
from unigrad.transforms.reverse import reverse

# -- the transform -----------------------------------------------------------------------------


def test_it_returns_the_outputs_and_the_cotangents() -> None:
    graph = graph_of(lambda x, y: (sin(x) * y, x), "float64[3]", "float64[3]")
    derivative = reverse(graph, (0, 1), (0, 1))
    verify(derivative)
    assert derivative.input_types == (*graph.input_types, *graph.output_types)
    x, y, g, h = np.arange(3.0), np.arange(3.0) + 1, np.ones(3), np.full(3, 5.0)
    value, same, x_ct, y_ct = evaluate(derivative, [x, y, g, h])
    np.testing.assert_allclose(value, np.sin(x) * y)
    np.testing.assert_array_equal(same, x)
    np.testing.assert_allclose(x_ct, np.cos(x) * y + 5)
    np.testing.assert_allclose(y_ct, np.sin(x))


def test_it_differentiates_only_what_is_asked_for() -> None:
    graph = graph_of(lambda x, y: x * y, "float64[]", "float64[]")
    assert len(reverse(graph, (1,), (0,)).outputs) == 2
    (_, y_ct) = evaluate(reverse(graph, (1,), (0,)), [3.0, 4.0, 1.0])
    assert y_ct == 3.0


def test_it_is_made_once() -> None:
    graph = graph_of(lambda x: sin(x) * x, "float64[3]")
    assert reverse(graph, (0,), (0,)) is reverse(graph, (0,), (0,))


def test_an_output_given_twice_counts_twice() -> None:
    graph = graph_of(lambda x: (x * x,) * 2, "float64[]")
    assert evaluate(reverse(graph, (0,), (0, 1)), [3.0, 1.0, 10.0])[-1] == 66.0


def test_the_forward_nodes_are_those_of_the_graph() -> None:
    graph = graph_of(lambda x: sin(x) * x, "float64[3]")
    kept = set(graph.nodes)
    assert kept <= set(reverse(graph, (0,), (0,)).nodes)


# -- arguments ---------------------------------------------------------------------------------


def weighted(x: Any, y: Any, *, scale: Any = 2.0) -> Any:
    return ug.sum(x * x * y) * scale


def test_argnums() -> None:
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    np.testing.assert_array_equal(ug.grad(weighted)(x, y), 4 * x * y)
    np.testing.assert_array_equal(ug.grad(weighted, argnums=1)(x, y), 2 * x * x)
    np.testing.assert_array_equal(ug.grad(weighted, argnums=-1)(x, y), 2 * x * x)
    both = ug.grad(weighted, argnums=(1, 0))(x, y)
    assert isinstance(both, tuple)
    np.testing.assert_array_equal(both[0], 2 * x * x)
    np.testing.assert_array_equal(both[1], 4 * x * y)
    assert isinstance(ug.grad(weighted, argnums=(0,))(x, y), tuple)


def test_argnames() -> None:
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert ug.grad(weighted, argnames="scale")(x, y, scale=3.0) == np.sum(x * x * y)
    np.testing.assert_array_equal(ug.grad(weighted, argnames="y")(x, y), 2 * x * x)
    np.testing.assert_array_equal(ug.grad(weighted, argnames="y")(x, y=y), 2 * x * x)
    in_y, in_scale = ug.grad(weighted, argnames=("y", "scale"))(x, y, scale=1.0)
    np.testing.assert_array_equal(in_y, x * x)
    assert in_scale == np.sum(x * x * y)


def test_argnums_and_argnames_together() -> None:
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    in_x, in_scale = ug.grad(weighted, argnums=0, argnames="scale")(x, y, scale=3.0)
    np.testing.assert_array_equal(in_x, 6 * x * y)
    assert in_scale == np.sum(x * x * y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"argnums": 2}, "argnums=2"),
        ({"argnums": -3}, "argnums=-3"),
        ({"argnums": "x"}, "argnums"),
        ({"argnums": (0, 0)}, "twice"),
        ({"argnames": "z"}, "'z'"),
        ({"argnames": 1}, "argnames"),
        ({"argnums": True}, "argnums"),
    ],
)
def test_arguments_that_are_not_there_are_named(options: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ug.grad(weighted, **options)(1.0, 2.0)


def test_the_value_comes_first() -> None:
    value, gradient = ug.value_and_grad(lambda x: x**3)(2.0)
    assert (value, gradient) == (8.0, 12.0)


def test_values_on_the_side() -> None:
    def function(x: Any) -> Any:
        return ug.sum(x * x), {"doubled": 2 * x, "count": ug.asarray([1, 2])}

    x = np.array([1.0, 3.0])
    gradient, aside = ug.grad(function, has_aux=True)(x)
    np.testing.assert_array_equal(gradient, 2 * x)
    np.testing.assert_array_equal(aside["doubled"], 2 * x)
    np.testing.assert_array_equal(aside["count"], [1, 2])
    (value, aside), gradient = ug.value_and_grad(function, has_aux=True)(x)
    assert value == 10
    np.testing.assert_array_equal(gradient, 2 * x)
    np.testing.assert_array_equal(aside["doubled"], 2 * x)


def test_values_on_the_side_are_differentiated_by_an_outer_derivative() -> None:
    def function(x: Any) -> Any:
        slope, aside = ug.grad(lambda y: (y**3, y * x), has_aux=True)(x)
        return slope * aside  # 3 x**2 * x**2

    assert ug.grad(function)(2.0) == 12 * 8


# -- structures --------------------------------------------------------------------------------


class Layer(NamedTuple):
    weight: Any
    bias: Any


@dataclass
class Model:
    layers: list[Layer]
    scale: Any


def test_the_gradient_has_the_structure_of_the_argument() -> None:
    model = Model([Layer(np.ones((2, 2)), np.zeros(2)), Layer(np.ones((2, 2)), np.ones(2))], 3.0)

    def loss(model: Model, x: Any) -> Any:
        for layer in model.layers:
            x = layer.weight @ x + layer.bias
        return ug.sum(x) * model.scale

    gradient = ug.grad(loss)(model, np.array([1.0, 2.0]))
    assert isinstance(gradient, Model)
    assert isinstance(gradient.layers[1], Layer)
    np.testing.assert_array_equal(gradient.layers[1].weight, np.full((2, 2), 9.0))
    np.testing.assert_array_equal(gradient.layers[0].weight, [[6.0, 12.0], [6.0, 12.0]])
    np.testing.assert_array_equal(gradient.layers[0].bias, [6.0, 6.0])
    assert gradient.scale == 14.0


def test_a_structure_without_arrays_is_kept() -> None:
    gradient = ug.grad(lambda tree: tree["x"] ** 2)({"x": 3.0, "none": None, "empty": ()})
    assert gradient == {"x": 6.0, "none": None, "empty": ()}


def test_integers_and_booleans_have_zero_gradients_of_their_own_dtype() -> None:
    tree = {
        "x": np.array([1.0, 2.0]),
        "n": np.array([3, 4], dtype=np.int32),
        "b": np.array([True, False]),
        "u": np.array(7, dtype=np.uint8),
    }
    gradient = ug.grad(lambda tree: ug.sum(tree["x"] * tree["n"] * tree["u"]))(tree)
    np.testing.assert_array_equal(gradient["x"], [21.0, 28.0], strict=True)
    np.testing.assert_array_equal(gradient["n"], np.zeros(2, np.int32), strict=True)
    np.testing.assert_array_equal(gradient["b"], np.zeros(2, bool), strict=True)
    np.testing.assert_array_equal(gradient["u"], np.zeros((), np.uint8), strict=True)


def test_a_python_int_is_differentiated_as_a_float() -> None:
    assert ug.grad(lambda x: x**2)(3) == 6.0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_unused_inputs_have_zero_gradients_of_their_own_type(dtype: str) -> None:
    x, y = np.ones(3, dtype), np.ones((2, 1), dtype)
    _, in_y = ug.grad(lambda x, y: ug.sum(x), argnums=(0, 1))(x, y)
    np.testing.assert_array_equal(in_y, np.zeros((2, 1), dtype), strict=True)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ug.sum(ug.stop_gradient(x)),
        lambda x: ug.sum(ug.floor(x)),
        lambda x: ug.sum(ug.astype(ug.astype(x, "int64"), "float64")),
        lambda x: ug.sum(ug.astype(x > 0, "float64")),
        lambda x: ug.astype(ug.argmax(x), "float64"),
        lambda x: ug.sum(ug.sign(x) * (x // 2.0)),
        lambda x: ug.sum(ug.ones_like(x)),
    ],
    ids=["stop_gradient", "floor", "cast", "comparison", "argmax", "sign", "ones_like"],
)
def test_what_is_constant_has_zero_gradients(function: Any) -> None:
    x = np.array([0.3, -1.2, 2.4])
    np.testing.assert_array_equal(ug.grad(function)(x), np.zeros(3), strict=True)
    assert ug.jvp(function, (x,), (x,))[1] == 0
    np.testing.assert_array_equal(ug.grad(lambda x: ug.sum(ug.grad(function)(x)))(x), np.zeros(3))


# -- what has no gradient ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x, "float64\\[2\\]"),
        (ug.argmax, "int64"),
        (lambda x: (ug.sum(x), ug.sum(x)), "2 values"),
        (lambda x: {"loss": ug.sum(x)}, "one scalar"),
        (lambda x: ug.sum(x) > 0, "bool"),
    ],
    ids=["an array", "an integer", "two values", "a dict", "a boolean"],
)
def test_the_gradient_is_that_of_one_floating_scalar(function: Any, message: str) -> None:
    with pytest.raises(DifferentiationError, match=message):
        ug.grad(function)(np.ones(2))


# -- pullbacks ---------------------------------------------------------------------------------


def test_a_pullback_can_be_called_again() -> None:
    out, pullback = ug.vjp(lambda x, y: x * y, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    np.testing.assert_array_equal(out, [3.0, 8.0])
    for scale in (1.0, 2.0, 1.0):
        in_x, in_y = pullback(np.full(2, scale))
        np.testing.assert_array_equal(in_x, [3 * scale, 4 * scale])
        np.testing.assert_array_equal(in_y, [1 * scale, 2 * scale])


def test_a_pullback_takes_and_gives_structures() -> None:
    def function(tree: Any, z: Any) -> Any:
        return {"product": tree["a"] * z, "sum": (tree["a"] + tree["b"],)}

    out, pullback = ug.vjp(function, {"a": 2.0, "b": np.ones(2)}, 3.0)
    assert out["product"] == 6.0
    tree_ct, z_ct = pullback({"product": 10.0, "sum": (np.array([1.0, 2.0]),)})
    assert tree_ct["a"] == 33.0
    np.testing.assert_array_equal(tree_ct["b"], [1.0, 2.0])
    assert z_ct == 20.0


def test_a_pullback_refuses_another_structure_or_shape() -> None:
    _, pullback = ug.vjp(lambda x: {"y": x * 2}, np.ones(3))
    with pytest.raises(ArgumentError, match="cotangent"):
        pullback(np.ones(3))
    with pytest.raises(ug.errors.ShapeError, match="cotangent"):
        pullback({"y": np.ones(2)})


def test_a_pullback_with_values_on_the_side() -> None:
    out, pullback, aside = ug.vjp(lambda x: (x * x, x + 1), 3.0, has_aux=True)
    assert (out, aside) == (9.0, 4.0)
    assert pullback(1.0) == (6.0,)


def test_a_pullback_inside_a_traced_function_can_be_called_again_and_differentiated() -> None:
    def function(x: Any) -> Any:
        out, pullback = ug.vjp(lambda y: y**3, x)
        (once,) = pullback(ug.ones_like(x))
        (scaled,) = pullback(x)
        return out + once + scaled  # x**3 + 3 x**2 + 3 x**3

    assert ug.function(function)(2.0) == 8 + 12 + 24
    assert ug.grad(function)(2.0) == 12 * 4 + 6 * 2


def test_a_pullback_of_integer_outputs_ignores_their_cotangents() -> None:
    out, pullback = ug.vjp(lambda x: (x * 2, ug.astype(x, "int64")), np.array([1.5, 2.5]))
    np.testing.assert_array_equal(out[1], [1, 2])
    (x_ct,) = pullback((np.ones(2), np.zeros(2, np.int64)))
    np.testing.assert_array_equal(x_ct, [2.0, 2.0])


def test_an_integer_op_on_the_way_needs_no_derivative() -> None:
    def function(x: Any) -> Any:
        return ug.sum(ug.astype(ug.bitwise_and(ug.astype(x, "int64"), 1), "float64") * x)

    np.testing.assert_array_equal(ug.grad(function)(np.array([3.0, 2.0])), [1.0, 0.0])


# -- what is differentiated besides plain functions --------------------------------------------


def test_an_op_is_a_function_whose_parameters_are_no_inputs() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(ug.grad(ug.sum)(x), np.ones((2, 2)))
    np.testing.assert_array_equal(ug.grad(ug.max)(x), [[0, 0], [0, 1]])
    np.testing.assert_array_equal(ug.function(ug.sum)(x, axis=0), [4.0, 6.0])
    out, pullback = ug.vjp(ug.max, x)
    assert out == 4
    np.testing.assert_array_equal(pullback(2.0)[0], [[0, 0], [0, 2]])
    assert ug.jvp(ug.mean, (x,), (x,))[1] == 2.5


def test_arguments_with_defaults_keep_them() -> None:
    out, pullback = ug.vjp(weighted, 3.0, 2.0)
    assert out == 36
    assert pullback(1.0) == (24.0, 18.0)
    assert ug.jvp(weighted, (3.0, 2.0), (1.0, 0.0))[1] == 24
    assert ug.grad(weighted)(3.0, 2.0) == 24
