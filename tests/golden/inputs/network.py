"""Value and gradient of a two-layer network: cotangents are named after what they belong to."""

import unigrad as ug


def loss(X, y, W, b, w):
    hidden = ug.tanh(X @ W + b)
    z = hidden @ w
    loss = ug.mean(ug.nn.softplus(z) - y * z)
    return loss


def source(target):
    like = ("float64[32, 64]", "float64[32]", "float64[64, 16]", "float64[16]", "float64[16]")
    return ug.value_and_grad(loss, argnums=(2, 3, 4)).source(target, *like)
