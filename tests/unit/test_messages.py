"""What a newcomer gets wrong first: the message names the mistake and what to write instead."""

from __future__ import annotations

import importlib
import inspect
import math
import pickle
import re
import runpy
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from tests.targets import PYTORCH_IS_LOUD, TARGETS, of
from unigrad import config
from unigrad.cli import app
from unigrad.errors import (
    ArgumentError,
    DifferentiationError,
    DTypeError,
    ShapeError,
    TargetError,
    TracingError,
    UnigradError,
)
from unigrad.ops.spec import Op

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = PYTORCH_IS_LOUD


def energy(x: Any) -> Any:
    return ug.sum(x * x)


def power(x: Any, y: Any = 2.0, *, shift: Any = 0.0) -> Any:
    return x**y + shift


# -- types in text ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("float[3]", "float64[3]"),
        ("float64[3", "float64[3]"),
        ("f64[5,3]", "float64[5, 3]"),
        ("flaot32[n]", "float32[n]"),
        ("Float64[n, 3]", "float64[n, 3]"),
        ("float", "float64"),
    ],
)
def test_a_mistyped_type_is_told_from_a_setting(text: str, meant: str) -> None:
    with pytest.raises(DTypeError) as caught:
        ug.function(energy).source("numpy", text)
    expected = f"energy: the argument x: {text!r} is not a type; did you mean {meant!r}?"
    assert str(caught.value) == expected


@pytest.mark.parametrize("text", ["float64[-1]", "float64[3.5]", "[3]", "nonsense[3]"])
def test_a_type_that_cannot_be_guessed_is_still_no_setting(text: str) -> None:
    with pytest.raises(DTypeError, match=r"is not a type|unknown dtype"):
        ug.function(energy).source("numpy", text)


@pytest.mark.parametrize("word", ["relu", "mean", "ij->i", "print", "C"])
def test_a_word_is_a_setting(word: str) -> None:
    @ug.function
    def chosen(x: Any, kind: str) -> Any:
        return 2 * x if kind == word else x

    assert "2.0 * x" in chosen.source("numpy", "float64[3]", word)


def test_a_word_like_a_dtype_is_a_setting_where_it_is_named_static() -> None:
    @ug.function(static="kind")
    def chosen(x: Any, kind: str) -> Any:
        return 2 * x if kind == "float" else x

    assert "2.0 * x" in chosen.source("numpy", "float64[3]", "float")


# -- lists -----------------------------------------------------------------------------------------


def test_a_list_used_as_an_array_is_a_structure_of_scalars() -> None:
    loss = ug.function(lambda beta, X: ug.sum(X @ beta))
    wanted = r"a list of 3 numbers \(a structure of 3 scalars\) is not an array; make one with"
    with pytest.raises(DTypeError, match=wanted):
        loss([0.0, 0.0, 0.0], np.ones((2, 3)))
    with pytest.raises(DTypeError, match=r"a tuple of 1 number \(a structure of 1 scalar\)"):
        ug.sin((1.0,))  # type: ignore[arg-type]
    with pytest.raises(DTypeError, match=r"a list is not an array; make one with ug\.asarray"):
        ug.sin([np.ones(2)])  # type: ignore[arg-type]


def test_what_the_message_on_lists_proposes_works() -> None:
    total = ug.function(lambda beta, X: ug.sum(X @ ug.stack(beta)))
    assert total([1.0, 2.0], np.ones((1, 2))) == 3.0
    product = ug.function(lambda beta, X: ug.sum(X @ beta))
    assert product(ug.asarray([1.0, 2.0]), np.ones((1, 2))) == 3.0


# -- creation --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda x: ug.linspace(0, x, 3), r"linspace: stop is a Python number, .* start \+ \(stop"),
        (lambda x: ug.linspace(x, 1, 3), r"linspace: start is .*\* ug.linspace\(0, 1, 3\)"),
        (lambda x: np.linspace(0, x, 3), r"write start \+ \(stop - start\) \* ug.linspace"),
        (lambda x: ug.arange(0, x), r"arange: stop is .* write start \+ step \* ug.arange\(n\)"),
        (lambda x: ug.arange(0, 1, x), "arange: step is a Python number, got a traced value"),
        (lambda x: ug.full((2,), x), r"full: fill_value .* write ug.broadcast_to\(value, shape\)"),
        (lambda x: ug.full_like(np.ones(2), x), "full_like: fill_value .* ug.broadcast_to"),
    ],
)
def test_creation_from_a_traced_value_says_what_to_write(
    make: Callable[[Any], Any], wanted: str
) -> None:
    with pytest.raises(TracingError, match=wanted):
        ug.function(make)(2.0)


