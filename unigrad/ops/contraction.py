"""Sums of products: ``matmul``, ``tensordot``, ``einsum`` (path by opt_einsum), transposition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from unigrad.errors import ArgumentError, ShapeError
from unigrad.ir.dims import Dim
from unigrad.ir.nodes import Node, tensor
from unigrad.ir.types import TensorType, broadcast_shapes
from unigrad.ops.cotangents import scale_to, unless_dead
from unigrad.ops.elementwise import equal, logical_and, where
from unigrad.ops.families import as_tuple, is_int, normalise_axis, operation
from unigrad.ops.shape import (
    broadcast_to,
    expand_dims,
    iota,
    permute_dims,
    squeeze,
    unbroadcast,
)  # fmt: skip
from unigrad.ops.spec import Array, composite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unigrad.ir.dims import Size
    from unigrad.ir.types import Shape

__all__ = ["einsum", "matmul", "matrix_transpose", "tensordot"]


def _infer_matmul(operands: tuple[Node, ...]) -> TensorType:
    x, y = (tensor(operand) for operand in operands)
    if x.ndim == 0 or y.ndim == 0:
        raise ShapeError("takes vectors and matrices, not scalars; use *")
    inner_x, inner_y = x.shape[-1], y.shape[-2] if y.ndim > 1 else y.shape[0]
    if inner_x != inner_y:
        raise ShapeError(
            f"shapes {x.shape} and {y.shape} do not fit: {inner_x} and {inner_y} differ"
        )
    shape = broadcast_shapes((x.shape[:-2], y.shape[:-2]))
    rows = x.shape[-2:-1] if x.ndim > 1 else ()
    columns = y.shape[-1:] if y.ndim > 1 else ()
    return TensorType(x.dtype, (*shape, *rows, *columns))


@operation(_infer_matmul, kinds="numeric", infix="@")
def matmul(x: Array, y: Array, /) -> Any:
    """Matrix product of the last two axes; a vector counts as a row on the left, a column right."""
    return np.matmul(x, y)


@matmul.vjp
def _(g: Node, out: Node, x: Node, y: Node) -> tuple[Any, ...]:
    del out
    if x.ndim == 1 and y.ndim == 1:
        return scale_to(g, y, y.shape), scale_to(g, x, x.shape)
    if y.ndim == 1:
        x_ct = scale_to(expand_dims(g, axis=-1), y, x.shape)
        return x_ct, _from_vector(matrix_transpose(x), g, y)
    if x.ndim == 1:
        y_ct = scale_to(expand_dims(g, axis=-2), expand_dims(x, axis=-1), y.shape)
        return _from_vector(y, g, x), y_ct
    *batch, row, column = range(g.ndim)
    return (
        unbroadcast(unless_dead(g, matmul(g, matrix_transpose(y)), (*batch, row, None)), x.shape),
        unbroadcast(
            unless_dead(g, matmul(matrix_transpose(x), g), (*batch, None, column)), y.shape
        ),
    )


def _from_vector(matrix: Any, g: Node, vector: Node) -> Any:
    """``matrix @ g``, summed over a batch along which ``vector`` was repeated."""
    if g.ndim == 1:
        return unless_dead(g, matmul(matrix, g), (None,))
    column = expand_dims(g, axis=-1)
    kept = (*range(g.ndim - 1), None, g.ndim)
    product_ = unless_dead(column, matmul(matrix, column), kept)
    return unbroadcast(squeeze(product_, axis=-1), vector.shape)


@composite
def matrix_transpose(x: Array, /) -> Any:
    """The last two axes of ``x`` exchanged."""
    if x.ndim < 2:  # noqa: PLR2004
        raise ShapeError(f"matrix_transpose: takes two axes or more, got shape {x.shape}")
    return permute_dims(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


# -- tensordot -------------------------------------------------------------------------------------


def _normalise_tensordot(operands: tuple[Node, ...], axes: Any) -> tuple[Any, ...]:
    x, y = operands
    if is_int(axes):
        if not 0 <= axes <= min(x.ndim, y.ndim):
            raise ShapeError(f"axes={axes} sums over more axes than there are")
        return ((tuple(range(x.ndim - axes, x.ndim)), tuple(range(axes))),)
    pair = as_tuple(axes)
    if len(pair) != 2:  # noqa: PLR2004
        raise ArgumentError(f"axes is an int or a pair of sequences, got {axes!r}")
    left = tuple(normalise_axis(axis, x.ndim) for axis in as_tuple(pair[0]))
    right = tuple(normalise_axis(axis, y.ndim) for axis in as_tuple(pair[1]))
    if len(set(left)) < len(left) or len(set(right)) < len(right):
        raise ShapeError(f"axes={axes} names an axis twice")
    return ((left, right),)


def _infer_tensordot(operands: tuple[Node, ...], axes: Any) -> TensorType:
    x, y = (tensor(operand) for operand in operands)
    left, right = axes
    if [x.shape[axis] for axis in left] != [y.shape[axis] for axis in right]:
        raise ShapeError(f"axes {left} of {x.shape} and {right} of {y.shape} do not fit")
    kept = [size for axis, size in enumerate(x.shape) if axis not in left]
    kept += [size for axis, size in enumerate(y.shape) if axis not in right]
    return TensorType(x.dtype, tuple(kept))


@operation(_infer_tensordot, kinds="numeric", normalise=_normalise_tensordot)
def tensordot(x: Array, y: Array, /, *, axes: Any = 2) -> Any:
    """Sum of products over axes: an int (the last of ``x``, the first of ``y``) or pairs."""
    return np.tensordot(x, y, axes=axes)


@tensordot.vjp
def _(g: Node, out: Node, x: Node, y: Node, *, axes: Any) -> tuple[Any, ...]:
    del out
    left, right = axes
    free_x = [axis for axis in range(x.ndim) if axis not in left]
    free_y = [axis for axis in range(y.ndim) if axis not in right]
    g_x, g_y = tuple(range(len(free_x))), tuple(range(len(free_x), g.ndim))
    # The remaining axes of the other operand come out in their own order: put each in its place.
    others = (None,) * len(left)
    x_ct = unless_dead(g, tensordot(g, y, axes=(g_y, tuple(free_y))), (*g_x, *others))
    y_ct = unless_dead(g, tensordot(x, g, axes=(tuple(free_x), g_x)), (*others, *g_y))
    order_x = [*free_x, *(left[right.index(axis)] for axis in sorted(right))]
    order_y = [*(right[left.index(axis)] for axis in sorted(left)), *free_y]
    return _in_order(x_ct, order_x), _in_order(y_ct, order_y)


def _in_order(x: Any, axes: Sequence[int]) -> Any:
    """``x``, whose i-th axis belongs at place ``axes[i]``, with its axes in place."""
    order = tuple(sorted(range(len(axes)), key=lambda i: axes[i]))
    return x if order == tuple(range(len(axes))) else permute_dims(x, order)


# -- einsum ----------------------------------------------------------------------------------------


def _split(subscripts: str) -> tuple[list[str], str]:
    inputs, _, output = subscripts.partition("->")
    return inputs.split(","), output


def _sizes(inputs: Sequence[str], shapes: Sequence[Shape], subscripts: str) -> dict[str, Size]:
    """The size that each label stands for; ``subscripts`` as written, for the message."""
    sizes: dict[str, Size] = {}
    for labels, shape in zip(inputs, shapes, strict=True):
        if len(labels) != len(shape):
            raise ShapeError(f"{labels!r} in {subscripts!r} does not name the axes of {shape}")
        for label, size in zip(labels, shape, strict=True):
            if sizes.setdefault(label, size) != size:
                what = f"the label {label!r}" if label in subscripts else "an axis of the ellipsis"
                raise ShapeError(
                    f"{what} in {subscripts!r} stands for sizes {sizes[label]} and {size}"
                )
    return sizes


def _infer_einsum(operands: tuple[Node, ...], subscripts: str) -> TensorType:
    inputs, output = _split(subscripts)
    sizes = _sizes(inputs, [operand.shape for operand in operands], subscripts)
    return TensorType(tensor(operands[0]).dtype, tuple(sizes[label] for label in output))


@operation(_infer_einsum, kinds="numeric", public=False)
def contract(arrays: Sequence[Array], subscripts: str) -> Any:
    """``einsum`` of one or two operands, with explicit output and no ellipsis."""
    return np.einsum(subscripts, *arrays)


@contract.vjp
def _(g: Node, out: Node, *arrays: Node, subscripts: str) -> tuple[Any, ...]:
    del out
    inputs, output = _split(subscripts)
    cotangents: list[Any] = []
    for position, array in enumerate(arrays):
        others = [(inputs[i], other) for i, other in enumerate(arrays) if i != position]
        cotangents.append(_einsum_cotangent(g, output, others, inputs[position], array))
    return tuple(cotangents)


def contracted(nodes: Sequence[Any], inputs: Sequence[str], output: str) -> Any:
    """A contraction of one or two operands, as a plainer op where there is one."""
    plain = all(len(set(labels)) == len(labels) for labels in inputs)
    if plain and len(nodes) == 1:
        (x,), (labels,) = nodes, inputs
        if set(labels) == set(output):
            order = tuple(labels.index(label) for label in output)
            return x if labels == output else permute_dims(x, order)
    if plain and len(nodes) == 2:  # noqa: PLR2004
        (x, y), (left, right) = nodes, inputs
        shared = [label for label in left if label in right]
        if len(shared) == 1 and shared[0] not in output and len(left) <= 2 and len(right) <= 2:  # noqa: PLR2004
            k = shared[0]
            free = (left.replace(k, ""), right.replace(k, ""))
            if set("".join(free)) == set(output):
                return _as_matmul(x, y, left, right, k, output, free)
    return contract(nodes, f"{','.join(inputs)}->{output}")


def _as_matmul(
    x: Any, y: Any, left: str, right: str, k: str, output: str, free: tuple[str, str]
) -> Any:
    """A contraction of vectors and matrices over one label as a matrix product."""
    if output == free[1] + free[0] and free[0] and free[1]:
        x, y, left, right = y, x, right, left
    x = matrix_transpose(x) if len(left) > 1 and left[-1] != k else x
    y = matrix_transpose(y) if len(right) > 1 and right[0] != k else y
    return matmul(x, y)


def _einsum_cotangent(
    g: Node, output: str, others: list[tuple[str, Node]], labels: str, array: Node
) -> Any:
    """The cotangent of the operand ``labels``: repeated ones on a diagonal, missing ones spread."""
    unique = "".join(dict.fromkeys(labels))
    known = set(output).union(*(set(other) for other, _ in others))
    present = "".join(label for label in unique if label in known)
    terms = [output, *(other for other, _ in others)]
    result = contracted([g, *(node for _, node in others)], terms, present)
    if others:
        places = {label: axis for axis, label in enumerate(output)}
        result = unless_dead(g, result, tuple(map(places.get, present)))
    sizes = dict(zip(labels, array.shape, strict=True))
    if present != unique:
        missing = tuple(i for i, label in enumerate(unique) if label not in known)
        result = broadcast_to(expand_dims(result, axis=missing), tuple(sizes[c] for c in unique))
    if unique == labels:
        return result
    return _on_diagonals(result, unique, labels, sizes)


def _on_diagonals(result: Any, unique: str, labels: str, sizes: dict[str, Any]) -> Any:
    """Zeros but where equal labels have equal indices."""
    shape = tuple(sizes[label] for label in labels)
    first = tuple(labels.index(label) for label in unique)
    order = sorted(range(len(unique)), key=lambda i: first[i])
    result = permute_dims(result, tuple(order))
    new = tuple(i for i in range(len(labels)) if i not in first)
    result = broadcast_to(expand_dims(result, axis=new), shape)
    inside: Any = None
    for place, label in enumerate(labels):
        if place not in first:
            same = equal(iota(shape, place, "int64"), iota(shape, labels.index(label), "int64"))
            inside = same if inside is None else logical_and(inside, same)
    return where(inside, result, 0)


def _explicit(subscripts: str, ndims: list[int]) -> tuple[list[str], str]:
    """Subscripts with an explicit output and letters in place of ellipses."""
    text = subscripts.replace(" ", "")
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ndims):
        raise ArgumentError(
            f"einsum: {subscripts!r} names {len(inputs)} operands, got {len(ndims)}"
        )
    if not all(c.isalpha() or c in ",.->" for c in text):
        raise ArgumentError(f"einsum: {subscripts!r} is not of the form 'ij,jk->ik'")
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in text]
    longest = 0
    spans: list[int] = []
    for labels, ndim in zip(inputs, ndims, strict=True):
        span = ndim - len(labels.replace("...", "")) if "..." in labels else 0
        if span < 0:
            raise ShapeError(f"einsum: {labels!r} names more axes than the {ndim} there are")
        spans.append(span)
        longest = max(longest, span)
    batch = "".join(free[:longest])
    inputs = [
        labels.replace("...", batch[longest - span :]) if "..." in labels else labels
        for labels, span in zip(inputs, spans, strict=True)
    ]
    if arrow:
        output = output.replace("...", batch)
    else:
        joined = "".join(inputs)
        output = batch + "".join(
            c for c in sorted(set(joined)) if joined.count(c) == 1 and c not in batch
        )
    if len(set(output)) != len(output) or not set(output) <= set("".join(inputs)):
        raise ArgumentError(
            f"einsum: the output {output!r} does not follow from {','.join(inputs)!r}"
        )
    return inputs, output


def _without_stretched(inputs: Sequence[str], arrays: Sequence[Any]) -> tuple[list[str], list[Any]]:
    """Operands without the axes of size 1 that others stretch: their labels stand there alone."""
    pairs = [
        (label, size)
        for labels, array in zip(inputs, arrays, strict=True)
        for label, size in zip(labels, array.shape, strict=False)
    ]
    longer = {label for label, size in pairs if size != 1}
    kept: list[str] = []
    nodes: list[Any] = []
    for labels, array in zip(inputs, arrays, strict=True):
        axes = tuple(
            axis
            for axis, (label, size) in enumerate(zip(labels, array.shape, strict=False))
            if size == 1 and label in longer and labels.count(label) == 1
        )
        kept.append("".join(label for axis, label in enumerate(labels) if axis not in axes))
        nodes.append(squeeze(array, axis=axes) if axes else array)
    return kept, nodes


@composite
def einsum_(arrays: Sequence[Array], subscripts: str) -> Any:
    """The body of ``einsum``: pairwise contractions along the path that opt_einsum finds."""
    inputs, output = _explicit(subscripts, [array.ndim for array in arrays])
    inputs, nodes = _without_stretched(inputs, arrays)
    _sizes(inputs, [node.shape for node in nodes], subscripts)
    if len(nodes) > 2:  # noqa: PLR2004
        import opt_einsum  # only a product of three or more has a path

        # A named dimension counts as 64 elements: the path only weighs costs.
        shapes = [tuple(64 if isinstance(s, Dim) else s for s in node.shape) for node in nodes]
        terms = f"{','.join(inputs)}->{output}"
        path, _ = opt_einsum.contract_path(terms, *shapes, shapes=True)
        for pair in cast("list[tuple[int, ...]]", path)[:-1]:
            chosen = sorted(pair, reverse=True)
            taken = [(inputs.pop(i), nodes.pop(i)) for i in chosen]
            needed = set(output).union(*(set(labels) for labels in inputs))
            labels = "".join(dict.fromkeys(c for names, _ in taken for c in names if c in needed))
            nodes.append(contracted([n for _, n in taken], [names for names, _ in taken], labels))
            inputs.append(labels)
    return contracted(nodes, inputs, output)


def einsum(subscripts: str, /, *operands: Array) -> Array:
    """Sum of products in Einstein's notation, ``'ij,jk->ik'``, with ellipses and repeated labels.

    An axis of size 1 is repeated as often as its label says elsewhere. Three or more operands are
    contracted pairwise, along the path that opt_einsum finds.

    Raises:
        ArgumentError: if the subscripts do not fit the number of operands.
        ShapeError: if a label stands for different sizes.

    Example:
        >>> import numpy as np, unigrad as ug
        >>> ug.einsum("ii->", np.eye(3))
        np.float64(3.0)
    """
    if not isinstance(subscripts, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"einsum: subscripts are a string, got {type(subscripts).__name__}")
    return einsum_(operands, subscripts)
