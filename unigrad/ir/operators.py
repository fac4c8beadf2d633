"""Python's operators on whatever stands for an array: nodes, traced values, pattern variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["INFIX", "Operators", "install"]


class Operators:
    """Arithmetic on what stands for an array; each op that has an infix installs its own method."""

    __slots__ = ()

    if TYPE_CHECKING:  # what the ops install

        def _infix(self, other: Any, /) -> Any: ...
        def _prefix(self) -> Any: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _infix
        __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _infix
        __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __lt__ = __le__ = __gt__ = __ge__ = _infix
        __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _infix
        __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _infix
        __neg__ = __pos__ = __abs__ = __invert__ = _prefix


INFIX: Final = {
    "+": "add", "-": "sub", "*": "mul", "/": "truediv", "//": "floordiv", "%": "mod", "**": "pow",
    "@": "matmul", "&": "and", "|": "or", "^": "xor", "<<": "lshift", ">>": "rshift",
}  # fmt: skip
"""Operators that have a reflected and an augmented form, and the middle of their methods' names."""

_COMPARE: Final = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_PREFIX: Final = {"neg": "neg", "pos": "pos", "~": "invert", "abs": "abs"}


def install(op: Callable[..., Any], infix: str) -> None:
    """Give nodes, traced values and pattern variables the operator that means ``op``."""
    if infix in _PREFIX:

        def prefix(self: Any) -> Any:
            return op(self)

        setattr(Operators, f"__{_PREFIX[infix]}__", prefix)
        return

    def forward(self: Any, other: Any) -> Any:
        return op(self, other)

    def reflected(self: Any, other: Any) -> Any:
        return op(other, self)

    setattr(Operators, f"__{(INFIX | _COMPARE)[infix]}__", forward)
    if infix in INFIX:
        setattr(Operators, f"__r{INFIX[infix]}__", reflected)