def test_what_the_messages_on_creation_propose_works() -> None:
    spaced = ug.function(lambda x: 1 + (x - 1) * ug.linspace(0, 1, 3))
    np.testing.assert_array_equal(spaced(3.0), [1.0, 2.0, 3.0])
    filled = ug.function(lambda x: ug.broadcast_to(x, (2,)))
    np.testing.assert_array_equal(filled(3.0), [3.0, 3.0])


def test_a_message_on_creation_lists_no_operands() -> None:
    with pytest.raises(DTypeError, match="zeros: unknown dtype 'flaot'") as caught:
        ug.zeros(2, dtype="flaot")
    assert "given" not in str(caught.value)


# -- einsum ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subscripts", "shapes", "wanted"),
    [
        ("ij,jk->ik", [(5, 3), (5, 3)], "the label 'j' in 'ij,jk->ik' stands for sizes 3 and 5"),
        ("ii->", [(2, 3)], "the label 'i' in 'ii->' stands for sizes 2 and 3"),
        ("i,i,i->", [(2,), (2,), (3,)], "the label 'i' in 'i,i,i->' stands for sizes 2 and 3"),
        ("...i,...i->...", [(2, 3), (4, 3)], "an axis of the ellipsis in"),
        ("ijk->i", [(5, 3)], r"'ijk' in 'ijk->i' does not name the axes of (5, 3)"),
    ],
)
@pytest.mark.parametrize("traced", [False, True])
def test_einsum_names_the_label(
    subscripts: str,
    shapes: list[tuple[int, ...]],
    wanted: str,
    traced: bool,
) -> None:
    def product(*arrays: Any) -> Any:
        return ug.einsum(subscripts, *arrays)

    with pytest.raises(ShapeError, match=re.escape(f"einsum: {wanted}")):
        (ug.function(product) if traced else product)(*map(np.ones, shapes))


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("power", "pow"),
        ("concatenate", "concat"),
        ("arcsin", "asin"),
        ("arctan2", "atan2"),
        ("arccosh", "acosh"),
        ("array", "asarray"),
        ("dot", "matmul"),
        ("amax", "max"),
        ("absolute", "abs"),
        ("true_divide", "divide"),
        ("transpose", "permute_dims"),
        ("relu", "nn.relu"),
        ("softmax", "nn.softmax"),
        ("expit", "nn.sigmoid"),
        ("erf", "special.erf"),
        ("lgamma", "special.gammaln"),
        ("cholesky", "linalg.cholesky"),
        ("jit", "function"),
    ],
)
def test_a_name_of_another_library_is_translated(name: str, ours: str) -> None:
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}'; use ug\.{ours}$"):
        getattr(ug, name)
    found: Any = ug
    for part in ours.split("."):
        found = getattr(found, part)
    assert callable(found)


def test_other_missing_names() -> None:
    with pytest.raises(AttributeError, match=r"did you mean ug\.logsumexp\?"):
        _ = ug.logsumexpp
    with pytest.raises(AttributeError, match=r"no attribute 'zzz'$"):
        _ = ug.zzz
    assert not hasattr(ug, "power")
    assert not hasattr(ug, "__wrapped__")
    assert getattr(ug, "power", None) is None


def test_the_names_that_are_there_stay() -> None:
    everything: dict[str, Any] = {}
    exec("from unigrad import *", everything)  # noqa: S102  (the statement is what is tested)
    assert set(ug.__all__) <= set(everything)
    assert pickle.loads(pickle.dumps(ug.float32)) is ug.float32
    assert importlib.import_module("unigrad.testing").__name__ == "unigrad.testing"


# -- arguments -------------------------------------------------------------------------------------


def test_static_names_an_argument() -> None:
    with pytest.raises(ArgumentError, match=r"static names 'm', which is no argument of power\(x"):
        ug.function(power, static="m")
    with pytest.raises(ArgumentError, match=r"static names 'm'"):
        ug.function(static=("y", "m"))(power)
    assert ug.function(lambda **rest: 2 * rest["x"], static="m")(x=1.0, m="any") == 2.0


