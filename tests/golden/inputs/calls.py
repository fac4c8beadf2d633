"""A function of functions, with a gradient inside that closes over a traced value."""

import unigrad as ug


@ug.function
def wave(z, y):
    return ug.sum(ug.sin(z * y))


@ug.function
def model(x, y):
    slope = ug.grad(lambda z: wave(z, y) * ug.sum(x))(x)
    return wave(slope, y) + wave(x, y)


def source(target):
    like = ("float64[3]", "float64[3]")
    return model.source(target, *like)
