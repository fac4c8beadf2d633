"""Small models, written as users write them: what a chain of ops must get right together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import unigrad as ug
from unigrad.testing.cases import not_symmetric
from unigrad.testing.domains import generator, reals

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MODELS", "POINTS"]


def logistic(features: Any, labels: Any, weights: Any, bias: Any) -> Any:
    """Negative log-likelihood of logistic regression, with a penalty."""
    score = features @ weights + bias
    likelihood = ug.mean(
        labels * ug.nn.log_sigmoid(score) + (1 - labels) * ug.nn.log_sigmoid(-score)
    )
    return 0.1 * ug.sum(weights**2) - likelihood


def network(parameters: dict[str, Any], inputs: Any) -> Any:
    """Two layers, parameters in a dict; returns the mean and, on the side, every prediction."""
    hidden = ug.tanh(inputs @ parameters["W"] + parameters["b"])
    prediction = hidden @ parameters["w"]
    return {"mean": ug.mean(prediction), "all": prediction}


def gaussian_process(positions: Any, targets: Any, length: Any, noise: Any) -> Any:
    """Negative log marginal likelihood of a Gaussian process."""
    apart = ug.expand_dims(positions, axis=1) - ug.expand_dims(positions, axis=0)
    kernel = ug.exp(-0.5 * (apart / length) ** 2) + noise * ug.eye(positions.shape[0])
    factor = ug.linalg.cholesky(kernel)
    whitened = ug.linalg.solve_triangular(factor, targets, lower=True)
    diagonal = ug.einsum("ii->i", factor)
    return 0.5 * ug.sum(whitened * whitened) + ug.sum(ug.log(diagonal))


def cross_entropy(scores: Any, labels: Any) -> Any:
    """Softmax cross-entropy with integer labels."""
    rows = np.arange(int(scores.shape[0]))
    return -ug.mean(ug.nn.log_softmax(scores, axis=-1)[rows, labels])


def selection(x: Any) -> Any:
    """Selections, one in another, that keep away what is no number for negative ``x``."""
    inside = x > 0
    root = ug.where(inside, ug.sqrt(x) * ug.log(x), 0.0)
    ratio = ug.where(inside, ug.where(x > 1, x**-0.5, ug.log(x) / x), x * x)
    return ug.sum(root * x) + ratio


def attention(query: Any, key: Any, value: Any) -> Any:
    """Scaled dot-product attention of several heads, written in Einstein's notation."""
    weights = ug.nn.softmax(ug.einsum("hqd,hkd->hqk", query, key) / query.shape[-1] ** 0.5)
    return ug.einsum("hqk,hkd,hd->qd", weights, value, query[:, 0])


def indexing(x: Any, places: Any) -> Any:
    """Slices, negative steps, new axes, repeated and negative integer indices."""
    return (
        ug.sum(x[1:, ::-1] * x[:-1, None, 0] ** 2)
        + ug.sum(x[places, -1] ** 3)
        + ug.sum(ug.take(x, places, axis=0)[..., 1:] * x[0, :2])
    )


def log_mixture(x: Any, centres: Any, scores: Any) -> Any:
    """Log-density of a mixture of normals."""
    exponents = -0.5 * (ug.expand_dims(x, axis=-1) - centres) ** 2
    return ug.logsumexp(exponents + ug.nn.log_softmax(scores), axis=-1)


def statistics(x: Any) -> Any:
    """Standardised columns, products and extrema."""
    standard = (x - ug.mean(x, axis=0)) / ug.std(x, axis=0, correction=1)
    return ug.prod(x[:2], axis=1), ug.max(standard, axis=1), ug.var(x) - ug.min(x)


def least_squares(a: Any, b: Any) -> Any:
    """A linear system, its solution, and triangles of matrices."""
    solution = ug.linalg.solve(a, b)
    return ug.linalg.vecdot(solution, b), ug.tril(a) @ solution - ug.triu(a, k=1) @ b


def inner_derivative(x: Any, y: Any) -> Any:
    """A function that takes a gradient of another, which closes over a traced value."""

    def wave(z: Any) -> Any:
        return ug.sum(ug.sin(z * y) * x)

    def growth(z: Any) -> Any:
        return ug.exp(z * ug.sum(x))

    slope = ug.grad(wave)(x)
    return ug.sum(slope * slope) + ug.jvp(growth, (y,), (x,))[1]


def factors(x: Any) -> Any:
    """A product with a scalar, integer and fractional powers, an outer product, a concatenation."""
    joined = ug.concat([x**3, ug.abs(x) ** 0.5, ug.stack([x[0], 2.0])])
    return ug.outer(joined, x) * ug.clip(x, -1.5, 1.5)


MODELS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        logistic, network, gaussian_process, cross_entropy, selection, attention, indexing,
        log_mixture, statistics, least_squares, inner_derivative, factors,
    )
}  # fmt: skip
"""Functions by name."""


POINTS: dict[str, tuple[Any, ...]] = {
    "logistic": (reals(6, 3), generator("labels").integers(0, 2, 6).astype(float), reals(3), 0.3),
    "network": (
        {"W": reals(3, 4, key="W"), "b": reals(4, key="b"), "w": reals(4, key="w")},
        reals(5, 3),
    ),
    "gaussian_process": (reals(5, key="positions"), reals(5, key="targets"), 0.7, 0.2),
    "cross_entropy": (reals(4, 3), np.array([2, 0, 1, 1])),
    "selection": (np.array([-1.5, 0.5, 2.0, -0.3]),),
    "attention": (reals(2, 3, 2, key="q"), reals(2, 4, 2, key="k"), reals(2, 4, 2, key="v")),
    "indexing": (reals(4, 3), np.array([-1, 0, 2, 2])),
    "log_mixture": (reals(4), reals(3), reals(3, key="scores")),
    "statistics": (reals(4, 3, key="statistics"),),
    "least_squares": (not_symmetric(3, 3), reals(3)),
    "inner_derivative": (reals(3, key="x"), reals(3, key="y")),
    "factors": (reals(3, key="factors"),),
}
"""Where each model is evaluated."""
