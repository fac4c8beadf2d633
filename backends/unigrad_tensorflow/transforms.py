"""Source text of the derivatives that TensorFlow takes, and of our rules around its operations.

A rule is written down by hand as what TensorFlow records of an operation: its tapes and its forward
mode obey that alike, in every nesting. ``tf.custom_gradient`` forward mode does not see.
"""

from __future__ import annotations

__all__ = ["TRANSFORMS"]

TRANSFORMS = '''
def pull_back(function, wrt, seeds, *operands):
    """The outputs of a function, then the cotangents of its operands wrt.

    The last operands are the cotangents of its outputs seeds.
    """
    count = len(operands) - len(seeds)
    inputs = unshared(operands[:count], wrt)
    chosen = [inputs[i] for i in wrt]
    if not chosen or not seeds:
        return (*function(*inputs), *[tf.zeros_like(x) for x in chosen])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(chosen)
        outputs = function(*inputs)
    seeded = [outputs[i] for i in seeds]
    weights = None  # which stands for ones
    if any(g.__class__ is not float or g != 1.0 for g in operands[count:]):
        weights = [filled(g, y) for g, y in zip(operands[count:], seeded)]
    found = tape.gradient(
        seeded, chosen, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return (*outputs, *[tf.convert_to_tensor(g) for g in found])


def push_forward(function, wrt, *operands):
    """The outputs of a function, then their tangents, by TensorFlow's forward mode.

    The last operands are the tangents of its operands wrt.
    """
    count = len(operands) - len(wrt)
    inputs = unshared(operands[:count], wrt)
    chosen = [inputs[i] for i in wrt]
    given = [filled(t, x) for t, x in zip(operands[count:], chosen)]
    with tf.autodiff.ForwardAccumulator(chosen, given) as accumulator:
        outputs = function(*inputs)
    zero = tf.UnconnectedGradients.ZERO
    found = [accumulator.jvp(y, zero) if y.dtype.is_floating else tf.zeros_like(y) for y in outputs]
    return (*outputs, *[tf.convert_to_tensor(t) for t in found])


def push_forward_by_tapes(function, wrt, *operands):
    """The same by two tapes: the derivative of the cotangents by the cotangent of the outputs.

    Forward mode multiplies by the tangent 0 of what does not vary, which is NaN beside an infinity.
    """
    count = len(operands) - len(wrt)
    inputs = unshared(operands[:count], wrt)
    chosen = [inputs[i] for i in wrt]
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(chosen)
            outputs = function(*inputs)
        seeded = [y for y in outputs if y.dtype.is_floating]
        weights = [tf.ones_like(y) for y in seeded]
        outer.watch(weights)
        found = inner.gradient(seeded, chosen, weights) if seeded else []
        pulled = [
            (tf.convert_to_tensor(g), t) for g, t in zip(found, operands[count:]) if g is not None
        ]
    given = [filled(t, g) for g, t in pulled]
    zero = tf.UnconnectedGradients.ZERO
    tangents = outer.gradient([g for g, _ in pulled], weights, given, unconnected_gradients=zero)
    rest = iter([tf.convert_to_tensor(t) for t in tangents])
    return (*outputs, *[next(rest) if y.dtype.is_floating else tf.zeros_like(y) for y in outputs])


def unshared(operands, wrt):
    """The operands; where one is there twice, aliases, so that each counts for itself."""
    inputs = list(operands)
    if len({id(x) for x in inputs}) < len(inputs):
        for i in wrt:
            inputs[i] = tf.identity(inputs[i])
    return inputs


def filled(value, x):
    """A cotangent or tangent of x that may be given as a number."""
    return tf.ones_like(x) * value if value.__class__ is float else value


def summed_to(cotangent, x):
    """A cotangent summed over the axes along which x was repeated."""
    if x.shape.is_fully_defined() and cotangent.shape == x.shape:
        return cotangent
    axes, _ = tf.raw_ops.BroadcastGradientArgs(s0=tf.shape(x), s1=tf.shape(cotangent))
    return tf.reshape(tf.reduce_sum(cotangent, axes), tf.shape(x))


def spread_to(tangent, y):
    """A tangent repeated along the axes along which its operand was."""
    if y.shape.is_fully_defined() and tangent.shape == y.shape:
        return tangent
    return tf.broadcast_to(tangent, tf.shape(y))


def differentiated(value, pulls, pushes):
    """A function with a derivative of its own, to every order and in every mode."""

    def pull(i, cotangent, *given):
        def pulled(cotangent, *given):
            return summed_to(pulls[i](*given, cotangent)[0], given[i])

        return linear(pulled, lambda t, *given: push(i, t, *given), cotangent, given)

    def push(i, tangent, *given):
        def pushed(tangent, *given):
            return spread_to(pushes[i](*given, tangent)[0], given[-1])

        return linear(pushed, lambda g, *given: pull(i, g, *given), tangent, given)

    def backward(operands, out):
        return lambda cotangent: [
            None if pulls[i] is None else pull(i, cotangent, *operands, out)
            for i in range(len(pulls))
        ]

    return lambda *operands: recorded(lambda *given: value(*given)[0], operands, backward)


def linear(function, transposed, direction, given):
    """A function of a direction and of what is given, linear in the direction.

    Its derivative by the direction is its transpose; TensorFlow's own would be NaN where a factor
    that a selection discards is infinite.
    """
    if forwardprop_util.pack_tangents([direction, *given]).indices:
        return function(direction, *given)  # forward mode at work does not bear tapes inside

    def backward(operands, out):
        direction, *given = [tf.identity(x) for x in operands]  # one may be there twice
        varied = [x for x in given if x.dtype.is_floating]

        def gradient(weight):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(varied)
                result = function(direction, *given)
            zero = tf.UnconnectedGradients.ZERO
            found = iter(tape.gradient(result, varied, weight, unconnected_gradients=zero))
            rest = [next(found) if x.dtype.is_floating else None for x in given]
            return [transposed(weight, *given), *rest]

        return gradient

    return recorded(function, (direction, *given), backward)


def recorded(function, operands, backward):
    """The result of a function whose derivative is given, for all that differentiates it."""
    building = not tf.executing_eagerly()
    if building:  # a derivative of this graph cannot reach tensors of the graphs around it
        graph = tf.compat.v1.get_default_graph()
        operands = [x if getattr(x, "graph", None) is graph else tf.identity(x) for x in operands]
    with record.stop_recording():
        out = function(*operands)
        if building:
            out = with_gradient(out, operands, backward)
        elif any(out is x for x in operands):
            out = tf.identity(out)
    # Forward mode does not see a custom gradient, but it obeys what is recorded.
    record.record_operation("rule", [out], list(operands), backward(operands, out))
    return out


def with_gradient(out, operands, backward):
    """A tensor of a graph that tells what differentiates the graph later."""
    try:
        tf.RegisterGradient("Rule")(lambda op, cotangent, *_: [None, *op.rule(cotangent)])
    except KeyError:
        pass  # it is registered already
    with tf.compat.v1.get_default_graph().gradient_override_map({"IdentityN": "Rule"}):
        out, *_ = tf.identity_n([out, *operands])
    out.op.rule = backward(operands, out)  # not in a table of TensorFlow's: it goes with the graph
    return out
'''
