"""The network in plain PyTorch, differentiated by ``torch.autograd.grad``."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it


def loss(X, y, W, b, w):
    """Mean logistic loss, the same math term by term."""
    hidden = torch.tanh(torch.addmm(b, X, W))
    z = torch.mv(hidden, w)
    return (-F.logsigmoid(-z) - y * z).mean()


def fused_loss(X, y, W, b, w):
    """Mean logistic loss by PyTorch's ready-made function: a harder rival."""
    hidden = torch.tanh(torch.addmm(b, X, W))
    z = torch.mv(hidden, w)
    return F.binary_cross_entropy_with_logits(z, y)


def value_and_gradient(X, y, W, b, w, loss=loss):
    """Return the loss and its gradient in ``W``, ``b``, ``w``, leaves that require grad."""
    value = loss(X, y, W, b, w)
    return value, torch.autograd.grad(value, (W, b, w))
