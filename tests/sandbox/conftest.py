import os
from collections.abc import Iterator

import pytest

from palestra.sandbox import Sandbox, Session, open_sandbox

from .engine import IMAGE, make_image, running_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if os.geteuid() != 0:
        pytest.skip("an engine of the tests' own needs root")
    with running_engine(tmp_path_factory.mktemp("docker")) as address:
        make_image(address)
        yield address


@pytest.fixture(scope="session")
def bubblewrap() -> Iterator[Sandbox]:
    with open_sandbox("bubblewrap") as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def docker(engine: str) -> Iterator[Sandbox]:
    with open_sandbox("docker", image=IMAGE, base_url=engine) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def process() -> Iterator[Sandbox]:
    with open_sandbox("process") as sandbox:
        yield sandbox


@pytest.fixture(params=["bubblewrap", "docker", "process"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Each backend in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["bubblewrap", "docker"])
def isolating(request: pytest.FixtureRequest) -> Sandbox:
    """Each backend in turn that isolates."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[Session]:
    with sandbox.open() as session:
        yield session
