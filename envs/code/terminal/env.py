"""``Terminal-v0``: get something done in a shell."""

from __future__ import annotations

import datetime
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from glob import glob
from typing import Any

from gymnasium.error import DependencyNotInstalled

from ....sandbox import Interpreter, Limits, Result, RunStatus, Sandbox, SandboxFault, Session
from ...abilities import EnvironmentFault
from ..base import Key, Outcome, TextTask, numbered, split_of, task_generator
from ..sandboxes import shared_sandbox
from .families import make_terminal_task
from .task import Task
from .tree import NOW, Tree, pack, unpack

LIMITS = Limits(
    wall_s=30.0, cpu_s=10.0, memory_bytes=512 << 20, output_bytes=1 << 20, processes=64, disk_bytes=64 << 20
)
MOST_SECONDS = 30.0
"""How long one command may take by the wall clock; of processor time it has a third of that."""
STEP = 60
"""How far the shell's clock goes on with each command, in seconds."""
_MOST_CHARACTERS = 8_000
_SHOWN = 2_000
_FENCE = re.compile(r"```(?:bash|sh|shell)?\s*\n(.*?)```", re.DOTALL)
_LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1"
_ENVIRONMENT = {
    "NO_FAKE_STAT": "1",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    "FAKETIME_DISABLE_SHM": "1",
    # They warn of times that lie ahead, as those of new files do until the end of a command.
    "FAKETIME_SKIP_CMDS": "make,tar",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "TERM": "dumb",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_NAME": "Agent" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "agent@example.org" for who in ("AUTHOR", "COMMITTER")},
}


@dataclass(frozen=True, slots=True)
class State:
    """The commands so far, which decide everything, and what the agent sees."""

    commands: tuple[str, ...] = ()
    page: str = ""


class Terminal(TextTask[Task, State]):
    """Instructions to be carried out in a persistent shell over a tree of files.

    Every action is given to one Bash, which keeps its folder, variables and functions.  The action ``submit`` ends the
    episode.  Then the files that are left are read from outside, and where something must work, as a program or a
    Makefile, it is tried on other data in a sandbox that the agent never had; what was typed does not matter.  The
    reward is 1 if all is as it should be, else 0.  ``info`` of the last step holds ``success``, ``checks`` (what was
    looked at, by name) and ``execution`` for :mod:`palestra.rewards.code`.

    The same actions lead to the same output.  The shell has a clock of its own (libfaketime): it begins at
    :data:`~.tree.NOW` and goes on by a minute with each command, and what a command wrote gets that time when it has
    ended.  ``RANDOM`` and ``SECONDS`` start anew with each command; user, process numbers, locale, time zone and hash
    seeds are fixed, and folders lie in memory, where their order is that in which they were filled.  Not covered are
    the kernel's random numbers (``mktemp``, ``shuf``), when an inode changed or was read, file times within the command
    that writes them, processes in the background, and how fast the machine is.

    A snapshot is the list of commands; after ``restore`` they are played again when the next one comes.

    Args:
        train, validation, test: how many tasks each split has.
        seed: another seed gives other tasks.
        sandbox: a backend of :func:`palestra.sandbox.open_sandbox`.

    Raises:
        gymnasium.error.DependencyNotInstalled: Git, make or libfaketime is missing.
        palestra.sandbox.SandboxUnavailable: this machine cannot run that sandbox.
    """

    guide = (
        "You have a Bash shell in your home folder. Send one command, or several on lines of their own, and you read "
        "what they print; folder and variables are kept. Nothing is interactive: commands read no keyboard, and one "
        "that "
        f"takes more than {MOST_SECONDS:g} seconds is ended. Do what you are asked to, and when all is done, send: "
        f"submit\n"
        "What counts is what is in your files then."
    )

    def __init__(
        self,
        train: int = 4000,
        validation: int = 400,
        test: int = 400,
        seed: int = 0,
        sandbox: str = "bubblewrap",
    ) -> None:
        super().__init__(numbered(train, validation, test))
        self._seed, self._backend = seed, sandbox
        self._shell: Shell | None = None
        self._played: tuple[Key | None, tuple[str, ...]] = (None, ())
        for program in ("git", "make"):
            if shutil.which(program) is None:
                raise DependencyNotInstalled(f"Terminal-v0 needs {program}: apt install {program}")
        if not glob(_LIBRARY):
            raise DependencyNotInstalled("Terminal-v0 needs libfaketime: apt install libfaketime")
        self._sandbox  # noqa: B018 - what is missing is said when the environment is made

    @property
    def _sandbox(self) -> Sandbox:
        return shared_sandbox(self._backend)

    def make_task(self, key: Key) -> Task:
        """Draw a task that belongs to the split."""
        rng = task_generator(self._seed, key)
        task = make_terminal_task(rng)
        while split_of(task.text) != key[0]:
            task = make_terminal_task(rng)
        return task

    def begin(self, task: Task) -> State:
        """Nothing has been done; the sandbox is opened when something is."""
        return State(page=task.text)

    def act(self, task: Task, state: State, action: str) -> Outcome[State]:
        """Run commands, or grade what is there."""
        fenced = _FENCE.search(action)
        command = (fenced[1] if fenced else action).strip()
        if not command:
            return Outcome(state, feedback="Write a command, or submit.")
        if len(command) > _MOST_CHARACTERS:
            return Outcome(state, feedback=f"A command has at most {_MOST_CHARACTERS:,} characters.")
        if "\0" in command or any("\ud800" <= character <= "\udfff" for character in command):
            return Outcome(state, feedback="The command is no text.")
        try:
            if command.lower().rstrip(".;") == "submit":
                return self._graded(task, state)
            result = self._shell_at(task, state.commands).run(command)
        except SandboxFault as fault:
            self._forget()
            raise EnvironmentFault(f"the sandbox broke: {fault}") from fault
        commands = (*state.commands, command)
        self._played = self._key, commands
        return Outcome(State(commands, _told(result)))

    def _graded(self, task: Task, state: State) -> Outcome[State]:
        files = self._shell_at(task, state.commands).files()
        self._forget()
        checks = task.check(Ended(files, self._sandbox))
        success = all(checks.values())
        info = {
            "success": success,
            "checks": checks,
            "execution": {"status": "ok", "passed": sum(checks.values()), "total": len(checks)},
        }
        page = "Done." if success else "Not as asked: " + ", ".join(name for name, right in checks.items() if not right)
        return Outcome(State(state.commands, page), reward=float(success), done=True, info=info)

    def _shell_at(self, task: Task, commands: tuple[str, ...]) -> Shell:
        """The shell after these commands, which are played again unless it stands there already."""
        if self._shell is None or self._played != (self._key, commands):
            self._forget()
            self._shell = Shell(self._sandbox, task.files)
            for command in commands:
                self._shell.run(command)
            self._played = self._key, commands
        return self._shell

    def _forget(self) -> None:
        if self._shell is not None:
            self._shell.close()
        self._shell, self._played = None, (None, ())

    def show(self, task: Task, state: State) -> str:
        """The instruction, or what the last command printed."""
        return state.page

    def advise(self, task: Task, state: State) -> str:
        """The next command of the solution, from its start if another came between; then ``submit``."""
        for done in range(len(task.solution), 0, -1):
            if state.commands[-done:] == task.solution[:done]:
                return "submit" if done == len(task.solution) else task.solution[done]
        return task.solution[0]

    def about(self, task: Task, state: State) -> dict[str, Any]:
        """The family of the task."""
        return {"family": task.family}

    def close(self) -> None:
        """Close the shell and its sandbox's session."""
        self._forget()
        super().close()


