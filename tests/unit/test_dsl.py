"""Graphs defined by hand: declared inputs, named outputs, one compiled function for every size."""

from __future__ import annotations

import copy
import inspect
import pickle
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import unigrad as ug
from unigrad.dsl import graph, input_
from unigrad.errors import ArgumentError, DTypeError, ShapeError, TracingError
from unigrad.ir.nodes import current_scope
from unigrad.ir.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from unigrad.dsl import Definition


def difference_of_squares() -> Definition:
    with graph("difference_of_squares") as g:
        a, b = input_("a", "float64[n]"), input_("b", "float64[n]")
        d = a - b
        e = a + b
        g.output(y=d * e)
    return g


def loss() -> Definition:
    with graph("loss") as g:
        X, w, scale = (
            input_("X", "float64[n, k]"),
            input_("w", "float64[k]"),
            input_("s", "float64"),
        )
        hidden = np.tanh(X @ w)
        value = ug.mean(hidden**2) * scale
        g.output(value, hidden=hidden)
    return g


# -- calling ---------------------------------------------------------------------------------------


def test_it_is_called_by_name_or_in_order_and_returns_a_dict() -> None:
    g = difference_of_squares()
    a, b = np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0])
    for result in (g(a=a, b=b), g(b=b, a=a), g(a, b), g(a, b=b)):
        assert list(result) == ["y"]
        np.testing.assert_array_equal(result["y"], a * a - b * b)


@given(n=st.integers(0, 6), data=st.data())
def test_one_compiled_function_serves_every_size(n: int, data: st.DataObject) -> None:
    numbers = hnp.arrays(np.float64, (n,), elements=st.floats(-1e3, 1e3))
    a, b = data.draw(numbers), data.draw(numbers)
    np.testing.assert_array_equal(_SHARED(a=a, b=b)["y"], (a - b) * (a + b))
    assert _SHARED.cache_info().misses == 1


_SHARED = difference_of_squares()


def test_outputs_come_in_the_order_in_which_they_were_named() -> None:
    with graph("several") as g:
        x = input_("x", "float64[n]")
        g.output(z=x + 1)
        g.output(a=x * 2, m=x)
        g.output(number=1.5, array=np.arange(2))
    result = g(np.ones(3))
    assert list(result) == ["z", "a", "m", "number", "array"]
    np.testing.assert_array_equal(result["z"], [2, 2, 2])
    np.testing.assert_array_equal(result["a"], [2, 2, 2])
    np.testing.assert_array_equal(result["array"], [0, 1])
    assert result["number"] == 1.5


def test_an_output_that_is_an_input_is_a_copy_of_it() -> None:
    with graph("identity") as g:
        x = input_("x", "float64[n]")
        g.output(x)
    given_ = np.ones(3)
    result = g(given_)["x"]
    result[0] = 5
    assert given_[0] == 1


def test_positional_outputs_are_named_by_their_variables() -> None:
    assert list(loss()(np.ones((5, 2)), np.ones(2), 1.0)) == ["value", "hidden"]


def test_scalars_may_be_python_numbers_of_the_declared_kind() -> None:
    with graph("numbers") as g:
        x, k, flag = input_("x", ug.float64), input_("k", "int8"), input_("flag", "bool[]")
        g.output(y=ug.where(flag, x * 2, x), k=k)
    result = g(x=3, k=100, flag=True)
    assert result["y"] == 6.0
    assert result["k"].dtype == np.int8
    assert g(np.float64(3), np.int8(1), np.False_)["y"] == 3.0


def test_numpy_functions_and_constants_work_on_handles() -> None:
    weights = np.array([1.0, 2.0])
    with graph("affine") as g:
        x = input_("x", ug.TensorType.parse("float64[m, 2]"))
        g.output(y=np.sum(x * weights, axis=1) + 0.5)
    np.testing.assert_array_equal(g(x=np.ones((3, 2)))["y"], [3.5, 3.5, 3.5])


def test_sizes_may_be_computed_from_named_dimensions() -> None:
    with graph("doubled") as g:
        x, y = input_("x", "float64[n]"), input_("y", "float64[2*n + 1]")
        g.output(s=ug.sum(x) + ug.sum(y))
    assert g(np.ones(2), np.ones(5))["s"] == 7.0
    assert g(np.ones(3), np.ones(7))["s"] == 10.0
    assert g.cache_info().misses == 1
    with pytest.raises(ShapeError, match=r"y: expected float64\[2\*n \+ 1\].* axis 0 is 6, not 7"):
        g(np.ones(3), np.ones(6))


