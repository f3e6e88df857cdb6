"""What every test relies on: the palestra under test, and the files of the clone that it is compared with."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
WHEEL = os.environ.get("PALESTRA_TEST_WHEEL")
"""Folder that `make test` has unpacked the built wheel into; unset when the editable install is tested."""


# Read when torch is first imported, here and by what the tests start.  Small models gain nothing from more threads, and
# where the cores are shared, threads that wait for each other slow everything down.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Property tests try the same examples in every run, and take as long as a busy machine takes.
settings.register_profile("palestra", deadline=None, derandomize=True, database=None)
settings.load_profile("palestra")


def pytest_configure() -> None:
    import palestra

    found = Path(palestra.__file__).resolve().parent
    wanted = (ROOT / WHEEL / "palestra").resolve() if WHEEL else ROOT
    if found != wanted:
        raise pytest.UsageError(f"the tests are for palestra in {wanted}, but `import palestra` finds {found}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs an NVIDIA GPU")


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the clone, which is the source of the package."""
    return ROOT


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The folder that holds what the wheel installs; a test that needs it runs only under `make test`."""
    if not WHEEL:
        pytest.skip("looks at the wheel that `make test` builds")
    return ROOT / WHEEL


@pytest.fixture(scope="session")
def kill_sandbox() -> Callable[[Any], None]:
    """Kills the processes that hold a bubblewrap sandbox, and waits until all below them are dead, which takes the
    kernel a moment: until then a program may still be answered.
    """
    from palestra.sandbox.inside.linux import descendants

    def kill(sandbox: Any) -> None:
        below = [pid for process in sandbox.processes for pid in descendants(process)]
        for process in sandbox.processes:
            os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while any(Path(f"/proc/{pid}").exists() for pid in below):
            assert time.monotonic() < deadline, "the sandbox's processes outlive it"
            time.sleep(0.005)

    return kill
