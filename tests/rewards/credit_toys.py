"""Small environments in words in which it matters which turn gets the credit."""

from __future__ import annotations

from typing import Any

import gymnasium

State = tuple[str, dict[str, Any]]


class Matching(gymnasium.Env[str, str]):
    """Sixteen colours in turn, each to be answered by its own name; what was right is paid in one sum at the end.

    ``info["matched"]`` says whether an answer was right, which the reward of a turn does not.
    """

    LENGTH, COLOURS = 16, ("red", "green", "blue")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> State:
        super().reset(seed=seed)
        self.colours = [self.COLOURS[index] for index in self.np_random.integers(0, 3, self.LENGTH)]
        self.right: list[bool] = []
        return self.colours[0], {"legal_actions": self.COLOURS}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        shown = self.colours[len(self.right)]
        self.right.append(action == shown)
        done = len(self.right) == self.LENGTH
        following = "over" if done else self.colours[len(self.right)]
        info = {"legal_actions": self.COLOURS, "matched": self.right[-1], "shown": shown}
        return following, float(sum(self.right)) if done else 0.0, done, False, info


class Chain(gymnasium.Env[str, str]):
    """Choices that must all be right, of which only the end tells: it pays 1 if they were.

    ``info["right"]`` says of each choice whether it was.  With ``stops``, the first wrong choice ends the episode.
    """

    def __init__(self, length: int, choices: int, stops: bool = False) -> None:
        self.length, self.choices, self.stops = length, [f"choice {number}" for number in range(choices)], stops

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> State:
        super().reset(seed=seed)
        self.right: list[bool] = []
        return "step 0", {"legal_actions": self.choices}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.right.append(action == self.choices[0])
        done = len(self.right) == self.length or (self.stops and not self.right[-1])
        solved = done and all(self.right)
        info = {"legal_actions": self.choices, "right": float(self.right[-1]), "success": solved}
        return f"step {len(self.right)}", float(solved), done, False, info


class ToolTasks(gymnasium.Env[str, str]):
    """One answer to a question, with a tool or without: the tool helps with even tasks and hinders with odd ones."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> State:
        if seed is not None and not hasattr(self, "_drawn"):  # a group shares its seed, but not its luck
            super().reset(seed=seed)
            self._drawn = True
        self.kind = (options or {}).get("task", 0) % 2
        return f"question of kind {self.kind}", {"legal_actions": ["tool", "plain"]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        solved = bool(self.np_random.random() < (0.8 if (action == "tool") == (self.kind == 0) else 0.6))
        info = {"legal_actions": [], "success": solved, "used": float(action == "tool")}
        return "over", float(solved), True, False, info