@pytest.mark.parametrize("name", ["y", "shift"])
def test_an_argument_left_at_its_default(name: str) -> None:
    with pytest.raises(ArgumentError, match=rf"power: {name} was left at its default; pass it"):
        ug.grad(power, argnames=name)(3.0)
    ug.grad(power, argnames=name)(3.0, **{name: 1.0})


# -- traced values ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x if x > 0 and x < 1 else 0,
        lambda x: x if not x > 0 else 0,
        lambda x: x if 0 < x < 1 else 0,
        lambda x: max(x, 0),
    ],
)
def test_conditions_have_operators_of_their_own(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TracingError, match=r"`not` of conditions write &, \| and ~ .*ug.maximum"):
        ug.function(use)(2.0)


def test_a_traced_value_is_not_formatted_or_rounded_by_python() -> None:
    with pytest.raises(TracingError, match=r"cannot be formatted as '\.3f'"):
        ug.function(lambda x: f"{x:.3f}")(2.0)
    with pytest.raises(TracingError, match=r"use ug\.round"):
        ug.function(lambda x: round(x, 2))(2.0)
    seen: list[str] = []
    ug.function(lambda x: (seen.append(f"{x}"), 2 * x)[1])(2.0)
    assert seen == ["<traced x: Python float>"]


# -- targets and the command line ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mxnet", "caffe"])
def test_a_backend_that_nobody_installed(name: str) -> None:
    wanted = f"unknown backend '{name}'; no backend of that name is installed; those known here are"
    with pytest.raises(TargetError, match=f"^{wanted} numpy"):
        ug.function(energy).source(name, "float64[3]")


def test_a_target_from_outside_the_program_says_where_it_is_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UNIGRAD_TARGET", "torch:eagre")
    config.reset()
    try:
        with pytest.raises(TargetError, match=r"\(the target 'torch:eagre' is from environment U"):
            ug.sin(1.0)
        with ug.use("numpy:eager"), pytest.raises(TargetError, match=r"numpy has no modes$"):
            ug.sin(1.0)
    finally:
        monkeypatch.undo()
        config.reset()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("scan", "write a Python loop, which is unrolled"),
        ("vmap", "arrays with one more axis in front"),
        ("diag", r"of a vector, x\[:, None\] \* ug.eye"),
    ],
)
def test_what_others_have_and_unigrad_says_otherwise(name: str, advice: str) -> None:
    with pytest.raises(AttributeError, match=advice):
        getattr(ug, name)


def test_several_values_become_an_array_by_asarray() -> None:
    with pytest.raises(TracingError, match=r"write ug\.asarray\(\[\.\.\.\]\) for np\.array"):
        ug.function(lambda x: np.array([x[0], x[1]]))(np.ones(2))


def test_the_command_line_proposes_functions_only(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    path = tmp_path / "newcomer.py"
    path.write_text("import numpy as np\nfrom math import sin\ndef loss(x):\n    return x * x\n")
    for wrong in ("npp", "sine"):
        result = CliRunner().invoke(app, ["show", f"{path}:{wrong}"])
        assert result.exit_code == 2
        assert "did you mean" not in result.output
    result = CliRunner().invoke(app, ["show", f"{path}:los"])
    assert "did you mean 'loss'" in result.output


# -- derivatives of what has none ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (
            lambda: ug.grad(lambda x: None)(1.0),
            "the function returns None, which is no array; pick",
        ),
        (lambda: ug.grad(lambda x: (x, x))(1.0), r"returns 2 values, \(\*, \*\); pick one"),
        (lambda: ug.grad(lambda x: {"a": x})(1.0), r"returns \{'a': \*\}, which holds one; pick"),
        (lambda: ug.grad(energy, has_aux=True)(1.0), r"a pair \(value, aux\), got one array"),
        (
            lambda: ug.grad(energy)("relu"),
            "energy: the argument 0 is a str, which has no derivative",
        ),
    ],
)
def test_a_gradient_is_that_of_one_number_by_arrays(call: Callable[[], Any], wanted: str) -> None:
    with pytest.raises(DifferentiationError, match=wanted):
        call()


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (
            lambda: ug.grad(energy, argnums=2)(1.0),
            "argnums=2, but the call has 1 positional argument",
        ),
        (
            lambda: ug.grad(partial(power, x=1.0))(y=2.0),
            "has 0 positional arguments; argnames names the others",
        ),
        (lambda: ug.grad(3), "ug.grad takes a function, got an int"),  # type: ignore[arg-type]
        (lambda: ug.function(object()), "ug.function takes a function, got an object"),  # type: ignore[call-overload]
    ],
)
def test_what_is_differentiated_is_named(call: Callable[[], Any], wanted: str) -> None:
    with pytest.raises(ArgumentError, match=wanted):
        call()


