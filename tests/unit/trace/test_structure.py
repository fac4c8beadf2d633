"""Structures: what comes apart comes together again, and differences are told in words."""

from __future__ import annotations

import copy
import enum
import os
import pickle
import subprocess
import sys
import threading
from collections import OrderedDict, defaultdict, deque
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import numpy as np
import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optree.registry import __GLOBAL_NAMESPACE as GLOBAL_NAMESPACE

from unigrad.errors import ArgumentError
from unigrad.trace.structure import (
    Structure,
    flatten,
    map_structure,
    mismatch,
    register_structure,
)

if TYPE_CHECKING:
    from pathlib import Path


class Affine(NamedTuple):
    weight: Any
    bias: Any


@dataclass
class Normal:
    loc: Any
    scale: Any


@dataclass(frozen=True, slots=True)
class Frozen:
    loc: Any
    inner: Any = None


@dataclass
class Positive:
    """Checks what it is given, as a parameter should and its gradient need not."""

    scale: Any

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise ValueError("a scale is positive")


@dataclass
class Unit:
    """One field follows from the other."""

    vector: Any
    norm: Any = field(init=False)

    def __post_init__(self) -> None:
        self.norm = self.vector * self.vector


@dataclass
class Counter:
    """One field is a state that no argument sets."""

    weight: Any
    steps: int = field(init=False, default=0)


@dataclass
class Scaled:
    """One field follows from an argument that is not kept."""

    factor: InitVar[float]
    value: Any = field(init=False)

    def __post_init__(self, factor: float) -> None:
        self.value = 2 * factor


@attrs.frozen
class Slotted:
    _hidden: Any
    shown: Any = 1.0


@attrs.define
class Computed:
    x: Any
    twice: Any = attrs.field(init=False)

    @twice.default
    def _(self) -> Any:
        return 2 * self.x


class Pair:
    def __init__(self, first: Any, second: Any, label: str) -> None:
        self.first, self.second, self.label = first, second, label

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pair) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


register_structure(
    Pair, lambda p: ([p.first, p.second], p.label), lambda label, children: Pair(*children, label)
)


class Abroad:
    """Registered with optree, in its global namespace."""

    def __init__(self, inside: Any) -> None:
        self.inside = inside


optree.register_pytree_node(
    Abroad, lambda a: ((a.inside,), None), lambda _, c: Abroad(*c), namespace=GLOBAL_NAMESPACE
)


class Shade(Normal, enum.Enum):
    """A dataclass as the value of an enumeration: its members are values."""

    LIGHT = (1, 2)


def structure(tree: Any) -> Structure:
    return flatten(tree)[1]


trees = st.recursive(
    st.integers() | st.none() | st.floats(allow_nan=False),
    lambda inside: st.one_of(
        st.lists(inside, max_size=3),
        st.lists(inside, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2), inside, max_size=3),
        st.dictionaries(st.text(max_size=2), inside, max_size=3).map(OrderedDict),
        st.lists(inside, max_size=3).map(deque),
        st.builds(Affine, inside, inside),
        st.builds(Normal, inside, inside),
        st.builds(Frozen, inside, inside),
        st.builds(Slotted, inside, inside),
        st.builds(Pair, inside, inside, st.text(max_size=2)),
    ),
    max_leaves=12,
)


def reached(tree: Any, path: str) -> Any:
    """What Python finds behind a path."""
    return eval("tree" + path, {"tree": tree})  # noqa: S307  (the paths are ours)


# -- apart and together ----------------------------------------------------------------------------


@given(trees)
def test_what_is_taken_apart_comes_together_again(tree: Any) -> None:
    leaves, form = flatten(tree)
    assert form.count == len(leaves) == len(form.paths())
    assert form.unflatten(leaves) == tree
    again, form_again = flatten(form.unflatten(leaves))
    assert again == leaves
    assert form_again == form
    assert hash(form_again) == hash(form)
    assert mismatch(form, form_again) == ""
    assert map_structure(lambda leaf: leaf, tree) == tree


