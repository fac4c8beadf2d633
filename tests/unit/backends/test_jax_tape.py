"""Under the caller's JAX transforms a function is one operation whose derivative is ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import unigrad as ug
from unigrad.backend import registry
from unigrad.errors import DifferentiationError
from unigrad.ir.types import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")

VALUES = np.array([0.3, -1.2, 0.8, 2.5])
POINTS = np.array([[0.5, -1.0, 0.2, 2.0], [1.5, 0.1, -0.3, 0.7]])


def kinks(x: Any) -> Any:
    return ug.sum(ug.abs(x) ** 3 * ug.maximum(x, 0.2) * ug.nn.relu(x + 1)) * ug.logsumexp(x)


def kinks_jax(x: Any) -> Any:
    parts = jnp.abs(x) ** 3 * jnp.maximum(x, 0.2) * jax.nn.relu(x + 1)
    return parts.sum() * jax.nn.logsumexp(x)


def model(x: Any, y: Any) -> Any:
    a = ug.tanh(x) * y + ug.sum(x * x)
    return a, ug.sum(a * a)


def model_jax(x: Any, y: Any) -> Any:
    a = jnp.tanh(x) * y + (x * x).sum()
    return a, (a * a).sum()


def dead(x: Any) -> Any:
    """Of negative numbers the root is NaN, and so is what JAX makes of its derivative."""
    return ug.sum(ug.where(x > 0, ug.sqrt(x) * ug.log(x), x * x))


def dead_jax(x: Any) -> Any:
    positive = jnp.where(x > 0, x, 1.0)
    return jnp.where(x > 0, jnp.sqrt(positive) * jnp.log(positive), x * x).sum()


@pytest.fixture(params=["graph", "native"])
def autodiff(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def wide() -> Iterator[None]:
    """JAX with 64 bits, for results that can be compared with many digits."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003  (the signature of JAX)
    yield
    jax.config.update("jax_enable_x64", before)


def close(ours: Any, theirs: Any, rtol: float = 1e-10) -> None:
    ours, theirs = jax.tree.leaves(ours), jax.tree.leaves(theirs)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol / 100)


def stacked(x: Any) -> Any:
    return jnp.stack([x, 2 * x, 1 - x])


def scanned(f: Callable[..., Any]) -> Callable[..., Any]:
    def step(carry: Any, one: Any) -> Any:
        value = jnp.tanh(f(one * carry))
        return carry + 0.1 * value, value

    return lambda x: jax.lax.scan(step, x.sum(), stacked(x))[1].sum()


