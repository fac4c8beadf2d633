"""Names are the user's own; none shadows what a file needs."""

import unigrad as ug


def model(x, max, np):
    sum = ug.sum(x * max)
    total = sum + np
    total = total * 2.0  # assigned again
    for step in range(2):
        total = ug.sin(total) + step
    return total / (1.0 + ug.abs(total))


def source(target):
    like = ("float64[3]", "float64[3]", "float64[]")
    return ug.function(model).source(target, *like)
