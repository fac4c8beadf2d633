"""A named dimension is read from an argument and computed with."""

import unigrad as ug


def model(x, weights):
    n, k = x.shape
    centred = x - ug.mean(x, axis=0)
    covariance = centred.T @ centred / (n - 1)
    flat = ug.reshape(x, (n * k,))
    pairs = ug.concat([x[1:], x[:-1]])
    places = ug.arange(n) * 1.0
    return covariance @ weights, flat, pairs, places @ x


def source(target):
    like = ("float64[n, k]", "float64[k]")
    return ug.function(model).source(target, *like)
