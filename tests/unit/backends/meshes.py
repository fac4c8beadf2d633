"""A program that calls one function with arrays on meshes of eight devices, and says what came out.

The devices of a process are counted before JAX starts: so it is a program of its own. It prints the
largest difference from the gradient on one device, or the error, for each way to call.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import unigrad as ug

if TYPE_CHECKING:
    from collections.abc import Callable

AXES = ("Auto", "Explicit")
SPREADS = {
    "data": ((8,), ("data",), [("data",), ("data",), (), (), ()]),
    "data and model": (
        (4, 2), ("data", "model"), [("data",), ("data",), (None, "model"), ("model",), ("model",)]
    ),
}  # fmt: skip
"""For each mesh its sizes, its axes and how the five arguments lie on it."""


def network(X: Any, y: Any, W: Any, b: Any, w: Any) -> Any:
    return ug.mean((ug.tanh(X @ W + b) @ w - y) ** 2)


def by_hand(X: Any, y: Any, W: Any, b: Any, w: Any) -> Any:
    return jax.numpy.mean((jax.numpy.tanh(X @ W + b) @ w - y) ** 2)


PARAMETERS = (2, 3, 4)
ours = ug.function(network)


def along_ones(X: Any, y: Any, *parameters: Any) -> Any:
    """The Hessian of the loss, times ones, by JAX: forward over reverse of our one operation."""
    gradient = jax.grad(lambda *inner: ours(X, y, *inner), argnums=(0, 1, 2))
    return jax.jvp(gradient, parameters, tuple(jax.numpy.ones_like(one) for one in parameters))[1]


CALLS: dict[str, Callable[..., Any]] = {
    "jit": ug.value_and_grad(network, PARAMETERS, target="jax:jit"),
    "eager": ug.value_and_grad(network, PARAMETERS, target="jax:eager"),
    "native": ug.value_and_grad(network, PARAMETERS, target="jax:jit", autodiff="native"),
    "inside jit": jax.jit(ug.value_and_grad(network, PARAMETERS)),
    "on the tape": jax.value_and_grad(ours, PARAMETERS),
    "on the tape inside jit": jax.jit(jax.value_and_grad(ours, PARAMETERS)),
    "second order": jax.jit(along_ones),
}


def arguments() -> list[Any]:
    random = np.random.default_rng(0)
    return [random.normal(size=shape) for shape in ((16, 4), (16,), (4, 6), (6,), (6,))]


def expected(call: str) -> Any:
    arrays = [jax.numpy.asarray(one) for one in arguments()]
    if call != "second order":
        return jax.value_and_grad(by_hand, PARAMETERS)(*arrays)
    gradient = jax.grad(lambda *inner: by_hand(*arrays[:2], *inner), argnums=(0, 1, 2))
    return jax.jvp(gradient, tuple(arrays[2:]), tuple(jax.numpy.ones_like(x) for x in arrays[2:]))[
        1
    ]


def difference(call: str, arrays: list[Any]) -> Any:
    try:
        found = jax.tree.leaves(CALLS[call](*arrays))
    except Exception as error:  # noqa: BLE001  (whatever it is, it is what came out)
        return f"{type(error).__name__}: {error}"
    wanted = jax.tree.leaves(expected(call))
    return max(
        float(np.max(np.abs(np.asarray(x) - np.asarray(y))))
        for x, y in zip(found, wanted, strict=True)
    )


def spread(sizes: Any, names: Any, specs: Any, axes: str) -> tuple[Any, list[Any]]:
    mesh = jax.make_mesh(sizes, names, axis_types=(AxisType[axes],) * len(names))
    places = [NamedSharding(mesh, PartitionSpec(*spec)) for spec in specs]
    return mesh, [jax.device_put(x, at) for x, at in zip(arguments(), places, strict=True)]


def main() -> None:
    """Print what each call gave, by its name, as one JSON object."""
    found: dict[str, Any] = {}
    for name, (sizes, names, specs) in SPREADS.items():
        for axes in AXES:
            mesh, arrays = spread(sizes, names, specs, axes)
            # Outside of a mesh's context JAX itself cannot start a derivative on explicit axes.
            for context in ("", "set") if axes == "Auto" else ("set",):
                with jax.set_mesh(mesh) if context else contextlib.nullcontext():
                    for call in CALLS:
                        mixed = [*arguments()[:2], *arrays[2:]]
                        label = f"{axes} {name} {context} {call}"
                        found[label] = difference(call, arrays)
                        found[f"{label}, data from NumPy"] = difference(call, mixed)
            if axes == "Explicit":
                for call in ("jit", "eager", "inside jit", "on the tape inside jit"):
                    found[f"{axes} {name} {call}"] = difference(call, arrays)
    with jax.disable_jit():
        found |= {f"without jit {call}": difference(call, arguments()) for call in CALLS}
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003
    main()
