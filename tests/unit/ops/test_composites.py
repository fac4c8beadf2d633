"""Public functions that are made of ops are values like any other."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest

import unigrad as ug
from unigrad.ops.spec import Op

PUBLIC = {
    f"{space.__name__}.{name}": value
    for space in (ug, ug.linalg, ug.nn, ug.special)
    for name, value in vars(space).items()
    if isinstance(value, Op) or (inspect.isfunction(value) and name in space.__all__)
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_functions_are_copied_and_pickled_as_themselves(name: str) -> None:
    """As the initialiser in somebody's settings, for one."""
    function: Any = PUBLIC[name]
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.copy(function) is function
    assert copy.deepcopy({"initialiser": function})["initialiser"] is function
