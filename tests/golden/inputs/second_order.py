"""A Hessian times a vector: forward mode over reverse mode."""

import unigrad as ug


def energy(x):
    pulled = ug.sin(x) * ug.prod(x)
    return ug.sum(pulled) + ug.logsumexp(x)


def product(x, v):
    return ug.jvp(ug.grad(energy), (x,), (v,))


def source(target):
    like = ("float64[3]", "float64[3]")
    return ug.function(product).source(target, *like)