# -- what it gives away ----------------------------------------------------------------------------


def test_graph_and_source_have_the_users_names() -> None:
    g = difference_of_squares()
    verify(g.graph)
    assert g.graph.input_names == ("a", "b")
    assert g.graph.output_names == ("y",)
    source = g.source("numpy")
    assert "def difference_of_squares(a, b):" in source
    assert "d = a - b" in source
    assert "d * e" in source
    assert str(inspect.signature(g)) == "(a, b)"
    assert repr(g) == (
        "<unigrad graph difference_of_squares(a: float64[n], b: float64[n]) -> (y: float64[n])>"
    )


def test_the_bare_callable_takes_the_inputs_in_order() -> None:
    run = difference_of_squares().compile(target="numpy")
    np.testing.assert_array_equal(run(np.full(2, 3.0), np.full(2, 2.0))["y"], [5.0, 5.0])


def test_it_copies_and_pickles() -> None:
    g = loss()
    assert copy.deepcopy(g) is g
    arguments = (np.ones((4, 2)), np.array([0.5, -0.25]), 2.0)
    for restored in (pickle.loads(pickle.dumps(g)), copy.copy(g)):
        result, expected = restored(*arguments), g(*arguments)
        assert result.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(result[name], value)
    assert pickle.loads(pickle.dumps(g["value"]))(*arguments) == g(*arguments)["value"]


# -- derivatives -----------------------------------------------------------------------------------


def test_the_gradient_of_one_output() -> None:
    X, w = np.arange(10.0).reshape(5, 2) / 10, np.array([0.3, -0.2])
    hidden = np.tanh(X @ w)
    expected = X.T @ (2 * hidden * (1 - hidden**2)) / 5 * 2.0
    g = loss()
    gradient = ug.grad(g["value"], argnames="w")
    np.testing.assert_allclose(gradient(X=X, w=w, s=2.0), expected, rtol=1e-13)
    value, (w_ct, s_ct) = ug.value_and_grad(g["value"], argnames=("w", "s"))(X=X, w=w, s=2.0)
    np.testing.assert_allclose(w_ct, expected, rtol=1e-13)
    assert value == pytest.approx(2 * np.mean(hidden**2))
    assert s_ct == pytest.approx(np.mean(hidden**2))
    by_position = ug.grad(g["value"], argnums=1)(X[:3], w, 1.0)
    assert by_position.shape == (2,)


def test_the_gradient_of_a_named_size_keeps_the_name() -> None:
    source = ug.grad(loss()["value"], argnums=1).source(
        "numpy", "float64[m, 3]", "float64[3]", "float64"
    )
    assert "m = X.shape[0]" in source


def test_it_is_inlined_in_a_traced_function() -> None:
    g = difference_of_squares()

    @ug.function
    def model(x: Any) -> Any:
        inner = g(a=x, b=np.ones(3))["y"]
        return ug.sum(inner * 2)

    assert model(np.full(3, 2.0)) == 18.0
    np.testing.assert_array_equal(ug.grad(model)(np.full(3, 2.0)), [8.0, 8.0, 8.0])
    assert g.cache_info().misses == 0  # nothing was compiled on its own


def test_graphs_are_used_inside_graphs() -> None:
    g = difference_of_squares()
    with graph("outer") as outer:
        x = input_("x", "float64[m]")
        outer.output(z=g(x, x * 0.5)["y"])
    np.testing.assert_array_equal(outer(np.full(4, 2.0))["z"], [3.0, 3.0, 3.0, 3.0])
    assert outer.graph.output_types[0] == ug.TensorType.parse("float64[m]")


def test_python_numbers_take_the_declared_dtype_inside_a_trace() -> None:
    with graph("scaled") as g:
        x, s = input_("x", "float32[n]"), input_("s", "float32")
        g.output(y=x * s)
    result = ug.function(lambda x: g(x, 2)["y"])(np.ones(3, np.float32))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [2, 2, 2])


# -- on PyTorch ------------------------------------------------------------------------------------