@given(trees, trees)
def test_a_mismatch_is_told_exactly_where_structures_differ(one: Any, other: Any) -> None:
    expected, found = structure(one), structure(other)
    sentence = mismatch(expected, found)
    assert (sentence == "") == (expected == found)
    assert "\n" not in sentence


@given(trees)
def test_structures_pickle_and_copy(tree: Any) -> None:
    form = structure(tree)
    for twin in (pickle.loads(pickle.dumps(form)), copy.copy(form), copy.deepcopy(form)):
        assert twin == form
        assert twin.unflatten(flatten(tree)[0]) == tree


@pytest.mark.parametrize(
    ("tree", "leaves", "paths"),
    [
        (1.5, [1.5], [""]),
        (None, [], []),
        ((), [], []),
        ({"w": 1, "b": 2}, [2, 1], ["['b']", "['w']"]),
        ([{"w": 1}, (2, None, 3)], [1, 2, 3], ["[0]['w']", "[1][0]", "[1][2]"]),
        ([Affine(1, [2])], [1, 2], ["[0].weight", "[0].bias[0]"]),
        (Normal(1, {"s": 2}), [1, 2], [".loc", ".scale['s']"]),
        (Frozen(Frozen(1), 2), [1, 2], [".loc.loc", ".inner"]),
        (Slotted(1, 2), [1, 2], ["._hidden", ".shown"]),
        (OrderedDict(z=1, a=2), [1, 2], ["['z']", "['a']"]),
        (defaultdict(list, k=1), [1], ["['k']"]),
        (deque([1, 2]), [1, 2], ["[0]", "[1]"]),
        (Pair(1, 2, "p"), [1, 2], ["[0]", "[1]"]),
        (Abroad(7), [7], ["[0]"]),
        ({0: 1, "a": 2}, [1, 2], ["[0]", "['a']"]),
    ],
)
def test_leaves_and_their_paths(tree: Any, leaves: list[Any], paths: list[str]) -> None:
    found, form = flatten(tree)
    assert found == leaves
    assert sorted(form.paths()) == sorted(paths)
    if not isinstance(tree, (Pair, Abroad)):
        assert [reached(tree, path) for path in form.paths()] == leaves


@pytest.mark.parametrize(
    "leaf",
    [
        np.ones(3),
        np.float64(1),
        "text",
        Normal,
        Affine,
        Slotted,
        Shade.LIGHT,
        len,
        {1, 2},
        range(3),
    ],
)
def test_anything_else_is_a_leaf(leaf: Any) -> None:
    leaves, form = flatten(leaf)
    assert leaves[0] is leaf
    assert form.paths() == ("",)
    assert form == structure(0)


def test_the_order_in_which_a_dict_was_filled_makes_no_difference() -> None:
    assert structure({"b": 1, "a": 2}) == structure({"a": 1, "b": 2})
    assert hash(structure({"b": 1, "a": 2})) == hash(structure({"a": 1, "b": 2}))
    assert structure(OrderedDict(b=1, a=2)) != structure(OrderedDict(a=1, b=2))


def test_a_dict_comes_back_in_the_order_of_its_caller() -> None:
    assert list(map_structure(str, {"w": 1, "b": 2})) == ["w", "b"]


def test_a_defaultdict_keeps_its_factory() -> None:
    twice = map_structure(lambda leaf: 2 * leaf, defaultdict(list, k=1))
    assert twice == {"k": 2}
    assert twice["new"] == []


def test_structures_cannot_be_changed_and_serve_as_keys() -> None:
    form = structure([1, 2])
    with pytest.raises(AttributeError):
        form.spec = None  # type: ignore[misc]
    assert {form: "found"}[structure([5, 6])] == "found"


# -- records ---------------------------------------------------------------------------------------


def test_a_gradient_need_not_pass_the_checks_of_a_parameter() -> None:
    negative = map_structure(lambda leaf: -leaf, Positive(2.0))
    assert negative.scale == -2.0


