"""The contract's data, and a cache folder that is not the user's."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import palestra  # noqa: F401 - registers the environments
from palestra.envs.webshop import WebShop

DATA = Path(__file__).parents[1] / "data" / "webshop"


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def traces() -> dict[str, Any]:
    with gzip.open(DATA / "traces.json.gz", "rt", encoding="utf-8") as file:
        return json.load(file)


@pytest.fixture(scope="session")
def contract() -> Path:
    """The folder with the contract's catalogue of 220 products."""
    return DATA


@pytest.fixture
def shop() -> WebShop:
    """The embedded shop, bare."""
    env = gym.make("WebShop-v0").unwrapped
    assert isinstance(env, WebShop)
    return env
