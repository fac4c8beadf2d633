"""Names that meet: every argument, variable, size and array is itself, whatever they are called."""

from __future__ import annotations

import builtins
import keyword
from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests.emitted import names_that_meet
from tests.targets import PYTORCH_IS_LOUD, TARGETS, ways
from unigrad.backend import registry
from unigrad.config import Target
from unigrad.errors import ArgumentError

pytestmark = PYTORCH_IS_LOUD

THREE = np.array([0.5, -1.0, 2.0])
STYLED = "\N{MATHEMATICAL BOLD SMALL U}"  # to Python this is the name "u"
SQUARED = "x\N{SUPERSCRIPT TWO}"  # no identifier, and by NFKC the name "x2"
OF_FILES = ("np", "torch", "tf", "jnp", "special", "math", "jax", "F", "len", "sum", "max", "g")


def meeting() -> Any:
    """A graph in which as many things as can be have one name."""
    with ug.graph("g") as g:
        k = ug.input("k", "float64[]")
        x = ug.input("x", "float64[k]")  # a size and an argument
        u = ug.input(STYLED, "float64[]")
        a = ug.input("a", f"float64[d, {', '.join(OF_FILES)}]")  # and those of imports, of builtins
        argument = u
        u = ug.sin(argument) * 2.0  # a variable that is called as an argument is
        d = ug.exp(u) + u  # and one like a size
        ones = ug.sum(ug.ones(x.shape) * k) + ug.sum(ug.abs(x)) + ug.max(x)
        filled = ug.sum(ug.broadcast_to(d * u, a.shape)) + ug.sum(a) * a.shape[0]
        g.output(ones=ones, filled=filled, styled=argument * u + u)
    return g


def expected(k: float, x: Any, v: float, a: Any) -> dict[str, float]:
    u = 2.0 * np.sin(v)
    return {
        "ones": float(x.size * k + abs(x).sum() + x.max()),
        "filled": float((np.exp(u) + u) * u * a.size + a.sum() * a.shape[0]),
        "styled": float(v * u + u),
    }


@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_each_name_means_one_thing(target: str, autodiff: str) -> None:
    g = meeting()
    like = (10.0, THREE, 0.7, np.full((2, *(1,) * len(OF_FILES)), 0.25))

    def total(k: Any, x: Any, v: Any, a: Any) -> Any:
        out = g(k, x, v, a)
        return out["ones"] + out["filled"] + out["styled"]

    step = 1e-6
    with ug.use(target, autodiff=autodiff):
        values = g(*like)
        slope = ug.grad(total, argnums=2)(*like)
        assert names_that_meet(g.source(), target) == []
    assert {name: float(value) for name, value in values.items()} == pytest.approx(expected(*like))
    above, below = (sum(expected(10.0, THREE, 0.7 + h, like[3]).values()) for h in (step, -step))
    assert float(slope) == pytest.approx((above - below) / (2 * step), rel=1e-6)


@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_names_that_python_merges_are_two_variables(target: str, autodiff: str) -> None:
    def f(**named: Any) -> Any:
        u = ug.sin(named[STYLED])
        x2 = ug.exp(named[SQUARED])
        return (named[STYLED] * u + u) * (x2 * x2 + named[SQUARED])

    x, z = 0.7, 0.3
    given = {STYLED: x, SQUARED: z}
    factor = np.exp(2 * z) + z
    with ug.use(target, autodiff=autodiff):
        assert ug.function(f)(**given) == pytest.approx((x + 1) * np.sin(x) * factor)
        slope = ug.grad(f, argnames=STYLED)(**given)
        assert slope == pytest.approx((np.sin(x) + (x + 1) * np.cos(x)) * factor)
        source = ug.function(f).source(target, **given)
    assert names_that_meet(source, target) == []


def test_an_input_is_called_as_python_reads_its_name() -> None:
    with ug.graph("g") as g:
        u = ug.input(STYLED, "float64[]")
        g.output(y=u * 2.0)
    assert g(u=3.0)["y"] == 6.0
    for name in (SQUARED, "\N{MATHEMATICAL BOLD SMALL I}f", "if", "", 3):
        with pytest.raises(ArgumentError, match="a name is a Python identifier"), ug.graph("g"):
            ug.input(name, "float64[]")  # type: ignore[arg-type]


SOURCES = ("numpy", "torch", "torch:compile", "tensorflow", "tensorflow:xla", "jax")
OF_OURS = ("x", "n", "value", "result", "function", "body", "state", "size", "operands", "größe")


