"""The check of names must report names that meet: planted mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import unigrad as ug
from tests.conformance.test_names import STYLED, meeting
from tests.emitted import names_that_meet
from unigrad.backend import names
from unigrad.backend.expressions import Expressions
from unigrad.ir.dims import symbols_of

if TYPE_CHECKING:
    import pytest


def test_right_names_pass() -> None:
    assert names_that_meet(meeting().source("numpy"), "numpy") == []


def test_a_size_in_another_namespace_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_it_is(self: Any, size: Any) -> str:
        self.sizes.update({name: name for name in symbols_of(size)})
        return str(size)

    monkeypatch.setattr(Expressions, "_size", as_it_is)
    found = names_that_meet(meeting().source("numpy"), "numpy")
    assert "g: k is bound twice" in found
    assert "g: d is bound twice" in found
    assert "g: np hides what the file calls so" in found
    assert "g: sum hides a builtin" in found


def test_names_that_python_merges_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(**named: Any) -> Any:
        u = ug.sin(named[STYLED])
        return named[STYLED] * u + u

    monkeypatch.setattr(names, "identifier", lambda text: text)
    found = names_that_meet(ug.function(f).source("numpy", **{STYLED: 1.0}), "numpy")
    assert "f: u is bound twice" in found
