"""That ten thousand runs leave nothing behind."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from palestra.sandbox import Limits, Sandbox, open_sandbox
from palestra.sandbox.inside.linux import descendants

from .rest import at_rest, comes_to

LIMITS = Limits(memory_bytes=64 << 20, disk_bytes=4 << 20)
PROGRAM = """
import os, threading
open('file', 'w').write('x' * 1000)
if os.fork() == 0:
    os.setsid()
    while True: pass
threading.Thread(target=print, args=('done',)).start()
"""


def _counts(sandbox: Sandbox) -> dict[str, object]:
    """What could pile up: processes, mounts, files, descriptors and control groups."""
    below = [sandbox.processes[0], *descendants(sandbox.processes[0])]
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    # os.walk leaves out the groups of other processes that vanish meanwhile; rglob raises.
    groups = [
        name
        for folder, names, _ in os.walk("/sys/fs/cgroup")
        if os.path.basename(folder).startswith(f"palestra-{os.getpid()}-")
        for name in names
    ]
    return {
        "processes": len(below),
        "mounts here": [line for line in mounts if line.startswith("files ") or "/newroot" in line],
        "mounts there": len(Path(f"/proc/{below[-1]}/mounts").read_text().splitlines()),
        "files": os.listdir(tempfile.gettempdir()),
        "descriptors here": len(os.listdir("/proc/self/fd")),
        "descriptors there": len(os.listdir(f"/proc/{below[-1]}/fd")),
        "groups": len(groups),
    }


def _memory(sandbox: Sandbox) -> int:
    """Bytes of this process and of those of the sandbox that stay."""
    total = 0
    for pid in [os.getpid(), sandbox.processes[0], *descendants(sandbox.processes[0])]:
        total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


def _runs(sandbox: Sandbox, count: int) -> None:
    for _ in range(count):
        result = sandbox.run(PROGRAM, limits=LIMITS)
        assert (result.text, result.exit_code) == ("done\n", 0), result


@pytest.fixture(autouse=True, scope="module")
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Temporary files go where no other program's are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("own")))
        yield


def test_runs_leave_nothing() -> None:
    with open_sandbox("bubblewrap") as sandbox:
        _runs(sandbox, 2)
        before = at_rest(lambda: _counts(sandbox))
        _runs(sandbox, 15)
        with sandbox.open(limits=LIMITS) as session:
            for _ in range(15):
                assert session.run(PROGRAM).ok
        assert comes_to(lambda: _counts(sandbox), before) == before


@pytest.fixture(scope="module")
def worn() -> Iterator[tuple[Sandbox, dict[str, object], int]]:
    """A sandbox that has run some programs, with its counts and its memory from then."""
    with open_sandbox("bubblewrap") as sandbox:
        _runs(sandbox, 300)
        yield sandbox, at_rest(lambda: _counts(sandbox)), at_rest(lambda: _memory(sandbox))


@pytest.mark.slow
@pytest.mark.parametrize("thousand", range(10))
def test_ten_thousand_runs_leave_nothing(worn: tuple[Sandbox, dict[str, object], int], thousand: int) -> None:
    sandbox, counts, memory = worn
    if thousand % 2:
        with sandbox.open(limits=LIMITS) as session:
            for _ in range(1000):
                assert session.run(PROGRAM).ok
    else:
        _runs(sandbox, 1000)
    assert comes_to(lambda: _counts(sandbox), counts) == counts
    assert at_rest(lambda: _memory(sandbox)) - memory < 2 << 20