def test_a_setting_in_a_structure_of_parameters_stays_what_it_is() -> None:
    def model(parameters: dict[str, Any]) -> Any:
        return parameters["w"] ** 2 if parameters["kind"] == "square" else parameters["w"]

    gradient = ug.grad(model)
    assert gradient({"w": 3.0, "kind": "square"}) == {"w": 6.0, "kind": "square"}
    source = gradient.source("numpy", {"w": "float64[]", "kind": "square"})
    assert "return {'w': 2.0 * w, 'kind': 'square'}" in source


# -- Python numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (lambda: ug.function(lambda x: ~x)(1.0), r"got float64 \(given: Python float\)"),
        (lambda: ug.function(lambda x: x[0])(3), r"1 axes|1 indices .* \(given: Python int\)"),
        (lambda: ug.function(lambda x: ug.max(x, axis=0))(True), "given: Python bool"),  # noqa: FBT003
        (lambda: ug.where(1.0, 1.0, 2.0), "the condition is boolean, got Python float; compare"),
        (lambda: ug.grad(float)(1.0), r"the traced value \(Python float\) is no Python number"),
        (lambda: ug.function(lambda x: ug.sum(1.0, axis=x))(0), "got <traced x: Python int>"),
        (
            lambda: ug.function(lambda c: ug.where(c, 1.0, 2.0) & 1)(np.ones(2, bool)),
            r"\(given: float64\[2\] and 1\)",
        ),
    ],
)
def test_numbers_are_told_by_pythons_names(call: Callable[[], Any], wanted: str) -> None:
    """And by no sign of our own."""
    with pytest.raises(UnigradError, match=wanted) as caught:
        call()
    assert "~" not in str(caught.value)


# -- here and there --------------------------------------------------------------------------------


def test_a_function_that_calls_itself_is_no_structure_that_holds_itself() -> None:
    @ug.function
    def endless(x: Any) -> Any:
        return endless(x)

    with pytest.raises(RecursionError, match="maximum recursion depth"):
        endless(1.0)


def test_a_value_of_another_trace_is_to_be_passed() -> None:
    with ug.graph("outer") as outer:
        a = ug.input("a", "float64[]")
        with ug.graph("inner") as inner:
            b = ug.input("b", "float64[]")
            with pytest.raises(TracingError, match=r"another function .* pass it as an argument"):
                a * b
            inner.output(y=b)
        outer.output(y=inner(b=a)["y"])
    assert outer(a=2.0)["y"] == 2.0


def test_what_fired_can_be_looked_at_without_print() -> None:
    assert repr(ug.function(energy).explain(np.ones(2))) == "nothing was rewritten"
    report = ug.function(lambda x: ug.log(1 + x)).explain(np.ones(2))
    assert "stabilise: log_of_one_plus: " in repr(report)


@pytest.mark.parametrize("text", [None, 3, b"unigrad graph 1"])
def test_only_text_is_read_as_a_graph(text: Any) -> None:
    with pytest.raises(ArgumentError, match="from_text: takes text, got a"):
        ug.from_text(text)


def test_tensors_that_unigrad_does_not_take() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(DTypeError, match=r"argument x: .* no dtype for .* torch\.float8_e4m3fn"):
        ug.sin(torch.ones(2).to(torch.float8_e4m3fn))
    with pytest.raises(DTypeError, match=r"dense tensors, not torch\.sparse_coo: pass \.to_dense"):
        ug.sin(torch.ones(2, 2).to_sparse())


# -- habits of other libraries ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("no_grad", r"ug\.stop_gradient\(x\)"),
        ("tensor", r"use ug\.asarray$"),
        ("Tensor", "arrays are those of NumPy or your framework"),
        ("Variable", "arrays are those of NumPy or your framework"),
        ("detach", r"use ug\.stop_gradient\(x\)"),
        ("item", "the result of the call"),
        ("randn", "draw numbers with NumPy or your framework"),
        ("GradientTape", r"ug\.grad\(f\)\(x\)"),
        ("cat", r"use ug\.concat$"),
        ("clamp", r"use ug\.clip$"),
        ("reduce_sum", r"use ug\.sum$"),
        ("device", r"ug\.use\("),
        ("cond", r"use ug\.where.* no condition number"),
        ("det", "no determinant of a general matrix; of a symmetric positive definite x"),
    ],
)
def test_a_habit_of_another_library_is_translated(name: str, wanted: str) -> None:
    with pytest.raises(AttributeError, match=wanted):
        getattr(ug, name)


