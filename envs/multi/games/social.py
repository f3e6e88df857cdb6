"""Dialogue of two people with private goals, who plan something together, and each of whom has a secret."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ...splits import Splits
from ..bargain import PROPOSE, Bargain, BargainGame, Pay, split_by_view
from ..game import IllegalMove, quote

SCENES: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("plan an evening", (("cinema", "concert", "dinner"), ("friday", "saturday", "sunday"), ("ana", "ben", "both"))),
    ("furnish a shared room", (("red", "green", "white"), ("sofa", "armchairs", "cushions"), ("rug", "tiles", "wood"))),
    ("plan a trip", (("sea", "mountains", "city"), ("train", "car", "plane"), ("hotel", "tent", "hostel"))),
    ("share the housework", (("ana", "ben", "turns"), ("daily", "weekly", "monthly"), ("list", "app", "memory"))),
    ("found a band", (("jazz", "rock", "folk"), ("ana", "ben", "neither"), ("garage", "cellar", "studio"))),
)
"""What is to be decided, with the choices of each of three questions."""
SECRETS = ("debt", "job", "illness", "surprise", "move", "breakup")
WEIGHTS = tuple(itertools.permutations((6, 3, 1)))
"""How much each of the three questions counts to a player, of 10."""
FINE = 0.3
"""What it costs a player to say its own secret word."""


class Scene(NamedTuple):
    """The scene's number, and for each player its favourite choices, their weights, and its secret."""

    scene: int
    wishes: tuple[tuple[int, ...], tuple[int, ...]]
    weights: tuple[tuple[int, ...], tuple[int, ...]]
    secrets: tuple[str, str]


class SocialDialogue(BargainGame[Scene]):
    """Two people decide three questions together; goals and secrets are private (after SOTOPIA,
    https://arxiv.org/abs/2310.11667).

    A deal pays a player the weights of the questions that went as it wished, over 10.  Saying one's own secret word
    costs 0.3.  ``strategists=True`` gives each a strategist, the setting of EPO.
    """

    name = "SocialDialogue"
    players = ("ana", "ben")
    guide = (
        "Ana and Ben decide three questions together. Each has private wishes, which count differently, and a secret "
        "word that it must not say. Nothing is gained without agreeing. To propose one choice for each question, "
        "answer for example: propose cinema, friday, ben. Words may follow: propose cinema, friday, ben: please! Or "
        "answer: accept, say <words>, leave."
    )
    lowest = -FINE

    def __init__(self, most_moves: int = 10, strategists: bool = False, pay: Pay = "own") -> None:
        super().__init__(most_moves, strategists, pay)
        self.splits = _splits()

    def deals(self, task: Scene) -> Sequence[str]:
        """Every answer to the three questions."""
        return [", ".join(choices) for choices in itertools.product(*SCENES[task.scene][1])]

    def worth(self, task: Scene, deal: str, player: int) -> float:
        """The weights of the wishes that are fulfilled."""
        decided = deal.split(", ")
        questions = SCENES[task.scene][1]
        wished = [choices[wish] for choices, wish in zip(questions, task.wishes[player], strict=True)]
        weights = zip(task.weights[player], wished, decided, strict=True)
        return sum(weight for weight, wish, choice in weights if wish == choice) / 10

    def charged(self, state: Bargain, player: int, pay: float) -> float:
        """The deal's worth, less the fine if the player has said its own secret."""
        return pay - FINE if self._told(state, player) else pay

    def _told(self, state: Bargain, player: int) -> bool:
        word = re.compile(rf"\b{state.task.secrets[player]}\b", re.IGNORECASE)
        return any(line.player == player and word.search(line.text) for line in state.log)

    def parse(self, task: Scene, text: str, player: int) -> str:
        """One choice for each question, in order."""
        chosen = [part.strip().casefold() for part in text.split(",")]
        questions = SCENES[task.scene][1]
        if len(chosen) != len(questions) or any(c not in choices for c, choices in zip(chosen, questions, strict=True)):
            options = "; ".join(" or ".join(choices) for choices in questions)
            raise IllegalMove(f"{quote(text)} does not choose one of each: {options}.")
        return ", ".join(chosen)

    def describe(self, task: Scene, deal: str, player: int) -> str:
        """The choices."""
        return deal

    def brief(self, task: Scene, player: int) -> str:
        """The scene, the player's wishes and what they count, and its secret."""
        title, questions = SCENES[task.scene]
        choices = "; ".join(" or ".join(options) for options in questions)
        wishes = [
            f"{options[wish]} ({weight})"
            for options, wish, weight in zip(questions, task.wishes[player], task.weights[player], strict=True)
        ]
        return (
            f"You are {self.players[player]}. You two {title}: {choices}. You wish for {', '.join(wishes)}. "
            f"Never say the word {task.secrets[player]}."
        )

    def examples(self) -> Sequence[str]:
        """Some proposals."""
        return tuple(f"{PROPOSE} {', '.join(options[0] for options in questions)}" for _, questions in SCENES)

    def outcome(self, state: Bargain) -> dict[str, object]:
        """As in every bargain, and who told its secret."""
        return {**super().outcome(state), "told": [self._told(state, player) for player in range(2)]}


@lru_cache(maxsize=1)
def _splits() -> Splits[Scene]:
    """Scenes that are all different: 300 each for validation and test, 2,400 to train on."""
    rng = np.random.default_rng(2310)
    pairs = list(itertools.permutations(SECRETS, 2))
    bounds = [len(SCENES), *[3] * 6, len(WEIGHTS), len(WEIGHTS), len(pairs)]
    scenes: dict[Scene, None] = {}
    for scene, a, b, c, d, e, f, first, second, secret in rng.integers(bounds, size=(3500, len(bounds))).tolist():
        scenes[Scene(scene, ((a, b, c), (d, e, f)), (WEIGHTS[first], WEIGHTS[second]), pairs[secret])] = None
    return split_by_view(
        list(scenes), lambda scene: (scene.scene, scene.wishes[0], scene.weights[0], scene.secrets[0]), 2400, 300
    )
