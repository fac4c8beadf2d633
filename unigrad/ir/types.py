"""What is known of an array before it exists: its dtype, its shape, and how dtypes promote.

A :class:`TensorType` is interned, so that types compare by identity on the hot path of building a
graph. Promotion follows the Array API inside a kind and JAX's lattice across kinds; the type of a
Python number is *weak*: it takes the dtype of the array that it meets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard, cast, final

import numpy as np

from unigrad.errors import DTypeError, ShapeError
from unigrad.ir.dim_text import parse_size
from unigrad.ir.dims import Dim, DimSyntaxError, Size, product, symbols_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DTYPES",
    "DType",
    "NodeType",
    "Shape",
    "TensorType",
    "as_dtype",
    "broadcast_shapes",
    "byte_count",
    "dtype_named",
    "is_numpy",
    "promote",
    "promote_dtypes",
    "told",
]

Shape: TypeAlias = tuple[Size, ...]

NumPyArray: TypeAlias = "np.ndarray[Any, np.dtype[Any]] | np.generic[Any]"
"""What NumPy computes with: its arrays and its scalars."""

_KIND_RANK: Final = {"bool": 0, "uint": 1, "int": 1, "float": 2, "complex": 3}


class DType:
    """A number format, equal to every framework's name for it.

    ``ug.float32 == x.dtype`` holds for NumPy, PyTorch, TensorFlow and JAX arrays alike.

    Attributes:
        name: the Array API name (``"bfloat16"`` besides).
        kind: ``"bool"``, ``"uint"``, ``"int"``, ``"float"`` or ``"complex"``.
        itemsize: bytes per element.

    Example:
        >>> import numpy as np
        >>> import unigrad as ug
        >>> ug.float32 == np.zeros(2, np.float32).dtype
        True
    """

    __slots__ = ("_numpy", "itemsize", "kind", "name")

    def __init__(self, name: str, kind: str, itemsize: int) -> None:
        self.name = name
        self.kind = kind
        self.itemsize = itemsize
        self._numpy: np.dtype[Any] | None = None

    @property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype; ``bfloat16`` is the one of ``ml_dtypes``."""
        if self._numpy is None:
            if self.name == "bfloat16":
                import ml_dtypes  # only bfloat16 needs it

                self._numpy = np.dtype(ml_dtypes.bfloat16)
            else:
                self._numpy = np.dtype(self.name)
        return self._numpy

    @property
    def is_half(self) -> bool:
        """Whether this is a float of 16 bits, which counts to 256 or 2048 and no further."""
        return self.kind == "float" and self.itemsize == 2  # noqa: PLR2004

    @property
    def is_floating(self) -> bool:
        """Whether derivatives exist with respect to arrays of this dtype."""
        return self.kind in ("float", "complex")

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, DType):
            return False
        name = _name_of(other)
        return name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"unigrad.{self.name}"

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return (dtype_named, (self.name,))


DTYPES: Final[dict[str, DType]] = {
    name: DType(name, kind, size)
    for name, kind, size in (
        ("bool", "bool", 1),
        ("uint8", "uint", 1),
        ("uint16", "uint", 2),
        ("uint32", "uint", 4),
        ("uint64", "uint", 8),
        ("int8", "int", 1),
        ("int16", "int", 2),
        ("int32", "int", 4),
        ("int64", "int", 8),
        ("float16", "float", 2),
        ("bfloat16", "float", 2),
        ("float32", "float", 4),
        ("float64", "float", 8),
        ("complex64", "complex", 8),
        ("complex128", "complex", 16),
    )
}

_BY_NUMPY: Final[dict[np.dtype[Any], DType]] = {
    dtype.numpy: dtype for dtype in DTYPES.values() if dtype.name != "bfloat16"
}


def dtype_named(name: str) -> DType:
    """The dtype of that name; raises ``DTypeError`` and lists the known ones otherwise."""
    try:
        return DTYPES[name]
    except KeyError:
        known = ", ".join(DTYPES)
        raise DTypeError(f"unknown dtype {name!r}; the dtypes are {known}") from None


