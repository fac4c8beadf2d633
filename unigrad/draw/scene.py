"""A picture with everything in its place: sizes of boxes, ways of arrows, places of labels.

Boxes of a layer stand side by side, arrows run between layers from top to bottom. The ports of a
frame stand in the order in which arrows come from outside.
"""

from __future__ import annotations

import itertools
import math
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from unigrad.draw.expressions import number
from unigrad.draw.layout import Layout, lay_out, rank
from unigrad.draw.text import equation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.draw.picture import Box, Edge, Picture

__all__ = [
    "GAP",
    "HEADER",
    "PAD_X",
    "PAD_Y",
    "DrawnBox",
    "Label",
    "Line",
    "Scene",
    "scene_of",
    "text_width",
]

PAD_X: Final = 14.0
PAD_Y: Final = 10.0
HEADER: Final = 26.0  # of a frame
GAP: Final = 72.0  # between layers: an arrow with a label of two lines
_INNER_GAP: Final = 58.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text in a box: its runs, each with a style."""

    runs: tuple[tuple[str, str], ...]
    size: float

    @property
    def width(self) -> float:
        """The room that it takes."""
        return sum(text_width(text, self.size, bold=style == "name") for text, style in self.runs)


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The room that a text in a fixed-width font takes."""
    wide = sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
    return wide * size * (0.62 if bold else 0.605)


@dataclass(slots=True)
class DrawnBox:
    """A box with its lines and its place; a frame with what is drawn in it."""

    box: Box
    lines: list[Line]
    footer: list[Line]
    width: float
    height: float
    inner: Scene | None = None
    x: float = 0.0  # the left edge
    y: float = 0.0

    @property
    def middle(self) -> float:
        """The middle from left to right."""
        return self.x + self.width / 2

    @property
    def exit(self) -> float:
        """Where arrows leave: below the last op of a frame, else in the middle."""
        return self.middle if self.inner is None else self.x + self.inner.left + self.inner.exit


@dataclass(slots=True)
class Label:
    """A derivative beside an arrow: a number, and a formula below it."""

    number: str
    symbol: str
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        """The room that it takes."""
        return max(text_width(self.number, 13, bold=True), text_width(self.symbol, 11)) + 8

    @property
    def height(self) -> float:
        """The room that it takes."""
        return 30.0 if self.symbol else 18.0

    def without_symbol(self) -> None:
        """Leave the formula out."""
        self.symbol = ""

    def meets(self, other: Label) -> bool:
        """Whether the two lie on each other."""
        across = (self.width + other.width) / 2 + 3 - abs(self.x - other.x)
        along = (self.height + other.height) / 2 + 2 - abs(self.y - other.y)
        return across > 0 and along > 0


@dataclass(slots=True)
class Scene:
    """A picture with everything in its place."""

    drawn: list[DrawnBox]
    paths: list[tuple[str, Edge]]
    labels: list[Label]
    width: float
    height: float
    left: float = 0.0  # in a frame: from its left edge
    exit: float = 0.0
    ports: dict[int, float] = field(default_factory=dict)


# -- boxes -----------------------------------------------------------------------------------------


def _drawn(box: Box, sources: Sequence[int]) -> DrawnBox:
    if box.kind == "port":
        return DrawnBox(box, [], [], 2.0, 0.0)
    lines: list[Line] = []
    if box.kind == "op":
        lines.append(Line(((signs(box.title), "name"),), 14))
    else:
        formula = signs(box.formula)
        lines.append(
            Line(((box.title, "name"), *(((f" = {formula}", ""),) if formula else ())), 14)
        )
    lines += [Line(((signs(line), "value"),), 14) for line in box.lines]
    footer: list[Line] = []
    if box.gradient:
        text = equation(box)
        if len(text) <= _LONGEST:
            footer.append(Line(((signs(text), "gradient"),), 13))
        else:
            label, *rest = box.gradient
            footer.append(Line(((label, "gradient"),), 13))
            footer += [Line(((signs(f"= {one}"), "gradient"),), 13) for one in rest]
    width = max(44.0, *(line.width + 2 * PAD_X for line in (*lines, *footer)))
    height = 2 * PAD_Y + 20 * len(lines) - 4 + (18 * len(footer) + 9 if footer else 0)
    drawn = DrawnBox(box, lines, footer, width, height)
    if box.inner is not None:
        drawn.inner = scene_of(box.inner, _INNER_GAP, sources)
        inner = drawn.inner
        drawn.width = max(lines[0].width, inner.width) + 2 * PAD_X
        inner.left = (drawn.width - inner.width) / 2
        drawn.height = HEADER + inner.height + PAD_Y + 4
    return drawn


