"""The picture as SVG: boxes from top to bottom, values in blue, derivatives in orange.

The text stands alone: no script, no style sheet from outside, no font to load. It brings its own
light background, so that it can be read on a dark page.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final

from unigrad.draw.expressions import number
from unigrad.draw.layout import Layout, lay_out, rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.draw.picture import Box, Edge, Picture

__all__ = ["render"]

_MONO: Final = "ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_SANS: Final = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
_FILLS: Final = {
    "input": ("#eff6ff", "#93c5fd"), "output": ("#ecfdf5", "#6ee7b7"),
    "variable": ("#ffffff", "#cbd5e1"), "constant": ("#f8fafc", "#cbd5e1"),
    "op": ("#ffffff", "#cbd5e1"), "port": ("none", "none"),
}  # fmt: skip
_STYLE: Final = f"""\
text {{ font-family: {_MONO}; font-size: 13px; fill: #334155; }}
.title {{ font-family: {_SANS}; font-size: 18px; font-weight: 600; fill: #0f172a; }}
.small {{ font-family: {_SANS}; font-size: 12px; fill: #64748b; }}
.name {{ font-size: 14px; font-weight: 700; fill: #0f172a; }}
.value {{ font-size: 14px; fill: #1d4ed8; }}
.gradient, .number {{ fill: #b45309; }}
.number {{ font-weight: 700; }}
.symbol {{ font-size: 11px; fill: #92400e; }}
.edge {{ fill: none; stroke: #64748b; stroke-width: 1.5; }}
.none {{ stroke: #cbd5e1; stroke-dasharray: 4 4; }}
.frame {{ fill: #f8fafc; stroke: #cbd5e1; stroke-width: 1.2; }}
.halo {{ fill: #ffffff; fill-opacity: 0.9; }}
"""
_PAD_X: Final = 14.0
_PAD_Y: Final = 10.0
_GAP: Final = 72.0  # between layers: an arrow with a label of two lines
_INNER_GAP: Final = 58.0
_MARGIN: Final = 28.0


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of text in a box: its runs, each with a style."""

    runs: tuple[tuple[str, str], ...]
    size: float

    @property
    def width(self) -> float:
        return sum(_width(text, self.size, bold=style == "name") for text, style in self.runs)


def _width(text: str, size: float, *, bold: bool = False) -> float:
    """The room that a text in a fixed-width font takes."""
    wide = sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
    return wide * size * (0.62 if bold else 0.605)


@dataclass(slots=True)
class _Drawn:
    """A box with its lines and its place; a frame with what is drawn in it."""

    box: Box
    lines: list[_Line]
    footer: list[_Line]
    width: float
    height: float
    inner: _Scene | None = None
    x: float = 0.0  # the left edge
    y: float = 0.0

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def exit(self) -> float:
        """Where arrows leave: below the last op of a frame, else in the middle."""
        return self.middle if self.inner is None else self.x + self.inner.left + self.inner.exit


@dataclass(slots=True)
class _Label:
    """A derivative beside an arrow."""

    number: str
    symbol: str
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


@dataclass(slots=True)
class _Scene:
    """A picture with everything in its place."""

    drawn: list[_Drawn]
    paths: list[tuple[str, Edge]]
    labels: list[_Label]
    width: float
    height: float
    left: float = 0.0  # in a frame: from its left edge
    exit: float = 0.0
    ports: dict[int, float] = field(default_factory=dict)


# -- boxes -----------------------------------------------------------------------------------------


def _drawn(box: Box, sources: Sequence[int]) -> _Drawn:
    if box.kind == "port":
        return _Drawn(box, [], [], 2.0, 0.0)
    lines: list[_Line] = []
    if box.kind == "op":
        lines.append(_Line(((_signs(box.title), "name"),), 14))
    else:
        formula = _signs(box.formula)
        lines.append(_Line(((box.title, "name"), *(((f" = {formula}", ""),) if formula else ())), 14))
    lines += [_Line(((_signs(line), "value"),), 14) for line in box.lines]
    footer: list[_Line] = []
    if box.gradient:
        label, *rest = box.gradient
        text = " = ".join([label, *rest])
        if len(text) <= _LONGEST:
            footer.append(_Line(((_signs(text), "gradient"),), 13))
        else:
            footer.append(_Line(((label, "gradient"),), 13))
            footer += [_Line(((_signs(f"= {one}"), "gradient"),), 13) for one in rest]
    width = max(44.0, *(line.width + 2 * _PAD_X for line in (*lines, *footer)))
    height = 2 * _PAD_Y + 20 * len(lines) - 4 + (18 * len(footer) + 9 if footer else 0)
    drawn = _Drawn(box, lines, footer, width, height)
    if box.inner is not None:
        drawn.inner = _scene(box.inner, _INNER_GAP, sources)
        inner = drawn.inner
        drawn.width = max(width, inner.width + 2 * _PAD_X)
        inner.left = (drawn.width - inner.width) / 2
        drawn.height = height + inner.height + 4
    return drawn


_LONGEST: Final = 34


def _signs(text: str) -> str:
    """Minus signs as they are set in print."""
    return text.replace("-", "−")


# -- arrows ----------------------------------------------------------------------------------------


def _scene(picture: Picture, gap: float, order: Sequence[int] = ()) -> _Scene:
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


def _entry(picture: Picture, drawn: Sequence[_Drawn], edge: Edge) -> float | None:
    """Where an arrow meets a frame, from its left edge; ``None`` for a plain box."""
    inner = drawn[edge.target].inner
    return None if inner is None else inner.left + inner.ports[edge.source]


def _arranged(
    picture: Picture, drawn: list[_Drawn], ranks: Sequence[int], gap: float, ports: Sequence[int]
) -> _Scene:
    pairs = [(edge.source, edge.target) for edge in picture.edges]

    def shift(edge: int, target: int) -> float:
        entry = _entry(picture, drawn, picture.edges[edge])
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
    scene = _Scene(drawn, [], [], layout.width, tops[-1] + heights[-1])
    _route(picture, scene, layout, tops, heights)
    return scene


def _route(
    picture: Picture, scene: _Scene, layout: Layout, tops: Sequence[float], heights: Sequence[float]
) -> None:
    """Curves between layers, straight lines through them, and a place for each label."""
    layer_of = {v: i for i, layer in enumerate(layout.layers) for v in layer}
    starts, ends = _docks(picture, scene, layout)
    curves: list[list[tuple[float, float, float, float]]] = []
    for number_, (edge, chain) in enumerate(zip(picture.edges, layout.chains, strict=True)):
        x0, source = starts[number_], scene.drawn[edge.source]
        target = scene.drawn[edge.target]
        text = [f"M{x0:.1f},{source.y + source.height:.1f}"]
        pieces: list[tuple[float, float, float, float]] = []
        x = x0
        for a, b in zip(chain[:-1], chain[1:], strict=True):
            bottom = tops[layer_of[a]] + heights[layer_of[a]]
            top = tops[layer_of[b]]
            x1 = ends[number_] if b == chain[-1] else layout.x[b]
            middle = (bottom + top) / 2
            text.append(f"V{bottom:.1f}")
            text.append(f"C{x:.1f},{middle:.1f} {x1:.1f},{middle:.1f} {x1:.1f},{top:.1f}")
            pieces.append((x, bottom, x1, top))
            x = x1
        text.append(f"V{target.y:.1f}")
        scene.paths.append((" ".join(text), edge))
        curves.append(pieces)
    for number_, edge in enumerate(picture.edges):
        label = _label(edge)
        if label is not None and scene.drawn[edge.target].inner is None:
            _place(label, number_, curves, scene.labels)
            scene.labels.append(label)


def _docks(
    picture: Picture, scene: _Scene, layout: Layout
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
                entry = _entry(picture, scene.drawn, picture.edges[edge])
                ends[edge] = drawn.x + (entry or 0.0)
    return starts, ends


def _label(edge: Edge) -> _Label | None:
    shown = "" if edge.number is None else _signs(number(edge.number, digits=6))
    symbol = _signs(edge.symbol)
    if symbol == shown:
        symbol = ""
    if not shown and symbol:
        shown, symbol = symbol, ""
    if not shown:
        return None
    width = max(_width(shown, 13, bold=True), _width(symbol, 11)) + 8
    return _Label(shown, symbol, width, 30.0 if symbol else 18.0)


_TRIES: Final = (0.5, 0.4, 0.6, 0.32, 0.68, 0.26, 0.74)


def _point(piece: tuple[float, float, float, float], t: float) -> tuple[float, float]:
    """A point of the curve that leaves and arrives vertically."""
    x0, y0, x1, y1 = piece
    middle = (y0 + y1) / 2
    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    return x0 * (a + b) + x1 * (c + d), y0 * a + middle * (b + c) + y1 * d


def _place(
    label: _Label,
    edge: int,
    curves: Sequence[Sequence[tuple[float, float, float, float]]],
    placed: Sequence[_Label],
) -> None:
    """Put a label on its arrow where it hides least of other labels and arrows."""
    others = [
        _point(piece, step / 16)
        for i, pieces in enumerate(curves)
        if i != edge
        for piece in pieces
        for step in range(1, 16)
    ]
    best = math.inf
    for piece in reversed(curves[edge]):
        _, top, _, bottom = piece
        for effort, t in enumerate(_TRIES):
            x, y = _point(piece, t)
            y = min(max(y, top + label.height / 2 + 1), bottom - label.height / 2 - 10)
            cost = 0.1 * effort
            for other in placed:
                across = (label.width + other.width) / 2 + 3 - abs(x - other.x)
                along = (label.height + other.height) / 2 + 2 - abs(y - other.y)
                cost += 100 * (across > 0 and along > 0)
            cost += sum(
                abs(x - px) < label.width / 2 + 2 and abs(y - py) < label.height / 2
                for px, py in others
            )
            if cost < best:
                best, label.x, label.y = cost, x, y


# -- text ------------------------------------------------------------------------------------------


def render(picture: Picture) -> str:
    """The SVG text of a picture."""
    scene = _scene(picture, _GAP)
    legend = _legend(picture)
    head = [_text(picture.title, 0, 0, "title"), _text(picture.subtitle, 0, 20, "small")]
    top = 44.0 if picture.subtitle else 26.0
    widest = max(
        scene.width,
        _width(picture.title, 18),
        *(_width(one, 12) * 0.9 for one in (picture.subtitle, *legend)),
    )
    parts: list[str] = []
    _write(scene, (widest - scene.width) / 2, top, parts)
    foot = top + scene.height + 34
    parts += [_text(line, 0, foot + 16 * i, "small") for i, line in enumerate(legend)]
    height = foot + 16 * (len(legend) - 1) if legend else foot - 34
    w, h = math.ceil(widest + 2 * _MARGIN), math.ceil(height + 2 * _MARGIN + 12)
    name = escape(f"{picture.title} {picture.subtitle}".strip())
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}"'
            f' role="img" aria-label="{name}">',
            f"<title>{name}</title>",
            f"<style>{_STYLE}</style>",
            _ARROW,
            f'<rect width="{w}" height="{h}" rx="10" fill="#ffffff"/>',
            f'<g transform="translate({_MARGIN:g},{_MARGIN + 14:g})">',
            *head,
            *parts,
            "</g>",
            "</svg>\n",
        ]
    )


_ARROW: Final = (
    '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8"'
    ' markerHeight="8" orient="auto-start-reverse" markerUnits="userSpaceOnUse">'
    '<path d="M0,1 L9,5 L0,9 z" fill="#64748b"/></marker></defs>'
)


def _legend(picture: Picture) -> list[str]:
    known = any(edge.number is not None for edge in picture.edges)
    shown = any(edge.exists for edge in picture.edges)
    lines: list[str] = []
    if shown:
        lines.append(
            "Beside an arrow: the derivative of what it points to by what it comes from."
        )
    if known:
        lines.append("Along a path they multiply; over all paths the products add up.")
    return lines


def _text(text: str, x: float, y: float, style: str, anchor: str = "") -> str:
    where = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}"{where}>{escape(text)}</text>'


def _write(scene: _Scene, left: float, top: float, parts: list[str]) -> None:
    """Boxes, arrows and labels of a scene, moved to its place; frames below what is in them."""
    parts.append(f'<g transform="translate({left:.1f},{top:.1f})">')
    for drawn in scene.drawn:
        _write_box(drawn, parts)
    for path, edge in scene.paths:
        style = "edge" if edge.exists else "edge none"
        port = scene.drawn[edge.target].inner is not None
        marker = "" if port else ' marker-end="url(#arrow)"'
        parts.append(f'<path class="{style}" d="{path}"{marker}/>')
    for label in scene.labels:
        x, y = label.x, label.y
        parts.append(
            f'<rect class="halo" x="{x - label.width / 2:.1f}" y="{y - label.height / 2:.1f}"'
            f' width="{label.width:.1f}" height="{label.height:.1f}" rx="4"/>'
        )
        base = y + 4.5 - (6 if label.symbol else 0)
        parts.append(_text(label.number, x, base, "number", "middle"))
        if label.symbol:
            parts.append(_text(label.symbol, x, base + 14, "symbol", "middle"))
    parts.append("</g>")


def _write_box(drawn: _Drawn, parts: list[str]) -> None:
    box = drawn.box
    if box.kind == "port":
        return
    fill, stroke = _FILLS[box.kind]
    dashed = ' stroke-dasharray="5 4"' if box.kind == "constant" else ""
    parts.append(
        f'<rect x="{drawn.x:.1f}" y="{drawn.y:.1f}" width="{drawn.width:.1f}"'
        f' height="{drawn.height:.1f}" rx="{6 if box.kind == "op" else 9}" fill="{fill}"'
        f' stroke="{stroke}" stroke-width="1.3"{dashed}/>'
    )
    y = drawn.y + _PAD_Y + 11
    if drawn.inner is not None:
        # The name stands at the top, the value at the bottom, what happens between them.
        parts.append(_line(drawn.lines[0], drawn.x + _PAD_X, y))
        _write(drawn.inner, drawn.x + drawn.inner.left, y + 8, parts)
        return
    for line in drawn.lines:
        parts.append(_line(line, drawn.middle, y, "middle"))
        y += 20
    if drawn.footer:
        y += 4
        parts.append(
            f'<path d="M{drawn.x + 10:.1f},{y - 15:.1f} H{drawn.x + drawn.width - 10:.1f}"'
            f' stroke="{stroke}" stroke-width="1"/>'
        )
        for line in drawn.footer:
            parts.append(_line(line, drawn.middle, y + 2, "middle"))
            y += 18


def _line(line: _Line, x: float, y: float, anchor: str = "") -> str:
    where = f' text-anchor="{anchor}"' if anchor else ""
    runs = "".join(
        f'<tspan class="{style}">{escape(text)}</tspan>' if style else f"<tspan>{escape(text)}</tspan>"
        for text, style in line.runs
    )
    return f'<text x="{x:.1f}" y="{y:.1f}" xml:space="preserve"{where}>{runs}</text>'
