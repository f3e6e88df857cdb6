"""CodeRepair-v0: its tasks, what agents may write, what untrusted programs can do, and what it pays."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palestra import EnvironmentFault, Status, Trajectory, Turn
from palestra.envs.code.repair import CodeRepair
from palestra.envs.code.repair.action import Submission, read
from palestra.envs.code.repair.execution import judge, judge_trusted
from palestra.envs.code.repair.families import FAMILIES
from palestra.envs.code.repair.tasks import GeneratedTasks, RepairTask, problems
from palestra.envs.code.repair.trusted import answers
from palestra.envs.code.sandboxes import shared_sandbox
from palestra.rewards import parse_reward
from palestra.sandbox import open_sandbox
from palestra.sandbox.inside.linux import descendants

DATA = Path(__file__).parent / "data"
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def repair() -> CodeRepair:
    return CodeRepair()


def open_task(env: CodeRepair, number: int, split: str = "train") -> RepairTask:
    env.reset(seed=0, options={"task": number, "split": split})
    assert env._task is not None
    return env._task


def fenced(program: str) -> str:
    return f"```python\n{program}\n```"


# The tasks.


def test_there_are_many_families_and_tasks_and_no_problem_is_in_two_splits() -> None:
    assert len(FAMILIES) >= 25
    tasks = GeneratedTasks()
    assert sum(map(tasks.splits.count, SPLITS)) >= 300
    specs = [problem.spec for drawn in problems().values() for _, problem in drawn]
    assert len(specs) == len(set(specs))


def check_task(task: RepairTask) -> None:
    def failed(program: str, cases: Any) -> int:
        found = answers(program, task.name, [case.arguments for case in cases])
        return sum(answer != case.expected for answer, case in zip(found, cases, strict=True))

    assert failed(task.reference, task.visible) == failed(task.reference, task.hidden) == 0
    assert failed(task.start, task.visible) > 0, task
    assert failed(task.start, task.hidden) > 0, task
    different = sum(a != b for a, b in zip(task.start.splitlines(), task.reference.splitlines(), strict=False))
    assert different == {1: 1, 2: 2}.get(task.level, different)
    assert not {repr(case.arguments) for case in task.visible} & {repr(case.arguments) for case in task.hidden}


def test_a_sample_of_the_tasks_is_sound() -> None:
    tasks = GeneratedTasks()
    for split in SPLITS:
        for number in range(0, tasks.splits.count(split), 83):
            check_task(tasks((split, number)))


@pytest.mark.slow
def test_every_task_is_sound_and_none_is_there_twice() -> None:
    tasks = GeneratedTasks()
    seen = set()
    for split in SPLITS:
        for number in range(tasks.splits.count(split)):
            task = tasks((split, number))
            check_task(task)
            seen.add((task.spec, task.start))
    assert len(seen) == sum(map(tasks.splits.count, SPLITS))


def test_what_is_known_of_a_starting_program_is_what_the_sandbox_says() -> None:
    sandbox, tasks = shared_sandbox("bubblewrap"), GeneratedTasks([1, 2])
    for number in range(0, tasks.splits.count("test"), 23):
        task = tasks(("test", number))
        known, found = judge_trusted(task), judge(sandbox, task.start, task.name, task.visible, task.steps)
        assert [(a.status, a.failure) for a in known] == [(a.status, a.failure) for a in found], task


@pytest.mark.parametrize("levels", [[], [0], [1, 7]])
def test_an_unknown_level_is_refused_with_those_there_are(levels: list[int]) -> None:
    with pytest.raises(ValueError, match="one bug"):
        CodeRepair(levels=levels)


def test_families_and_groups_of_them_are_chosen_by_name() -> None:
    some = GeneratedTasks([1], ["recursion", "lists.rotate"])
    found = {some((split, number)).family for split in SPLITS for number in range(some.splits.count(split))}
    assert found == {name for name in FAMILIES if name.startswith("recursion.")} | {"lists.rotate"}
    assert GeneratedTasks([1], ["lists"])(("test", 0)).family.startswith("lists.")


@pytest.mark.parametrize("families", [[], ["list"], ["lists", "lists.none"]])
def test_an_unknown_family_is_refused_with_those_there_are(families: list[str]) -> None:
    with pytest.raises(ValueError, match="lists, texts"):
        CodeRepair(families=families)


# What an agent may write.

PROGRAM = ["def f(x):", "    y = x", "    return y"]


@pytest.mark.parametrize(
    ("action", "program"),
    [
        ("replace[2][y = x + 1]", "def f(x):\n    y = x + 1\n    return y"),
        ("replace[2][        y = x]", "def f(x):\n        y = x\n    return y"),
        ("insert[2][y += a[0]]", "def f(x):\n    y = x\n    y += a[0]\n    return y"),
        ("insert[0][import math]", "import math\ndef f(x):\n    y = x\n    return y"),
        ("delete[2]\nreplace[3][return x]", "def f(x):\n    return x"),
        ("insert[2][y *= 2]\nreplace[2][y = 3]", "def f(x):\n    y = 3\n    y *= 2\n    return y"),
        ("```python\ndef f(x):\n    return 1\n```", "def f(x):\n    return 1"),
        ("```\nold\n```\nbetter:\n```\nnew\n```", "new"),
        ("def f(x):\n    return 2", "def f(x):\n    return 2"),
    ],
)
def test_edits_and_programs_are_read(action: str, program: str) -> None:
    found = read(action, PROGRAM, "f")
    assert isinstance(found, Submission)
    assert found.program == program


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("replace[4][y]", "no line 4"),
        ("delete[0]", "no line 0"),
        ("replace[1][a]\nreplace[1][b]", "twice"),
        ("delete[1]\ndelete[2]\ndelete[3]", "empty"),
        ("def g(x):\n    return 2", "no program"),
        ("```\n" + "x" * 30_000 + "\n```", "characters"),
    ],
)
def test_what_cannot_be_read_is_said(action: str, said: str) -> None:
    found = read(action, PROGRAM, "f")
    assert isinstance(found, str)
    assert said in found


def test_an_edit_that_changes_nothing_is_feedback(repair: CodeRepair) -> None:
    task = open_task(repair, 0)
    first = task.start.splitlines()[0]
    _, reward, terminated, _, info = repair.step(f"replace[1][{first}]")
    assert (reward, terminated, info["valid_action"], info["turn"]) == (0.0, False, False, 0)
    assert "changes nothing" in info["feedback"]


def test_an_explanation_stands_around_the_edits(repair: CodeRepair) -> None:
    open_task(repair, 0)
    info = repair.step(f"The sign is wrong.\n{repair.oracle()}\nThat is all.")[-1]
    assert info["explanation"] == "The sign is wrong.\nThat is all."
    assert info["success"] is True


# What is paid.


def test_a_bug_mended_in_the_second_turn_is_worth_as_much_as_in_the_first(repair: CodeRepair) -> None:
    task = open_task(repair, 3)
    last = len(task.start.splitlines())
    observation, reward, terminated, _, info = repair.step(f"replace[{last}][return None]")
    assert (reward, terminated, info["valid_action"], info["success"]) == (0.0, False, True, False)
    assert "got None" in observation
    _, reward, terminated, _, info = repair.step(repair.oracle())
    assert (reward, terminated, info["success"], info["overfit"]) == (1.0, True, True, False)
    assert info["execution"]["steps"] == info["execution"]["reference_steps"] > 0


def test_a_program_that_knows_only_the_visible_tests_is_not_paid_and_is_noticed(repair: CodeRepair) -> None:
    task = open_task(repair, 1)
    known = {repr(case.arguments): case.expected for case in task.visible}
    cheat = f"def {task.name}(*arguments):\n    return {known!r}.get(repr(arguments))"
    _, reward, terminated, _, info = repair.step(fenced(cheat))
    assert (reward, terminated, info["success"], info["overfit"]) == (0.0, True, False, True)
    assert info["execution"]["passed"] < info["execution"]["total"]


def test_the_rewards_for_programs_read_what_it_says(repair: CodeRepair) -> None:
    task = open_task(repair, 3)
    turns, actions = [], [f"replace[{len(task.start.splitlines())}][return 0 / 0]", fenced(task.reference)]
    for action in actions:
        _, reward, _, _, info = repair.step(action)
        turns.append(Turn("", action, reward, info=info))
    good = Trajectory("CodeRepair-v0", 0, 0, turns, Status.TERMINATED)
    bad = Trajectory("CodeRepair-v0", 0, 0, turns[:1], Status.TRUNCATED)
    paid = [values.tolist() for values in parse_reward("code_efficiency")([good, bad])]
    assert paid == [[0.0, 0.75], [-1.0]]
    assert [values.tolist() for values in parse_reward("hidden_tests")([good, bad])] == [[0.0, 1.0], [0.0]]


def test_without_failures_only_what_is_wrong_is_shown() -> None:
    told, blind = CodeRepair(levels=[1]), CodeRepair(levels=[1], show_failures=False)
    options = {"task": 5, "split": "train"}
    assert ", got " in told.reset(options=options)[0]
    assert ", got " not in (page := blind.reset(options=options)[0])
    assert "wrong: " in page


# What untrusted programs can do.


def test_the_sandbox_is_never_told_what_a_test_expects() -> None:
    class Recording:
        sent = ""

        def __init__(self) -> None:
            self.sandbox = shared_sandbox("bubblewrap")

        def run(self, command: str, stdin: str, **options: Any) -> Any:
            self.sent += stdin
            return self.sandbox.run(command, stdin=stdin, **options)

    number = [family for family, _ in problems()["train"]].index("texts.shift")
    task, recording = GeneratedTasks([1])(("train", number)), Recording()
    judged = judge(recording, task.reference, task.name, task.hidden, task.steps)  # type: ignore[arg-type]
    assert all(answer.passed for answer in judged)
    secrets = [case.expected for case in task.hidden if len(case.expected) > 4]
    assert secrets
    assert not [secret for secret in secrets if secret in recording.sent]


HOSTILE = {
    "it ends the interpreter": "import os\ndef {name}(*a):\n    os._exit(0)",
    "it exits": "def {name}(*a):\n    raise SystemExit(0)",
    "it writes answers itself": (
        'import os\nfor fd in range(3, 30):\n    try:\n        os.write(fd, b\'{{"value": -7, "steps": 0}}\\n\' * 50)\n'
        "    except OSError:\n        pass\ndef {name}(*a):\n    return -7"
    ),
    "it equals everything": (
        "class All:\n    def __eq__(self, other):\n        return True\n    __hash__ = None\n"
        "def {name}(*a):\n    return All()"
    ),
    "it loops on one line": "def {name}(*a):\n    while True: pass",
    "it loops while it is loaded": "while True: pass",
    "it swallows what stops it": (
        "def {name}(*a):\n    while True:\n        try:\n            {name}(*a)\n"
        "        except BaseException:\n            pass"
    ),
    "it nests without end": "def {name}(*a):\n    return {name}(*a)",
    "it returns a list in itself": "def {name}(*a):\n    x = []\n    x.append(x)\n    return x",
    "it returns a number of many digits": "def {name}(*a):\n    return 10 ** 10000",
    "it stops the count of steps": "import sys\ndef {name}(*a):\n    sys.settrace(None)\n    return 1",
    "it is no program": "def {name}(:",
    "it holds a null character": "def {name}(*a):\n    return '\\x00'\n\x00",
    "it holds half a character": "def {name}(*a):\n    return '\ud800'",
    "it defines something else": "def other(*a):\n    return 1",
    "it defines a number": "{name} = 3",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_program_is_answered_and_not_paid(what: str, repair: CodeRepair) -> None:
    task = open_task(repair, 7)
    observation, reward, terminated, _, info = repair.step(fenced(HOSTILE[what].format(name=task.name)))
    assert (reward, terminated, info["success"]) == (0.0, False, False)
    assert observation.count("wrong: ") == len(task.visible)
    assert info["execution"]["passed"] == 0
    assert repair.step(fenced(task.reference))[1] == 1.0


def test_a_sandbox_killed_from_outside_is_a_fault_and_no_reward() -> None:
    task = GeneratedTasks([1])(("train", 0))
    program = f"import time\ndef {task.name}(*a):\n    time.sleep(8)"
    with open_sandbox("bubblewrap") as sandbox:
        killer = threading.Timer(1.0, lambda: [os.kill(pid, 9) for pid in sandbox.processes])  # type: ignore[attr-defined]
        began = time.monotonic()
        killer.start()
        with pytest.raises(EnvironmentFault, match="sandbox broke"):
            judge(sandbox, program, task.name, task.visible, task.steps)
        assert time.monotonic() - began < 60
        killer.join()
        assert judge(sandbox, task.reference, task.name, task.visible, task.steps)[0].passed


# Problems from files.


def test_problems_are_read_from_files_in_both_forms() -> None:
    env = CodeRepair(problems={"train": DATA / "humaneval.jsonl", "test": DATA / "mbpp.jsonl"})
    assert [env.tasks(split) for split in SPLITS] == [1, 0, 1]
    assert env._source.left_out == ["Own/1"]  # type: ignore[union-attr]
    for split, shown in (("train", "close_pair([1.0, 2.0, 3.0], 0.5) == False"), ("test", "spread([1, 5, 3]) == 4")):
        page, _ = env.reset(options={"task": 0, "split": split})
        assert f"test: {shown}" in page
        assert env.step(env.oracle())[1] == 1.0


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"task_id": 1}', '{"task_id": 1, "code": "x = 1", "test_list": ["assert f(1)"]}']
)
def test_a_file_of_something_else_is_refused_with_the_line(line: str, tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_text((DATA / "mbpp.jsonl").read_text() + line + "\n")
    with pytest.raises(ValueError, match="line 2"):
        CodeRepair(problems=path)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.jsonl"):
        CodeRepair(problems=tmp_path / "none.jsonl")


def _is_first_of_a_namespace(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return "\t1\n" in Path(f"/proc/{pid}/status").read_text().partition("NSpid:")[2].partition("NSpgid")[0]
    return False


def test_thirty_two_environments_while_one_sandbox_in_five_is_killed() -> None:
    """No wrong reward, no hang, and every fault a fault."""
    sandbox = shared_sandbox("bubblewrap")
    envs = [CodeRepair(levels=[1]) for _ in range(32)]
    each = 4
    episodes = len(envs) * each
    over = threading.Event()

    def kill() -> None:
        """Kill one of the processes that hold programs, again and again: a session or a supervisor, of whomever."""
        rng, kills = np.random.default_rng(0), 0
        while kills < episodes // 5 and not over.wait(0.05):
            # A program is none of them, whose end could be its own doing.
            holders = [pid for pid in descendants(sandbox.processes[0])[2:] if _is_first_of_a_namespace(pid)]
            if holders:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(rng.choice(holders)), signal.SIGKILL)
                    kills += 1

    def play(number: int) -> tuple[list[float], int]:
        env, rewards, faults = envs[number], [], 0
        for task in range(number, number + each):
            env.reset(seed=0, options={"task": task, "split": "train"})
            action = env.oracle() if number % 2 else "delete[1]"
            try:
                rewards.append(env.step(action)[1])
            except EnvironmentFault:
                faults += 1
        return rewards, faults

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with ThreadPoolExecutor(32) as pool:
            played = list(pool.map(play, range(32)))
    finally:
        over.set()
        killer.join()
    for number, (rewards, _) in enumerate(played):
        assert set(rewards) <= {float(number % 2)}, number
    faults = sum(faults for _, faults in played)
    assert faults > 0
    assert sum(len(rewards) for rewards, _ in played) + faults == episodes
    assert play(1) == ([1.0] * each, 0)
