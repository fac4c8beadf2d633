"""Functions and their derivatives, as users call them.

Every transform takes a function and gives a function; on traced values it becomes one node that
holds the traced body, so that transforms nest in any order. Names, argument order and what is
returned are JAX's.
"""

from unigrad.api.decorator import function
from unigrad.api.forward import jvp
from unigrad.api.reverse import grad, value_and_grad, vjp

__all__ = ["function", "grad", "jvp", "value_and_grad", "vjp"]
