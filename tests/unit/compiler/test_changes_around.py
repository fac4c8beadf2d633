"""What a function reads from around itself may change between calls: it is read again."""

from __future__ import annotations

import functools
import gc
import logging
import random
import types
import warnings
import weakref
from typing import Any

import numpy as np
import pytest

import unigrad as ug
from tests.guarded import is_taken
from tests.targets import FRAMEWORKS, of, ways
from unigrad.errors import StaleError, TracingWarning

X = np.asarray([1.0, 2.0])
rate: Any = 3.0
settings = types.SimpleNamespace(rate=3.0)


class Model:
    scale = 1.0

    def __init__(self, w: Any) -> None:
        self.w = w

    def loss(self, x: Any) -> Any:
        return ug.sum(self.weights * x * x) * self.scale

    @property
    def weights(self) -> Any:
        return self.w

    def __call__(self, x: Any) -> Any:
        return self.loss(x)

    @ug.function
    def decorated(self, x: Any) -> Any:
        return self.loss(x)


class Network:
    def __init__(self, *layers: Model) -> None:
        self.layers = list(layers)

    def loss(self, x: Any) -> Any:
        return sum(layer.loss(x) for layer in self.layers)


def helper(x: Any) -> Any:
    return inner_helper(x)


def inner_helper(x: Any, power: float = 1.0) -> Any:
    return rate * x**power


def through_helpers(x: Any) -> Any:
    return ug.sum(helper(x))


def slope(function: Any, x: Any = X) -> list[float]:
    return ug.grad(function)(x).tolist()


@pytest.fixture(autouse=True)
def _as_before() -> Any:
    saved = rate, settings.rate, helper, inner_helper, inner_helper.__defaults__
    code = inner_helper.__code__
    yield
    inner_helper.__code__ = code
    globals().update(rate=saved[0], helper=saved[2], inner_helper=saved[3])
    settings.rate = saved[1]
    inner_helper.__defaults__ = saved[4]