@pytest.mark.parametrize("autodiff", ["graph", "native"])
@pytest.mark.parametrize("target", SOURCES)
def test_a_user_may_call_things_as_a_file_does(target: str, autodiff: str) -> None:
    backend, mode = registry.get(Target.parse(target))
    dialect = backend.of_mode(mode).dialect
    ops = {op.name for op in dialect.templates}
    wrong: list[str] = []
    for name in {*dialect.imports, *dialect.helpers, *ops, *dir(builtins), *OF_OURS}:
        if not name.isidentifier() or keyword.iskeyword(name):
            continue
        with ug.graph(name) as g:
            x = ug.input(name, f"float64[{name}]")
            y = ug.input(f"{name}_1", f"float64[{name}, {name}_1]")
            inner = ug.grad(lambda v, y=y: ug.sum(ug.abs(v) * ug.sum(y)) * y.shape[1])
            g.output(out=ug.sum(inner(x)) + ug.sum(ug.ones(y.shape)))
        with ug.use(autodiff=autodiff):
            source = g.source(target)
            wrong += [f"{name}: {one}" for one in names_that_meet(source, target)]
            if target == "numpy":
                given = np.array([1.0, -2.0, 3.0]), np.full((3, 2), 0.5)
                assert g(*given)["out"] == 1.0 * 3.0 * 2 + 6
    assert wrong == []


@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_names_that_are_not_ascii(target: str, autodiff: str) -> None:
    with ug.graph("größe") as g:
        x = ug.input("длина", "float64[größe]")
        höhe = ug.tanh(x) * x.shape[0]  # noqa: PLC2401
        g.output(结果=ug.sum(höhe * höhe))
    with ug.use(target, autodiff=autodiff):
        slope = ug.grad(g["结果"])(THREE)
    t = np.tanh(THREE)
    np.testing.assert_allclose(slope, 9 * 2 * t * (1 - t * t))


def test_a_size_beside_an_argument_of_its_name() -> None:
    with ug.graph("g") as g:
        k, x = ug.input("k", "float64[]"), ug.input("x", "float64[k]")
        g.output(y=ug.sum(ug.ones(x.shape) * k))
    assert g(k=10.0, x=THREE)["y"] == 30.0


def sizes_from_around() -> Any:
    """Bodies of derivatives that use sizes that none of their own arguments has, and arrays."""
    weights = np.array([1.0, 2.0, 3.0])
    with ug.graph("g") as g:
        x, y = ug.input("x", "float64[n]"), ug.input("y", "float64[]")
        a = ug.input("a", "float64[n, m]")

        def inner(w: Any) -> Any:
            return ug.sum(ug.broadcast_to(w * w, x.shape))

        def outer(v: Any) -> Any:
            spread = ug.grad(lambda u: ug.sum(ug.broadcast_to(u * v, a.shape)))
            weighted = ug.grad(lambda u: ug.sum(u * v * weights))
            return ug.grad(inner)(v) * spread(v) + weighted(v)

        tangent = ug.jvp(inner, (y,), (1.0,))[1]
        g.output(z=ug.sum(x) * ug.grad(outer)(y) + tangent)
    return g


@pytest.mark.parametrize(("target", "autodiff"), ways(TARGETS))
def test_a_body_uses_sizes_from_around_it(target: str, autodiff: str) -> None:
    g = sizes_from_around()
    with ug.use(target, autodiff=autodiff):
        for n in (3, 4):
            found = g(x=np.arange(1.0 * n), y=2.0, a=np.ones((n, 2)))["z"]
            # outer(v) is (2 n v) (n m v) + 6 v: its slope is 4 n n m v + 6
            assert found == n * (n - 1) / 2 * (4 * n * n * 2 * 2.0 + 6.0) + 2 * n * 2.0
        assert names_that_meet(g.source(), target) == []


@pytest.mark.parametrize("target", ["numpy", "torch", "tensorflow", "jax"])
def test_names_of_captured_arrays_meet_no_others(target: str) -> None:
    x = np.array([1.0, 2.0])
    np_ = {"x": x, "torch": x + 1.0, "jnp": x + 2.0, "tf": x + 3.0}
    first, second, third, fourth = np_.values()
    namespace: dict[str, Any] = {
        "torch": second, "jnp": third, "tf": fourth, "captured": first, "ug": ug,
    }  # fmt: skip
    text = "def f(x, captured_1):\n    return (x * torch + jnp - tf * captured) * captured_1\n"
    exec(text, namespace)  # noqa: S102  (globals of those names)
    f = ug.function(namespace["f"])
    assert names_that_meet(f.source(target, x, x), target) == []
    with ug.use(target):
        np.testing.assert_allclose(f(x, x), (x * second + third - fourth * first) * x)


@pytest.mark.parametrize("target", ["numpy", "torch", "tensorflow", "jax"])
def test_the_size_of_an_argument_that_is_used_for_nothing_else(target: str) -> None:
    f = ug.function(lambda d: ug.ones(d["a"].shape) * d["b"])
    source = f.source(target, {"a": "float64[n]", "b": "float64[]"})
    assert names_that_meet(source, target) == []
    assert "d['a']" in source
