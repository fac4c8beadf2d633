"""The check that text from outside stays text must report what is wrong: planted mistakes."""

from __future__ import annotations

import pytest

import unigrad as ug
from tests.conformance.test_outside_text import ENDS, hostile, in_file, is_same_program
from unigrad.backend import emit

LIKE = ("float64[n]", "float64[n]")
ENDS_OF_LINES = [end for end in ENDS if end in ("\n", "\r", "\r\n")]


def test_ends_of_lines_are_tried() -> None:
    assert len(ENDS_OF_LINES) == 3


@pytest.mark.parametrize("end", ENDS_OF_LINES, ids=ascii)
def test_a_name_that_is_written_as_it_is_is_reported(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ug.function(in_file("model.py")).source("numpy", *LIKE)
    monkeypatch.setattr(emit, "one_line", lambda text: text)
    source = ug.function(in_file(hostile(end))).source("numpy", *LIKE)
    assert not is_same_program(source, plain)
