"""Arrays on a mesh of devices whose axes are explicit.

On such a mesh an array's type says how it is spread, and JAX refuses what leaves the spreading of a
result open, such as the product ``X.T @ ct`` over a spread axis. A derivative is full of those. So
our code is partitioned by the compiler, as on any other mesh, and its results are given the
spreading that the compiler chose for them.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

__all__ = ["partitioned"]

_jax: Any = cast("Any", jax)


def partitioned(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` of arrays, left to the compiler where a mesh with explicit axes is involved."""
    chosen: dict[Hashable, Any] = {}  # a mesh is hashed by what it is: there are few

    @functools.wraps(function)
    def call(*arrays: Any) -> Any:
        mesh = _explicit(arrays)
        if mesh is None:
            return function(*arrays)
        types = tuple([_jax.typeof(one) for one in arrays])
        if (mesh, types) not in chosen:
            chosen[mesh, types] = _chosen(function, mesh, types)
        with _jax.sharding.use_abstract_mesh(mesh):
            spread = _jax.sharding.auto_axes(function, out_sharding=chosen[mesh, types])
            return spread(*arrays)

    return call


def _explicit(arrays: Sequence[Any]) -> Any:
    """The mesh with explicit axes that one of ``arrays`` lies on, without its devices."""
    for one in arrays:
        if isinstance(one, jax.Array):
            mesh = _jax.typeof(one).sharding.mesh
            if AxisType.Explicit in mesh.axis_types:
                return mesh
    return None


def _chosen(function: Callable[..., Any], mesh: Any, types: Sequence[Any]) -> Any:
    """How the compiler spreads the results of ``function`` when it may choose."""
    count = mesh.size
    devices = np.array(_jax.devices()[:count]).reshape(mesh.axis_sizes)
    automatic = Mesh(devices, mesh.axis_names, axis_types=(AxisType.Auto,) * len(mesh.axis_names))
    specs = [
        _jax.ShapeDtypeStruct(
            one.shape, one.dtype, sharding=NamedSharding(automatic, one.sharding.spec)
        )
        for one in types
    ]
    with _jax.sharding.use_abstract_mesh(automatic.abstract_mesh):
        found = _jax.jit(function).lower(*specs).compile().output_shardings
    return _jax.tree.map(_spec, found)


def _spec(sharding: Any) -> Any:
    return sharding.spec