@pytest.mark.parametrize(
    ("use", "wanted"),
    [
        (lambda x: x.at[0].set(1.0), r"assign: y = x\.copy\(\), then y\[i\] = value"),
        (lambda x: x.detach(), r"use ug\.stop_gradient\(x\)"),
        (lambda x: x.exp(), r"use ug\.exp\(x\)"),
        (lambda x: x.view(3), r"use ug\.reshape"),
        (lambda x: x.nonsense, "has no attribute 'nonsense'$"),
    ],
)
def test_an_attribute_of_another_library_is_translated(
    use: Callable[[Any], Any], wanted: str
) -> None:
    with pytest.raises(AttributeError, match=wanted):
        ug.function(use)(np.ones(3))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("exp", r"write ug\.exp for math\.exp\n"),
        ("asin", r"write ug\.asin for"),
        ("fabs", r"write ug\.abs for"),
        ("lgamma", r"write ug\.special\.gammaln for"),
        ("gamma", r"write ug\.exp\(ug\.special\.gammaln\(x\)\) for"),
        ("erf", r"write ug\.special\.erf for"),
        ("floor", r"write ug\.floor for"),
        ("trunc", r"write ug\.trunc for"),
        ("degrees", r"write x \* \(180 / math\.pi\) for"),
        ("isnan", r"write ug\.isnan for"),
    ],
)
def test_a_function_of_math_is_translated(name: str, wanted: str, tmp_path: Path) -> None:
    path = tmp_path / "numbers_alone.py"
    path.write_text(f"import math\n\ndef f(x):\n    return 1.0 + math.{name}(x)\n")
    with pytest.raises(TracingError, match=wanted):
        ug.function(runpy.run_path(str(path))["f"])(0.5)


def test_a_numpy_array_that_cannot_hold_a_traced_value_says_so() -> None:
    def put(y: Any, x: Any) -> Any:
        y[0] = x
        return y

    programs: list[Callable[[Any], Any]] = [
        lambda x: put(np.zeros(3), x[0]),
        lambda x: put(np.zeros(3, np.float32), x[0]),
        lambda x: put(np.zeros(3, int), x[0]),
        lambda x: put(np.zeros((2, 3)), x),
        lambda x: np.zeros(3).fill(x[0]),
        lambda x: np.array([x[0]]),
        lambda x: np.array([[x[0], 1.0], [0.0, x[1]]]),
        lambda x: np.asarray([x, x]),
        lambda x: np.full(3, x[0]),
        ug.grad(lambda z: np.array([z[0]])[0]),
    ]
    for program in programs:
        with pytest.raises(TracingError, match=r"NumPy array.*ug\.zeros in place of") as caught:
            ug.function(program)(np.ones(3))
        assert any("test_messages.py" in note for note in caught.value.__notes__)


def test_numpys_norm_says_what_to_write() -> None:
    with pytest.raises(TracingError, match=r"np.linalg.norm .*ug.sqrt\(ug.sum\(x \* x\)\)"):
        ug.function(lambda x: np.linalg.norm(x))(np.ones(3))  # noqa: PLW0108


def test_a_matrix_that_is_general_gets_no_advice_for_a_definite_one() -> None:
    for function in (np.linalg.det, np.linalg.slogdet):
        with pytest.raises(TracingError, match="no determinant of a general matrix; of a symm"):
            ug.function(function)(np.eye(2))
    with pytest.raises(TracingError, match=r"np\.linalg\.cond .*no counterpart"):
        ug.function(np.linalg.cond)(np.eye(2))


def test_what_the_message_on_determinants_proposes_is_one() -> None:
    x = np.array([[4.0, 1.0], [1.0, 3.0]])
    found = ug.prod(ug.einsum("ii->i", ug.linalg.cholesky(x))) ** 2
    assert found == pytest.approx(np.linalg.det(x))


# -- what works as in NumPy ------------------------------------------------------------------------


