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


#: Targets on which a function of one record is soon compiled.
ALONE = ("numpy", "torch:eager", "tensorflow:eager", "jax:eager")

#: Targets on which it takes a while: there many records are one function.
TOGETHER = ("tensorflow:graph", "tensorflow:xla", "jax:jit")

PARTS = [OPS[start : start + 8] for start in range(0, len(OPS), 8)]


def _promised(records: list[Record], autodiff: str) -> list[Record]:
    records = [STABILISED.get(record.id, record) for record in records]
    return [record for record in records if record.autodiff in (None, autodiff)]


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(ALONE))
@pytest.mark.parametrize("op", [op for op in OPS if _promised(OF_OP[op], "graph")])
def test_values_and_gradients_follow_the_convention(op: str, target: str, autodiff: str) -> None:
    records = _promised(OF_OP[op], autodiff)
    if not records:
        pytest.skip(f"{op}: a promise of graph mode only")
    with ug.use(target, autodiff=autodiff):  # type: ignore[arg-type]
        complaints = [complaint for record in records for complaint in check(record)]
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.parametrize(("target", "autodiff"), targets.ways(TOGETHER))
@pytest.mark.parametrize("ops", PARTS, ids=lambda ops: f"{ops[0]} to {ops[-1]}")
def test_many_values_and_gradients_follow_the_convention(
    ops: list[str], target: str, autodiff: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets.compile_soon(target, monkeypatch)
    records = _promised([record for op in ops for record in OF_OP[op]], autodiff)
    with ug.use(target, autodiff=autodiff):  # type: ignore[arg-type]
        complaints = check_together(records)
    assert not complaints, "\n" + "\n".join(complaints)


def test_every_record_is_told_apart_by_its_id() -> None:
    assert len({record.id for record in RECORDS}) == len(RECORDS)