@pytest.mark.parametrize(("target", "autodiff"), ways(("numpy", *FRAMEWORKS)))
def test_every_target_sees_a_change(
    target: str, autodiff: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(np.asarray([1.0, 1.0]))
    kept = ug.function(model.loss)
    with ug.use(target, autodiff=autodiff):
        assert slope(model.loss) == [2.0, 4.0]
        assert float(kept(X)) == 5.0
        assert slope(through_helpers) == [3.0, 3.0]
        model.w = np.asarray([3.0, 0.5])
        monkeypatch.setitem(globals(), "rate", 0.25)
        assert slope(model.loss) == [6.0, 2.0]
        assert float(kept(X)) == 5.0 + 0.0
        assert slope(through_helpers) == [0.25, 0.25]


# -- what is seen ----------------------------------------------------------------------------------


def test_attributes_of_objects_in_lists_of_objects() -> None:
    first, second = Model(1.0), Model(2.0)
    network = Network(first, second)
    assert slope(network.loss) == [6.0, 12.0]
    second.w = 0.0
    assert slope(network.loss) == [2.0, 4.0]
    network.layers[0] = second
    assert slope(network.loss) == [0.0, 0.0]
    network.layers.append(first)
    assert slope(network.loss) == [2.0, 4.0]


def test_attributes_of_classes_and_of_their_objects() -> None:
    model = Model(1.0)
    assert slope(model.loss) == [2.0, 4.0]
    model.scale = 2.0
    assert slope(model.loss) == [4.0, 8.0]
    del model.scale
    assert slope(model.loss) == [2.0, 4.0]


def test_callable_objects_decorated_methods_and_partials() -> None:
    model = Model(1.0)
    scaled = functools.partial(lambda x, factor: ug.sum(factor * x) * rate, factor=2.0)
    called, decorated, partial = ug.grad(model), ug.grad(model.decorated), ug.grad(scaled)
    assert [one(X).tolist()[0] for one in (called, decorated, partial)] == [2.0, 2.0, 6.0]
    model.w = 5.0
    globals()["rate"] = 1.0
    assert [one(X).tolist()[0] for one in (called, decorated, partial)] == [10.0, 10.0, 2.0]


def test_methods_and_properties_that_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(1.0)
    assert slope(model.loss) == [2.0, 4.0]
    monkeypatch.setattr(Model, "weights", property(lambda self: 10 * self.w))
    assert slope(model.loss) == [20.0, 40.0]
    monkeypatch.setattr(Model, "loss", lambda self, x: ug.sum(x))
    assert slope(model.loss) == [1.0, 1.0]
    assert slope(model) == [1.0, 1.0]


def test_helpers_that_are_redefined() -> None:
    assert slope(through_helpers) == [3.0, 3.0]
    inner_helper.__defaults__ = (2.0,)
    assert slope(through_helpers) == [6.0, 12.0]
    inner_helper.__code__ = (lambda x, power=1.0: -x).__code__
    assert slope(through_helpers) == [-1.0, -1.0]
    globals()["helper"] = ug.square
    assert slope(through_helpers) == [2.0, 4.0]


def test_a_function_that_gets_other_code() -> None:
    def function(x: Any) -> Any:
        return ug.sum(x)

    kept = ug.grad(function)
    assert kept(X).tolist() == [1.0, 1.0]
    function.__code__ = (lambda x: ug.sum(7 * x)).__code__
    assert kept(X).tolist() == [7.0, 7.0]


def test_variables_of_functions_around() -> None:
    factor = 2.0

    def loss(x: Any) -> Any:
        return ug.sum(factor * x)

    kept = ug.grad(loss)
    assert kept(X).tolist() == [2.0, 2.0]
    factor = 5.0
    assert kept(X).tolist() == [5.0, 5.0]


def test_attributes_of_namespaces_and_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    config = types.ModuleType("config")
    config.__file__ = __file__
    config.rate = 2.0  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(globals(), "module", config)

    def loss(x: Any) -> Any:
        return ug.sum(settings.rate * x) + ug.sum(module.rate * x)  # noqa: F821  # pyright: ignore[reportUndefinedVariable]

    kept = ug.grad(loss)
    assert kept(X).tolist() == [5.0, 5.0]
    settings.rate = 1.0
    assert kept(X).tolist() == [3.0, 3.0]
    config.rate = 0.0  # pyright: ignore[reportAttributeAccessIssue]
    assert kept(X).tolist() == [1.0, 1.0]


def test_functions_of_unigrad_inside_of_others() -> None:
    inner = ug.function(lambda x: rate * x)

    def outer(x: Any) -> Any:
        return ug.sum(inner(x))

    kept = ug.value_and_grad(outer)
    assert kept(X)[1].tolist() == [3.0, 3.0]
    globals()["rate"] = 4.0
    assert kept(X)[1].tolist() == [4.0, 4.0]


def test_numbers_are_compared_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = ug.function(through_helpers)
    kept(X)
    monkeypatch.setitem(globals(), "rate", float("3.0"))
    assert is_taken(kept, X)
    assert kept.cache_info().traces == 1
    for other in (3, np.float64(3.0), np.float32(3.0), True, -3.0, float("nan")):
        monkeypatch.setitem(globals(), "rate", other)
        kept(X)
    assert kept.cache_info().traces == 7
    kept(X)  # NaN is equal to itself
    assert kept.cache_info().traces == 7


def test_zeros_are_told_apart_by_their_signs() -> None:
    kept = ug.function(lambda x: rate * x)
    for zero in (0.0, -0.0, 0.0):
        globals()["rate"] = zero
        assert np.signbit(kept(1.0)) == np.signbit(zero)


def test_going_back_and_forth_traces_twice(caplog: pytest.LogCaptureFixture) -> None:
    def scaled(x: Any) -> Any:
        return ug.sum(rate * x)

    kept = ug.grad(scaled)
    found: list[float] = []
    with caplog.at_level(logging.INFO, "unigrad"):
        for turn in range(20):
            globals()["rate"] = float(turn % 2)
            found.append(kept(X)[0])
    assert found == [0.0, 1.0] * 10
    assert kept.cache_info().traces == 2
    told = [text for text in caplog.messages if "has changed" in text]
    assert told == ["scaled_grad reads rate, which has changed: it is traced again"]


def test_ever_new_values_keep_the_cache_bounded() -> None:
    kept = ug.function(through_helpers)
    for turn in range(40):
        globals()["rate"] = turn + 0.5
        assert float(kept(X)) == 3 * (turn + 0.5)
    assert kept.cache_info().currsize <= 8


def test_names_that_go_away_and_come_back() -> None:
    def loss(x: Any) -> Any:
        known = "transient" in globals()
        return ug.sum(x * (transient if known else 1.0))  # noqa: F821  # pyright: ignore[reportUndefinedVariable]

    kept = ug.grad(loss)
    globals()["transient"] = 2.0
    try:
        assert kept(X).tolist() == [2.0, 2.0]
        del globals()["transient"]
        assert kept(X).tolist() == [1.0, 1.0]
    finally:
        globals().pop("transient", None)


# -- what it costs, and what it keeps --------------------------------------------------------------


def test_the_fast_way_stays_and_is_counted() -> None:
    kept = ug.grad(Model(np.ones(2)).loss)
    kept(X)
    before = kept.cache_info()
    assert is_taken(kept, X)
    after = kept.cache_info()
    assert (after.hits, after.misses, after.traces) == (before.hits + 1, before.misses, 1)


def test_a_function_that_reads_nothing_has_no_test() -> None:
    kept = ug.function(ug.sin)
    kept(X)
    assert kept._state.epoch.changed is None  # noqa: SLF001


def test_nothing_that_is_read_is_kept_alive() -> None:
    def made() -> Any:
        model = Model(np.ones(20_000))
        model.itself = model  # pyright: ignore[reportAttributeAccessIssue]
        network = Network(model)
        ug.grad(network.loss)(X[0])
        array, reference = weakref.ref(model.w), weakref.ref(model)
        model.w = np.ones(3)
        ug.grad(network.loss)(X[0])
        return array, reference, weakref.ref(network)

    references = made()
    gc.collect()
    assert [reference() is None for reference in references[1:]] == [True, True]


def test_a_change_while_tracing_is_part_of_the_trace() -> None:
    class Counted:
        count = 0

        def loss(self, x: Any) -> Any:
            self.count = self.count + 1
            return ug.sum(x * self.count)

    counted = Counted()
    kept = ug.function(counted.loss)
    assert [float(kept(X)) for _ in range(3)] == [3.0, 3.0, 3.0]


def test_attributes_that_are_made_anew_each_time_are_not_watched() -> None:
    class Fresh:
        def __getattr__(self, name: str) -> Any:
            if name != "w":
                raise AttributeError(name)
            return np.ones(2)

    kept = ug.function(lambda x, fresh=Fresh(): ug.sum(fresh.w * x))  # noqa: B008
    for _ in range(5):
        kept(X)
    assert kept.cache_info().traces == 1


# -- random numbers --------------------------------------------------------------------------------

generator = np.random.default_rng(0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ug.sum(x * np.random.normal()),  # noqa: NPY002
        lambda x: ug.sum(x * random.random()),  # noqa: S311
        lambda x: ug.sum(x * generator.normal()),
        lambda x: ug.sum(x * np.random.default_rng().normal()),
    ],
)
def test_random_numbers_of_a_trace_are_told_of(function: Any) -> None:
    with pytest.warns(TracingWarning, match="drew from .* each later call uses the same") as told:
        first = ug.grad(function)(X)
    assert [one.filename for one in told] == [__file__]
    np.testing.assert_array_equal(ug.grad(function)(X), first)


