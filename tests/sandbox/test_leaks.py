"""That ten thousand runs leave nothing behind."""

import os
from pathlib import Path

import pytest

from palestra.sandbox import Limits, Sandbox, open_sandbox
from palestra.sandbox.inside.linux import descendants

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
    temporary = [path.name for path in Path("/tmp").iterdir() if path.name.startswith("palestra-")]
    groups = [path for path in Path("/sys/fs/cgroup").rglob(f"palestra-{os.getpid()}-*/*") if path.is_dir()]
    return {
        "processes": len(below),
        "mounts here": len(Path("/proc/self/mounts").read_text().splitlines()),
        "mounts there": len(Path(f"/proc/{below[-1]}/mounts").read_text().splitlines()),
        "files": sorted(temporary),
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


def test_runs_leave_nothing() -> None:
    with open_sandbox("bubblewrap") as sandbox:
        _runs(sandbox, 2)
        before = _counts(sandbox)
        _runs(sandbox, 15)
        with sandbox.open(limits=LIMITS) as session:
            for _ in range(15):
                assert session.run(PROGRAM).ok
        assert _counts(sandbox) == before


@pytest.mark.slow
def test_ten_thousand_runs_leave_nothing() -> None:
    with open_sandbox("bubblewrap") as sandbox:
        _runs(sandbox, 500)
        before, memory = _counts(sandbox), _memory(sandbox)
        _runs(sandbox, 4750)
        with sandbox.open(limits=LIMITS) as session:
            for _ in range(4750):
                assert session.run(PROGRAM).ok
        assert _counts(sandbox) == before
        assert _memory(sandbox) - memory < 2 << 20