def test_a_field_that_follows_from_others_follows_them() -> None:
    leaves, form = flatten(Unit(3.0))
    assert leaves == [3.0]
    assert form.unflatten([5.0]) == Unit(5.0)
    assert form.unflatten([5.0]).norm == 25.0
    assert flatten(Computed(3.0))[0] == [3.0]
    assert map_structure(lambda leaf: leaf + 1, Computed(3.0)).twice == 8.0


def test_a_state_that_no_argument_sets_is_kept() -> None:
    counter = Counter(1.0)
    counter.steps = 5
    assert map_structure(lambda leaf: leaf, counter) == counter
    assert flatten(counter)[0] == [1.0, 5]


def test_a_field_that_follows_from_what_is_not_kept_is_kept_itself() -> None:
    assert flatten(Scaled(3.0))[0] == [6.0]
    assert map_structure(lambda leaf: leaf + 1, Scaled(3.0)).value == 7.0


def test_a_field_that_is_not_there_stays_away() -> None:
    record = Normal(1, 2)
    del record.scale
    leaves, form = flatten(record)
    assert leaves == [1]
    assert not hasattr(form.unflatten(leaves), "scale")
    assert form != structure(Normal(1, 2))


def test_records_of_records_of_types_never_met_before() -> None:
    @dataclass
    class Inner:
        value: Any

    @dataclass
    class Outer:
        inner: Any

    leaves, form = flatten([Outer({"i": Inner(1)}), Inner(2)])
    assert leaves == [1, 2]
    assert form.paths() == ("[0].inner['i'].value", "[1].value")


def test_threads_that_meet_a_type_first_at_once_agree() -> None:
    for _ in range(20):

        @dataclass
        class Fresh:
            value: Any

        barrier = threading.Barrier(4)
        found: list[Any] = []

        def meet(kind: Any = Fresh, barrier: Any = barrier, found: Any = found) -> None:
            barrier.wait()
            found.append(flatten([kind(1), kind(kind(2))]))

        threads = [threading.Thread(target=meet) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert all(leaves == [1, 2] and form == found[0][1] for leaves, form in found)


def test_a_structure_of_records_reads_in_a_process_that_never_met_them(tmp_path: Path) -> None:
    (tmp_path / "records.py").write_text(
        "from dataclasses import dataclass\n@dataclass\nclass Line:\n    slope: object\n"
    )
    write = (
        "import pickle, sys, records; from unigrad.trace.structure import flatten;"
        "pickle.dump(flatten([records.Line(1)])[1], open('form', 'wb'))"
    )
    read = "import pickle; print(pickle.load(open('form', 'rb')).unflatten([2]))"
    search = os.pathsep.join([str(tmp_path), *sys.path])
    for code in (write, read):
        run = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": search},
            capture_output=True,
            text=True,
            check=True,
        )
    assert run.stdout == "[Line(slope=2)]\n"


# -- registration ----------------------------------------------------------------------------------


def test_what_the_author_registers_goes_before_what_was_guessed() -> None:
    @dataclass
    class Layer:
        weight: Any
        name: str

    before = structure(Layer(1, "first"))
    assert before.count == 2
    register_structure(Layer, lambda x: ((x.weight,), x.name), lambda name, c: Layer(*c, name))
    leaves, form = flatten(Layer(1, "first"))
    assert leaves == [1]
    assert form.unflatten([2]) == Layer(2, "first")
    assert form != structure(Layer(1, "second"))
    assert mismatch(form, structure(Layer(1, "second"))) == (
        "the structures differ: two of Layer whose static parts differ"
    )
    assert before.unflatten([3, "kept"]) == Layer(3, "kept")


@pytest.mark.parametrize("kind", [dict, tuple, list, type(None), Pair, OrderedDict])
def test_a_container_is_not_registered_again(kind: type) -> None:
    with pytest.raises(ArgumentError, match=f"{kind.__name__} is a container already"):
        register_structure(kind, lambda _: ((), None), lambda _, __: None)


