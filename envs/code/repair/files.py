"""Problems from JSON lines, in the forms of HumanEval (arXiv:2107.03374) and MBPP (arXiv:2108.07732)."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...splits import Splits
from ..base import Key
from .tasks import Case, RepairTask

_VISIBLE = 3
_STEPS = 2_000_000


class FileTasks:
    """The problems of a file for each split, or of one file for training.

    Of the tests, those are taken that compare the function's answer to plain arguments with a plain value
    (``assert f(1, [2]) == 3``, ``assert not f("a")``); a problem without at least two of them is left out, and
    :attr:`left_out` has its name.  Half of a problem's tests are visible, three at most.

    Raises ValueError for an unknown split, and for a file that holds something else, with the line.
    """

    def __init__(self, problems: str | Path | Mapping[str, str | Path]) -> None:
        files = dict(problems) if isinstance(problems, Mapping) else {"train": problems}
        unknown = [split for split in files if split not in ("train", "validation", "test")]
        if unknown or "train" not in files:
            raise ValueError(f"problems are files for train (needed), validation and test, not {files!r}")
        self.left_out: list[str] = []
        self._tasks = {split: self._read(Path(path)) for split, path in files.items()}
        self.splits: Splits[Key] = Splits(
            **{split: [(split, number) for number in range(len(tasks))] for split, tasks in self._tasks.items()}
        )

    def __call__(self, key: Key) -> RepairTask:
        """The task of that split and number."""
        split, number = key
        return self._tasks[split][number]

    def _read(self, path: Path) -> list[RepairTask]:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read the problems in {path}: {error}") from error
        tasks = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
                task = _humaneval(entry) if "entry_point" in entry else _mbpp(entry)
            except (ValueError, KeyError, TypeError, SyntaxError, RecursionError) as error:
                raise ValueError(
                    f"{path}, line {number}: neither a HumanEval problem (task_id, prompt, canonical_solution, "
                    f"entry_point, test) nor one of MBPP (task_id, text, code, test_list): {error!r:.200}"
                ) from error
            if task is None:
                self.left_out.append(str(entry.get("task_id", number)))
            else:
                tasks.append(task)
        if not tasks:
            raise ValueError(f"{path} has no problem with two tests that compare with a plain value")
        return tasks


def _humaneval(entry: Mapping[str, Any]) -> RepairTask | None:
    name, prompt = str(entry["entry_point"]), str(entry["prompt"])
    reference = prompt + str(entry["canonical_solution"])
    function = _function(reference, name)
    cases = list(_cases(ast.parse(str(entry["test"])), "candidate"))
    return _task(entry, name, ast.get_docstring(function) or name, reference, cases)


def _mbpp(entry: Mapping[str, Any]) -> RepairTask | None:
    reference = str(entry["code"]).replace("\r\n", "\n")
    tests = ast.parse("\n".join([*entry["test_list"], *entry.get("challenge_test_list", [])]))
    called = [
        node.func.id for node in ast.walk(tests) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    defined = [node.name for node in ast.parse(reference).body if isinstance(node, ast.FunctionDef)]
    name = next((name for name in called if name in defined), "")
    if not name:
        raise ValueError("its tests call no function that its code defines")
    return _task(entry, name, str(entry.get("text") or entry["prompt"]), reference, list(_cases(tests, name)))


def _task(entry: Mapping[str, Any], name: str, spec: str, reference: str, cases: list[Case]) -> RepairTask | None:
    if len(cases) < 2:
        return None
    shown = min(_VISIBLE, len(cases) // 2)
    lines = reference.rstrip("\n").splitlines()
    function = _function(reference, name)
    # Up to the body: imports and helpers that the prompt gives stay, and so does the signature on however many lines.
    start = "\n".join([*lines[: function.body[0].lineno - 1], " " * function.body[0].col_offset + "pass"])
    shown_cases, hidden = tuple(cases[:shown]), tuple(cases[shown:])
    return RepairTask(name, spec, start, "\n".join(lines), shown_cases, hidden, 3, str(entry["task_id"]), _STEPS)


def _function(program: str, name: str) -> ast.FunctionDef:
    for node in ast.parse(program).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    raise ValueError(f"the solution defines no function {name}")


def _cases(tests: ast.Module, name: str) -> Iterator[Case]:
    """The tests that compare a call of ``name`` with plain arguments to a plain value."""
    for node in ast.walk(tests):
        if not isinstance(node, ast.Assert):
            continue
        call, expected = _sides(node.test)
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name):
            continue
        if call.keywords:
            continue
        try:
            yield Case(tuple(map(ast.literal_eval, call.args)), ast.literal_eval(expected))
        except (ValueError, TypeError):
            continue


def _sides(test: ast.expr) -> tuple[ast.expr, ast.expr]:
    """A call and what it is to be equal to, in ``f(x) == y``, ``f(x) is True``, ``f(x)`` and ``not f(x)``."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq | ast.Is):
        return test.left, test.comparators[0]
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand, ast.Constant(False)
    return test, ast.Constant(True)
