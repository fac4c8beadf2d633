"""Adding an op costs one stanza and one row per backend: nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: an elementwise op and a structural one, each as its author writes it, and one row per backend
STANZAS = '''
    import numpy as np
    from unigrad.ir.nodes import tensor
    from unigrad.ops.elementwise import absolute
    from unigrad.ops.families import operation, unary
    from unigrad.ops.spec import Array, Sample

    softsign = unary(
        "softsign", lambda x: x / (1 + np.abs(x)), lambda out, x: 1 / (1 + absolute(x)) ** 2,
        doc="``x / (1 + |x|)``.", kinds="real floating",
        samples=[Sample((0.0,), gradient=(1.0,), note="the origin")],
    )

    @operation(
        lambda operands, shift, axis: tensor(operands[0]),
        samples=[
            Sample((np.arange(6.0).reshape(2, 3),), {"shift": 1, "axis": 1}),
            Sample((np.arange(3.0),), {"shift": -2, "axis": 0}),
        ],
    )
    def roll(x: Array, /, *, shift: int, axis: int) -> Array:
        """``x`` with its elements moved along an axis, round the end."""
        return np.roll(x, shift, axis)

    @roll.vjp
    def _(g, out, x, *, shift, axis):
        return roll(g, shift=-shift, axis=axis)

    ROWS = {
        "numpy": {softsign: "softsign(x)", roll: "np.roll(x, shift, axis)"},
        "torch": {softsign: "F.softsign(x)", roll: "torch.roll(x, shift, axis)"},
    }
'''

#: a backend is a table: the rows that it has, and two more
BACKEND = """
    import dataclasses
    from unigrad.backend import Dialect, Row
    from {package} import BACKEND as KNOWN
    from stanzas import ROWS

    HELPERS = "def softsign(x):\\n    return x / (1.0 + np.abs(x))\\n"
    known = KNOWN.dialect
    rows = {{op: [one.row for one in templates] for op, templates in known.templates.items()}}
    DIALECT = Dialect(
        "grown_{name}", imports=known.imports, rows={{**rows, **ROWS["{name}"]}},
        dtypes=known.dtypes, dtype_names=known.dtype_names, number=known.number,
        unsupported=known.unsupported,
        helpers="\\n\\n".join([*known.helpers.values(), HELPERS]), rule=known.rule,
        devices=known.devices,
    )
    BACKEND = dataclasses.replace(KNOWN, name="grown_{name}", dialect=DIALECT)
"""

PROGRAM = """
    import sys
    import numpy as np
    import unigrad as ug
    from stanzas import roll, softsign
    from unigrad.testing import check, check_grads, op_scenarios

    target = sys.argv[1]
    with ug.use(target):
        x = np.array([-2.0, 0.0, 3.0])
        np.testing.assert_allclose(softsign(x), x / (1 + np.abs(x)))
        np.testing.assert_allclose(ug.grad(lambda x: ug.sum(softsign(x)))(x), (1 + np.abs(x)) ** -2)
        out, tangent = ug.jvp(lambda x: roll(x, shift=1, axis=0), (x,), (x * x,))
        np.testing.assert_array_equal(out, [3.0, -2.0, 0.0])
        np.testing.assert_array_equal(tangent, [9.0, 4.0, 0.0])

        def model(x):
            return ug.sum(roll(softsign(x), shift=1, axis=0) * x)

        check_grads(model, (x + 0.1,), order=3)
        print(ug.grad(model).source(target, "float64[n]"))
        for op in (softsign, roll):
            scenarios = list(op_scenarios(op))
            assert len(scenarios) >= 5, scenarios
            for scenario in scenarios:
                check(scenario)
        assert repr(softsign) == "<op softsign>"
        assert ug.function(softsign).graph("int32[3]").output_types[0].dtype == ug.float64
"""


def _needs(framework: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(framework) is None, reason=f"{framework} is not installed")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        pytest.param("numpy", "softsign(x)", id="numpy"),
        pytest.param("torch", "F.softsign(x)", id="torch", marks=_needs("torch")),
    ],
)
def test_an_op_is_one_stanza_and_one_row(name: str, wanted: str, tmp_path: Path) -> None:
    _write(tmp_path / "stanzas.py", STANZAS)
    _write(tmp_path / "grown.py", BACKEND.format(package=f"unigrad_{name}", name=name))
    _write(tmp_path / "program.py", PROGRAM)
    info = tmp_path / "grown-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: grown\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[unigrad.backends]\ngrown_{name} = grown:BACKEND\n")
    paths = [str(tmp_path), str(ROOT), str(ROOT / "backends"), *sys.path]
    ran = subprocess.run(
        [sys.executable, "-W", "error", tmp_path / "program.py", f"grown_{name}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert wanted in ran.stdout


def _write(path: Path, text: str) -> None:
    path.write_text(textwrap.dedent(text))


def test_an_op_that_nobody_could_test_is_refused(tmp_path: Path) -> None:
    program = '''
        import numpy as np
        from unigrad.errors import RuleError
        from unigrad.ir.nodes import tensor
        from unigrad.ops.families import operation
        from unigrad.ops.spec import Array, Sample
        from unigrad.testing import op_scenarios

        @operation(lambda operands: tensor(operands[0]))
        def roll(x: Array) -> Array:
            """Neither elementwise nor a reduction."""
            return np.roll(x, 1)

        try:
            list(op_scenarios(roll))
        except RuleError as error:
            assert "'roll'" in str(error) and "samples" in str(error)
        else:
            raise SystemExit("it was not refused")
        roll.samples = (Sample((np.arange(3.0),)),)
        assert [one.op for one in op_scenarios(roll)][0] == "roll"
    '''
    _write(tmp_path / "program.py", program)
    paths = [str(ROOT), *(path for path in sys.path if path)]
    ran = subprocess.run(
        [sys.executable, tmp_path / "program.py"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