@pytest.mark.parametrize("target", of(TARGETS))
def test_a_python_int_beyond_int64_is_a_float_beside_floats(target: str) -> None:
    def program(x: Any) -> Any:
        return x / math.factorial(21), x < 2**64, ug.clip(x, -(2**70), 2**65), x * 10**20

    x = np.array([1.0, -3.0])
    with ug.use(target):
        quotient, below, kept, product = (np.asarray(one) for one in ug.function(program)(x))
    np.testing.assert_allclose(quotient, x / 51090942171709440000.0, rtol=1e-15)
    assert below.all()
    np.testing.assert_array_equal(kept, x)
    np.testing.assert_array_equal(product, x * 1e20)


def test_a_python_int_beyond_int64_is_none_beside_integers() -> None:
    with pytest.raises(DTypeError, match="does not fit into int64"):
        ug.function(lambda x: x + 2**64)(np.arange(3))
    wide = np.array([2**63 + 1, 5], np.uint64)
    found = ug.function(lambda x: x > 2**63)(wide)
    np.testing.assert_array_equal(found, [True, False])
    with pytest.raises(DTypeError, match="too large for a float"):
        ug.function(lambda x: x * 10**400)(np.ones(2))


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x + ug.arange(10**13),
        lambda x: x + ug.linspace(0.0, 1.0, 10**13),
        lambda x: x + ug.zeros(10**13),
        lambda x: x + ug.ones((10**7, 10**7)),
        lambda x: x + ug.eye(10**7),
        lambda x: x + ug.full(10**13, 2.0),
    ],
)
def test_an_array_that_no_machine_holds_is_refused_at_once(make: Callable[[Any], Any]) -> None:
    with pytest.raises((ArgumentError, ShapeError), match="does not fit into memory"):
        ug.function(make)(1.0)


def test_a_long_range_is_counted_where_it_is_needed() -> None:
    long = 2**21
    assert ug.function(lambda x: x * ug.arange(long)[-1])(2.0) == 2.0 * (long - 1)
    assert ug.function(lambda x: x * ug.arange(1, long, 3)[5])(2.0) == 32.0
    spaced = ug.function(lambda x: x * ug.linspace(0.0, 1.0, long))(1.0)
    np.testing.assert_allclose(spaced, np.linspace(0.0, 1.0, long), rtol=1e-15)


def test_divmod_and_fortran_order_are_those_of_numpy() -> None:
    x = np.arange(6.0).reshape(2, 3)
    for program in (
        lambda x: divmod(x, 4.0)[0],
        lambda x: divmod(x, 4.0)[1],
        lambda x: divmod(7.0, x + 1.0)[1],
        lambda x: x.reshape(3, 2, order="F"),
        lambda x: x.reshape((3, -1), order="F"),
        lambda x: x.flatten("F"),
        lambda x: x.ravel(order="F"),
        lambda x: x[np.array([True, False])],
        lambda x: x[:, np.array([True, False, True])],
        lambda x: x[np.array([[True, False, True], [False, True, False]])],
        lambda x: x[..., np.array([False, True, True])],
    ):
        np.testing.assert_array_equal(ug.function(program)(x), program(x))
    with pytest.raises(IndexError, match="does not fit axis 0"):
        ug.function(lambda x: x[np.array([True])])(x)
    assert ug.reshape(x, (3, 2), copy=True).shape == (3, 2)
    assert ug.asarray(x, copy=True) is not x
    with pytest.raises(ArgumentError, match="copy=False cannot be had"):
        ug.asarray([1.0], copy=False)


def test_a_boolean_output_takes_a_float_cotangent() -> None:
    x = np.array([1.0, -2.0])
    _, pull = ug.vjp(lambda x: (x * x, x > 0), x)
    for cotangent in (np.ones(2), np.ones(2, bool)):
        np.testing.assert_array_equal(pull((np.ones(2), cotangent))[0], 2 * x)


def test_signatures_are_those_of_the_standard() -> None:
    assert list(inspect.signature(ug.add).parameters) == ["x1", "x2"]
    assert list(inspect.signature(ug.exp).parameters) == ["x"]
    assert list(inspect.signature(ug.where).parameters) == ["condition", "x1", "x2"]
    assert list(inspect.signature(ug.tensordot).parameters) == ["x1", "x2", "axes"]
    assert list(inspect.signature(ug.reshape).parameters) == ["x", "shape", "copy"]
    for name in ug.__all__:
        found = getattr(ug, name)
        if isinstance(found, Op):
            kinds = {one.kind for one in inspect.signature(found).parameters.values()}
            assert inspect.Parameter.VAR_POSITIONAL not in kinds, name
