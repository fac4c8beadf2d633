"""Scenarios: a function, a point, and what is known there, as plain records.

One list of them drives every check on every target: values, derivatives in both modes, second
order. An op that is defined anywhere comes with scenarios by itself: elementwise ops and reductions
from what their families share, every op from its samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from unigrad.errors import DTypeError, RuleError
from unigrad.ir.nodes import Scope, scope
from unigrad.ir.types import DTYPES, TensorType, as_dtype
from unigrad.ops.spec import OPS, Op, Sample
from unigrad.testing.cases import cases
from unigrad.testing.composites import composites
from unigrad.testing.domains import DEFAULT, DOMAINS, Domain, draw, generator, reals
from unigrad.testing.models import MODELS, POINTS
from unigrad.testing.smooth import SMOOTH, special_points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Scenario", "model_scenarios", "op_scenarios", "scenarios"]


@dataclass(frozen=True, eq=False)
class Scenario:
    """A function at a point.

    Attributes:
        name: what to call it in a message; no other scenario has it.
        op: the op or the model that it is about.
        function: takes ``args`` and ``params``; every array it returns is checked.
        args: NumPy arrays, Python numbers and structures of them.
        params: keyword arguments, which are never traced.
        expected: the value; by default, what the references of the ops compute.
        gradient: what the gradient of the sum of the value must be, one entry per argument
            (``None``: no expectation); by default, what differences of values say.
        note: why this point is a point of its own.
        order: up to which order its derivatives are checked.
        tolerance: the relative tolerance for values, if that of the dtype is not right.
        graph_only: whether its derivatives are a promise of ``autodiff="graph"`` alone.
    """

    name: str
    op: str
    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    expected: Any = None
    gradient: tuple[Any, ...] | None = None
    note: str = ""
    order: int = 2
    tolerance: float | None = None
    graph_only: bool = False

    def call(self, *args: Any) -> Any:
        """The function with the parameters of the scenario."""
        return self.function(*args, **self.params)

    def __repr__(self) -> str:
        return f"<scenario {self.name}>"


def scenarios() -> Iterator[Scenario]:
    """Every scenario: of all ops that are defined, of functions made of them, and of models."""
    for op in list(OPS.values()):
        yield from op_scenarios(op)
    for name, (function, samples) in composites().items():
        for number, sample in enumerate(samples):
            yield _of_sample(name, function, sample, f"{name}-{number}")
    yield from model_scenarios()


def model_scenarios() -> Iterator[Scenario]:
    """The models of :mod:`unigrad.testing.models`."""
    for name, function in MODELS.items():
        yield Scenario(name, name, function, POINTS[name], graph_only=name == "selection")


# -- ops -------------------------------------------------------------------------------------------

_HOLDERS: Final = ("vjp", "jvp", "get")
"""Ops that hold graphs, and the op that takes one of their results: no functions of arrays."""

_NARROW: Final = ("float32", "float16", "bfloat16")
_EXACT: Final = ("int64", "int32", "uint8", "bool")


def op_scenarios(op: Op[...]) -> Iterator[Scenario]:
    """The scenarios of one op.

    Raises:
        RuleError: if the op is of no family that could say where to test it, and has no sample.
    """
    if op.name in _HOLDERS:
        return
    function = _applied(op)
    listed = cases().get(op.name, [])
    stated = [*listed, *op.samples]
    for number, sample in enumerate(stated):
        yield _of_sample(op.name, function, sample, f"{op.name}-{number}")
    ordinary = [sample for sample in stated if sample.gradient is None]
    if _is_reduction(op):
        yield from _reductions(op, function)
    elif op.elementwise and not op.params and not listed:
        yield from _elementwise(op, function, ordinary)
    elif not stated:
        raise RuleError(
            f"{op.name!r} is neither elementwise nor a reduction: give it samples=[Sample(...)],"
            " so that it can be tested"
        )
    else:
        yield from _other_dtypes(op, function, stated[0])


def _of_sample(name: str, function: Callable[..., Any], sample: Sample, label: str) -> Scenario:
    details = ", ".join(f"{key}={value!r}" for key, value in sample.params.items())
    details = ", ".join(part for part in (details, sample.note) if part)
    args = tuple(_array(arg) for arg in sample.args)
    return Scenario(
        f"{label}({details})", name, function, args, sample.params, gradient=sample.gradient,
        note=sample.note,
    )  # fmt: skip


def _array(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, (list, float)) else value


def _applied(op: Op[...]) -> Callable[..., Any]:
    """The op as a function of arrays, whether it takes them one by one or in one sequence."""

    def function(*arrays: Any, **params: Any) -> Any:
        return op(arrays, **params) if op.variadic else op(*arrays, **params)

    function.__name__ = function.__qualname__ = op.name
    return function


def _accepts(op: Op[...], args: Sequence[Any], params: dict[str, Any]) -> bool:
    """Whether the op computes in the dtypes of ``args``."""
    with scope(Scope()) as place:
        inputs = [place.input(TensorType(as_dtype(one.dtype), one.shape)) for one in args]  # pyright: ignore[reportOptionalMemberAccess]
        try:
            _applied(op)(*inputs, **params)
        except DTypeError:
            return False
    return True


# -- elementwise -----------------------------------------------------------------------------------


def _elementwise(
    op: Op[...], function: Callable[..., Any], ordinary: Sequence[Sample]
) -> Iterator[Scenario]:
    domains = DOMAINS.get(op.name)
    if domains is None:
        if ordinary:
            return
        domains = (DEFAULT,) * len(op.operands)

    def at(*shapes: tuple[int, ...]) -> tuple[Any, ...]:
        chosen = shapes * len(op.operands) if len(shapes) == 1 else shapes
        return tuple(
            draw(domain, shape, (op.name, position, shape))
            for position, (domain, shape) in enumerate(zip(domains, chosen, strict=True))
        )

    wide = at((2, 3))
    if _accepts(op, wide, {}):
        yield Scenario(f"{op.name}-float64", op.name, function, wide)
        yield Scenario(f"{op.name}-scalar", op.name, function, at(()), order=1)
        yield Scenario(f"{op.name}-empty", op.name, function, at((0, 3)), order=1)
        yield Scenario(f"{op.name}-size-1", op.name, function, at((3, 1)), order=1)
        if len(domains) > 1:
            shapes = [(2, 1, 3), (4, 1), (3,)][: len(domains)]
            yield Scenario(f"{op.name}-broadcast", op.name, function, at(*shapes))
            shapes = [(), (2, 2), (1, 2)][: len(domains)]
            yield Scenario(f"{op.name}-stretched", op.name, function, at(*shapes), order=1)
        if op.name in SMOOTH:
            points = tuple(special_points(op.name, len(op.operands)))
            yield Scenario(f"{op.name}-special", op.name, function, points, order=3)
    yield from _elementwise_dtypes(op, function, domains, at((4,)))


def _elementwise_dtypes(
    op: Op[...], function: Callable[..., Any], domains: Sequence[Domain], wide: tuple[Any, ...]
) -> Iterator[Scenario]:
    for dtype in _NARROW:
        args = tuple(one.astype(DTYPES[dtype].numpy) for one in wide)
        if _accepts(op, args, {}):
            yield Scenario(f"{op.name}-{dtype}", op.name, function, args, order=1)
    for dtype in _EXACT:
        args = tuple(
            _integers(domain, dtype, first=position == 0, key=op.name)
            for position, domain in enumerate(domains)
        )
        if _accepts(op, args, {}):
            yield Scenario(f"{op.name}-{dtype}", op.name, function, args)


def _integers(domain: Domain, dtype: str, *, first: bool, key: str) -> Any:
    """Whole numbers, without zeros; negative ones in the first operand alone."""
    if dtype == "bool":
        return np.array([True, False, True, True] if first else [True, True, False, True])
    low = domain[0][0] if first and dtype != "uint8" else 1
    pool = [value for value in (-3, -2, -1, 1, 2, 3, 4) if value >= low]
    return generator("integers", key, first).choice(pool, 4).astype(dtype)


# -- reductions ------------------------------------------------------------------------------------


_ROWS: Final = np.array([[1.0, 1.0, 0.0, 1.0], [0.0, 2.0, 0.0, -1.0], [0.0, 0.0, 0.0, 1.0]])
"""Equal numbers, zeros and integers, in rows that are not constant: ``std`` has a kink there."""


def _is_reduction(op: Op[...]) -> bool:
    return len(op.operands) == 1 and op.params[:2] == ("axis", "keepdims")


_SMOOTH_REDUCTIONS: Final = ("sum", "mean", "prod", "var", "std", "logsumexp", "any", "all")
"""Reductions that have every derivative at equal, zero and integer elements. Of others, such as
``max``, what holds at ties is a convention, stated as samples."""


def _reductions(op: Op[...], function: Callable[..., Any]) -> Iterator[Scenario]:
    domain: Domain = ((-2.0, -0.3), (0.3, 2.0))
    one_axis = op.name in ("argmax", "argmin")
    variants: list[dict[str, Any]] = [{}, {"axis": 1}, {"axis": -1, "keepdims": True}]
    if not one_axis:
        variants += [{"axis": (0, 2)}, {"axis": (-1, 0), "keepdims": True}, {"axis": ()}]
    if "correction" in op.params:
        variants.append({"axis": 0, "correction": 1})
    cube = draw(domain, (2, 3, 4), (op.name, "cube"))
    for params in variants:
        text = ", ".join(f"{name}={value}" for name, value in params.items())
        yield Scenario(f"{op.name}({text})", op.name, function, (cube,), params)
    if op.name in _SMOOTH_REDUCTIONS:
        yield Scenario(f"{op.name}-special", op.name, function, (_ROWS,), {"axis": 1}, order=3)
    single = draw(domain, (3, 1), (op.name, "single"))
    if op.name != "std":  # whose derivative jumps where there is no spread
        yield Scenario(
            f"{op.name}-scalar", op.name, function, (draw(domain, (), op.name),), order=1
        )
        yield Scenario(f"{op.name}-size-1", op.name, function, (single,), {"axis": 1}, order=1)
    yield Scenario(f"{op.name}-no-rows", op.name, function, (reals(0, 3),), {"axis": 1}, order=1)
    for dtype in (*_NARROW, *_EXACT):
        args = (
            draw(domain, (2, 3), op.name).astype(DTYPES[dtype].numpy)
            if dtype in _NARROW
            else _integers(domain, dtype, first=True, key=op.name),
        )
        if _accepts(op, args, {"axis": -1}):
            yield Scenario(f"{op.name}-{dtype}", op.name, function, args, {"axis": -1}, order=1)


# -- the others ------------------------------------------------------------------------------------


def _other_dtypes(op: Op[...], function: Callable[..., Any], sample: Sample) -> Iterator[Scenario]:
    """The first sample of an op in narrower floats."""
    floating = [np.asarray(arg).dtype.kind == "f" for arg in sample.args]
    if op.name == "astype" or not any(floating):
        return
    for dtype in _NARROW:
        args = tuple(
            np.asarray(arg).astype(DTYPES[dtype].numpy) if narrow else np.asarray(arg)
            for arg, narrow in zip(sample.args, floating, strict=True)
        )
        if _accepts(op, args, sample.params):
            yield Scenario(f"{op.name}-{dtype}", op.name, function, args, sample.params, order=1)
