"""Functions of neural networks."""

from unigrad.ops.nn import log_sigmoid, log_softmax, relu, sigmoid, softmax, softplus

__all__ = ["log_sigmoid", "log_softmax", "relu", "sigmoid", "softmax", "softplus"]