def test_it_runs_on_the_current_target() -> None:
    pytest.importorskip("torch")
    g = loss()
    X, w = np.arange(6.0).reshape(3, 2) / 6, np.array([0.5, -0.5])
    expected = g(X, w, 2.0)
    with ug.use("torch:eager"):
        found = g(X, w, 2.0)
        g(X[:2], w, 2.0)
        assert g.cache_info().misses == 2  # one for each target, none for a size
        gradient = ug.grad(g["value"], argnums=1)(X, w, 2.0)
    for name, value in expected.items():
        assert isinstance(found[name], (np.ndarray, np.generic))
        np.testing.assert_allclose(found[name], value, rtol=1e-14)
    np.testing.assert_allclose(gradient, ug.grad(g["value"], argnums=1)(X, w, 2.0), rtol=1e-13)


def test_it_is_one_node_of_the_callers_tape() -> None:
    torch = pytest.importorskip("torch")
    g = loss()
    X = torch.linspace(0, 1, 6, dtype=torch.float64).reshape(3, 2)

    def value(w: Any) -> Any:
        return g(X, w, 2.0)["value"]

    for size in (2, 1):
        X = X[:, :size]
        w = torch.full((size,), 0.5, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(value, (w,))
        assert torch.autograd.gradgradcheck(value, (w,))


# -- errors ----------------------------------------------------------------------------------------


def test_a_size_that_differs_is_told_with_both_places() -> None:
    g = difference_of_squares()
    message = r"difference_of_squares: the dimension n is 3 \(axis 0 of a\) and 4 \(axis 0 of b\)"
    with pytest.raises(ShapeError, match=message) as caught:
        g(a=np.ones(3), b=np.ones(4))
    assert "g(a=np.ones(3), b=np.ones(4))" in caught.value.__notes__[0]
    with pytest.raises(ShapeError, match=message):
        ug.function(lambda a, b: g(a, b)["y"])(np.ones(3), np.ones(4))


WRONG_CALLS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "missing": ({"a": np.ones(3)}, ArgumentError, r"\(a, b\): missing a required argument: 'b'"),
    "unknown": (
        {"a": np.ones(3), "b": np.ones(3), "c": 1.0},
        ArgumentError,
        "unexpected keyword argument 'c'",
    ),
    "rank": (
        {"a": np.ones((3, 1)), "b": np.ones(3)},
        ShapeError,
        r"a: expected float64\[n\], given the shape \(3, 1\)",
    ),
    "dtype": (
        {"a": np.ones(3, np.float32), "b": np.ones(3)},
        DTypeError,
        r"a: expected float64\[n\], given float32\[3\]; convert it with \.astype\('float64'\)",
    ),
    "integers": (
        {"a": np.ones(3), "b": np.arange(3)},
        DTypeError,
        r"b: expected float64\[n\], given int64\[3\]",
    ),
    "list": ({"a": [1.0], "b": np.ones(2)}, DTypeError, "a: expected .* list .* is not an array"),
    "text": ({"a": "x", "b": np.ones(2)}, DTypeError, "a: expected .* given the str 'x'"),
    "number": ({"a": 1.0, "b": np.ones(2)}, ShapeError, r"a: expected .* given the shape \(\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_wrong_call_says_what_was_expected(name: str) -> None:
    arguments, kind, message = WRONG_CALLS[name]
    g = difference_of_squares()
    with pytest.raises(kind, match=message):
        g(**arguments)
    g(a=np.ones(3), b=np.ones(3))  # what was compiled already is no way past the checks
    with pytest.raises(kind, match=message):
        g(**arguments)


@pytest.mark.parametrize(
    ("type_", "value"),
    [("int8", 300), ("int64", 2.5), ("bool", 1), ("float64", True), ("uint8", -1)],
)
def test_a_number_that_is_no_value_of_the_type_is_refused(type_: str, value: Any) -> None:
    with graph("one") as g:
        x = input_("x", type_)
        g.output(x)
    with pytest.raises(DTypeError, match=rf"x: expected {type_}\[\], given the \w+ {value}"):
        g(value)


def test_a_traced_value_of_another_dtype_is_refused() -> None:
    g = difference_of_squares()
    with pytest.raises(DTypeError, match=r"a: expected float64\[n\], given float32\[3\]"):
        ug.function(lambda x: g(x, x)["y"])(np.ones(3, np.float32))


def _twice() -> None:
    with graph("twice"):
        input_("a", "float64")
        input_("a", "int8")


def _no_identifier() -> None:
    with graph("bad"):
        input_("not a name", "float64")


def _keyword() -> None:
    with graph("bad"):
        input_("lambda", "float64")


def _no_type() -> None:
    with graph("bad"):
        input_("a", "float99[n]")


def _no_type_at_all() -> None:
    with graph("bad"):
        input_("a", 3)  # pyright: ignore[reportArgumentType]


def _unknown_size() -> None:
    with graph("bad") as g:
        x = input_("a", "float64[2*n, n*k]")
        g.output(x)


def _no_output() -> None:
    with graph("bad"):
        input_("a", "float64")


def _output_twice() -> None:
    with graph("bad") as g:
        x = input_("a", "float64")
        g.output(y=x)
        g.output(y=x + 1)


def _output_without_name() -> None:
    with graph("bad") as g:
        g.output(input_("a", "float64") + 1)


def _structure() -> None:
    with graph("bad") as g:
        x = input_("a", "float64")
        g.output(y=[x, x])


def _used_inside() -> None:
    with graph("bad") as g:
        g(1.0)


def _input_inside_a_function() -> None:
    with graph("bad") as g:
        x = input_("x", "float64")
        g.output(y=ug.grad(lambda x: x * input_("late", "float64"))(x))


def _output_after() -> None:
    with graph("bad") as g:
        x = input_("x", "float64")
        g.output(x)
    g.output(y=x)


def _entered_again() -> None:
    g = difference_of_squares()
    with g:
        pass


def _used_after() -> None:
    with graph("bad") as g:
        x = input_("x", "float64")
        g.output(x)
    x + 1


WRONG_DEFINITIONS: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: input_("x", "float64"), TracingError, r"inside `with ug\.graph"),
    (lambda: ug.function(lambda x: input_("y", "float64") * x)(1.0), TracingError, "ug.input"),
    (lambda: graph(""), ArgumentError, "takes a name"),
    (lambda: graph("later")(1.0), TracingError, "is not defined yet: write `with"),
    (lambda: difference_of_squares()["z"], ArgumentError, "no output 'z'; its outputs are y"),
    (_twice, ArgumentError, r"'twice' has an input 'a' \(float64\[\]\)"),
    (_no_identifier, ArgumentError, "a name is a Python identifier, got 'not a name'"),
    (_keyword, ArgumentError, "a name is a Python identifier, got 'lambda'"),
    (_no_type, DTypeError, "ug.input 'a': unknown dtype 'float99'"),
    (_no_type_at_all, DTypeError, r"a type is written like 'float64\[n, 3\]', got 3"),
    (_unknown_size, ShapeError, "no call could tell the size of k and n"),
    (_no_output, ArgumentError, "output of 'bad': there is none"),
    (_output_twice, ArgumentError, "'y' is an output already"),
    (_output_without_name, ArgumentError, r"has no name; write g\.output\(y=\.\.\.\)"),
    (_structure, ArgumentError, "y is one array, got a list; name each part"),
    (_used_inside, TracingError, "its block is running"),
    (_input_inside_a_function, TracingError, r"inside `with ug\.graph"),
    (_output_after, TracingError, "an output is named inside the block"),
    (_entered_again, TracingError, "has its definition"),
    (_used_after, TracingError, "used after the function that made it had returned"),
]


@pytest.mark.parametrize(("define", "kind", "message"), WRONG_DEFINITIONS)
def test_a_wrong_definition_says_what_to_do(
    define: Callable[[], object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        define()
    assert __file__ in "\n".join(caught.value.__notes__)
    assert current_scope() is None


def _fail_in(g: Definition) -> None:
    with g:
        a = input_("a", "float64[3]")
        g.output(y=a + np.ones(4))


def test_an_error_in_the_block_closes_it() -> None:
    g = graph("broken")
    with pytest.raises(ShapeError, match="broadcast"):
        _fail_in(g)
    assert current_scope() is None
    with pytest.raises(TracingError, match="its block ended with an error"):
        g(np.ones(3))
    np.testing.assert_array_equal(ug.sin(np.zeros(2)), [0.0, 0.0])


def test_blocks_of_two_threads_do_not_meet() -> None:
    found: list[str] = []

    def other() -> None:
        try:
            input_("x", "float64")
        except TracingError as error:
            found.append(str(error))

    with graph("here") as g:
        x = input_("x", "float64")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        g.output(x)
    assert len(found) == 1
