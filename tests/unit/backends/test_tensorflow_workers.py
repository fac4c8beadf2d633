"""Several processes of TensorFlow: devices are named as the cluster names them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

ROOT = Path(__file__).parents[3]


def free_address() -> str:
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return f"localhost:{one.getsockname()[1]}"


def test_two_workers_see_the_mean_of_their_gradients() -> None:
    addresses = [free_address(), free_address()]
    program = [sys.executable, "-m", "tests.unit.backends.workers"]
    workers = [
        subprocess.Popen(
            [*program, str(number), *addresses],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(2)
    ]  # fmt: skip
    try:
        printed = [worker.communicate(timeout=120) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0], printed
    found = [json.loads(out) for out, _ in printed]
    assert [one["own"] for one in found] == [[36.0, 51.0, 66.0], [396.0, 447.0, 498.0]]
    assert [one["both"] for one in found] == [[216.0, 249.0, 282.0]] * 2
