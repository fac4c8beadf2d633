"""Where things stand: layers by longest paths, few crossings by barycentres, straight long edges.

The method of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
structures" (1981). An arrow that passes layers gets a point in each, so that it runs between boxes
and never through one. Horizontal places are those of least squares under the distances that boxes
need: an isotonic regression, exact and in linear time.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Layout", "lay_out", "rank"]

_ORDERINGS: Final = 12
_PLACEMENTS: Final = 120
_GAP: Final = 34.0  # between boxes of a layer
_LANE: Final = 16.0  # between an arrow that passes and its neighbour


_PULLS: Final = (1.0, 2.0, 32.0)  # of a link with no, one and two passing points: straight arrows

_Neighbours: TypeAlias = dict[int, list[tuple[int, float, float]]]
"""For each vertex those that it is linked to: which, how far beside it, how strongly."""


@dataclass(slots=True)
class Layout:
    """Places of boxes and of the points by which arrows pass.

    Attributes:
        layers: for each layer its vertices from left to right: boxes, then points of arrows.
        chains: for each arrow the vertices that it goes through.
        x: the middle of each vertex.
        width: of the whole.
    """

    layers: list[list[int]]
    chains: list[list[int]]
    x: list[float]
    width: float


def rank(count: int, edges: Sequence[tuple[int, int]], top: Sequence[int] = ()) -> list[int]:
    """A layer for each box: below all that it reads, and sources just above what reads them.

    Args:
        count: how many boxes there are, what is read before what reads.
        edges: pairs of what is read and what reads it.
        top: boxes that stay in the first layer.
    """
    layer = [int(bool(top) and place not in top) for place in range(count)]
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        layer[target] = max(layer[target], layer[source] + 1)
    read = {target for _, target in edges}
    for place in range(count):
        readers = [layer[target] for source, target in edges if source == place]
        if readers and place not in read and place not in top:
            layer[place] = min(readers) - 1
    return layer


def lay_out(
    ranks: Sequence[int],
    edges: Sequence[tuple[int, int]],
    widths: Sequence[float],
    *,
    first: Sequence[int] = (),
    entry: Callable[[int, int], float] | None = None,
) -> Layout:
    """Order every layer and place its vertices.

    Args:
        ranks: the layer of each box.
        edges: pairs of what is read and what reads it, over one layer or more.
        widths: the width of each box.
        first: the first layer, if its order is given.
        entry: where on the box of a target an arrow enters, from its middle, if not there.
    """
    layers: list[list[int]] = [[] for _ in range(max(ranks, default=0) + 1)]
    for vertex, layer in enumerate(ranks):
        layers[layer].append(vertex)
    layers[0] = list(first) or layers[0]
    sizes = list(widths)
    chains: list[list[int]] = []
    links: list[tuple[int, int]] = []
    above: _Neighbours = {}
    below: _Neighbours = {}
    for number, (source, target) in enumerate(edges):
        chain = [source]
        for layer in range(ranks[source] + 1, ranks[target]):
            chain.append(len(sizes))
            layers[layer].append(len(sizes))
            sizes.append(_LANE)
        chain.append(target)
        chains.append(chain)
        shift = entry(number, target) if entry is not None else 0.0
        for a, b in itertools.pairwise(chain):
            links.append((a, b))
            pull = _PULLS[(a >= len(widths)) + (b >= len(widths))]
            at = shift if b == target else 0.0
            above.setdefault(b, []).append((a, -at, pull))
            below.setdefault(a, []).append((b, at, pull))
    layers = _fewest_crossings(layers, links, above, below, fixed=bool(first))
    x = _places(layers, sizes, above, below)
    left = min((x[v] - sizes[v] / 2 for v in range(len(sizes))), default=0.0)
    x = [one - left for one in x]
    width = max((x[v] + sizes[v] / 2 for v in range(len(sizes))), default=0.0)
    return Layout(layers, chains, x, width)


def _fewest_crossings(
    layers: list[list[int]],
    links: Sequence[tuple[int, int]],
    above: _Neighbours,
    below: _Neighbours,
    *,
    fixed: bool,
) -> list[list[int]]:
    """The best order of some sweeps down and up, each vertex at the mean of its neighbours."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers, links)
    order = [list(layer) for layer in layers]
    for sweep in range(_ORDERINGS):
        down = sweep % 2 == 0
        for at in range(len(order)) if down else reversed(range(len(order))):
            if at == 0 and fixed:
                continue
            beside = at - 1 if down else at + 1
            if 0 <= beside < len(order):
                place = {vertex: i for i, vertex in enumerate(order[beside])}
                _sort(order[at], place, above if down else below)
        count = _crossings(order, links)
        if count < fewest:
            best, fewest = [list(layer) for layer in order], count
    return best


