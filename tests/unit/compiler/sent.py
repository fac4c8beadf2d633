"""A program whose functions go to other processes, by pickle, by cloudpickle and by a pool.

It prints what each of them gave there. Its argument is how they go.
"""

from __future__ import annotations

import json
import multiprocessing
import pickle
import subprocess
import sys
from typing import Any

import cloudpickle
import numpy as np

import unigrad as ug

WEIGHTS = np.array([1.0, 2.0])
X = np.ones(2)


@ug.function
def loss(x: Any) -> Any:
    return ug.sum(WEIGHTS * x * x)


class Model:
    factor = 3.0

    @ug.function
    def loss(self, x: Any) -> Any:
        return ug.sum(self.factor * x)


def plain(x: Any) -> Any:
    return ug.sum(WEIGHTS * x)


THINGS = {
    "function": loss, "gradient": ug.grad(loss), "of a plain one": ug.grad(plain),
    "method": Model().loss, "operation": ug.sin,
}  # fmt: skip
RUN = (
    "import sys, pickle, numpy as np;"
    "print(np.asarray(pickle.loads(sys.stdin.buffer.read())(np.ones(2))).tolist())"
)


def by_value(thing: Any) -> Any:
    """What a process says that knows nothing of this program."""
    done = subprocess.run(
        [sys.executable, "-c", RUN], input=cloudpickle.dumps(thing), capture_output=True, check=True
    )
    return json.loads(done.stdout)


def in_a_pool(things: list[Any]) -> list[Any]:
    """What a spawned process says, which imports this program."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return [np.asarray(pool.apply(thing, (X,))).tolist() for thing in things]


def main(how: str) -> None:
    """Send everything, and print what came back."""
    if how == "pool":
        found = in_a_pool(list(THINGS.values()))
    elif how == "value":
        inside = ug.function(lambda x: ug.sum(WEIGHTS * x))
        found = [by_value(thing) for thing in (*THINGS.values(), inside)]
    else:
        again = [pickle.loads(pickle.dumps(thing)) for thing in THINGS.values()]
        found = [np.asarray(thing(X)).tolist() for thing in again]
        found.append(again[0] is loss)
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
