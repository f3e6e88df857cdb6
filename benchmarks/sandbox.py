"""What a sandbox costs: each backend beside a plain subprocess, ``docker exec`` and a cold bubblewrap.

Latency: the median time of one run of a small Python program, the kinds taking turns.  Throughput: runs a second with
one worker thread and with two.  Docker is measured where an engine answers (``--engine``, ``DOCKER_HOST``) that has the
image; otherwise it says so.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from palestra.sandbox import Result, Sandbox, SandboxUnavailable, Session, open_sandbox
from palestra.sandbox.docker import DockerSession
from palestra.sandbox.inside import linux, seccomp

CODE = "print(1)"
PYTHON = os.path.realpath(sys._base_executable)


def checked(result: Result) -> None:
    if not result.ok:
        raise RuntimeError(f"a run failed: {result}")


def plain() -> None:
    subprocess.run([PYTHON, "-I", "-c", CODE], check=True, stdout=subprocess.DEVNULL)


def cold(filter_file: Path) -> None:
    """Bubblewrap for one program, with the system call filter."""
    with filter_file.open("rb") as file:
        arguments = [
            "bwrap",
            "--unshare-all",
            "--die-with-parent",
            "--ro-bind",
            "/",
            "/",
            "--dev",
            "/dev",
            "--proc",
            "/proc",
        ]
        arguments += ["--tmpfs", "/tmp", "--seccomp", str(file.fileno()), "--", PYTHON, "-I", "-c", CODE]
        subprocess.run(arguments, check=True, pass_fds=[file.fileno()], stdout=subprocess.DEVNULL)


def exec_in(container: str, engine: str | None) -> None:
    host = ["-H", engine] if engine else []
    subprocess.run(
        ["docker", *host, "exec", container, "python3", "-I", "-c", CODE], check=True, stdout=subprocess.DEVNULL
    )


def kinds(stack: ExitStack, engine: str | None, image: str | None) -> dict[str, Callable[[], None]]:
    """Every kind of run by its name."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    (folder / "filter").write_bytes(seccomp.build(linux.MACHINE))
    found: dict[str, Callable[[], None]] = {"plain subprocess": plain}
    if shutil.which("bwrap"):
        found["bubblewrap, cold"] = lambda: cold(folder / "filter")
    for backend, options in (("process", {}), ("bubblewrap", {}), ("docker", {"image": image, "base_url": engine})):
        try:
            sandbox = stack.enter_context(open_sandbox(backend, **options))
            session = stack.enter_context(sandbox.open())
        except SandboxUnavailable as error:
            print(f"{backend}: not measured: {error}")
            continue
        add(found, backend, sandbox, session)
        if isinstance(session, DockerSession) and shutil.which("docker"):
            found["docker exec"] = partial(exec_in, session.container, engine)
    return found


def add(found: dict[str, Callable[[], None]], backend: str, sandbox: Sandbox, session: Session) -> None:
    python = session.python()
    python.run("def same(x): return x")
    if backend != "docker":
        found[f"{backend}, a session for each"] = lambda: checked(sandbox.run(CODE))
    found[f"{backend}, in a session"] = lambda: checked(session.run(CODE))
    found[f"{backend}, call of a function"] = lambda: checked(python.call("same", 1))
    if backend == "docker":

        def start() -> None:
            with sandbox.open():
                pass

        found["docker, open and close"] = start


def latency(found: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each kind; they take turns, so that what disturbs one disturbs all."""
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds + 2):
        for name, run in found.items():
            began = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(each[2:]) for name, each in times.items()}


def throughput(run: Callable[[], None], workers: int, seconds: float) -> float:
    """Runs a second."""

    def work() -> int:
        count = 0
        while time.perf_counter() < until:
            run()
            count += 1
        return count

    began = time.perf_counter()
    until = began + seconds
    with ThreadPoolExecutor(workers) as pool:
        total = sum(pool.map(lambda _: work(), range(workers)))
    return total / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="runs of each kind to take the median of")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each throughput")
    parser.add_argument("--engine", help="the container engine's address")
    parser.add_argument("--image", help="the image to use there, with Python")
    arguments = parser.parse_args()
    versions = f"Python {platform.python_version()}, Linux {platform.release()}"
    if shutil.which("bwrap"):
        versions += (
            ", " + subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        )
    with suppress(importlib.metadata.PackageNotFoundError):
        versions += f", docker {importlib.metadata.version('docker')}"
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {versions}")
    with ExitStack() as stack:
        found = kinds(stack, arguments.engine, arguments.image)
        medians = latency(found, arguments.rounds)
        base = medians["plain subprocess"]
        print(f"\n{'one run':34} {'median ms':>10} {'of plain':>9}")
        for name, milliseconds in sorted(medians.items(), key=lambda item: item[1]):
            print(f"{name:34} {milliseconds:10.2f} {milliseconds / base:8.2f}x")
    print(f"\n{'runs a second':34} {'1 worker':>10} {'2 workers':>10} {'ratio':>6}")
    with ExitStack() as stack:
        sandbox = stack.enter_context(open_sandbox("bubblewrap"))
        for name, run in (
            ("plain subprocess", plain),
            ("bubblewrap, a session for each", lambda: checked(sandbox.run(CODE))),
        ):
            one, two = (throughput(run, workers, arguments.seconds) for workers in (1, 2))
            print(f"{name:34} {one:10.1f} {two:10.1f} {two / one:6.2f}")
        sessions = [stack.enter_context(sandbox.open()) for _ in range(2)]
        rates = []
        for count in (1, 2):
            with ThreadPoolExecutor(count) as pool:
                each = list(
                    pool.map(
                        lambda session: throughput(lambda: checked(session.run(CODE)), 1, arguments.seconds),
                        sessions[:count],
                    )
                )
            rates.append(sum(each))
        print(f"{'bubblewrap, in a session':34} {rates[0]:10.1f} {rates[1]:10.1f} {rates[1] / rates[0]:6.2f}")


if __name__ == "__main__":
    main()
