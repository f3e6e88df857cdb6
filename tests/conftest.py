"""What every test relies on: the palestra under test, and the files of the clone that it is compared with."""

from __future__ import annotations

import os
from pathlib import Path

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