_LONGEST: Final = 34


def signs(text: str) -> str:
    """Minus signs as they are set in print."""
    return text.replace("-", "\N{MINUS SIGN}")


_Curve: TypeAlias = tuple[float, float, float, float]
"""From where to where an arrow runs between two layers: x, y, x, y."""

# -- arrows ----------------------------------------------------------------------------------------


def scene_of(picture: Picture, gap: float, order: Sequence[int] = ()) -> Scene:
    """Everything in its place; the ports of a frame in the order in which arrows come."""
    pairs = [(edge.source, edge.target) for edge in picture.edges]
    ports = [picture.ports[one] for one in order]
    ranks = rank(len(picture.boxes), pairs, ports)
    plain = lay_out(ranks, pairs, [1.0] * len(ranks), first=ports)
    arriving: dict[int, list[tuple[float, int]]] = {}
    for (source, target), chain in zip(pairs, plain.chains, strict=True):
        arriving.setdefault(target, []).append((plain.x[chain[-2]], source))
    drawn = [
        _drawn(box, [source for _, source in sorted(arriving.get(place, ()))])
        for place, box in enumerate(picture.boxes)
    ]
    scene = _arranged(picture, drawn, ranks, gap, ports)
    scene.ports = {outer: drawn[port].middle for outer, port in picture.ports.items()}
    scene.exit = drawn[-1].middle
    return scene


def _entry(drawn: Sequence[DrawnBox], edge: Edge) -> float | None:
    """Where an arrow meets a frame, from its left edge; ``None`` for a plain box."""
    inner = drawn[edge.target].inner
    return None if inner is None else inner.left + inner.ports[edge.source]


def _arranged(
    picture: Picture, drawn: list[DrawnBox], ranks: Sequence[int], gap: float, ports: Sequence[int]
) -> Scene:
    pairs = [(edge.source, edge.target) for edge in picture.edges]

    def shift(edge: int, target: int) -> float:
        entry = _entry(drawn, picture.edges[edge])
        return 0.0 if entry is None else entry - drawn[target].width / 2

    layout = lay_out(ranks, pairs, [one.width for one in drawn], first=ports, entry=shift)
    tops: list[float] = []
    heights: list[float] = []
    y = 0.0
    for layer in layout.layers:
        height = max((drawn[v].height for v in layer if v < len(drawn)), default=0.0)
        tops.append(y)
        heights.append(height)
        y += height + (gap if height else gap * 0.7)
        for v in layer:
            if v < len(drawn):
                drawn[v].x = layout.x[v] - drawn[v].width / 2
                drawn[v].y = tops[-1] + (height - drawn[v].height) / 2
    scene = Scene(drawn, [], [], layout.width, tops[-1] + heights[-1])
    _route(picture, scene, layout, tops, heights)
    return scene


def _route(
    picture: Picture, scene: Scene, layout: Layout, tops: Sequence[float], heights: Sequence[float]
) -> None:
    """Curves between layers, straight lines through them, and a place for each label."""
    layer_of = {v: i for i, layer in enumerate(layout.layers) for v in layer}
    starts, ends = _docks(picture, scene, layout)
    curves: list[list[_Curve]] = []
    for number_, (edge, chain) in enumerate(zip(picture.edges, layout.chains, strict=True)):
        x0, source = starts[number_], scene.drawn[edge.source]
        target = scene.drawn[edge.target]
        text = [f"M{x0:.1f},{source.y + source.height:.1f}"]
        pieces: list[_Curve] = []
        x, top = x0, 0.0
        for a, b in itertools.pairwise(chain):
            bottom = tops[layer_of[a]] + heights[layer_of[a]]
            top = tops[layer_of[b]]
            x1 = ends[number_] if b == chain[-1] else layout.x[b]
            middle = (bottom + top) / 2
            if bottom > source.y + source.height or a != edge.source:
                text.append(f"V{bottom:.1f}")
            text.append(f"C{x:.1f},{middle:.1f} {x1:.1f},{middle:.1f} {x1:.1f},{top:.1f}")
            pieces.append((x, bottom, x1, top))
            x = x1
        if target.y > top:
            text.append(f"V{target.y:.1f}")
        scene.paths.append((" ".join(text), edge))
        curves.append(pieces)
    labels = {
        i: label
        for i, edge in enumerate(picture.edges)
        if scene.drawn[edge.target].inner is None and (label := _label(edge)) is not None
    }
    crowded = _place_all(labels, curves)
    if crowded:  # formulas go where there is no room for them beside the numbers
        for label in crowded:
            label.without_symbol()
        _place_all(labels, curves)
    scene.labels = list(labels.values())