def _name_of(spelling: object) -> str | None:
    """The plain name in any framework's dtype object, or ``None`` if it is not one."""
    if isinstance(spelling, str):
        return spelling
    name = getattr(spelling, "name", None)
    if isinstance(name, str):  # numpy.dtype, tf.DType
        return name
    if isinstance(spelling, type):  # np.float32, float, jnp.float32's scalar type
        return getattr(spelling, "__name__", None)
    text = str(spelling)
    if text.startswith("torch."):
        return text.removeprefix("torch.")
    inner = getattr(spelling, "dtype", None)  # jnp.float32 is an object with a .dtype
    return getattr(inner, "name", None)


def _by_numpy(spelling: object) -> DType | None:
    return _BY_NUMPY.get(cast("Any", spelling)) if isinstance(spelling, np.dtype) else None


def is_numpy(value: object) -> TypeGuard[NumPyArray]:
    """Whether ``value`` is an array or a scalar of NumPy."""
    return isinstance(value, (np.ndarray, np.generic))


_PYTHON_NAMES: Final = {
    "float": "float64", "int": "int64", "bool_": "bool", "complex": "complex128",
}  # fmt: skip


def as_dtype(spelling: object) -> DType:
    """The :class:`DType` meant by a name, a NumPy dtype, or any framework's dtype object.

    Raises:
        DTypeError: if ``spelling`` names no dtype that unigrad knows.
    """
    if isinstance(spelling, DType):
        return spelling
    found = _by_numpy(spelling)
    if found is not None:
        return found
    name = _name_of(spelling)
    if name is None:
        raise DTypeError(f"{spelling!r} is not a dtype; the dtypes are {', '.join(DTYPES)}")
    return dtype_named(_PYTHON_NAMES.get(name, name))


@final
class TensorType:
    """The dtype and shape of one array; interned, so equal types are the same object.

    Attributes:
        dtype: the element type.
        shape: a tuple of ints and named dimensions.
        weak: whether it stands for a Python number, which takes the dtype of what it meets.
    """

    __slots__ = ("dtype", "ndim", "shape", "weak")

    dtype: DType
    shape: Shape
    weak: bool
    ndim: int

    def __new__(cls, dtype: DType, shape: Shape = (), *, weak: bool = False) -> TensorType:
        """The one object for this dtype, shape and weakness."""
        key = (dtype.name, shape, weak)
        known = _TYPES.get(key)
        if known is not None:
            return known
        self = super().__new__(cls)
        self.dtype = dtype
        self.shape = shape
        self.weak = weak
        self.ndim = len(shape)
        return _TYPES.setdefault(key, self)

    def with_shape(self, shape: Shape) -> TensorType:
        """The same dtype with another shape."""
        return TensorType(self.dtype, shape, weak=self.weak)

    def with_dtype(self, dtype: DType) -> TensorType:
        """The same shape with another dtype, strong."""
        return TensorType(dtype, self.shape)

    @property
    def size(self) -> Size:
        """The number of elements."""
        return product(self.shape)

    @property
    def is_floating(self) -> bool:
        """Whether derivatives exist with respect to arrays of this type."""
        return self.dtype.is_floating

    @property
    def is_symbolic(self) -> bool:
        """Whether a dimension has a name instead of a number."""
        return any(isinstance(size, Dim) for size in self.shape)

    @classmethod
    def parse(cls, text: str) -> TensorType:
        """Read ``"float64[n, 3]"``, ``"float32[]"``, ``"int64"``; of a number, ``"~float64"``.

        Raises:
            DTypeError: if the dtype is unknown or the text is no type at all.
        """
        match = _TYPE_TEXT.fullmatch(text)
        if match is None:
            raise DTypeError(
                f"{text!r} is not a type; a type is written like 'float64[n, 3]' or 'float64[]'"
            )
        weak, name, inside = match.groups()
        dtype = dtype_named(name)
        shape: list[Size] = []
        if inside is not None and inside.strip():
            for part in _BETWEEN_SIZES.split(inside):
                try:
                    size = parse_size(part)
                except DimSyntaxError as error:
                    raise DTypeError(f"{text!r} is not a type: {error}") from None
                if isinstance(size, int) and size < 0:
                    raise DTypeError(f"{text!r} is not a type: the size {size} is negative")
                shape.append(size)
        return cls(dtype, tuple(shape), weak=bool(weak))

    def __repr__(self) -> str:
        return f"{'~' if self.weak else ''}{self.dtype}[{', '.join(map(str, self.shape))}]"

    def __reduce__(self) -> tuple[Any, ...]:
        return (TensorType.parse, (repr(self),))


