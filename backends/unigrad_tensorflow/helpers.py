"""Source text of functions that emitted files need and TensorFlow does not have under one name.

Those that a file uses are written at its head: it imports TensorFlow and nothing else.
"""

from __future__ import annotations

__all__ = ["HELPERS"]

HELPERS = '''
def pull_back(function, wrt, seeds, *operands):
    """The outputs of a function, then the cotangents of its operands wrt.

    The last operands are the cotangents of its outputs seeds.
    """
    count = len(operands) - len(seeds)
    inputs = list(operands[:count])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for i in wrt:
            inputs[i] = tf.identity(inputs[i])  # so that the same tensor elsewhere does not count
            tape.watch(inputs[i])
        outputs = function(*inputs)
    seeded = [outputs[i] for i in seeds]
    found = tape.gradient(
        seeded,
        [inputs[i] for i in wrt],
        [filled(g, y) for g, y in zip(operands[count:], seeded)],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    return (*outputs, *[tf.convert_to_tensor(g) for g in found])


def push_forward(function, wrt, *operands):
    """The outputs of a function, then their tangents.

    The last operands are the tangents of its operands wrt.
    """
    count = len(operands) - len(wrt)
    inputs = list(operands[:count])
    for i in wrt:
        inputs[i] = tf.identity(inputs[i])
    chosen = [inputs[i] for i in wrt]
    given = [filled(t, x) for t, x in zip(operands[count:], chosen)]
    with tf.autodiff.ForwardAccumulator(chosen, given) as accumulator:
        outputs = function(*inputs)
    zero = tf.UnconnectedGradients.ZERO
    found = [accumulator.jvp(y, zero) if y.dtype.is_floating else tf.zeros_like(y) for y in outputs]
    return (*outputs, *found)


def filled(value, x):
    """A cotangent or tangent of x that may be given as a number."""
    return tf.fill(tf.shape(x), tf.constant(value, x.dtype)) if value.__class__ is float else value


def summed_to(cotangent, x):
    """A cotangent summed over the axes along which x was repeated."""
    if cotangent.shape == x.shape:
        return cotangent
    axes, _ = tf.raw_ops.BroadcastGradientArgs(s0=tf.shape(x), s1=tf.shape(cotangent))
    return tf.reshape(tf.reduce_sum(cotangent, axes), tf.shape(x))


def differentiated(value, pulls, pushes):
    """A function with a derivative of its own, to every order and in every mode."""

    @tf.custom_gradient
    def function(*operands):
        out = value(*operands)[0]

        def gradient(cotangent):
            return [
                None if pull is None else summed_to(pull(*operands, out, cotangent)[0], x)
                for pull, x in zip(pulls, operands)
            ]

        return out, gradient

    # Forward mode does not see a custom gradient, and obeys one inside a tf.function.
    return tf.function(function, autograph=False)
'''