TRANSFORMS: dict[str, Callable[..., Any]] = {
    "jit": jax.jit,
    "grad": jax.grad,
    "jit of grad": lambda f: jax.jit(jax.grad(f)),
    "grad of jit": lambda f: jax.grad(jax.jit(f)),
    "value_and_grad": jax.value_and_grad,
    "jacrev": jax.jacrev,
    "jacfwd": jax.jacfwd,
    "hessian": jax.hessian,
    "jacrev of jacrev": lambda f: jax.jacrev(jax.jacrev(f)),
    "jacrev of jacfwd": lambda f: jax.jacrev(jax.jacfwd(f)),
    "jacfwd of jacfwd": lambda f: jax.jacfwd(jax.jacfwd(f)),
    "jacfwd three times": lambda f: jax.jacfwd(jax.jacfwd(jax.jacfwd(f))),
    "grad three times": lambda f: jax.grad(
        lambda x: jax.grad(lambda x: jax.grad(f)(x).sum())(x).sum()
    ),
    "vmap": lambda f: lambda x: jax.vmap(f)(stacked(x)),
    "vmap of grad": lambda f: lambda x: jax.vmap(jax.grad(f))(stacked(x)),
    "vmap of vmap": lambda f: lambda x: jax.vmap(jax.vmap(f))(jnp.stack([stacked(x)] * 2)),
    "vmap over another axis": lambda f: lambda x: jax.vmap(jax.grad(f), 1)(stacked(x).T),
    "vmap of hessian": lambda f: lambda x: jax.vmap(jax.hessian(f))(stacked(x)),
    "grad of vmap": lambda f: jax.grad(lambda x: jax.vmap(f)(stacked(x)).sum()),
    "jit of vmap of grad": lambda f: jax.jit(lambda x: jax.vmap(jax.grad(f))(stacked(x))),
    "hessian of vmap": lambda f: jax.hessian(lambda x: jax.vmap(f)(stacked(x)).sum()),
    "jvp": lambda f: lambda x: jax.jvp(f, (x,), (x * x,)),
    "vjp": lambda f: lambda x: jax.vjp(f, x)[1](jnp.ones((), x.dtype) * 2),
    "linearize": lambda f: lambda x: jax.linearize(f, x)[1](x * x),
    "scan": scanned,
    "grad of scan": lambda f: jax.grad(scanned(f)),
    "hessian of scan": lambda f: jax.hessian(scanned(f)),
    "cond": lambda f: lambda x: jax.lax.cond(x.sum() > 0, f, jnp.sum, x),
    "grad of cond": lambda f: jax.grad(lambda x: jax.lax.cond(x.sum() > 0, f, jnp.sum, x)),
    "fori_loop": lambda f: lambda x: jax.lax.fori_loop(0, 3, lambda i, y: y + 0.01 * f(y), x),
    "grad of checkpoint": lambda f: jax.grad(jax.checkpoint(f)),
    "hessian of checkpoint": lambda f: jax.hessian(jax.checkpoint(f)),
}


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the caller, compiled soon rather than well: it runs only once."""
    quick = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
    return jax.jit(function, compiler_options=quick)


def all_of(function: Callable[..., Any], without: str = "-") -> Callable[..., Any]:
    chosen = {name: one for name, one in TRANSFORMS.items() if without not in name}
    return compiled(lambda x: {name: one(function)(x) for name, one in chosen.items()})


def agree(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    complaints: list[str] = []
    for name, want in wanted.items():
        try:
            close(found[name], want)
        except AssertionError as error:
            complaints.append(f"{name}: {error}")
    assert not complaints, "\n\n".join(complaints)


@pytest.mark.usefixtures("wide")
def test_a_function_goes_through_every_transform_of_jax(autodiff: Any) -> None:
    x = jnp.asarray(VALUES)
    agree(all_of(ug.function(kinks, autodiff=autodiff))(x), all_of(kinks_jax)(x))


@pytest.mark.usefixtures("wide")
def test_a_gradient_does_so_too(autodiff: Any) -> None:
    gradient = ug.grad(kinks, autodiff=autodiff)

    def theirs(x: Any) -> Any:
        return (jax.grad(kinks_jax)(x) * x).sum()

    x = jnp.asarray(VALUES)
    ours = ug.function(lambda x: ug.sum(gradient(x) * x), autodiff=autodiff)
    agree(all_of(ours, "three times")(x), all_of(theirs, "three times")(x))


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(
    "name", ["value_and_grad", "hessian", "vmap of grad", "grad of vmap", "jvp", "vjp", "linearize"]
)
def test_transforms_of_values_at_hand(name: str, autodiff: Any) -> None:
    x = jnp.asarray(VALUES)
    ours = TRANSFORMS[name](ug.function(kinks, autodiff=autodiff))
    close(ours(x), compiled(TRANSFORMS[name](kinks_jax))(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_flag_of_the_caller_is_left_alone_and_bits_are_kept(
    dtype: str, autodiff: Any, flag: bool
) -> None:
    if dtype == "float64" and not flag:
        pytest.skip("JAX's own operations around the function would cut it to 32 bits")
    x = jnp.asarray(VALUES, dtype)
    rtol = 1e-9 if dtype == "float64" else 2e-3
    for name in ("grad", "jit of vmap of grad"):
        ours = TRANSFORMS[name](ug.function(kinks, autodiff=autodiff))(x)
        close(ours, compiled(TRANSFORMS[name](kinks_jax))(x), rtol)


@pytest.mark.parametrize("around", [jax.jit, jax.grad, lambda f: jax.jit(jax.grad(f))])
def test_64_bits_go_through_transforms_without_the_flag(
    around: Callable[..., Any], autodiff: Any, flag: bool
) -> None:
    del flag
    x = registry.runtime(registry.found("jax")).asarray(0.7, DTYPES["float64"], None)
    found = around(ug.function(lambda x: ug.sin(x) * 1.1, autodiff=autodiff))(x)
    assert found.dtype == np.float64
    assert float(found) in (np.sin(0.7) * 1.1, np.cos(0.7) * 1.1)


# -- one operation ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("wide")
def test_a_function_is_one_operation_of_the_caller() -> None:
    text = str(jax.make_jaxpr(jax.grad(ug.function(kinks)))(jnp.asarray(VALUES)))
    assert text.count("unigrad_derivative") == 1
    native = str(jax.make_jaxpr(ug.function(kinks, autodiff="native"))(jnp.asarray(VALUES)))
    assert "unigrad" not in native
    assert "logsumexp" in native or "exp" in native


@pytest.mark.usefixtures("wide")
def test_a_branch_that_is_not_selected_contributes_nothing() -> None:
    x = jnp.asarray([0.5, -1.5, 0.0, 2.0])
    found = all_of(ug.function(dead))(x)
    at_hand = jax.hessian(ug.function(dead))(x)
    for one in jax.tree.leaves((found, at_hand)):
        assert np.isfinite(one).all()
    agree({**found, "at hand": at_hand}, wanted := all_of(dead_jax)(x))
    close(at_hand, wanted["hessian"])


CONVENTIONS: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "abs": (ug.abs, [0.0, 0.0, np.nan]),
    "relu": (ug.nn.relu, [0.0, 0.0, 0.0]),
    "maximum": (lambda x: ug.maximum(x, 0.0), [0.5, 0.5, 1.0]),
    "clip": (lambda x: ug.clip(x, 0.0, 1.0), [1.0, 1.0, 0.0]),
    "hypot": (lambda x: ug.hypot(x, 0.0), [0.0, 0.0, np.nan]),
}


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_convention_holds_under_the_transforms_of_the_caller(name: str, autodiff: Any) -> None:
    at = jnp.asarray([0.0, -0.0, np.nan])
    ours, wanted = CONVENTIONS[name]
    function = ug.function(ours, autodiff=autodiff)
    slopes = (
        jax.grad(lambda x: function(x).sum())(at),
        compiled(jax.vmap(jax.grad(function)))(at),
        compiled(lambda x: jax.jvp(function, (x,), (jnp.ones(3),))[1])(at),
    )
    for found in slopes:
        np.testing.assert_array_equal(found, wanted)


# -- arguments -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("wide")
def test_several_inputs_and_outputs(autodiff: Any) -> None:
    function = ug.function(model, autodiff=autodiff)
    x, y = jnp.asarray(POINTS)
    transforms: dict[str, Callable[..., Any]] = {
        "vjp": lambda f: jax.vjp(f, x, y)[1]((y, jnp.asarray(2.0))),
        "jvp": lambda f: jax.jvp(f, (x, y), (y, x)),
        "jacrev": lambda f: jax.jacrev(f, argnums=(0, 1))(x, y),
        "jacfwd": lambda f: jax.jacfwd(f, argnums=1)(x, y),
        "grad": lambda f: jax.grad(lambda x: f(x, y)[1])(x),
        "vmap": lambda f: jax.vmap(f, (0, None))(stacked(x), y),
        "vmap of grad": lambda f: jax.vmap(jax.grad(lambda x, y: f(x, y)[1], 1), (None, 0))(
            x, stacked(y)
        ),
        "hessian": lambda f: jax.hessian(lambda x, y: f(x, y)[1], argnums=(0, 1))(x, y),
    }

    def through(f: Callable[..., Any]) -> dict[str, Any]:
        return compiled(lambda: {name: one(f) for name, one in transforms.items()})()

    agree(through(function), through(model_jax))


@pytest.mark.usefixtures("wide")
def test_structures_go_in_and_come_out(autodiff: Any) -> None:
    @ug.function(autodiff=autodiff)
    def affine(parameters: Any, x: Any) -> Any:
        return {"y": x @ parameters["w"] + parameters["b"], "x": x}

    parameters = {"w": jnp.asarray(POINTS.T), "b": jnp.ones(2)}
    x = jnp.asarray(VALUES)
    found = jax.jit(affine)(parameters, x)
    assert sorted(found) == ["x", "y"]
    close(found["y"], x @ parameters["w"] + 1.0)
    slopes = jax.grad(lambda p: affine(p, x)["y"].sum())(parameters)
    close(slopes, {"w": jnp.stack([x, x], axis=1), "b": jnp.ones(2)})


@pytest.mark.usefixtures("wide")
def test_integers_pass_and_have_no_derivative(autodiff: Any) -> None:
    @ug.function(autodiff=autodiff)
    def chosen(x: Any, unused: Any, count: Any) -> Any:
        del unused
        return ug.sum(x * count), count + 1, ug.floor(x)

    x, unused, count = jnp.asarray([0.5, 1.5]), jnp.ones(3), jnp.asarray([2, 3])
    slopes = jax.grad(lambda x, u: chosen(x, u, count)[0], argnums=(0, 1))(x, unused)
    assert [one.tolist() for one in slopes] == [[2.0, 3.0], [0.0, 0.0, 0.0]]
    assert jax.grad(lambda x: chosen(x, unused, count)[2].sum())(x).tolist() == [0.0, 0.0]
    _, more, _ = jax.jit(chosen)(x, unused, count)
    assert (more.dtype, more.tolist()) == (np.int64, [3, 4])
    stacked_counts = jnp.stack([count, 2 * count])
    totals, _, _ = jax.vmap(chosen, (None, None, 0))(x, unused, stacked_counts)
    assert totals.tolist() == [5.5, 11.0]
    _, pull, values = jax.vjp(lambda x: chosen(x, unused, count)[:2], x, has_aux=True)
    assert values.tolist() == [3, 4]
    assert pull(jnp.asarray(1.0))[0].tolist() == [2.0, 3.0]
    total, tangent = jax.jvp(lambda x: chosen(x, unused, count), (x,), (x,))
    assert (tangent[0].item(), tangent[1].dtype) == (5.5, jax.dtypes.float0)
    assert total[1].tolist() == [3, 4]


@pytest.mark.usefixtures("wide")
def test_inputs_that_are_returned_and_results_returned_twice(autodiff: Any) -> None:
    @ug.function(autodiff=autodiff)
    def passing(x: Any) -> Any:
        y = ug.sin(x)
        return x, x, y, y, ug.reshape(x, (3, 1)), ug.astype(x, "int64")

    def total(x: Any) -> Any:
        first, again, y, twice, column, _ = passing(x)
        return (first + 2 * again + y + 3 * twice).sum() + 5 * column.sum()

    x = jnp.asarray([0.3, 1.2, -0.4])
    close(jax.grad(total)(x), 8 + 4 * jnp.cos(x))


@pytest.mark.usefixtures("wide")
def test_numpy_arrays_and_numbers_beside_a_tracer_travel_along(autodiff: Any) -> None:
    function = ug.function(lambda x, y, c: ug.sum(x * y) * c, autodiff=autodiff)
    x = jnp.ones(3)
    assert jax.grad(function)(x, np.arange(3.0), 2.0).tolist() == [0.0, 2.0, 4.0]
    assert jax.jit(function, static_argnums=2)(x, np.arange(3.0), 2).item() == 6.0


@pytest.mark.usefixtures("wide")
def test_numpy_arrays_inside_a_transform_of_the_caller_give_numpy_arrays() -> None:
    function = ug.function(lambda x: ug.sin(x) + np.ones(3))
    seen = []

    def around(x: Any) -> Any:
        for target in ("jax:jit", "jax:eager"):
            with ug.use(target):
                seen.append(function(np.zeros(3)))
                seen.append(function(np.zeros(3)))  # by the guard
        return x * seen[0].sum()

    assert jax.jit(around)(1.0).item() == 3.0
    assert [type(one) for one in seen] == [np.ndarray] * 4
    concrete = jnp.zeros(3)

    def capturing(x: Any) -> Any:
        return x * function(concrete).sum() * function(concrete).sum()

    assert jax.jit(capturing)(1.0).item() == 9.0
    assert jax.grad(capturing)(1.0).item() == 9.0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_gradients_have_the_dtype_of_the_array(dtype: str, autodiff: Any, flag: bool) -> None:
    del flag
    x = jnp.ones(3, dtype)
    function = ug.function(lambda x: ug.sum(ug.exp(2 * x)), autodiff=autodiff)
    for gradient in (jax.grad(function)(x), jax.jit(jax.grad(function))(x)):
        assert (gradient.dtype, gradient.shape) == (x.dtype, x.shape)


def test_weak_types_stay_weak_to_jax(autodiff: Any, flag: bool) -> None:
    del flag
    function = ug.function(lambda x: x * 2 + 1, autodiff=autodiff)
    assert jax.jit(function)(1.5).item() == 4.0
    assert jax.grad(function)(1.5).item() == 2.0
    assert jax.vmap(function)(jnp.arange(3) * 1.0).tolist() == [1.0, 3.0, 5.0]


# -- captured arrays -------------------------------------------------------------------------------


@pytest.mark.usefixtures("wide")
def test_a_captured_tracer_gets_its_gradient(autodiff: Any) -> None:
    def loss(scale: Any, x: Any) -> Any:
        return ug.function(lambda x: ug.sum(x * scale * scale), autodiff=autodiff)(x)

    def inner(scale: Any, x: Any) -> Any:
        gradient = ug.grad(lambda x: ug.sum(x * scale * scale), autodiff=autodiff)
        return gradient(x).sum()

    scale, x = jnp.asarray(VALUES), jnp.arange(4.0)
    for argument in (x, np.arange(4.0)):
        close(jax.grad(loss)(scale, argument), 2 * scale * x)
        close(jax.jit(jax.grad(loss))(scale, argument), 2 * scale * x)
        close(jax.grad(inner)(scale, argument), 2 * scale)
    close(jax.vmap(loss, (0, None))(stacked(scale), x), ((stacked(scale) ** 2) * x).sum(1))


@pytest.mark.usefixtures("wide")
def test_a_captured_array_is_a_constant(autodiff: Any) -> None:
    scale = jnp.asarray(VALUES)
    function = ug.function(lambda x: ug.sum(x * scale * VALUES), autodiff=autodiff)
    x = jnp.ones(4)
    close(jax.jit(jax.grad(function))(x), scale * scale)
    close(jax.vmap(jax.grad(function))(stacked(x)), jnp.stack([scale * scale] * 3))


def test_another_target_refuses_a_captured_tracer() -> None:
    def around(weights: Any) -> Any:
        with ug.use("numpy"):
            return ug.function(lambda x: ug.sum(x * weights))(np.ones(3))

    with pytest.raises(DifferentiationError, match="detach it"):
        jax.jit(around)(jnp.ones(3))


@pytest.mark.usefixtures("wide")
def test_what_a_trace_leaves_behind_is_no_tracer() -> None:
    function = ug.function(kinks)
    gradient = ug.grad(kinks)
    x = jnp.asarray(VALUES)
    with jax.checking_leaks():
        inside = jax.jit(lambda x: (function(x), gradient(x)))(x)
    close((function(x), gradient(x)), inside)
    close(jax.grad(function)(x), gradient(x))


@pytest.mark.usefixtures("wide")
def test_a_second_trace_of_the_caller_finds_what_the_first_one_made() -> None:
    function = ug.function(kinks)
    x = jnp.asarray(VALUES)
    jax.jit(jax.grad(function))(x)
    before = function.cache_info()
    jax.jit(jax.grad(lambda x: 2 * function(x)))(x)
    after = function.cache_info()
    assert (after.misses, after.traces) == (before.misses, before.traces)


# -- states around a call --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "state",
    [
        lambda: jax.default_matmul_precision("bfloat16"),
        lambda: jax.debug_nans(True),  # noqa: FBT003
        lambda: jax.numpy_dtype_promotion("strict"),
    ],
    ids=["matmul precision", "debug nans", "strict promotion"],
)
def test_what_stands_around_a_call_changes_no_dtype(state: Any, dtype: str) -> None:
    function = ug.function(lambda x, w: ug.sum(ug.tanh(x @ w) * 0.5))
    with jax.enable_x64(True):  # noqa: FBT003
        x, w = jnp.ones((3, 4), dtype), jnp.full((4, 2), 0.3, dtype)
        want = function(x, w), jax.grad(function, 1)(x, w)
        with state():
            slope = jax.jit(jax.grad(function, 1))(x, w)
            found = function(x, w), jax.grad(function, 1)(x, w)
            own = ug.grad(function, argnums=1)(x, w)
    for one, other in ((found[0], want[0]), (found[1], want[1]), (slope, want[1]), (own, want[1])):
        assert one.dtype == dtype
        np.testing.assert_allclose(one, other, rtol=1e-5)
