"""The traced value: what the user's function sees in place of an array.

It has a dtype and a shape, computes with operators, methods and NumPy's own functions, and refuses
what only a value can answer (``bool``, ``float``, ``len`` of a named dimension) with a message that
says what to use instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from unigrad.errors import ArgumentError, TracingError, locate
from unigrad.ir.dims import Dim
from unigrad.ir.nodes import (
    INPUT,
    Node,
    Scope,
    caller_origin,
    current_scope,
    tensor,
)
from unigrad.ir.operators import INFIX
from unigrad.ir.source import caller_location, locations, variable_name
from unigrad.ir.types import as_dtype, told
from unigrad.ops import assignment, contraction, creation, elementwise, indexing, reduction, shape
from unigrad.ops.families import as_tuple, is_int
from unigrad.ops.spec import INTERPRETERS, Op, apply
from unigrad.trace.memory import VIEWS, Handle, Memory, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unigrad.ir.types import DType, Shape

__all__ = [
    "ARGUMENT", "OuterValueError", "TracedArray", "fixed", "node_of", "set_namespace", "wrap",
]  # fmt: skip


class TracedArray(Handle):
    """A value that is being traced; it follows the Array API standard.

    Attributes are those of an array: ``shape``, ``dtype``, ``ndim``, ``size``, ``T``, ``mT``.
    """

    __slots__ = ()
    __array_priority__ = 1000

    # -- what is known of it -----------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """Its shape: ints and named dimensions."""
        return tensor(self._node).shape

    @property
    def dtype(self) -> DType:
        """Its dtype."""
        return tensor(self._node).dtype

    @property
    def ndim(self) -> int:
        """Its number of axes."""
        return tensor(self._node).ndim

    @property
    def size(self) -> Any:
        """Its number of elements."""
        return tensor(self._node).size

    @property
    def device(self) -> None:
        """A traced value is nowhere yet."""
        return

    @property
    def T(self) -> Any:  # noqa: N802  (the Array API's name)
        """The transpose of a matrix."""
        return shape.permute_dims(self, tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Any:  # noqa: N802  (the Array API's name)
        """The last two axes exchanged."""
        return contraction.matrix_transpose(self)

    def __repr__(self) -> str:
        name = _name_of(self._node)
        return f"<traced {name + ': ' if name else ''}{told(self._node.type)}>"

    # -- methods that NumPy arrays have ------------------------------------------------------------

    def sum(self, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Any:
        """See ``unigrad.sum``."""
        return reduction.sum__(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def prod(self, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Any:
        """See ``unigrad.prod``."""
        return reduction.prod_(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """See ``unigrad.mean``."""
        return reduction.mean(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """See ``unigrad.max``."""
        return reduction.max_(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """See ``unigrad.min``."""
        return reduction.min_(self, axis=axis, keepdims=keepdims)

    def var(
        self, axis: Any = None, *, keepdims: bool = False, correction: float = 0, ddof: float = 0
    ) -> Any:
        """See ``unigrad.var``; ``ddof`` is NumPy's older word for ``correction``."""
        return reduction.var(self, axis=axis, keepdims=keepdims, correction=correction or ddof)

    def std(
        self, axis: Any = None, *, keepdims: bool = False, correction: float = 0, ddof: float = 0
    ) -> Any:
        """See ``unigrad.std``; ``ddof`` is NumPy's older word for ``correction``."""
        return reduction.std(self, axis=axis, keepdims=keepdims, correction=correction or ddof)

    def any(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """See ``unigrad.any``."""
        return reduction.any_(self, axis=axis, keepdims=keepdims)

    def all(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """See ``unigrad.all``."""
        return reduction.all_(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """See ``unigrad.argmax``."""
        return reduction.argmax(self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """See ``unigrad.argmin``."""
        return reduction.argmin(self, axis=axis, keepdims=keepdims)

    def reshape(self, *sizes: Any, order: str = "C", copy: bool | None = None) -> Any:
        """See ``unigrad.reshape``; sizes may be given one by one, and taken in Fortran's order."""
        wanted = as_tuple(sizes[0]) if len(sizes) == 1 else sizes
        if order == "F":
            return creation.reshape_(self.T, wanted[::-1], copy=copy).T
        if order not in ("C", "A"):
            raise ArgumentError(f"reshape: order is 'C' or 'F', got {order!r}")
        return creation.reshape_(self, wanted, copy=copy)

    def transpose(self, *axes: Any) -> Any:
        """The axes in another order, reversed by default."""
        order = as_tuple(axes[0]) if len(axes) == 1 else axes
        return shape.permute_dims(self, order or tuple(range(self.ndim))[::-1])

    def squeeze(self, axis: Any = None) -> Any:
        """See ``unigrad.squeeze``."""
        return shape.squeeze(self, axis=axis)

    def flatten(self, order: str = "C") -> Any:
        """A copy with one axis, in C order or in Fortran's."""
        return self.reshape(-1, order=order, copy=True)

    def ravel(self, order: str = "C") -> Any:
        """One axis with every element, in C order or in Fortran's."""
        return self.reshape(-1, order=order)

    def astype(self, dtype: Any, *, copy: bool = True) -> Any:
        """See ``unigrad.astype``."""
        same = not copy and as_dtype(dtype) is self.dtype
        return self if same else elementwise.astype(self, dtype)

    def clip(self, min: Any = None, max: Any = None) -> Any:  # noqa: A002  (NumPy's names)
        """See ``unigrad.clip``."""
        return elementwise.clip(self, min, max)

    def take(self, indices: Any, axis: Any = None) -> Any:
        """See ``unigrad.take``."""
        return indexing.take(self, indices, axis=axis)

    def dot(self, other: Any) -> Any:
        """See ``unigrad.matmul``."""
        if self.ndim > 2 or getattr(other, "ndim", 0) > 2:  # noqa: PLR2004  (stacks of matrices)
            return contraction.tensordot(self, other, axes=((-1,), (-2,)))
        return contraction.matmul(self, other)

    def copy(self) -> TracedArray:
        """The same values, to assign to."""
        place = current_scope()
        node = node_of(self, place)
        return TracedArray(node, View(Memory(node, place or node.scope)))

    def __getitem__(self, key: Any) -> Any:
        arrays, template = self._key(key)
        return indexing.index([self, *arrays], template)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Be the array after the assignment: the handle stands for another value from now on.

        What is a view in NumPy, a slice or a transpose, changes with its base.
        """
        place = current_scope()
        node = node_of(self, place)
        arrays, template = self._key(key)
        if isinstance(value, TracedArray):
            node_of(value, place)
            if value.is_part(self, (indexing.index, (template,))):
                return  # y[1:] += x has changed what y[1:] looks at
        reason = self.fixed(place)
        if reason:
            raise self._refuse(reason, "")
        if isinstance(value, (list, tuple)):
            value = _namespace().asarray(value)
        made = assignment.assigned([TracedArray(node), value, *arrays], template)
        self.put(node_of(made, place))

    def overwritten(self, made: Any) -> Any:
        """The handle itself with the result of ``y += x``, where NumPy would write into it."""
        if not isinstance(made, TracedArray) or not self.ndim:
            return made  # a number does not change
        place = current_scope()
        fits = made.shape == self.shape and made.dtype is self.dtype
        if not fits or self.fixed(place):
            return made
        self.put(node_of(made, place))
        return self

    def _key(self, key: Any) -> tuple[list[Any], tuple[Any, ...]]:
        """The index arrays of a key, and the key with places for them."""
        entries = cast("tuple[Any, ...]", key) if isinstance(key, tuple) else (key,)
        arrays: list[Any] = []
        template: list[Any] = []
        for entry in entries:
            if isinstance(entry, (slice, type(None), type(Ellipsis), Dim, str)):
                template.append(entry)
            elif is_int(entry):
                template.append(int(entry))
            else:
                listed = isinstance(entry, list)
                arrays.append(np.asarray(cast("list[Any]", entry)) if listed else entry)
                template.append(indexing.PLACE)
        return arrays, tuple(template)

    def __iter__(self) -> Iterator[Any]:
        elements: list[Any] = []
        here = caller_origin()
        for position in range(len(self)):
            element = self[position]
            node: Node = element._node  # noqa: SLF001  (of this class)
            if here and node.origins[-1:] == here:  # "a, b = x" is one instruction
                node.origins = (*node.origins[:-1], (*here[0][:2], str(position)))
            elements.append(element)
        return iter(elements)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise self._refuse("has no length: it is a scalar", "")
        size = self.shape[0]
        if isinstance(size, Dim):
            raise self._refuse(
                f"has length {size}, known only when the function runs", "use x.shape[0]"
            )
        return size

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return other // self, other % self

    # -- comparison that Operators leaves to those who are no graph nodes --------------------------

    def __eq__(self, other: object) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return elementwise.equal(self, other)

    def __ne__(self, other: object) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return elementwise.not_equal(self, other)

    __hash__ = object.__hash__

    # -- protocols ---------------------------------------------------------------------------------

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        del api_version
        return _namespace()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from unigrad.trace.numpy_protocol import call_ufunc  # only when NumPy asks

        return call_ufunc(_namespace(), ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from unigrad.trace.numpy_protocol import call_function

        del types
        return call_function(_namespace(), function, args, kwargs)

    # -- what only a value can answer --------------------------------------------------------------

    def _refuse(self, what: str, advice: str) -> TracingError:
        node = self._node
        name = variable_name(node)
        text = f"the traced value {name + ' ' if name else ''}({told(node.type)}) {what}"
        places = locations(node)
        error = TracingError(f"{text}; {advice}" if advice else text)
        here = caller_location()
        if places and places[0] != here:
            error.add_note("it was made here:")
            locate(error, places[0])
            error.add_note("and used here:")
        return locate(error, here)

    def __bool__(self) -> bool:
        raise self._refuse(
            "has no truth value while the function is traced",
            "choose between values with ug.where(condition, a, b); a Python `if` needs an argument"
            " named in static=; for `and`, `or`, `not` of conditions write &, | and ~ (0 < x < 1 is"
            " (0 < x) & (x < 1)), for max and min ug.maximum and ug.minimum",
        )

    def _no_number(self) -> TracingError:
        from unigrad.trace.messages import instead_of_a_number  # only for a message

        return self._refuse(
            "is no Python number while the function is traced", instead_of_a_number(_namespace())
        )

    def __trunc__(self) -> int:
        raise self._no_number()

    def __getattr__(self, name: str) -> NoReturn:
        """Say what an attribute of another library's arrays is called here."""
        if name.startswith("_"):
            raise AttributeError(f"a traced value has no attribute {name!r}")
        from unigrad.trace.messages import no_attribute

        raise AttributeError(no_attribute(_namespace(), name))

    def __float__(self) -> float:
        raise self._no_number()

    def __int__(self) -> int:
        raise self._no_number()

    def __index__(self) -> int:
        raise self._no_number()

    def __complex__(self) -> complex:
        raise self._no_number()

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)  # as print shows it
        raise self._refuse(
            f"cannot be formatted as {spec!r}: it has no value while the function is traced",
            "return it and format the result of the call",
        )

    def __round__(self, digits: int | None = None) -> Any:
        del digits
        raise self._refuse(
            "cannot be rounded by Python's round", "use ug.round, which rounds to whole numbers"
        )

    def item(self) -> Any:
        """Refused: there is no value yet."""
        raise self._no_number()

    def tolist(self) -> Any:
        """Refused: there is no value yet."""
        raise self._no_number()

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        del args, kwargs
        raise self._refuse(
            "cannot become a NumPy array while the function is traced",
            "a NumPy array holds numbers alone: write ug.asarray([...]) for np.array([...]), make"
            " what you assign to with ug.zeros in place of np.zeros, and use functions of unigrad"
            " (or those of NumPy that unigrad knows)",
        )

    def __copy__(self) -> TracedArray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> TracedArray:
        del memo
        return self.copy()

    def __reduce__(self) -> NoReturn:
        raise self._refuse("cannot be pickled", "return it from the function instead")


def _no_namespace() -> Any:
    raise ArgumentError("the namespace of traced values is unigrad; import unigrad first")


_namespace: Callable[[], Any] = _no_namespace


def set_namespace(namespace: Callable[[], Any]) -> None:
    """Hand over the namespace that traced values answer with."""
    global _namespace  # noqa: PLW0603
    _namespace = namespace


# -- calling an op on traced values ----------------------------------------------------------------


def wrap(result: Any) -> Any:
    """The user's handle for a node, or for several."""
    if result.__class__ is Node:
        return TracedArray(result)
    return tuple(wrap(one) for one in result)


class OuterValueError(TracingError):
    """A function that is traced by itself met a value of a trace around it.

    Attributes:
        bodies: the outermost scope of the trace that the value belongs to.
    """

    bodies: Scope | None = None

    def __getstate__(self) -> dict[str, Any]:
        """The trace stays in its process."""
        return {name: value for name, value in self.__dict__.items() if name != "bodies"}


def node_of(value: TracedArray, place: Scope | None) -> Node:
    """The node behind a traced value, which must belong to a function that is running here."""
    node = value._node  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if place is None or not node.scope.open or node.scope.bodies is not place.bodies:
        raise _misplaced(node, place)
    return value.refresh()


ARGUMENT = "is an argument, which stays as the caller gave it"


def fixed(node: Node, why: str) -> TracedArray:
    """The user's handle for what is not ours, such as an input: nothing is assigned to it."""
    text = f"{why}; assign to a copy, y = x.copy()"
    return TracedArray(node, View(Memory(node, node.scope, text)))


def _name_of(node: Node) -> str:
    """What the user calls a value: its variable, or the argument that it is."""
    return variable_name(node) or (node.params[0] if node.op is INPUT else "")


def _misplaced(node: Node, place: Scope | None) -> TracingError:
    name = _name_of(node)
    label = f"the traced value {name + ' ' if name else ''}({told(node.type)})"
    if place is not None and node.scope.open:
        error = OuterValueError(
            f"{label} belongs to another function that is being traced; pass it as an argument"
        )
        error.bodies = node.scope.bodies
    else:
        error = TracingError(
            f"{label} was used after the function that made it had returned; return it instead"
        )
    places = locations(node)
    if places:
        error.add_note("it was made here:")
        locate(error, places[0])
        error.add_note("and used here:")
    return locate(error, caller_location())


def _trace(op: Op[...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    operands, params = op.bind(args, kwargs)
    place = current_scope()
    nodes = [node_of(one, place) if one.__class__ is TracedArray else one for one in operands]
    made = wrap(apply(op, place, nodes, params))  # pyright: ignore[reportArgumentType]
    if len(nodes) == 1 and op.name in VIEWS and operands[0].__class__ is TracedArray:
        made.look_at(operands[0], op, params)
    return made


def _augmented(plain: Callable[..., Any]) -> Callable[..., Any]:
    """``y += x``, of the method for ``y + x``."""

    def augmented(self: TracedArray, other: Any) -> Any:
        return self.overwritten(plain(self, other))

    return augmented


for _middle in INFIX.values():
    setattr(TracedArray, f"__i{_middle}__", _augmented(getattr(TracedArray, f"__{_middle}__")))

INTERPRETERS[TracedArray] = _trace
