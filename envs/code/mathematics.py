"""Math-v0: generated problems whose answers are graded by math-verify."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Any

from .base import Key, Outcome, TextTask, numbered, task_generator
from .graders import LONGEST, shared_grader
from .math_problems import KINDS, MathProblem

_SEED = 2028
_NUMBER = r"-?(?:\d+(?:\.\d+)?(?:/\d+)?|\\[dt]?frac\{-?\d+\}\{\d+\}|\d*\\sqrt\{\d+\})"
_TERM = rf"(?:(?:{_NUMBER})?x(?:\^(?:\d|\{{\d+\}}))?|{_NUMBER})"
_WRITTEN_OUT = {
    "number": re.compile(_NUMBER),
    "numbers": re.compile(rf"(?:\(|\\\{{){_NUMBER}(?:,{_NUMBER})*(?:\)|\\\}})"),
    "polynomial": re.compile(rf"[-+]?{_TERM}(?:[-+]{_TERM})*"),
}
"""What an answer may look like: to say the problem again, which means the same, is no answer."""
_BOXED = re.compile(r"\\boxed\s*\{")


@dataclass(frozen=True, slots=True)
class Tries:
    """How many answers were given, and the last one if it was wrong."""

    made: int = 0
    last: str = ""


class Math(TextTask[MathProblem, Tries]):
    r"""Answer a problem with ``\boxed{...}``, in LaTeX.

    The last box of an action is its answer.  It is graded by the package math-verify, which knows that ``0.5`` is
    ``\frac{1}{2}`` and that a set has no order.  The right one pays 1; it and the last of ``tries`` end the episode.
    ``info`` has ``"success"``, ``"answer"`` (the reference) and ``"kind"``.

    A calculator comes by wrapping: ``ToolWrapper(env, tools=["python"])``, registered as ``MathPython-v0``.

    Raises:
        ModuleNotFoundError: math-verify is not installed.
        ValueError: fewer than one try.
    """

    guide = (
        r"Solve the problem. You may think in words first. Give the answer in LaTeX as \boxed{...}, worked out, with "
        r"nothing else in the braces: \boxed{12}, \boxed{\frac{3}{4}}, \boxed{\{1, 2\}}, \boxed{x^2 + 1}."
    )

    def __init__(self, tries: int = 1) -> None:
        if tries < 1:
            raise ValueError(f"tries must be at least 1, not {tries}")
        super().__init__(numbered(train=500, validation=100, test=200))
        self._tries = tries
        self._grader = shared_grader("math_verify")

    def make_task(self, key: Key) -> MathProblem:
        """See :class:`TextTask`."""
        rng, kind = task_generator(_SEED, key), KINDS[key[1] % len(KINDS)]
        while True:
            problem = kind(rng)
            # A text belongs to one split, whatever its number.
            place = zlib.crc32(problem.text.encode()) % 10
            if ("validation", "test", "test", *["train"] * 7)[place] == key[0]:
                return problem

    def begin(self, task: MathProblem) -> Tries:
        """See :class:`TextTask`."""
        return Tries()

    def act(self, task: MathProblem, state: Tries, action: str) -> Outcome[Tries]:
        """Grade the answer."""
        answer = boxed(action)
        if answer is None:
            return Outcome(state, feedback=r"There is no answer in this: write \boxed{...}.")
        if len(answer) <= LONGEST and not _WRITTEN_OUT[task.form].fullmatch(_bare(answer)):
            return Outcome(state, feedback=f"Give the answer worked out, as a {task.form} and nothing else.")
        if len(answer) > LONGEST:
            return Outcome(state, feedback=f"The answer has {len(answer)} characters; at most {LONGEST} are read.")
        right = bool(self._grader(task.answer, answer))
        state = Tries(state.made + 1, "" if right else answer)
        return Outcome(state, float(right), right or state.made >= self._tries, info={"success": right})

    def show(self, task: MathProblem, state: Tries) -> str:
        """The problem, and the last answer if it was wrong."""
        return f"{task.text}\n{state.last} is not right." if state.last else task.text

    def advise(self, task: MathProblem, state: Tries) -> str:
        """The reference answer."""
        return f"\\boxed{{{task.answer}}}"

    def about(self, task: MathProblem, state: Tries) -> dict[str, Any]:
        """See :class:`TextTask`."""
        return {"success": False, "answer": task.answer, "kind": task.kind}


def _bare(answer: str) -> str:
    """Without blanks and what only changes the size of braces."""
    return re.sub(r"\s|\\left|\\right|\\[,;! ]", "", answer)


def boxed(text: str) -> str | None:
    r"""What stands in the last ``\boxed{...}`` of a text whose braces match; None without one."""
    starts = [match.end() for match in _BOXED.finditer(text)]
    if not starts:
        return None
    depth = 1
    for place in range(starts[-1], len(text)):
        if text[place - 1] != "\\":
            depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return text[starts[-1] : place].strip() or None
    return None
