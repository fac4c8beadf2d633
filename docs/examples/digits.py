"""Trains a two-layer network on scikit-learn's 1,797 handwritten digits, with Adam.

Model, loss and update are written once, in unigrad. The settings say what runs them:

    python docs/examples/digits.py
    UNIGRAD_TARGET=torch:eager python docs/examples/digits.py
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from rich.progress import track
from sklearn.datasets import load_digits

import unigrad as ug

Parameters = dict[str, Any]  # "W1" -> an array, ...


# The model ------------------------------------------------------------------------------------


@ug.function
def network(parameters: Parameters, images):
    """One row of ten scores for each image, a row of 64 pixels."""
    hidden = ug.tanh(images @ parameters["W1"] + parameters["b1"])
    return hidden @ parameters["W2"] + parameters["b2"]


@ug.function
def loss(parameters: Parameters, images, targets):
    """Mean cross-entropy; ``targets`` holds a one in the column of the right digit."""
    scores = network(parameters, images)
    return -ug.mean(ug.sum(targets * ug.nn.log_softmax(scores, axis=-1), axis=-1))


# The optimiser --------------------------------------------------------------------------------


class Adam(NamedTuple):
    """Running means of the gradient and of its square, as Adam keeps them (Kingma & Ba, 2015)."""

    mean: Parameters
    square: Parameters


@ug.function
def train_step(parameters: Parameters, adam: Adam, step, images, targets):
    """Return the loss, and the parameters and moments after one step of Adam."""
    rate, beta1, beta2, epsilon = 0.01, 0.9, 0.999, 1e-8
    value, gradient = ug.value_and_grad(loss)(parameters, images, targets)

    updated, mean, square = {}, {}, {}
    for name, g in gradient.items():
        mean[name] = beta1 * adam.mean[name] + (1 - beta1) * g
        square[name] = beta2 * adam.square[name] + (1 - beta2) * g * g
        unbiased_mean = mean[name] / (1 - beta1**step)
        unbiased_square = square[name] / (1 - beta2**step)
        change = rate * unbiased_mean / (ug.sqrt(unbiased_square) + epsilon)
        updated[name] = parameters[name] - change
    return value, updated, Adam(mean, square)


# The data -------------------------------------------------------------------------------------


def load_data(held_out: int = 360):
    """Return (images, targets) to train on and (images, digits) to test on, shuffled."""
    digits = load_digits()
    images, targets = digits.data / 16.0, np.eye(10)[digits.target]
    order = np.random.default_rng(0).permutation(len(images))
    test, train = order[:held_out], order[held_out:]
    return images[train], targets[train], images[test], digits.target[test]


def initial_parameters(hidden: int = 32) -> Parameters:
    """Small random weights, the same on every target: NumPy draws them."""
    random = np.random.default_rng(1)
    return {
        "W1": random.normal(size=(64, hidden)) / np.sqrt(64),
        "b1": np.zeros(hidden),
        "W2": random.normal(size=(hidden, 10)) / np.sqrt(hidden),
        "b2": np.zeros(10),
    }


def main(steps: int = 300, batch: int = 128) -> tuple[list[float], float]:
    """Train; return the loss of every step and the accuracy on the held-out images."""
    images, targets, test_images, test_digits = load_data()
    parameters = initial_parameters()
    zeros = {name: np.zeros_like(value) for name, value in parameters.items()}
    adam = Adam(mean=zeros, square=zeros)

    random = np.random.default_rng(2)
    losses = []
    for step in track(range(1, steps + 1), description="training"):
        rows = random.choice(len(images), size=batch, replace=False)
        value, parameters, adam = train_step(parameters, adam, step, images[rows], targets[rows])
        losses.append(float(value))

    accuracy = float(np.mean(np.argmax(network(parameters, test_images), axis=-1) == test_digits))
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, held-out accuracy {accuracy:.3f}")
    return losses, accuracy


if __name__ == "__main__":
    main()