def _sort(layer: list[int], place: dict[int, int], neighbours: _Neighbours) -> None:
    """Sort by barycentre; a vertex without neighbours keeps its place."""
    keys: dict[int, float] = {}
    for at, vertex in enumerate(layer):
        near = [place[other] for other, _, _ in neighbours.get(vertex, ()) if other in place]
        keys[vertex] = sum(near) / len(near) if near else float(at)
    layer.sort(key=keys.__getitem__)


def _crossings(layers: Sequence[Sequence[int]], links: Sequence[tuple[int, int]]) -> int:
    """How many pairs of links cross."""
    layer_of = {vertex: i for i, layer in enumerate(layers) for vertex in layer}
    place = {vertex: i for layer in layers for i, vertex in enumerate(layer)}
    between: dict[int, list[tuple[int, int]]] = {}
    for a, b in links:
        between.setdefault(layer_of[a], []).append((place[a], place[b]))
    return sum(
        1
        for pairs in between.values()
        for i, (a, b) in enumerate(pairs)
        for c, d in pairs[:i]
        if (a - c) * (b - d) < 0
    )


def _places(
    layers: Sequence[Sequence[int]], sizes: Sequence[float], above: _Neighbours, below: _Neighbours
) -> list[float]:
    """The middle of each vertex, near those of its neighbours and clear of those beside it."""
    x = [0.0] * len(sizes)
    steps: list[list[float]] = []
    for layer in layers:
        offsets = [0.0]
        for left, right in itertools.pairwise(layer):
            gap = _GAP if sizes[left] > _LANE and sizes[right] > _LANE else _LANE
            offsets.append(offsets[-1] + (sizes[left] + sizes[right]) / 2 + gap)
        steps.append(offsets)
        for vertex, offset in zip(layer, offsets, strict=False):
            x[vertex] = offset - offsets[-1] / 2
    for sweep in range(_PLACEMENTS):
        both = sweep >= _PLACEMENTS // 4
        down = sweep % 2 == 0
        for at in range(len(layers)) if down else reversed(range(len(layers))):
            wanted = [
                _mean(
                    x,
                    [
                        *(above.get(vertex, ()) if down or both else ()),
                        *(below.get(vertex, ()) if both or not down else ()),
                    ],
                    x[vertex],
                )
                for vertex in layers[at]
            ]
            for vertex, place in zip(layers[at], _apart(wanted, steps[at]), strict=True):
                x[vertex] = place
    return x


def _mean(x: Sequence[float], near: Sequence[tuple[int, float, float]], otherwise: float) -> float:
    """The weighted mean of where the neighbours would have a vertex."""
    total = sum(pull for _, _, pull in near)
    return sum((x[v] + at) * pull for v, at, pull in near) / total if near else otherwise


def _apart(wanted: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """The places nearest to ``wanted`` in the order given that differ by ``offsets`` or more.

    Pool adjacent violators: after the offsets are taken away, places only have to be sorted.
    """
    blocks: list[tuple[float, int]] = []  # sum and number of what is pooled
    for want, offset in zip(wanted, offsets, strict=False):
        total, count = want - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            before, many = blocks.pop()
            total, count = total + before, count + many
        blocks.append((total, count))
    flat = [total / count for total, count in blocks for _ in range(count)]
    return [one + offset for one, offset in zip(flat, offsets, strict=False)]