def _place_all(labels: dict[int, Label], curves: Sequence[Sequence[_Curve]]) -> list[Label]:
    """Put each label on its arrow; return those that lie on each other."""
    placed: list[Label] = []
    for edge, label in labels.items():
        _place(label, edge, curves, placed)
        placed.append(label)
    return [one for one in placed if any(one is not two and one.meets(two) for two in placed)]


def _docks(
    picture: Picture, scene: Scene, layout: Layout
) -> tuple[dict[int, float], dict[int, float]]:
    """Where arrows leave and enter boxes: side by side, in the order of where they come from."""
    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    for place, drawn in enumerate(scene.drawn):
        leaving = [i for i, edge in enumerate(picture.edges) if edge.source == place]
        entering = [i for i, edge in enumerate(picture.edges) if edge.target == place]
        leaving.sort(key=lambda i: layout.x[layout.chains[i][1]])
        entering.sort(key=lambda i: layout.x[layout.chains[i][-2]])
        room = 0.0 if drawn.box.kind == "port" else drawn.width - 36
        for group, docks, middle in ((leaving, starts, drawn.exit), (entering, ends, drawn.middle)):
            step = min(34.0, room / max(len(group) - 1, 1))
            for i, edge in enumerate(group):
                docks[edge] = middle + (i - (len(group) - 1) / 2) * step
        if drawn.inner is not None:
            for edge in entering:
                entry = _entry(scene.drawn, picture.edges[edge])
                ends[edge] = drawn.x + (entry or 0.0)
    return starts, ends


def _label(edge: Edge) -> Label | None:
    shown = "" if edge.number is None else signs(number(edge.number, digits=6))
    symbol = signs(edge.symbol)
    if symbol == shown:
        symbol = ""
    if not shown and symbol:
        shown, symbol = symbol, ""
    return Label(shown, symbol) if shown else None


_TRIES: Final = (0.5, 0.4, 0.6, 0.32, 0.68, 0.26, 0.74)


def _point(piece: _Curve, t: float) -> tuple[float, float]:
    """A point of the curve that leaves and arrives vertically."""
    x0, y0, x1, y1 = piece
    middle = (y0 + y1) / 2
    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    return x0 * (a + b) + x1 * (c + d), y0 * a + middle * (b + c) + y1 * d


def _place(
    label: Label,
    edge: int,
    curves: Sequence[Sequence[_Curve]],
    placed: Sequence[Label],
) -> None:
    """Put a label on its arrow where it hides least of other labels and arrows."""
    others = [
        _point(piece, step / 16)
        for i, pieces in enumerate(curves)
        if i != edge
        for piece in pieces
        for step in range(1, 16)
    ]
    best, place = math.inf, (0.0, 0.0)
    for piece in reversed(curves[edge]):
        _, top, _, bottom = piece
        for effort, t in enumerate(_TRIES):
            x, y = _point(piece, t)
            y = min(max(y, top + label.height / 2 + 1), bottom - label.height / 2 - 10)
            label.x, label.y = x, y
            cost = 0.1 * effort + 100 * sum(label.meets(other) for other in placed)
            cost += sum(
                abs(x - px) < label.width / 2 + 2 and abs(y - py) < label.height / 2
                for px, py in others
            )
            if cost < best:
                best, place = cost, (x, y)
    label.x, label.y = place
