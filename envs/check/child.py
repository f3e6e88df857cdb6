"""The other process: :func:`play_elsewhere` starts it, and :func:`main` is what it runs."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass

from gymnasium.vector.utils import CloudpickleWrapper

from .clock import advance_clock
from .maker import Maker
from .play import Frame, Script, global_seeds, play
from .report import Skipped
from .table import TableMaker


@dataclass(frozen=True, slots=True)
class Place:
    """What is different about a process: ``rest`` is how many seconds it waits before a step."""

    hash_seed: int = 1
    other_clock: bool = False
    rest: float = 0.0


def play_elsewhere(
    make: Maker | TableMaker, scripts: list[Script], places: list[Place], timeout: float = 600.0
) -> list[list[list[Frame]]]:
    """Play the scripts in one new process for each of ``places``, two at a time: [place][script][frame].

    Raises :class:`RuntimeError` with what a process wrote to its standard error if it fails, and
    ``subprocess.TimeoutExpired`` if it takes longer than ``timeout`` seconds.
    """
    try:
        job = pickle.dumps((CloudpickleWrapper(make), scripts))
    except Exception as error:
        raise Skipped("it cannot be sent to another process, see remade_from_spec") from error
    played = []
    for first in range(0, len(places), 2):
        processes = [_start(place, job) for place in places[first : first + 2]]
        try:
            played += [_result(process, timeout) for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
    return played


def _start(place: Place, job: bytes) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    environ = {**os.environ, "PYTHONHASHSEED": str(place.hash_seed), "PYTHONPATH": path}
    command = [sys.executable, "-c", "from palestra.envs.check.child import main; main()"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environ)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it died at once; its standard error says why
        process.stdin.write(pickle.dumps((place, job)))
        process.stdin.close()
    process.stdin = None  # communicate() must not write to it again
    return process


def _result(process: subprocess.Popen[bytes], timeout: float) -> list[list[Frame]]:
    output, errors = process.communicate(timeout=timeout)
    if process.returncode != 0:
        raise RuntimeError(f"another process could not play it: {errors.decode(errors='replace').strip()[-600:]}")
    return pickle.loads(output)


def main() -> None:
    """Play the scripts that standard input holds, and write what they led to to standard output."""
    place, job = pickle.load(sys.stdin.buffer)
    # What an environment prints, or a library below it, must not mix with the result.
    result = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if place.other_clock:
        # Before the job is unpickled, which imports the environment's module and what that takes from `time`.
        advance_clock()
    wrapper, scripts = pickle.loads(job)
    episodes = []
    for script in scripts:
        with global_seeds(0):
            env = wrapper.fn()
            episodes.append(play(env, script, place.rest))
            env.close()
    with result:
        result.write(pickle.dumps(episodes))