def test_random_numbers_from_outside_are_not() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        noise = generator.normal(size=2)
        ug.grad(lambda x: ug.sum(x * noise))(X)
        ug.grad(lambda x: ug.sum(x * np.random.default_rng(0).normal()))(X)  # ever the same


# -- the slow way to be sure -----------------------------------------------------------------------


@pytest.mark.parametrize("target", of(("numpy", *FRAMEWORKS)))
def test_an_array_that_changes_inside_is_found(target: str) -> None:
    weights, offset = np.asarray([1.0, 2.0]), [np.zeros(2)]

    def loss(x: Any) -> Any:
        return ug.sum(weights * x + offset[0])

    with ug.use(target, check_stale=True):
        kept = ug.value_and_grad(loss)
        for _ in range(2):
            assert float(kept(X)[0]) == 5.0
        weights[1] = 7.0
        with pytest.raises(StaleError, match=r"the array 'weights'.*other elements now \(1 of 2\)"):
            kept(X)
        weights[1] = 2.0
        assert float(kept(X)[0]) == 5.0


def test_what_depends_on_hidden_state_is_found() -> None:
    turns = iter([ug.sin, ug.cos, ug.sin])
    kept = ug.function(lambda x: next(turns)(2 * x), check_stale=True)
    kept(1.0)
    with pytest.raises(StaleError, match="it computes cos where it computed sin"):
        kept(1.0)
    structures = iter([1, 2])
    kept = ug.function(lambda x: [x] * next(structures), check_stale=True)
    kept(1.0)
    with pytest.raises(StaleError, match="another structure"):
        kept(1.0)
