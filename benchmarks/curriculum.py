"""Held-out hard tasks solved after training with different curricula, at equal episodes.

The student is a linear softmax policy over the actions that a page of ``WebTasksText-v0`` offers, with features of
words that goal and page share.  It knows nothing at first, and learns by REINFORCE from groups of episodes of one task,
whose mean is the baseline.  Tasks have one to four things to be done; the held-out ones have three or four.

    python benchmarks/curriculum.py [--episodes 2400] [--seeds 0 1 2] [--sources uniform evolving learning_progress]
"""

from __future__ import annotations

import argparse
import re
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import gymnasium
import numpy as np

import palestra  # noqa: F401 - registers the environments
from palestra.training.curriculum import SOURCES
from palestra.training.task_space import TaskSpace

TEMPLATES = ("mail-star", "mail-archive", "mail-delete", "mail-travel", "issues-close", "forum-follow", "admin-lock")
HARD = (3, 4)
GROUP = 4
WIDTH = 1 << 16
_ELEMENT = re.compile(r"\[(a\d+)\] (\w+) '([^']*)'( checked)?(?: value='([^']*)')?(?: options: (.*?))?(?=$| \| | \[)")
_QUOTED = re.compile(r'"([^"]*)"')


@dataclass
class Choices:
    """The actions that a page offers, and the features of each as indices into the weights."""

    actions: list[str]
    features: list[np.ndarray]


def read(observation: str) -> Choices:
    """What can be done on a page: click what can be clicked, fill in words of the goal, select what the goal names."""
    goal, *lines = observation.split("\n")
    verb = " ".join(goal.split()[1:3])
    fillings = [*dict.fromkeys(_QUOTED.findall(goal))]
    inside = any(len(line) > 3 and "[" not in line and line.split(" ", 1)[-1] in goal for line in lines[3:6])
    choices = Choices([], [])
    for line in lines:
        plain = [piece for piece in _ELEMENT.sub("", line).split(" | ") if piece.strip(" #|")]
        found = _ELEMENT.findall(line)
        named = any(len(label) > 3 and label in goal for _, _, label, *_ in found)
        about = f"{named}|{inside}|{plain[-1] if plain else ''}"
        for name, kind, label, _, value, options in found:
            known = "*" if label in goal else label
            offers = [(f"click({name!r})", "")]
            if kind == "textbox":
                offers = [(f"fill({name!r}, {text!r})", f"{i}{text == value}") for i, text in enumerate(fillings)]
            elif kind == "combobox":
                offers = [
                    (f"select_option({name!r}, {option!r})", f"{option == value}")
                    for option in options.split(", ")
                    if option in goal
                ]
            for action, extra in offers:
                words = (
                    f"{kind}|{known}|{extra}",
                    f"{verb}|{kind}|{known}|{extra}|{value == ''}",
                    f"{verb}|{kind}|{known}|{extra}|{inside}",
                    f"{verb}|{kind}|{known}|{extra}|{about}",
                    f"{kind}|{known}|{extra}|{named}|{inside}",
                )
                choices.actions.append(action)
                choices.features.append(np.array([zlib.crc32(word.encode()) % WIDTH for word in words]))
    return choices


class Student:
    """The policy, and how it learns."""

    def __init__(self, rng: np.random.Generator, rate: float = 0.4) -> None:
        self.weights = np.zeros(WIDTH)
        self.rng = rng
        self.rate = rate

    def chances(self, choices: Choices) -> np.ndarray:
        """The probability of each choice."""
        scores = np.array([self.weights[features].sum() for features in choices.features])
        chances = np.exp(scores - scores.max())
        return chances / chances.sum()

    def play(self, env: gymnasium.Env, task: int, split: str) -> tuple[float, list[tuple[Choices, int, np.ndarray]]]:
        """One episode: what it was paid, and what was chosen among what with which chances."""
        observation, info = env.reset(options={"task": task, "split": split})
        made = []
        for _ in range(2 + 4 * info["level"]):
            choices = read(observation)
            chances = self.chances(choices)
            chosen = int(self.rng.choice(len(chances), p=chances))
            made.append((choices, chosen, chances))
            observation, reward, terminated, _, _ = env.step(choices.actions[chosen])
            if terminated:
                return float(reward), made
        return 0.0, made

    def learn(self, episodes: Sequence[tuple[float, list[tuple[Choices, int, np.ndarray]]]]) -> None:
        """Make choices of episodes that were paid more than the mean of their group more likely."""
        mean = np.mean([paid for paid, _ in episodes])
        step: np.ndarray = np.zeros(WIDTH)
        for paid, made in episodes:
            for choices, chosen, chances in made:
                for index, features in enumerate(choices.features):
                    np.add.at(step, features, (paid - mean) * ((index == chosen) - chances[index]))
        self.weights += self.rate * step


def train(name: str, seed: int, episodes: int) -> tuple[float, dict[int, int]]:
    """Train a student; the share of held-out hard tasks it solves, and how many episodes it played at each level."""
    env = gymnasium.make("WebTasksText-v0", tasks=TEMPLATES, sizes=(1,))
    space = TaskSpace(env.unwrapped.axes("train"))
    source = SOURCES[name](space, np.random.default_rng((seed, 1)))
    student = Student(np.random.default_rng((seed, 2)))
    played: dict[int, int] = {}
    for _ in range(episodes // GROUP):
        (task,) = source.sample(1)
        group = [student.play(env, task, "train") for _ in range(GROUP)]
        source.report(task, float(np.mean([paid for paid, _ in group])))
        student.learn(group)
        level = space.parameters(task)["level"]
        played[level] = played.get(level, 0) + GROUP
    held_out = TaskSpace(env.unwrapped.axes("test"))
    hard = [task for task in range(held_out.size) if held_out.parameters(task)["level"] in HARD]
    solved = [student.play(env, task, "test")[0] for task in hard * 2]
    return float(np.mean(solved)), dict(sorted(played.items()))


def main() -> None:
    """Train with each source on each seed, in turn."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--episodes", type=int, default=2400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sources", nargs="+", default=["uniform", "evolving", "learning_progress"])
    arguments = parser.parse_args()
    results: dict[str, list[float]] = {name: [] for name in arguments.sources}
    for seed in arguments.seeds:
        for name in arguments.sources:
            began = time.process_time()
            solved, played = train(name, seed, arguments.episodes)
            results[name].append(solved)
            seconds = time.process_time() - began
            print(f"seed {seed} {name:18s} {solved:6.1%} of hard tasks; by level {played}; {seconds:.0f} s", flush=True)
    print(f"\nHeld-out tasks of levels {HARD} solved after {arguments.episodes} episodes:")
    for name, values in results.items():
        print(f"{name:18s} {np.mean(values):6.1%}  ({', '.join(f'{value:.1%}' for value in values)})")


if __name__ == "__main__":
    main()
