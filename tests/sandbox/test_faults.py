"""What happens when the sandbox itself is killed, stopped or forbidden."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gymnasium as gym
import pytest

from palestra import EnvironmentFault
from palestra.sandbox import Limits, RunStatus, Sandbox, SandboxFault, SandboxUnavailable, Session, open_sandbox
from palestra.sandbox.asynchronous import AsyncSandbox
from palestra.sandbox.inside.linux import descendants

from .rest import comes_to


def _soon(action: object, *arguments: object) -> threading.Timer:
    timer = threading.Timer(0.5, action, arguments)  # type: ignore[arg-type]
    timer.start()
    return timer


def _below(sandbox: Sandbox) -> dict[str, list[int]]:
    """The processes of a bubblewrap sandbox with one session in which one program runs, by what they are."""
    outer = sandbox.processes[0]
    line = descendants(outer)
    return {
        "bubblewrap": [outer],
        "first": line[:1],
        "zygote": line[1:2],
        "session": line[2:3],
        "supervisor": line[3:4],
    }


@pytest.mark.parametrize("victim", ["bubblewrap", "first", "zygote", "session", "supervisor"])
def test_a_sandbox_that_is_killed_is_a_fault(victim: str) -> None:
    with open_sandbox("bubblewrap") as sandbox:
        session = sandbox.open()
        assert session.run("1").ok
        timer = _soon(lambda: os.kill(_below(sandbox)[victim][0], signal.SIGKILL))
        result = session.run("import os, time\nif os.fork() == 0: os.setsid()\ntime.sleep(100)", timeout=60)
        timer.join()
        assert (result.status, result.exit_code) == (RunStatus.FAULT, None)
        assert result.reason
        assert result.wall_s < 50
        if victim != "supervisor":
            assert not session.alive
            assert session.run("1").status is RunStatus.FAULT
            with pytest.raises(SandboxFault):
                session.read("x")
        other = sandbox.open()  # whatever was killed is there again
        assert other.run("print(1)").text == "1\n"
        session.close()
        assert other.run("print(2)").text == "2\n"
        left = sandbox.processes[0]
    assert not Path(f"/proc/{left}").exists()


def test_what_waits_for_the_next_run_is_replaced_when_it_is_killed() -> None:
    with open_sandbox("bubblewrap") as sandbox, sandbox.open() as session:
        assert session.run("1").ok
        for depth in (3, 4):  # the supervisor, and the program that it has begun ahead
            assert comes_to(lambda: len(descendants(sandbox.processes[0])), 5) == 5
            os.kill(descendants(sandbox.processes[0])[depth], signal.SIGKILL)
            time.sleep(0.5)  # the one that is killed in the midst of an order is a fault
            assert session.run("import os; print(os.getpid())").text == "2\n"


def test_a_run_finds_nothing_of_the_one_before() -> None:
    queue = "import ctypes\nprint(ctypes.CDLL(None).msgget(2026, {flags}) >= 0)"
    child = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(100)\nprint(os.getpid())"
    with open_sandbox("bubblewrap") as sandbox, sandbox.open() as session:
        assert session.run(queue.format(flags="0o1600")).text == "True\n"  # IPC_CREAT, for its user
        assert session.run(queue.format(flags="0")).text == "False\n"
        numbers = {session.run(child).text for _ in range(3)}
        assert numbers == {"2\n"}


def test_a_container_that_is_killed_is_a_fault(docker: Sandbox) -> None:
    with docker.open() as session:
        assert session.run("1").ok
        _soon(lambda: docker.client.containers.get(session.container).kill())
        result = session.run("import time; time.sleep(100)", timeout=60)
        assert (result.status, result.reason) == (RunStatus.FAULT, "the container was lost")
        with pytest.raises(SandboxFault, match="lost"):
            session.files()


def test_everything_ends_with_the_process_that_opened_it(tmp_path: Path) -> None:
    program = (
        "import sys, os, time\nfrom palestra.sandbox import open_sandbox\n"
        "sandbox = open_sandbox(sys.argv[1]); session = sandbox.open()\n"
        "print(sandbox.processes[0], flush=True)\n"
        "session.run('import os\\nwhile True:\\n    try: os.fork()\\n    except OSError: pass')\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, "bubblewrap"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    outer = int(child.stdout.readline())
    deadline = time.monotonic() + 30
    while len(below := descendants(outer)) < 10 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(below) >= 10
    child.kill()
    child.wait()
    child.stdout.close()
    while any(Path(f"/proc/{pid}").exists() for pid in [outer, *below]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in [outer, *below] if Path(f"/proc/{pid}").exists()]


def test_it_outlives_the_thread_that_opened_it() -> None:
    opened: list[Sandbox] = []
    thread = threading.Thread(target=lambda: opened.append(open_sandbox("bubblewrap")))
    thread.start()
    thread.join()
    time.sleep(0.2)
    with opened[0] as sandbox:
        assert sandbox.run("print(1)").text == "1\n"


def test_it_belongs_to_one_process(bubblewrap: Sandbox) -> None:
    session = bubblewrap.open()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            try:
                bubblewrap.open()
            except RuntimeError:
                os._exit(3)
        os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert session.run("print(1)").ok
    session.close()


def test_sessions_run_side_by_side(bubblewrap: Sandbox) -> None:
    async def work(sandbox: AsyncSandbox, number: int) -> str:
        async with await sandbox.open({"n": str(number)}) as session:
            python = await session.python()
            await python.run(f"x = {number}")
            results = [await session.run("print(open('n').read())"), await python.run("x")]
            return "".join(result.text for result in results)

    async def main() -> list[str]:
        return await asyncio.gather(*(work(AsyncSandbox(bubblewrap), number) for number in range(12)))

    assert asyncio.run(main()) == [f"{number}\n{number}\n" for number in range(12)]


class _Guess(gym.Env[str, str]):
    """Submit a program that prints twice its input; it runs in a sandbox."""

    observation_space = action_space = gym.spaces.Text(1000)

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session: Session | None = None

    def reset(self, **options: object) -> tuple[str, dict[str, object]]:
        super().reset(seed=options.get("seed"))  # type: ignore[arg-type]
        if self.session is not None:
            self.session.close()
        try:
            self.session = self.sandbox.open({"input": "21"}, limits=Limits(wall_s=20))
        except SandboxFault as fault:
            raise EnvironmentFault(str(fault)) from fault
        return "double it", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, object]]:
        assert self.session is not None
        result = self.session.run(action)
        if result.status is RunStatus.FAULT:
            raise EnvironmentFault(result.reason)
        return result.text, float(result.text == "42\n"), True, False, {"status": result.status}


def test_thirty_two_environments_while_one_sandbox_in_five_is_killed() -> None:
    """No wrong reward, no hang, and every fault a fault."""
    right = "import time; time.sleep(0.3); print(int(open('input').read()) * 2)"
    wrong = "import time; time.sleep(0.3); print(41)"
    rng = random.Random(0)
    doomed = set(rng.sample(range(32), 7))
    with contextlib.ExitStack() as stack:
        # Eight sandboxes for four environments each would fall together: each environment has one of its own.
        sandboxes = [stack.enter_context(open_sandbox("bubblewrap")) for _ in range(32)]

        def episode(number: int) -> tuple[float | None, bool]:
            environment = _Guess(sandboxes[number])
            action = right if number % 2 else wrong
            environment.reset(seed=number)
            if number in doomed:
                victims = [sandboxes[number].processes[0], *descendants(sandboxes[number].processes[0])]
                threading.Timer(0.2, os.kill, (random.Random(number).choice(victims[:3]), signal.SIGKILL)).start()
                action = f"import time; time.sleep(1); {action}"
            try:
                return environment.step(action)[1], False
            except EnvironmentFault:
                again = _Guess(sandboxes[number])
                again.reset()
                return again.step(right)[1], True

        with ThreadPoolExecutor(32) as pool:
            outcomes = list(pool.map(episode, range(32)))
    for number, (reward, fault) in enumerate(outcomes):
        assert fault == (number in doomed), number
        assert reward == (1.0 if fault else float(number % 2)), number


def test_without_bubblewrap_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxUnavailable, match="apt install bubblewrap"):
        open_sandbox()


def test_without_an_engine_it_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match=r"no container engine answers.*dockerd.*podman system service"):
        open_sandbox("docker", base_url=f"unix://{tmp_path}/docker.sock")


def test_an_image_that_is_not_to_be_had(docker: Sandbox, bubblewrap: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="no image 'palestra-nothing'"):
        docker.open(image="palestra-nothing")
    with pytest.raises(SandboxUnavailable, match="has no python3"):
        bubblewrap.open(image=str(tmp_path))
    with pytest.raises(ValueError, match="is a folder"):
        bubblewrap.open(image=str(tmp_path / "nothing"))


_ORDINARY = """
import os, sys
import palestra.sandbox.bubblewrap
from palestra.sandbox import SandboxUnavailable, open_sandbox
if os.geteuid() == 0:
    sys._base_executable, sys.base_prefix, sys.base_exec_prefix = "/usr/bin/python3", "/usr", "/usr"
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
{before}
try:
    with open_sandbox() as sandbox:
        print(sandbox.run("import os; print(os.getuid())").text, end="")
        print(sandbox.run("x = []\\nwhile True: x.append(bytearray(1 << 20))").status)
        child = "        x = b'x' * (60 << 20)\\n        time.sleep(60)\\n"
        many = f"import os, time\\nfor _ in range(8):\\n    if os.fork() == 0:\\n{{child}}time.sleep(60)"
        print(sandbox.run(many).status)
except SandboxUnavailable as error:
    print(error)
"""


def _ordinary(before: str = "") -> str:
    """What the program above prints for a user who is not root."""
    if os.geteuid() == 0 and not Path("/usr/bin/python3").exists():
        pytest.skip("the Python here may be one that only root can read")
    command = [sys.executable, "-c", _ORDINARY.format(before=before)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_an_ordinary_user_needs_no_privileges() -> None:
    assert _ordinary() == "1000\nmemory\nmemory\n"


def test_where_namespaces_are_forbidden_it_says_what_to_allow() -> None:
    forbid = """
import struct
from palestra.sandbox.inside import linux, seccomp
linux.forbid_new_privileges()
linux.install_seccomp(seccomp.build(linux.MACHINE))
"""
    said = _ordinary(forbid)
    assert said.startswith("this machine does not let bubblewrap make namespaces")
    assert "user.max_user_namespaces" in said
