"""Pictures: the user's variables in boxes, values in them, derivatives on the arrows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unigrad as ug
from unigrad.draw import draw
from unigrad.draw.layout import lay_out, rank
from unigrad.draw.picture import Picture, picture
from unigrad.draw.scene import GAP, Scene, scene_of
from unigrad.dsl import graph, input_
from unigrad.errors import ArgumentError, DTypeError, ShapeError

if TYPE_CHECKING:
    from pathlib import Path

    from unigrad.draw import Drawing
    from unigrad.dsl import Definition


def chain(x: Any) -> Any:
    u = 3 * x + 2
    return u**4


def difference_of_squares(a: Any, b: Any) -> Any:
    d = a - b
    e = a + b
    y = d * e
    return y  # noqa: RET504  (the picture shows the name)


def loss(X: Any, y: Any, W: Any, b: Any, w: Any) -> Any:
    hidden = ug.tanh(X @ W + b)
    z = hidden @ w
    return ug.mean(-ug.nn.log_sigmoid(-z) - y * z)


def mixed(x: Any, y: Any) -> Any:
    r = ug.sqrt(x * x + y * y)
    s = ug.sin(r) / r + ug.exp(-r) * ug.where(x > y, x, y)
    return {"r": r, "s": s}


_RNG = np.random.default_rng(3)
NETWORK = (
    _RNG.normal(size=(8, 5)),
    _RNG.integers(0, 2, 8).astype(float),
    _RNG.normal(size=(5, 4)),
    _RNG.normal(size=4),
    _RNG.normal(size=4),
)


def by_hand() -> Definition:
    with graph("difference_of_squares") as g:
        a, b = input_("a", "float64[n]"), input_("b", "float64[n]")
        d = a - b
        e = a + b
        g.output(y=d * e)
    return g


def texts(drawing: Drawing) -> list[str]:
    """Every line of text in an SVG, its runs joined."""
    root = ET.fromstring(drawing.svg)  # noqa: S314  (made a line earlier)
    return ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]


# -- the two classic pictures ----------------------------------------------------------------------


def test_a_chain_shows_values_local_derivatives_and_their_product() -> None:
    drawing = draw(chain, x=3.0)
    shown = texts(drawing)
    for text in ("x", "3", "u = 3·x + 2", "11", "chain = u⁴", "14641", "5324", "4·u³"):
        assert text in shown
    assert "∂chain/∂x = 5324·3 = 15972" in shown
    assert "at x = 3" in shown
    assert drawing.text == (
        "chain at x = 3\n\n"
        "  x            3\n"
        "  u = 3·x + 2  11\n"
        "  chain = u⁴   14641\n\n"
        "  x ──3──▶ u ──5324──▶ chain\n\n"
        "  ∂chain/∂x = 5324·3 = 15972"
    )


def test_a_difference_of_squares_shows_the_users_variables_and_adds_up_paths() -> None:
    drawing = draw(difference_of_squares, 3.0, 1.0)
    shown = texts(drawing)
    for text in ("d = a \N{MINUS SIGN} b", "e = a + b", "y = d·e", "2", "4", "8"):
        assert text in shown
    assert "∂y/∂a = 4·1 + 2·1 = 6" in shown
    assert "∂y/∂b = 4·(\N{MINUS SIGN}1) + 2·1 = \N{MINUS SIGN}2" in shown


# -- what is drawn ---------------------------------------------------------------------------------


def test_arrays_show_shape_and_range_and_formulas_on_arrows() -> None:
    g = by_hand()
    drawing = draw(g, a=np.arange(6.0), b=np.full(6, 2.0))
    shown = texts(drawing)
    assert "0 … 5" in shown
    assert "all 2" in shown
    assert "  a ──1──▶ d ──e──▶ y\n" in drawing.text
    assert "  b ──-1──▶ d\n" in drawing.text
    small = draw(g, np.array([3.0, 2.0]), np.array([1.0, 1.5]))
    assert "[1, 1.5]" in texts(small)


def test_types_are_shown_where_no_values_are_known() -> None:
    for drawing in (
        draw(by_hand()),
        draw(by_hand().graph),
        draw(by_hand(), "float64[n]", "float64[n]"),
    ):
        assert texts(drawing).count("float64[n]") == 5
    assert "float64[m, 3]" in texts(draw(ug.tanh, "float64[m, 3]"))


def test_a_network_names_what_has_no_formula() -> None:
    drawing = draw(loss, *NETWORK)
    assert "hidden = tanh(X @ W + b)" in texts(drawing)
    assert "∂hidden/∂W" in texts(drawing)
    assert "w ──matmul──▶ z" in drawing.text
    gradient = ug.grad(loss, argnums=2)(*NETWORK)
    low, high = f"{gradient.min():.3g}", f"{gradient.max():.3g}"
    assert f"∂loss/∂W: {low} … {high}" in drawing.text


def test_gradients_are_drawn_as_they_would_run() -> None:
    drawing = draw(ug.grad(chain), 3.0)
    assert "15972" in texts(drawing)
    assert "vjp" not in drawing.text
    assert "∂chain_grad/∂x" in drawing.text


def test_ops_stand_in_frames() -> None:
    drawing = draw(chain, x=3.0, detail="ops")
    shown = texts(drawing)
    for text in ("3·□", "9", "□ + 2", "u = 3·x + 2", "chain = u⁴", "15972"):
        assert any(text in one for one in shown)
    assert "    x ──3──▶ 3·□ ──1──▶ □ + 2\n" in drawing.text
    product = draw(lambda x, y: ug.sum(x * y), NETWORK[0], NETWORK[0], detail="ops")
    assert "\N{MULTIPLICATION SIGN}" in texts(product)  # of different things: no square
    assert "□²" not in texts(product)


def test_pythons_ints_are_differentiated_as_floats() -> None:
    assert draw(chain, x=3).text == draw(chain, x=3.0).text
    picked = draw(lambda x, i: x[i], np.array([1.0, 2.0]), 1)
    assert "2" in picked.text


def test_no_derivative_passes_through_truths_and_integers() -> None:
    def step(x: Any) -> Any:
        above = x > 1
        return ug.where(above, x, 0.0)

    drawing = draw(step, 2.0)
    assert "stroke-dasharray" in drawing.svg
    assert "x ──· ▶ above ──· ▶ step" in drawing.text
    assert "∂step/∂x = 1" in drawing.text


def test_what_two_expressions_share_has_a_box_of_its_own() -> None:
    def shared(x: Any) -> Any:
        p = ug.exp(x * x) + 1
        q = ug.exp(x * x) * p
        return q * p

    shown = texts(draw(shared, 0.5))
    assert "t₁ = exp(x²)" in shown
    assert "p = t₁ + 1" in shown


def test_a_name_used_again_is_numbered() -> None:
    def step(x: Any) -> Any:
        x = ug.sin(x)
        x = x * 2
        return x  # noqa: RET504

    assert "x₂ = sin(x)" in texts(draw(step, 0.5))
    assert "x₃ = x₂·2" in texts(draw(step, 0.5))


def test_structures_name_their_outputs() -> None:
    drawing = draw(lambda x: {"total": ug.sum(x), "pair": (x * 2, 1.0)}, np.ones(3))
    assert "total = sum(x)" in texts(drawing)
    assert "y['pair'][0] = x·2" in texts(drawing)
    assert "∂" not in drawing.text  # two outputs: no gradient of one


def test_inputs_and_constants_may_be_outputs() -> None:
    assert "x" in draw(lambda x: x, 2.0).text
    assert "1" in draw(lambda x: 1.0, 2.0).text
    captured = np.arange(4.0).reshape(2, 2)
    assert "constant₁ @ x" in draw(lambda x: captured @ x, np.ones(2)).text


def test_one_output_of_a_definition_is_drawn() -> None:
    drawing = draw(by_hand()["y"], np.ones(2), np.zeros(2))
    assert "y = d·e" in texts(drawing)
    assert "[1, 1]" in texts(drawing)


def test_tensors_show_values_and_those_of_a_tape_their_types() -> None:
    torch = pytest.importorskip("torch")
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert "[2, 4]" in texts(draw(lambda x: x * 2, x))
    weights = torch.ones(2, dtype=torch.float64, requires_grad=True)
    assert "float64[2]" in texts(draw(lambda x: ug.sum(x * weights), x))


# -- derivatives -----------------------------------------------------------------------------------


@given(st.floats(-2, 2), st.floats(-2, 2))
def test_products_over_all_paths_add_up_to_the_gradient(x: float, y: float) -> None:
    def function(x: Any, y: Any) -> Any:
        p = ug.sin(x) * y
        q = p * x + ug.exp(y)
        r = q * p - ug.tanh(x)
        return r * ug.log1p(q * q)

    made = picture(ug.function(function).graph(x, y), [x, y], "variables")
    totals = [0.0] * len(made.boxes)
    totals[-1] = 1.0
    for edge in sorted(made.edges, key=lambda edge: -edge.target):
        assert edge.number is not None
        totals[edge.source] += totals[edge.target] * edge.number
    expected = ug.grad(function, argnums=(0, 1))(x, y)
    np.testing.assert_allclose(totals[:2], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("detail", ["variables", "ops"])
@pytest.mark.parametrize("function", [chain, difference_of_squares, mixed])
def test_arrows_of_scalars_carry_the_derivative_of_what_they_point_to(
    function: Any, detail: Any
) -> None:
    arguments = (1.5, 0.5)[: function.__code__.co_argcount]
    made = picture(ug.function(function).graph(*arguments), list(arguments), detail)
    numbers = [edge.number for edge in made.edges]
    assert all(number is not None and math.isfinite(number) for number in numbers)


# -- where it stands -------------------------------------------------------------------------------


def scenes(made: Picture) -> list[Scene]:
    scene = scene_of(made, GAP)
    return [scene, *(drawn.inner for drawn in scene.drawn if drawn.inner is not None)]


@pytest.mark.parametrize("detail", ["variables", "ops"])
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (chain, (3.0,)),
        (difference_of_squares, (3.0, 1.0)),
        (mixed, (1.0, 2.0)),
        (loss, NETWORK),
        (ug.value_and_grad(loss, argnums=(2, 3, 4)), NETWORK),
    ],
)
def test_nothing_lies_on_anything_else(function: Any, arguments: Any, detail: Any) -> None:
    from unigrad.compiler.pipeline import optimise

    made = function if isinstance(function, ug.Function) else ug.function(function)
    shown = picture(optimise(made.graph(*arguments))[0], list(arguments), detail)
    for scene in scenes(shown):
        boxes = [(d.x, d.y, d.x + d.width, d.y + d.height) for d in scene.drawn if d.height]
        labels = [
            (
                one.x - one.width / 2,
                one.y - one.height / 2,
                one.x + one.width / 2,
                one.y + one.height / 2,
            )
            for one in scene.labels
        ]
        rectangles = [*boxes, *labels]
        for place, (left, top, right, bottom) in enumerate(rectangles):
            for left_, top_, right_, bottom_ in rectangles[:place]:
                apart = right <= left_ or right_ <= left or bottom <= top_ or bottom_ <= top
                assert apart
        for drawn in scene.drawn:  # every text fits into its box
            for line in (*drawn.lines, *drawn.footer):
                assert line.width <= drawn.width


def test_sources_stand_just_above_what_reads_them() -> None:
    assert rank(5, [(0, 2), (2, 3), (1, 3), (3, 4)]) == [0, 1, 1, 2, 3]


def test_long_arrows_pass_between_boxes() -> None:
    edges = [(0, 1), (1, 2), (0, 2)]
    layout = lay_out(rank(3, edges), edges, [80.0, 80.0, 80.0])
    _, passing, _ = layout.chains[2]
    assert abs(layout.x[passing] - layout.x[1]) >= 40


def test_crossings_that_can_be_avoided_are_avoided() -> None:
    edges = [(0, 3), (1, 2)]
    layout = lay_out([0, 0, 1, 1], edges, [50.0] * 4)
    assert (layout.x[0] < layout.x[1]) == (layout.x[3] < layout.x[2])


# -- the object, and errors ------------------------------------------------------------------------


def test_it_is_saved_and_shown(tmp_path: Path) -> None:
    drawing = draw(chain, x=3.0)
    drawing.save(tmp_path / "chain.svg")
    drawing.save(str(tmp_path / "chain.txt"))
    root = ET.fromstring((tmp_path / "chain.svg").read_text(encoding="utf-8"))  # noqa: S314
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (tmp_path / "chain.txt").read_text(encoding="utf-8") == f"{drawing}\n"
    assert str(drawing) == drawing.text
    assert drawing._repr_svg_() == drawing.svg
    assert repr(drawing) == "<unigrad drawing of chain>"
    with pytest.raises(ArgumentError, match=r"saved as \.svg or \.txt, not as 'chain.png'"):
        drawing.save(tmp_path / "chain.png")


def test_names_are_text_and_no_markup() -> None:
    def model(**values: Any) -> Any:
        return values["a<b&c"] * 2

    drawing = draw(model, **{"a<b&c": 2.0})
    assert "a<b&c" in texts(drawing)


def test_a_graph_that_nobody_could_read_is_refused() -> None:
    def long(x: Any) -> Any:
        for _ in range(200):
            x = ug.sin(x) * 1.5
        return x

    with pytest.raises(ArgumentError, match="402 boxes of ops, more than the 150"):
        draw(long, 1.0, detail="ops")
    assert "∂" in draw(long, 1.0).text


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (((3,), {}), ArgumentError, "takes a function or a graph, got 3"),
        (((chain,), {}), ArgumentError, "missing a required argument: 'x'"),
        (((chain, 1.0), {"detail": "all"}), ArgumentError, "detail is 'variables' or 'ops'"),
        (((by_hand(),), {"a": np.ones(3)}), ArgumentError, "missing a required argument: 'b'"),
        (((by_hand(), np.ones(3), np.ones(4)), {}), ShapeError, "n is 3 .* and 4"),
        (
            ((by_hand(), np.ones(3, np.float32), np.ones(3)), {}),
            DTypeError,
            r"a: expected float64\[n\], given float32\[3\]",
        ),
    ],
)
def test_errors_say_what_was_expected(arguments: Any, kind: Any, message: str) -> None:
    args, kwargs = arguments
    with pytest.raises(kind, match=message) as caught:
        draw(*args, **kwargs)
    assert __file__ in "\n".join(caught.value.__notes__)
