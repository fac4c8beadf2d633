"""Forward mode: from a formula, or by transposing the one vjp of an op."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests.unit.transforms.graphs import count, graph_of, names, optimised
from unigrad.errors import ArgumentError, DifferentiationError, ShapeError
from unigrad.ir.verify import verify
from unigrad.ops import contraction, elementwise, linalg, reduction, shape
from unigrad.ops.indexing import take
from unigrad.ops.spec import OPS
from unigrad.testing import evaluate, op_scenarios
from unigrad.testing.domains import generator
from unigrad.transforms.forward import forward

if TYPE_CHECKING:
    from collections.abc import Iterator

e, r, s, c = elementwise, reduction, shape, contraction

# -- the transform -----------------------------------------------------------------------------


def test_it_returns_the_outputs_and_their_tangents() -> None:
    graph = graph_of(lambda x, y: (e.sin(x) * y, y), "float64[3]", "float64[3]")
    derivative = forward(graph, (0, 1))
    verify(derivative)
    assert derivative.output_types == graph.output_types * 2
    x, y, u, v = np.arange(3.0), np.arange(3.0) + 1, np.ones(3), np.full(3, 5.0)
    value, same, value_t, same_t = evaluate(derivative, [x, y, u, v])
    np.testing.assert_allclose(value, np.sin(x) * y)
    np.testing.assert_allclose(value_t, np.cos(x) * y * u + np.sin(x) * v)
    np.testing.assert_array_equal(same, y)
    np.testing.assert_array_equal(same_t, v)


def test_what_does_not_depend_on_the_inputs_has_a_tangent_of_zeros() -> None:
    graph = graph_of(lambda x, y: (y * 2, e.greater(x, 0), r.argmax(x)), "float64[3]", "float64[2]")
    *_, first, second, third = evaluate(forward(graph, (0,)), [np.ones(3), np.ones(2), np.ones(3)])
    np.testing.assert_array_equal(first, np.zeros(2), strict=True)
    np.testing.assert_array_equal(second, np.zeros(3, bool), strict=True)
    np.testing.assert_array_equal(third, np.zeros((), np.int64), strict=True)


def test_it_is_made_once() -> None:
    graph = graph_of(lambda x: e.sin(x) * x, "float64[3]")
    assert forward(graph, (0,)) is forward(graph, (0,))


def test_a_tangent_has_the_shape_of_its_output() -> None:
    graph = graph_of(lambda x, y: x + y, "float64[]", "float64[2, 3]")
    *_, tangent = evaluate(forward(graph, (0,)), [1.0, np.ones((2, 3)), 1.0])
    np.testing.assert_array_equal(tangent, np.ones((2, 3)))


# -- transposed against written by hand --------------------------------------------------------


def _written_by_hand() -> Iterator[Any]:
    for op in OPS.values():
        if op.jvp_rule is not None:
            for scenario in op_scenarios(op):
                if {np.asarray(one).dtype.name for one in scenario.args} <= {"float64", "bool"}:
                    yield pytest.param(op, scenario, id=scenario.name)


@pytest.mark.parametrize(("op", "scenario"), [*_written_by_hand()])
def test_a_jvp_that_is_given_equals_the_transposed_vjp(
    op: Any, scenario: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = [f"{one.dtype}{list(one.shape)}" for one in scenario.args]
    graph = graph_of(scenario.call, *types)
    wrt = tuple(i for i, one in enumerate(scenario.args) if one.dtype.kind == "f")
    tangents = [generator(scenario.name, i).normal(size=scenario.args[i].shape) for i in wrt]
    given = evaluate(forward(graph, wrt), [*scenario.args, *tangents])
    monkeypatch.setattr(op, "jvp_rule", None)
    again = graph_of(scenario.call, *types)
    transposed = evaluate(forward(again, wrt), [*scenario.args, *tangents])
    np.testing.assert_allclose(given[-1], transposed[-1], rtol=1e-14)


#: value and tangent of one op: how many ops they take, and what they may take
COUNTS = [
    ("add", lambda x, y: x + y, ("float64[3]", "float64[3]"), 2),
    ("multiply", lambda x, y: x * y, ("float64[3]", "float64[3]"), 4),
    ("divide", lambda x, y: x / y, ("float64[3]", "float64[3]"), 6),
    ("tanh", e.tanh, ("float64[3]",), 4),
    ("exp", e.exp, ("float64[3]",), 2),
    ("matmul", c.matmul, ("float64[2, 3]", "float64[3, 4]"), 4),
    ("max", lambda x: r.max_(x, axis=1), ("float64[2, 3]",), 10),
    ("take", lambda x: take(x, np.array([0, 2, 2]), axis=0), ("float64[3, 2]",), 2),
    ("solve", linalg.solve_matrix, ("float64[3, 3]", "float64[3, 2]"), 5),
    # Three more than by hand: the adjoint of reading one triangle is written out.
    ("cholesky", linalg.cholesky, ("float64[3, 3]",), 12),
    # Seven more than the softmax alone takes, two of them for each row and not for each element:
    # equal infinities share equally, and only they.
    ("logsumexp", lambda x: r.logsumexp(x, axis=1), ("float64[2, 3]",), 13),
    ("concat", lambda x, y: s.concat([x, y]), ("float64[2]", "float64[3]"), 4),
    ("slice", lambda x: s.getitem(x, (slice(1, 3),)), ("float64[4]",), 2),
    ("sum", lambda x: r.sum_(x, axis=0), ("float64[2, 3]",), 2),
    ("reshape", lambda x: s.reshape(x, (6,)), ("float64[2, 3]",), 2),
    ("permute_dims", lambda x: s.permute_dims(x, (1, 0)), ("float64[2, 3]",), 2),
]


@pytest.mark.parametrize(
    ("function", "types", "most"),
    [pytest.param(*rest, id=name) for name, *rest in COUNTS],
)
def test_transposing_costs_no_more_ops_than_a_rule_by_hand(
    function: Any, types: tuple[str, ...], most: int
) -> None:
    def value_and_tangent(*args: Any) -> Any:
        half = len(args) // 2
        return ug.jvp(function, args[:half], args[half:])

    graph = optimised(_named(value_and_tangent, 2 * len(types)), *types, *types)
    assert count(graph) <= most, names(graph)


def test_a_selection_pushes_forward_as_one_selection() -> None:
    def value_and_tangent(condition: Any, x: Any, y: Any, u: Any, v: Any) -> Any:
        return ug.jvp(lambda x, y: ug.where(condition, x, y), (x, y), (u, v))

    graph = optimised(ug.function(value_and_tangent), "bool[3]", *["float64[3]"] * 4)
    assert names(graph) == ["where", "where"]


def _named(function: Any, number: int) -> Any:
    """A function with so many named parameters, as a signature needs them."""
    parameters = ", ".join(f"x{i}" for i in range(number))
    return ug.function(eval(f"lambda {parameters}: function({parameters})", {"function": function}))  # noqa: S307


# -- models ------------------------------------------------------------------------------------


def network(w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any, x: Any, y: Any) -> Any:
    hidden = ug.tanh(x @ w1 + b1)
    hidden = ug.tanh(hidden @ w2 + b2)
    error = hidden @ w3 + b3 - y
    return ug.mean(error * error)


def process(length: Any, noise: Any, squared: Any, y: Any) -> Any:
    kernel = ug.exp(squared / (-2 * length * length)) + noise * ug.eye(20)
    factor = ug.linalg.cholesky(kernel)
    white = ug.linalg.solve_triangular(factor, y, lower=True)
    logarithms = ug.log(ug.einsum("ii->i", factor))
    return 0.5 * ug.sum(white * white) + ug.sum(logarithms)


NETWORK = (
    "float64[4, 8]", "float64[8]", "float64[8, 8]", "float64[8]", "float64[8]", "float64[]",
    "float64[16, 4]", "float64[16]",
)  # fmt: skip
PROCESS = ("float64[]", "float64[]", "float64[20, 20]", "float64[20]")


def _derivatives(function: Any, wrt: int, types: tuple[str, ...]) -> dict[str, Any]:
    """The graphs of value, gradient, tangent and of both Hessian products."""
    argnums = tuple(range(wrt))
    gradient = ug.grad(function, argnums=argnums)

    def moving(rest: tuple[Any, ...], inner: Any) -> Any:
        return lambda *chosen: inner(*chosen, *rest)

    def pushed(*args: Any) -> Any:
        point, along = args[: len(types)], args[len(types) :]
        return ug.jvp(moving(point[wrt:], function), point[:wrt], along)

    def forward_over_reverse(*args: Any) -> Any:
        point, along = args[: len(types)], args[len(types) :]
        return ug.jvp(moving(point[wrt:], gradient), point[:wrt], along)[1]

    def reverse_over_reverse(*args: Any) -> Any:
        point, along = args[: len(types)], args[len(types) :]
        _, pullback = ug.vjp(moving(point[wrt:], gradient), *point[:wrt])
        return pullback(along)

    both = (*types, *types[:wrt])
    return {
        "value": optimised(ug.function(function), *types),
        "grad": optimised(gradient, *types),
        "jvp": optimised(_named(pushed, len(both)), *both),
        "forward over reverse": optimised(_named(forward_over_reverse, len(both)), *both),
        "reverse over reverse": optimised(_named(reverse_over_reverse, len(both)), *both),
    }


@pytest.mark.parametrize(
    ("function", "wrt", "types", "most"),
    [
        pytest.param(network, 6, NETWORK, (14, 40, 41, 84, 89), id="network"),
        pytest.param(process, 2, PROCESS, (20, 50, 53, 126, 135), id="process"),
    ],
)
def test_derivatives_of_models_stay_small(
    function: Any, wrt: int, types: tuple[str, ...], most: tuple[int, ...]
) -> None:
    graphs = _derivatives(function, wrt, types)
    sizes = {name: count(graph) for name, graph in graphs.items()}
    limits = dict(zip(graphs, most, strict=True))
    assert all(sizes[name] <= limits[name] for name in sizes), (sizes, limits)


def test_expensive_ops_are_not_repeated_in_derivatives() -> None:
    graphs = _derivatives(process, 2, PROCESS)
    for name, graph in graphs.items():
        assert names(graph).count("cholesky") == 1, name
        assert names(graph).count("solve_triangular_matrix") <= 10, name
    assert names(graphs["jvp"]).count("solve_triangular_matrix") <= 4


# -- as users ask for it -----------------------------------------------------------------------


def test_structures_in_and_out() -> None:
    def function(tree: Any, z: Any) -> Any:
        return {"product": tree["a"] * z, "sum": (tree["a"] + tree["b"],)}

    primals = ({"a": 2.0, "b": np.ones(2)}, 3.0)
    tangents = ({"a": 1.0, "b": np.array([5.0, 6.0])}, 10.0)
    out, tangent = ug.jvp(function, primals, tangents)
    assert (out["product"], tangent["product"]) == (6.0, 23.0)
    np.testing.assert_array_equal(tangent["sum"][0], [6.0, 7.0])


def test_values_on_the_side() -> None:
    out, tangent, aside = ug.jvp(lambda x: (x * x, x + 1), (3.0,), (1.0,), has_aux=True)
    assert (out, tangent, aside) == (9.0, 6.0, 4.0)


def test_a_tangent_of_an_integer_does_not_matter() -> None:
    x, n = np.array([1.0, 2.0]), np.array([3, 4])
    _, tangent = ug.jvp(lambda x, n: x * n, (x, n), (np.ones(2), np.ones(2, int)))
    np.testing.assert_array_equal(tangent, [3.0, 4.0])


def test_a_vector_along_itself() -> None:
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(ug.jvp(lambda x: x * x, (x,), (x,))[1], 2 * x * x)


@pytest.mark.parametrize(
    ("tangents", "error", "message"),
    [
        ((np.ones(2), np.ones(2)), ArgumentError, "tangents"),
        (({"x": np.ones(2)},), ArgumentError, "tangents"),
        ((np.ones(3),), ShapeError, r"tangent.*\(3,\).*\(2,\)"),
        ((np.ones(2, np.float32),), DifferentiationError, "tangent.*float32.*float64"),
        (np.ones(2), ArgumentError, "tuples or lists"),
    ],
    ids=["too many", "another structure", "another shape", "another dtype", "no tuple"],
)
def test_tangents_that_do_not_fit_are_refused(tangents: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        ug.jvp(lambda x: x * 2, (np.ones(2),), tangents)
