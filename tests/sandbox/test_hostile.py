"""Every isolating backend against every hostile program: the host unchanged, no process left, the next run clean."""

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from palestra.sandbox import Limits, Sandbox, Session
from palestra.sandbox.inside.linux import descendants

from .hostile import PROGRAMS, TIMEOUT
from .rest import at_rest, comes_to

LIMITS = Limits(
    wall_s=30, cpu_s=1.5, memory_bytes=96 << 20, output_bytes=1 << 16, processes=24, disk_bytes=8 << 20, cpus=2
)


@dataclass
class Host:
    """Things of the host's that programs are after."""

    folder: Path
    port: int
    calls: list[socket.socket]

    def reveal(self, source: str) -> str:
        """Tell a program where they are."""
        source = source.replace("PORT", str(self.port)).replace("ABSTRACT", f"palestra-{os.getpid()}")
        return source.replace("SECRET_FILE", str(self.folder / "secret")).replace("SOCKET", str(self.folder / "socket"))

    def unchanged(self) -> bool:
        files = sorted(path.name for path in self.folder.iterdir())
        silent = all(not _called(call) for call in self.calls)
        return files == ["secret", "socket"] and (self.folder / "secret").read_text() == "secret" and silent


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    (folder / "secret").write_text("secret")
    (folder / "secret").chmod(0o644)
    tcp, named, abstract = (
        socket.create_server(("127.0.0.1", 0)),
        socket.socket(socket.AF_UNIX),
        socket.socket(socket.AF_UNIX),
    )
    named.bind(str(folder / "socket"))
    abstract.bind(f"\0palestra-{os.getpid()}")
    for call in (named, abstract):
        call.listen()
    for call in (tcp, named, abstract):
        call.setblocking(False)
    os.environ["PALESTRA_TEST_SECRET"] = "secret"
    yield Host(folder, tcp.getsockname()[1], [tcp, named, abstract])
    del os.environ["PALESTRA_TEST_SECRET"]
    for call in (tcp, named, abstract):
        call.close()


@pytest.fixture(scope="module")
def containers() -> Iterator[list[tuple[Session, bytes]]]:
    """The one container that all programs run in, and what it looks like empty: one for each would take long."""
    kept: list[tuple[Session, bytes]] = []
    yield kept
    for session, _ in kept:
        session.close()


@pytest.fixture
def arena(isolating: Sandbox, containers: list[tuple[Session, bytes]]) -> Iterator[Session]:
    if hasattr(isolating, "client"):
        if not containers:
            session = isolating.open(limits=LIMITS)
            containers.append((session, session.snapshot()))
        session, empty = containers[0]
        session.restore(empty)
        yield session
    else:
        with isolating.open(limits=LIMITS) as session:
            yield session


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_hostile_program_gets_nothing(arena: Session, isolating: Sandbox, host: Host, name: str) -> None:
    program = PROGRAMS[name]
    source = host.reveal(program.source)
    assert arena.run(["true"]).ok
    before = at_rest(lambda: _alive(isolating, arena))
    # What would stay for ever is not waited for; what works against a limit takes its time on a busy machine.
    result = arena.run(
        ["bash", "-c", source] if program.shell else source, timeout=1.5 if TIMEOUT in program.statuses else None
    )
    assert result.status in program.statuses, (result, result.error_text[-2000:])
    assert b"ESCAPED" not in result.stdout, result.text
    assert len(result.stdout) + len(result.stderr) <= LIMITS.output_bytes
    assert result.wall_s < LIMITS.wall_s + 10
    assert host.unchanged()
    assert comes_to(lambda: _alive(isolating, arena), before) == before
    size = _heartbeats(arena)
    after = arena.run(["true"])
    assert after.ok, after
    assert _heartbeats(arena) == size
    clean = arena.run("import os\nprint(len(os.listdir('/proc/self/fd')), os.getuid())")
    assert (clean.text, clean.error_text) == ("4 1000\n", "") or "modules" in name, clean


def test_there_are_enough_of_them() -> None:
    assert len(PROGRAMS) >= 40


def _alive(sandbox: Sandbox, session: Session) -> int:
    """How many processes the sandbox has."""
    if hasattr(sandbox, "client"):
        return len(sandbox.client.containers.get(session.container).top()["Processes"])
    return sum(len(descendants(pid)) for pid in sandbox.processes)


def _heartbeats(session: Session) -> int:
    time.sleep(0.02)
    try:
        return len(session.read("heartbeat"))
    except (FileNotFoundError, OSError, ValueError):
        return -1


def _called(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True
