"""For which nodes a row of TensorFlow's table serves."""

from __future__ import annotations

import math
from typing import Any, Final

from unigrad.backend.predicates import is_number
from unigrad.ir.dims import Dim
from unigrad.ir.nodes import Node, tensor

_WHOLE: Final = frozenset(range(1, 65))


def integral(node: Node) -> bool:
    """Of integers or booleans."""
    return not tensor(node.operands[0]).is_floating


def boolean(node: Node) -> bool:
    """Of booleans."""
    return tensor(node.operands[0]).dtype.kind == "bool"


def unsigned(node: Node) -> bool:
    """Of unsigned integers."""
    return tensor(node.operands[0]).dtype.kind == "uint"


def double(node: Node) -> bool:
    """In ``float64``."""
    return tensor(node).dtype.name == "float64"


def of_bytes(count: int) -> Any:
    """Of elements of so many bytes."""

    def serves(node: Node) -> bool:
        return tensor(node.operands[0]).dtype.itemsize == count

    return serves


def by_known_integer(node: Node) -> bool:
    """A division of integers by a number that is not 0, which would raise."""
    divisor = node.operands[1]
    return integral(node) and is_number(divisor) and divisor.params[0].item() != 0


def by_known_places(node: Node) -> bool:
    """A shift by fewer places than there are bits."""
    by = node.operands[1]
    return is_number(by) and 0 <= by.params[0].item() < 8 * tensor(node).dtype.itemsize


def to_known_power(node: Node) -> bool:
    """A power of signed integers that XLA computes too: it reads six bits of the exponent."""
    exponent = node.operands[1]
    signed = tensor(node).dtype.kind == "int"
    return signed and is_number(exponent) and 0 <= exponent.params[0].item() < 64  # noqa: PLR2004


def to_number(node: Node) -> bool:
    """A power whose exponent is known."""
    return is_number(node.operands[1])


def to_whole_number(node: Node) -> bool:
    """A power that is a product of a known number of factors."""
    exponent = node.operands[1]
    return is_number(exponent) and exponent.params[0].item() in _WHOLE


def to_half(node: Node) -> bool:
    """A square root, or the reciprocal of one, written as a power."""
    exponent = node.operands[1]
    return is_number(exponent) and abs(exponent.params[0].item()) == 0.5  # noqa: PLR2004


def by_number(node: Node) -> bool:
    """Something and a number that is not NaN: in this order XLA keeps a NaN of the former."""
    return is_bound(node.operands[1]) and not boolean(node)


def of_number(node: Node) -> bool:
    """The same, with the number first: they change places."""
    return is_bound(node.operands[0]) and not boolean(node)


def between_numbers(node: Node) -> bool:
    """Between two numbers that are in order."""
    lower, upper = node.operands[1:]
    if boolean(node) or not (is_bound(lower) and is_bound(upper)):
        return False
    return lower.params[0].item() <= upper.params[0].item()


def is_bound(node: Node) -> bool:
    """Whether a node is a number other than NaN."""
    return is_number(node) and not math.isnan(node.params[0].item())


def is_known(node: Node) -> bool:
    """A number to repeat, in a shape of known sizes."""
    sizes: Any = tensor(node).shape
    return is_number(node.operands[0]) and not any(isinstance(size, Dim) for size in sizes)


def to_integer(node: Node) -> bool:
    """Floats as integers."""
    return tensor(node.operands[0]).is_floating and tensor(node).dtype.kind in ("int", "uint")


def truth_as_float(node: Node) -> bool:
    """Booleans as numbers that a NaN may be multiplied by."""
    return boolean(node) and tensor(node).is_floating


def no_axis(node: Node) -> bool:
    """Along no axis: nothing is reduced."""
    return not node.params[0]


def some_axis(node: Node) -> bool:
    """Along at least one axis."""
    return bool(node.params[0])


def one_axis(node: Node) -> bool:
    """Along one axis."""
    return len(node.params[0]) == 1


def double_along_one_axis(node: Node) -> bool:
    """In ``float64`` along one axis."""
    return double(node) and one_axis(node)


def population(node: Node) -> bool:
    """A variance over some axis that divides by the number of elements."""
    return bool(node.params[0]) and node.params[2] == 0


def grows(node: Node) -> bool:
    """A sum or a product in a wider dtype than that of its factors."""
    return tensor(node.operands[0]).dtype is not tensor(node).dtype


def is_reversed(node: Node) -> bool:
    """All axes in reverse order."""
    order: tuple[int, ...] = node.params[0]
    return len(order) > 1 and order == tuple(reversed(range(len(order))))


def matrices_turned(node: Node) -> bool:
    """The last two axes exchanged."""
    order: tuple[int, ...] = node.params[0]
    count = len(order)
    return count > 1 and order == (*range(count - 2), count - 1, count - 2)


def ndims(*wanted: int) -> Any:
    """Of operands with so many axes."""

    def serves(node: Node) -> bool:
        return tuple(operand.ndim for operand in node.operands) == wanted

    return serves


def vector_second(node: Node) -> bool:
    """By a vector."""
    return tensor(node.operands[1]).ndim == 1


def vector_first(node: Node) -> bool:
    """Of a vector."""
    return tensor(node.operands[0]).ndim == 1


def first_axis(node: Node) -> bool:
    """Along the first axis."""
    return node.params[0] == 0


def one_axis_of_one(node: Node) -> bool:
    """Over the one axis that there is."""
    return tensor(node.operands[0]).ndim == 1 and node.params[0] == (0,)
