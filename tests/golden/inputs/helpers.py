"""What a framework lacks is a function at the head of the file."""

import unigrad as ug


def model(kernel, targets, places):
    factor = ug.linalg.cholesky(kernel)
    white = ug.linalg.solve_triangular(factor, targets, lower=True)
    picked = ug.take(white, places, axis=0)
    return ug.sum(picked**2) + ug.sum(ug.special.gammaln(white))


def source(target):
    like = ("float64[4, 4]", "float64[4]", "int64[6]")
    return ug.grad(model, argnums=(0, 1)).source(target, *like)
