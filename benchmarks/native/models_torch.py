"""The six models in plain PyTorch, differentiated by ``torch.autograd.grad``."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it

from benchmarks.models.attention import HEADS


def mlp(X, y, first, second, third):
    """A network of three layers."""
    hidden = torch.tanh(X @ first)
    hidden = torch.tanh(hidden @ second)
    return F.cross_entropy(hidden @ third, y)


def logistic(X, y, w):
    """Logistic regression with a ridge."""
    margins = y * torch.mv(X, w)
    return -F.logsigmoid(margins).mean() + 0.01 * torch.dot(w, w)


def gmm(X, weights, means, log_scales):
    """A mixture of Gaussians."""
    distances = (X[:, None, :] - means) / log_scales.exp()
    log_densities = -0.5 * distances.square().sum(2) - log_scales.sum(1)
    return -torch.logsumexp(F.log_softmax(weights, 0) + log_densities, 1).mean()


def gp(x, y, parameters):
    """The marginal likelihood of a Gaussian process."""
    amplitude, scale, noise = parameters.exp()
    difference = (x[:, None] - x) / scale
    kernel = amplitude * torch.exp(-0.5 * difference.square())
    factor = torch.linalg.cholesky(kernel + noise * torch.eye(len(x), dtype=x.dtype))
    whitened = torch.linalg.solve_triangular(factor, y[:, None], upper=False)
    return 0.5 * whitened.square().sum() + factor.diagonal().log().sum()


def attention(tokens, projections, output):
    """Causal attention with several heads."""
    length, width = tokens.shape
    queries, keys, values = (
        (tokens @ projection).reshape(length, HEADS, -1).transpose(0, 1)
        for projection in projections
    )
    mask = torch.ones(length, length, dtype=torch.bool).tril()
    scores = queries @ keys.mT / (width / HEADS) ** 0.5
    mixed = torch.softmax(scores.masked_fill(~mask, -1e9), -1) @ values
    return (mixed.transpose(0, 1).reshape(length, width) @ output).square().mean()


def kalman(measurements, process_noise, measurement_noise):
    """A Kalman filter, step by step."""
    kind = {"dtype": measurements.dtype}
    transition = torch.tensor([[1.0, 1.0], [0.0, 1.0]], **kind)
    drift = torch.tensor([[1 / 3, 1 / 2], [1 / 2, 1.0]], **kind)
    mean, covariance = torch.zeros(2, **kind), 10.0 * torch.eye(2, **kind)
    total = 0.0
    for measurement in measurements:
        mean = transition @ mean
        covariance = transition @ covariance @ transition.T + process_noise.exp() * drift
        spread = covariance[0, 0] + measurement_noise.exp()
        residual = measurement - mean[0]
        gain = covariance[:, 0] / spread
        mean = mean + gain * residual
        covariance = covariance - torch.outer(gain, covariance[0])
        total = total + 0.5 * (spread.log() + residual * residual / spread)
    return total


def value_and_gradient(function, differentiated):
    """Return what gives value and gradient; the arguments at ``differentiated`` are leaves."""

    def both(*arguments):
        value = function(*arguments)
        return value, torch.autograd.grad(value, [arguments[i] for i in differentiated])

    return both
