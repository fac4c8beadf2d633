"""What the tests of backends share: PyTorch on one thread, and JAX's flag as a caller sets it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """PyTorch's own forward mode and compiler still import what PyTorch has deprecated."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(
                pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
            )


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keep PyTorch to one thread while a file of tests runs."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[False, True], ids=["32 bits", "64 bits"])
def flag(request: pytest.FixtureRequest) -> Iterator[bool]:
    """The caller's own setting of ``jax_enable_x64``, which stays as it is."""
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", request.param)
    yield request.param
    assert jax.config.jax_enable_x64 is request.param
    jax.config.update("jax_enable_x64", before)
