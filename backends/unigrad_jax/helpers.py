"""Source text of functions that emitted files need and JAX does not have under one name.

Those that a file uses are written at its head: it imports JAX and nothing else.
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

    def of_chosen(*chosen):
        for i, x in zip(wrt, chosen):
            inputs[i] = x
        outputs = function(*inputs)
        return tuple([outputs[i] for i in seeds]), outputs

    chosen = [inputs[i] for i in wrt]
    seeded, pull, outputs = jax.vjp(of_chosen, *chosen, has_aux=True)
    given = [jnp.full_like(y, g) if g.__class__ is float else g for y, g in zip(seeded, operands[count:])]
    return (*outputs, *pull(tuple(given)))


def push_forward(function, wrt, *operands):
    """The outputs of a function, then their tangents.

    The last operands are the tangents of its operands wrt.
    """
    count = len(operands) - len(wrt)
    inputs = list(operands[:count])

    def of_chosen(*chosen):
        for i, x in zip(wrt, chosen):
            inputs[i] = x
        return function(*inputs)

    chosen = [inputs[i] for i in wrt]
    given = [jnp.full_like(x, t) if t.__class__ is float else t for x, t in zip(chosen, operands[count:])]
    outputs, pushed = jax.jvp(of_chosen, tuple(chosen), tuple(given))
    found = [jnp.zeros_like(y) if t.dtype == jax.dtypes.float0 else t for y, t in zip(outputs, pushed)]
    return (*outputs, *found)


def differentiated(value, pulls, pushes):
    """A function with a derivative of its own, to every order and in every mode."""
    function = jax.custom_jvp(lambda *operands: value(*operands)[0])

    def jvp(operands, tangents):
        out = function(*operands)
        found = jnp.zeros_like(out)
        for push, tangent in zip(pushes, tangents):
            if push is not None and not isinstance(tangent, jax.custom_derivatives.SymbolicZero):
                found = found + push(*operands, out, tangent)[0]
        return out, found

    function.defjvp(jvp, symbolic_zeros=True)
    return function
'''
