"""Every data set of reasoning-gym (arXiv:2505.24760) as an environment, ``ReasoningGym/<name>-v0``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .base import Key, Outcome, TextTask, numbered
from .graders import LONGEST, shared_grader

_SEEDS = {"train": 0, "validation": 1_000_003, "test": 2_000_029}
"""Where a split's seeds begin; entry i of a data set is drawn from its seed plus i."""
_TASKS = {"train": 10_000, "validation": 500, "test": 500}


@lru_cache(maxsize=64)
def dataset_of(name: str, seed: int) -> Any:
    """A data set whose entries are drawn when they are asked for.

    Raises :class:`ModuleNotFoundError` without reasoning-gym, and ValueError for a data set that it does not have.
    """
    try:
        from reasoning_gym.factory import DATASETS, create_dataset
    except ModuleNotFoundError as error:
        if error.name != "reasoning_gym":
            raise
        raise ModuleNotFoundError("ReasoningGym needs reasoning-gym: pip install 'palestra[code]'") from error
    if name not in DATASETS:
        raise ValueError(f"reasoning-gym has no data set {name!r}")
    return create_dataset(name, seed=seed, size=max(_TASKS.values()))


def entry_of(name: str, seed: int, number: int) -> tuple[Any, dict[str, Any]]:
    """A data set and one of its entries."""
    dataset = dataset_of(name, seed)
    return dataset, dataset[number]


class ReasoningGym(TextTask[dict[str, Any], int]):
    """Answer a question of a data set, between ``<answer>`` and ``</answer>``, once.

    The data set's own score, from 0 to 1, is paid; ``info["success"]`` says whether it is 1.  It is computed in a
    process of its own, because some scores evaluate what they are given.  Some data sets give other answers than the
    right one a little (0.01, say); the score is theirs and is not changed.

    Args:
        name: of the data set.

    Raises:
        ModuleNotFoundError: reasoning-gym is not installed.
        ValueError: it has no such data set.
    """

    guide = (
        "Answer the question. You may think in words first, and then write the answer, exactly in the form that is "
        "asked for, between tags: <answer>42</answer>"
    )

    def __init__(self, name: str) -> None:
        super().__init__(numbered(**_TASKS))
        dataset_of(name, 0)
        self._name = name
        self._grader = shared_grader("reasoning_gym")

    def make_task(self, key: Key) -> dict[str, Any]:
        """The entry, with where it comes from."""
        split, number = key
        _, entry = entry_of(self._name, _SEEDS[split], number)
        return {"question": entry["question"], "answer": entry["answer"], "seed": _SEEDS[split], "number": number}

    def begin(self, task: dict[str, Any]) -> int:
        """No answer yet."""
        return 0

    def act(self, task: dict[str, Any], state: int, action: str) -> Outcome[int]:
        """Score the answer."""
        _, opened, rest = action.rpartition("<answer>")
        answer, closed, _ = rest.partition("</answer>")
        if not opened or not closed:
            return Outcome(state, feedback="There is no answer in this: write <answer>...</answer>.")
        if len(answer) > LONGEST:
            return Outcome(state, feedback=f"The answer has {len(answer)} characters; at most {LONGEST} are read.")
        score = self._grader(self._name, task["seed"], task["number"], answer.strip()) or 0.0
        return Outcome(state + 1, float(score), True, info={"success": score >= 1.0})

    def show(self, task: dict[str, Any], state: int) -> str:
        """The question."""
        return str(task["question"])

    def advise(self, task: dict[str, Any], state: int) -> str:
        """The data set's own answer."""
        return f"<answer>{task['answer']}</answer>"

    def about(self, task: dict[str, Any], state: int) -> dict[str, Any]:
        """See :class:`TextTask`."""
        return {"success": False}