class Shell:
    """A Bash over a tree of files, under a clock of its own.

    Every method raises :class:`~palestra.sandbox.SandboxFault` if the sandbox broke.
    """

    def __init__(self, sandbox: Sandbox, files: Tree) -> None:
        self._session: Session = sandbox.open(pack(files), limits=LIMITS)
        self._bash: Interpreter | None = None
        self._count = 0
        self._status = 0

    def run(self, command: str) -> Result:
        """Run a command; where an earlier one ended the shell, in a new one."""
        self._count += 1
        if self._bash is None or not self._bash.alive:
            self._bash = self._session.shell()
            self._tell(self._bash, self._opening)
        self._tell(self._bash, f"{self._times} RANDOM={self._count} SECONDS=0")
        # The interpreter's own commands came in between.
        before = f"(exit {self._status}); " if "$?" in command else ""
        result = self._checked(self._bash.run(before + command, timeout=MOST_SECONDS))
        self._status = result.exit_code if result.exit_code is not None and result.exit_code >= 0 else 1
        # What is newer than the episode's day was written just now.
        stamp = f"@{self._now}"
        self._checked(
            self._session.run(
                ["find", ".", "/tmp", "-newermt", f"@{NOW + 400 * 86_400}", "-exec", "touch", "-hcd", stamp, "{}", "+"]
            )
        )
        return result

    def files(self) -> Tree:
        """Everything in the home folder."""
        return unpack(self._session.snapshot())

    def close(self) -> None:
        """End it."""
        self._session.close()

    @cached_property
    def _opening(self) -> str:
        variables = {**_ENVIRONMENT, "LD_PRELOAD": glob(_LIBRARY)[0]}
        exports = " ".join(f"{name}='{value}'" for name, value in variables.items())
        # One stream, so that errors come where they were made; and no clocks that libfaketime does not reach.
        return f"exec 2>&1; export {exports}; unset EPOCHSECONDS EPOCHREALTIME"

    @property
    def _now(self) -> int:
        return NOW + STEP * self._count

    @property
    def _times(self) -> str:
        moment = datetime.datetime.fromtimestamp(self._now, datetime.UTC)
        date = f"{self._now} +0000"
        return f"export FAKETIME='{moment:%F %T}' GIT_AUTHOR_DATE='{date}' GIT_COMMITTER_DATE='{date}';"

    def _tell(self, bash: Interpreter, text: str) -> None:
        self._checked(bash.run(text))

    def _checked(self, result: Result) -> Result:
        if result.status is RunStatus.FAULT:
            raise SandboxFault(result.reason)
        return result


class Ended:
    """See :class:`~.task.End`."""

    def __init__(self, files: Tree, sandbox: Sandbox) -> None:
        self.files = files
        self._sandbox = sandbox

    def run(self, command: Sequence[str], files: Tree) -> tuple[Result, Tree]:
        """See :meth:`~.task.End.run`."""
        with self._sandbox.open(pack(files), limits=LIMITS) as session:
            result = session.run(command, timeout=MOST_SECONDS)
            if result.status is RunStatus.FAULT:
                raise SandboxFault(result.reason)
            return result, unpack(session.snapshot())


def _told(result: Result) -> str:
    """What a command printed, and how it ended where that was not well."""
    text = (result.stdout + result.stderr).decode("utf-8", "replace").rstrip("\n")
    if len(text) > _SHOWN:
        text = f"{text[: _SHOWN // 2]}\n... {len(text) - _SHOWN} characters left out ...\n{text[-_SHOWN // 2 :]}"
    lines = [text] if text else []
    if result.status is RunStatus.ERROR:
        lines.append(f"(exit status {result.exit_code})")
    elif not result.ok:
        lines.append(f"(ended: {result.status.value.replace('_', ' ')})")
    return "\n".join(lines) or "(no output)"