_BETWEEN_SIZES: Final = re.compile(r",(?!\s*0\s*\))")  # but the comma of max(n - 3, 0)
_TYPES: dict[tuple[str, Shape, bool], TensorType] = {}
_TYPE_TEXT: Final = re.compile(r"\s*(~?)\s*([a-z]+[0-9]*)\s*(?:\[([^\[\]]*)\])?\s*")

NodeType: TypeAlias = TensorType | tuple[TensorType, ...]


def told(type_: NodeType) -> str:
    """A type as a message tells it: that of a Python number by Python's name, and none with ``~``.

    Example:
        >>> told(TensorType.parse("~float64")), told(TensorType.parse("float64[n, 3]"))
        ('Python float', 'float64[n, 3]')
    """
    if isinstance(type_, tuple):
        return f"({', '.join(map(told, type_))})"
    if type_.weak and not type_.shape:
        return f"Python {type_.dtype.name.rstrip('0123456789')}"
    return str(type_).lstrip("~")


def promote_dtypes(a: DType, b: DType) -> DType:
    """The dtype that holds both: the Array API inside a kind, JAX's lattice across kinds."""
    if a is b:
        return a
    if _KIND_RANK[a.kind] > _KIND_RANK[b.kind]:
        a, b = b, a
    if _KIND_RANK[a.kind] < _KIND_RANK[b.kind]:
        if b.kind == "complex" and a.name == "float64":
            return DTYPES["complex128"]
        return b
    if a.kind == b.kind:
        if a.itemsize == b.itemsize:  # float16 with bfloat16: neither holds the other
            return DTYPES["float32"]
        return a if a.itemsize > b.itemsize else b
    unsigned, signed = (a, b) if a.kind == "uint" else (b, a)
    if unsigned.itemsize < signed.itemsize:
        return signed
    if unsigned.itemsize == 8:  # noqa: PLR2004  (no integer holds uint64 and a sign)
        return DTYPES["float64"]
    return DTYPES[f"int{16 * unsigned.itemsize}"]


def promote(a: TensorType, b: TensorType) -> tuple[DType, bool]:
    """The common dtype of two operands and whether the result is still weak."""
    if a.weak is b.weak:
        return promote_dtypes(a.dtype, b.dtype), a.weak
    weak, strong = (a, b) if a.weak else (b, a)
    if _KIND_RANK[weak.dtype.kind] <= _KIND_RANK[strong.dtype.kind]:
        return strong.dtype, False
    return weak.dtype, True  # of the number's kind, and still without a width of its own


def broadcast_shapes(shapes: Iterable[Shape]) -> Shape:
    """The shape that all broadcast to.

    Sizes of 1 stretch; a named dimension equals only itself, since its size is not known yet.

    Raises:
        ShapeError: naming the two sizes that do not fit.
    """
    given = list(shapes)
    result: list[Size] = []
    for shape in given:
        if len(shape) > len(result):
            result = [1] * (len(shape) - len(result)) + result
        offset = len(result) - len(shape)
        for position, size in enumerate(shape, offset):
            have = result[position]
            if have is size or size in (have, 1):
                continue
            if have == 1:
                result[position] = size
                continue
            text = " and ".join(_shape_text(shape) for shape in given)
            hint = ""
            if isinstance(have, Dim) or isinstance(size, Dim):
                hint = "; to declare two dimensions equal, give them the same name"
            raise ShapeError(
                f"shapes {text} do not broadcast: {have} and {size} differ"
                f" at axis {position - len(result)}{hint}"
            )
    return tuple(result)


def _shape_text(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def byte_count(type_: TensorType) -> int | None:
    """Bytes that an array of this type takes; ``None`` if a dimension is only named."""
    size = type_.size
    return size * type_.dtype.itemsize if isinstance(size, int) and not symbols_of(size) else None
