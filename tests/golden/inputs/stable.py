"""What overflows as it is written is said by the op that does not."""

import unigrad as ug


def model(x, labels):
    partition = ug.log(ug.sum(ug.exp(x), axis=1))
    soft = ug.log(1 + ug.exp(-x[:, 0]))
    sure = ug.log(1 / (1 + ug.exp(-x[:, 1])))
    small = ug.exp(x[:, 2]) - 1
    return ug.sum((partition - soft * labels) * sure + small)


def source(target):
    like = ("float32[8, 3]", "float32[8]")
    return ug.grad(model).source(target, *like)
