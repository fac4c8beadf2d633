"""The convention, point by point, on every target and in both ways of differentiating.

``conventions.json`` holds the 1,012 published points of the ops that exist so far. Of the 1,889
points published in all, the 174 with complex inputs wait for complex numbers, with 2 more whose
function is complex, and 701 wait for their ops. How a record reads: see ``checker.py``.

Two points state the plain chain rule where the passes know better: see ``STABILISED``.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

import unigrad as ug
from tests import targets
from tests.conformance.checker import Record, check, check_together, read_records

RECORDS = read_records()
OPS = list(dict.fromkeys(record.op for record in RECORDS))
OF_OP = {op: [record for record in RECORDS if record.op == op] for op in OPS}


#: log(sigmoid(-1000)) is -inf with the gradient NaN when it is evaluated as it stands. The
#: stabilising pass writes log_sigmoid instead, whose value and gradient are right.
STABILISED = {
    record.id: replace(record, expected_value=-1000.0, expected_grad=[1.0])
    for record in RECORDS
    if (record.expr, record.inputs) == ("ug.log(ug.nn.sigmoid(x))", [-1000])
}


WAYS = targets.ways(targets.EAGER)


def _promised(records: list[Record], autodiff: str) -> list[Record]:
    records = [STABILISED.get(record.id, record) for record in records]
    return [record for record in records if record.autodiff in (None, autodiff)]


@pytest.mark.parametrize(("target", "autodiff"), WAYS)
@pytest.mark.parametrize("op", [op for op in OPS if _promised(OF_OP[op], "graph")])
def test_values_and_gradients_follow_the_convention(op: str, target: str, autodiff: str) -> None:
    records = _promised(OF_OP[op], autodiff)
    if not records:
        pytest.skip(f"{op}: a promise of graph mode only")
    with ug.use(target, autodiff=autodiff):
        complaints = [complaint for record in records for complaint in check(record)]
    assert not complaints, "\n" + "\n".join(complaints)


#: Targets that compile some tens of records in a second or two.
TOGETHER = ("tensorflow:graph", "tensorflow:xla")
PARTS = [RECORDS[start : start + 60] for start in range(0, len(RECORDS), 60)]


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(TOGETHER))
@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"from {part[0].id}")
def test_so_do_they_many_in_one_function(part: list[Record], target: str, autodiff: str) -> None:
    with ug.use(target, autodiff=autodiff):
        complaints = check_together(_promised(part, autodiff))
    assert not complaints, "\n" + "\n".join(complaints)


def test_every_record_is_told_apart_by_its_id() -> None:
    assert len({record.id for record in RECORDS}) == len(RECORDS)