def test_what_is_no_type_is_not_registered() -> None:
    with pytest.raises(ArgumentError, match="expected a type, given 3"):
        register_structure(3, lambda _: ((), None), lambda _, __: 3)  # type: ignore[arg-type]


def test_a_flatten_function_that_returns_something_else_is_named() -> None:
    class Careless:
        pass

    register_structure(Careless, lambda _: [1], lambda _, __: Careless())  # type: ignore[arg-type, return-value]
    with pytest.raises(ArgumentError, match="flatten function of Careless: expected a pair"):
        flatten(Careless())


# -- errors and words ------------------------------------------------------------------------------


@pytest.mark.parametrize("leaves", [[], [1], [1, 2, 3]])
def test_a_wrong_number_of_leaves(leaves: list[int]) -> None:
    with pytest.raises(ArgumentError, match=r"expected 2 leaves for \(\*, \*\), given"):
        structure((1, 2)).unflatten(leaves)


def test_a_tree_that_holds_itself() -> None:
    tree: list[Any] = []
    tree.append({"again": tree})
    with pytest.raises(ArgumentError, match="holds itself"):
        flatten(tree)


@pytest.mark.parametrize(
    ("expected", "given_tree", "sentence"),
    [
        (1, (2,), "the structures differ: expected a leaf, given a tuple of 1"),
        ([1], (1,), "the structures differ: expected a list of 1, given a tuple of 1"),
        ([1, None], [1, 2], "the structures differ at [1]: expected None, given a leaf"),
        (
            {"l": [(1, 2)]},
            {"l": [(1,)]},
            "the structures differ at ['l'][0]: expected a tuple of 2, given a tuple of 1",
        ),
        (
            {"w": 1, "b": 2},
            {"w": 1, "c": 2},
            "the structures differ: expected the keys 'b' and 'w': missing 'b'; not expected 'c'",
        ),
        (
            OrderedDict(a=1, b=2),
            OrderedDict(b=1, a=2),
            "the structures differ: expected the keys in the order 'a' and 'b', given 'b' and 'a'",
        ),
        (
            Normal(1, (2, 3)),
            Normal(1, {"x": 2}),
            "the structures differ at .scale: expected a tuple of 2, given a dict with the key 'x'",
        ),
        (
            Affine(1, 2),
            {},
            "the structures differ: expected an Affine(weight, bias), given a dict with no keys",
        ),
        (
            [defaultdict(list, k=1)],
            [defaultdict(dict, k=1)],
            "the structures differ at [0]: two of defaultdict whose static parts differ",
        ),
    ],
)
def test_a_mismatch_in_words(expected: Any, given_tree: Any, sentence: str) -> None:
    assert mismatch(structure(expected), structure(given_tree)) == sentence


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (1, "*"),
        ({"w": 1, "b": (2, None)}, "{'b': (*, None), 'w': *}"),
        ([Affine(1, [2]), (3,)], "[Affine(weight=*, bias=[*]), (*,)]"),
        (Normal(1, {}), "Normal(loc=*, scale={})"),
        (OrderedDict(z=1, a=2), "OrderedDict({'z': *, 'a': *})"),
        (Pair(1, 2, "p"), "Pair(*, *)"),
    ],
)
def test_a_structure_reads_as_its_containers_do(tree: Any, text: str) -> None:
    assert str(structure(tree)) == repr(structure(tree)) == text


def test_the_text_of_a_very_deep_structure_ends() -> None:
    tree: Any = 1
    for _ in range(500):
        tree = [tree]
    assert str(structure(tree)) == "[" * 20 + "..." + "]" * 20
    assert structure(tree).paths() == ("[0]" * 500,)


def test_optree_is_imported_when_first_needed() -> None:
    code = "import sys, unigrad.trace.structure; sys.exit('optree' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
