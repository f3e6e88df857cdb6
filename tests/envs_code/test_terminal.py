"""Terminal-v0: tasks that are solved by their solutions and by nothing less, and a shell that repeats itself."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import palestra
from palestra.envs.abilities import EnvironmentFault
from palestra.envs.check import Settings
from palestra.envs.code.sandboxes import shared_sandbox
from palestra.envs.code.terminal import Terminal
from palestra.envs.code.terminal import env as terminal
from palestra.envs.code.terminal.env import Ended, Shell
from palestra.envs.code.terminal.families import FAMILIES
from palestra.envs.code.terminal.families_build import script
from palestra.envs.code.terminal.families_git import ask_git, commit, revert
from palestra.envs.code.terminal.git import Repository
from palestra.envs.code.terminal.tree import NOW, File, text_file
from palestra.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return shared_sandbox("bubblewrap")


@pytest.fixture
def env() -> Iterator[Terminal]:
    env = Terminal()
    yield env
    env.close()


@pytest.mark.slow
def test_it_keeps_every_promise() -> None:
    report = palestra.check("Terminal-v0")
    assert report.passed, str(report)


def test_it_forks_and_is_deterministic() -> None:
    only = ["same_seed_same_episode", "restore_in_another_instance", "info_is_json"]
    report = palestra.check("Terminal-v0", only=only, settings=Settings(episodes=1, steps=3))
    assert report.passed, str(report)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_solutions_solve_and_nothing_done_does_not(family, sandbox: Sandbox) -> None:  # type: ignore[no-untyped-def]
    task = family(np.random.default_rng(1))
    untouched = task.check(Ended(task.files, sandbox))
    assert not all(untouched.values())
    shell = Shell(sandbox, task.files)
    for _ in range(2):  # a solution may be repeated
        for command in task.solution:
            shell.run(command)
        found = task.check(Ended(shell.files(), sandbox))
        assert all(found.values()), found
    shell.close()


def test_a_script_of_every_kind_is_solved(sandbox: Sandbox) -> None:
    drawn = [script(np.random.default_rng(seed)) for seed in range(30)]
    kinds = {task.text.split(" that ")[1]: task for task in drawn}
    assert len(kinds) == 5
    for task in kinds.values():
        shell = Shell(sandbox, task.files)
        shell.run(*task.solution)
        found = task.check(Ended(shell.files(), sandbox))
        assert all(found.values()), (task.text, found)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_solutions_solve_with_other_seeds(family, sandbox: Sandbox) -> None:  # type: ignore[no-untyped-def]
    for seed in range(2, 8):
        task = family(np.random.default_rng(seed))
        assert not all(task.check(Ended(task.files, sandbox)).values()), seed
        shell = Shell(sandbox, task.files)
        for command in task.solution:
            shell.run(command)
        found = task.check(Ended(shell.files(), sandbox))
        assert all(found.values()), (seed, found)
        shell.close()


LOOKS = (
    "mkdir d; echo a > d/a; touch d/b; date +%s",
    "date; ls -l --time-style=full-iso d; stat -c '%y %U %s' d/a",
    "echo $RANDOM $$ $SECONDS $BASHPID; python3 -c 'import time, random; print(time.time(), hash(\"a\"))'",
    "git init -q r; cd r; echo x > f; git add f; git commit -qm one; git log --format='%H %ad'",
    "find .. -mmin -5 -newermt 2024-01-01 | head -20; ls -U ../d; whoami; id -u; locale | head -2",
    "ls -l; no-such-command; echo $?",
)


def test_the_same_commands_print_the_same_at_another_time(sandbox: Sandbox) -> None:
    printed = []
    for _ in range(2):
        shell = Shell(sandbox, {"a.txt": text_file("x\n")})
        printed.append([shell.run(look).stdout for look in LOOKS])
        shell.close()
        time.sleep(1.1)
    assert printed[0] == printed[1]
    assert str(NOW + 60).encode() in printed[0][0]
    assert b"2024-03-14 09:01:00" in printed[0][1]
    assert b"command not found" in printed[0][5]


def test_the_shell_keeps_its_state_and_can_be_ended(env: Terminal) -> None:
    env.reset(seed=0)
    env.step("cd /tmp; x=5; f() { echo f$1; }; false")
    assert env.step("echo $? $x; pwd; f 1")[0] == "1 5\n/tmp\nf1"
    assert env.step("echo kept > ~/kept; exit 3")[0] == "(exit status 3)"
    page, _, terminated, _, info = env.step("echo $x; pwd; cat kept")
    assert page == "\n/work\nkept"
    assert not terminated
    assert info["valid_action"]
    assert env.step("cat")[0] == "(no output)"
    assert "left out" in env.step("seq 5000")[0]
    assert "submit" in env.step("  ")[4]["feedback"]


def test_a_command_that_takes_too_long_is_ended(env: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "MOST_SECONDS", 0.5)
    env.reset(seed=0)
    env.step("x=7")
    assert "(ended: timeout)" in env.step("sleep 60")[0]
    monkeypatch.setattr(terminal, "MOST_SECONDS", 30.0)
    assert "alive" in env.step("echo alive")[0]


def test_snapshots_play_the_commands_again(env: Terminal) -> None:
    env.reset(seed=1)
    env.step("cd /tmp; date > a")
    state = env.snapshot()
    first = env.step("cat a; pwd; date")[0]
    other = Terminal()
    other.reset(seed=5)
    other.restore(state)
    assert other.step("cat a; pwd; date")[0] == first
    env.step("rm a; cd")
    env.restore(state)
    assert env.step("cat a; pwd; date")[0] == first
    other.close()


def number_of(env: Terminal, family: str) -> int:
    return next(i for i in range(500) if env.make_task(("train", i)).family == family)


def test_files_count_and_what_is_printed_does_not(env: Terminal) -> None:
    number = number_of(env, "table_sum")
    env.reset(options={"task": number, "split": "train"})
    solution = env.oracle()
    env.step(solution.replace("> ~/answer.txt", ""))
    assert env.step("submit")[1] == 0.0
    env.reset(options={"task": number, "split": "train"})
    env.step(f"echo thinking; {solution}; echo; echo another way")
    page, reward, terminated, _, info = env.step("submit")
    assert (page, reward, terminated) == ("Done.", 1.0, True)
    assert info["checks"] == {"answer": True}
    assert info["execution"] == {"status": "ok", "passed": 1, "total": 1}


def test_settings_and_hooks_of_the_agent_do_not_reach_the_grader(sandbox: Sandbox) -> None:
    task = revert(np.random.default_rng(3))
    root = task.text.split("~/")[1].split()[0]
    fake = "#!/bin/sh\necho lies\n"
    shell = Shell(sandbox, task.files)
    shell.run(
        f"cd ~/{root} && mkdir -p .git/hooks && printf '{fake}' > .git/hooks/fsmonitor && chmod +x "
        f".git/hooks/fsmonitor && "
        "git config core.fsmonitor .git/hooks/fsmonitor && git config log.showSignature true && "
        "git config alias.show '!echo lies' && git config core.pager 'echo lies'"
    )
    end = Ended(shell.files(), sandbox)
    assert not all(task.check(end).values())
    assert ask_git(end, root, "config --get core.fsmonitor", "rev-parse --abbrev-ref HEAD") == [None, "main"]
    shell.close()


def test_a_commit_on_main_or_in_two_parts_is_not_what_was_asked(sandbox: Sandbox) -> None:
    task = commit(np.random.default_rng(2))
    root, branch = task.text.split("~/")[1].split()[0], task.text.split("called ")[1].split(",")[0]
    message = task.text.split("'")[1]
    for wrong in (
        f"git add -A; git commit -qm '{message}'; git branch {branch}",
        f"git checkout -qb {branch}; git commit -qam '{message}'; git add -A; git commit -qm '{message}'",
        f"git checkout -qb {branch}; git commit -qam '{message}'",
    ):
        shell = Shell(sandbox, task.files)
        shell.run(f"cd ~/{root}; {wrong}")
        assert not all(task.check(Ended(shell.files(), sandbox)).values()), wrong
        shell.close()


def test_repositories_are_what_git_makes(tmp_path: Path) -> None:
    repository = Repository()
    first = {"a.txt": "one\n", "src/b.txt": "two\n", "src.txt": "three\n", "src/deep/c.txt": "four\n"}
    repository.commit(first, "Begin", "Ada Berg", NOW - 100)
    head = repository.commit({**first, "a.txt": "uno\n"}, "Change a.txt", "Ciro Dahl", NOW)
    for path, file in repository.files("r", NOW).items():
        assert isinstance(file, File)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(file.data)

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path / "r"), "-c", "safe.directory=*", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert shutil.which("git")
    git("fsck", "--strict", "--full")
    assert git("status", "--porcelain") == ""
    assert git("rev-parse", "main") == head
    assert git("log", "--format=%an %s %at") == f"Ciro Dahl Change a.txt {NOW}\nAda Berg Begin {NOW - 100}"
    assert git("ls-tree", "-r", "--name-only", "main").split() == ["a.txt", "src.txt", "src/b.txt", "src/deep/c.txt"]


def test_a_lost_sandbox_is_a_fault_and_the_next_episode_goes_on(
    env: Terminal, kill_sandbox: Callable[[Sandbox], None]
) -> None:
    env.reset(seed=2)
    env.step("echo here")
    kill_sandbox(shared_sandbox("bubblewrap"))
    with pytest.raises(EnvironmentFault):
        env.step("echo gone")
    env.reset(seed=2)
    assert env.step("echo here")[0] == "here"
