"""Slices, new axes, steps, integer arrays, and what goes back through them."""

import numpy as np

import unigrad as ug


def model(x, places):
    corner = x[1:, ::-2]
    column = x[:, None, 0]
    rows = x[np.array([0, -1, 0])]
    chosen = x[places, 1]
    return ug.sum(corner**2) + ug.sum(column * rows[0, 0]) + ug.sum(chosen**3)


def source(target):
    like = ("float64[4, 3]", "int64[5]")
    return ug.grad(model).source(target, *like)
