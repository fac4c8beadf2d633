"""Times two callables against each other so that the machine's moods cancel.

A time alone says little on a shared machine; the ratio to a rival measured in the same seconds
does. Each round times a sample of ours, of the rival, and of the rival once more, in random
order. The ratio is the median over the rounds of ours / rival, the control is
the same of the rival against itself: its distance from 1 is the noise.
"""

from __future__ import annotations

import gc
import random
import statistics
from dataclasses import dataclass
from timeit import Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found; times are medians in seconds per call."""

    ratio: float
    control: float
    ours: float
    rival: float
    difference: float
    """Median over the rounds of ours - rival."""


def compare(
    ours: Callable[[], object],
    rival: Callable[[], object],
    *,
    rounds: int = 99,
    sample: float = 0.003,
) -> Comparison:
    """Time both in ``rounds`` interleaved samples of about ``sample`` seconds each."""
    timers = [Timer(ours), Timer(rival), Timer(rival)]
    numbers = [_calls_within(sample, timer) for timer in timers[:2]]
    numbers.append(numbers[1])
    order = [0, 1, 2]
    shuffle = random.Random(0).shuffle  # noqa: S311 - no secret, an order
    samples: list[list[float]] = [[], [], []]
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            shuffle(order)
            for which in order:
                seconds = timers[which].timeit(numbers[which])
                samples[which].append(seconds / numbers[which])
    finally:
        if enabled:
            gc.enable()
    a, b, again = samples
    return Comparison(
        ratio=statistics.median(x / y for x, y in zip(a, b, strict=True)),
        control=statistics.median(x / y for x, y in zip(again, b, strict=True)),
        ours=statistics.median(a),
        rival=statistics.median(b),
        difference=statistics.median(x - y for x, y in zip(a, b, strict=True)),
    )


def _calls_within(seconds: float, timer: Timer) -> int:
    """How many calls last about ``seconds``; the first calls also warm everything up."""
    timer.timeit(10)
    number = 1
    while (spent := timer.timeit(number)) < seconds / 4:
        number *= 2
    return max(1, round(number * seconds / spent))
