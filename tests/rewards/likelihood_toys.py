"""Small tasks on which the rewards by likelihood can be seen to teach what they should."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from palestra import Status, Trajectory, Turn
from palestra.rewards import Reward
from palestra.rewards.likelihood import regulariser_weight


def episode(*turns: tuple[str, str], status: Status = Status.TERMINATED, **info: Any) -> Trajectory:
    """Turns of (observation, action); ``info`` is the last one's."""
    made = [Turn(observation, action) for observation, action in turns]
    if made:
        made[-1].info.update(info)
    return Trajectory("X-v0", None, 0, made, status)


def lists(reward: Reward, *group: Trajectory) -> list[Any]:
    return [None if value is None else value.tolist() for value in reward(group)]


class ScriptedUser(gymnasium.Env[str, str]):
    """Asks for something of a colour, and thanks or complains; one time in ten it says the other thing."""

    COLOURS, THINGS = ("red", "blue", "green"), ("lamp", "chair")
    THANKS, COMPLAINT = "thanks that is it", "no that is wrong"

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.wanted = f"{self.np_random.choice(self.COLOURS)} {self.np_random.choice(self.THINGS)}"
        offers = [f"here is a {colour} {thing}" for colour in self.COLOURS for thing in self.THINGS]
        return f"i want a {self.wanted}", {"legal_actions": offers}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        right = action.endswith(self.wanted)
        said = self.THANKS if right == (self.np_random.random() < 0.9) else self.COMPLAINT
        return said, float(right), True, False, {"success": right, "legal_actions": [action]}


class Question(gymnasium.Env[str, str]):
    """Which number is asked for?  Fillers may come before the answer, which ends the episode."""

    ANSWERS, FILLERS = ("it is one", "it is two", "it is three"), ("well", "you know")

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.asked, self.said = int(self.np_random.integers(3)), 0
        return f"say {self.ANSWERS[self.asked].split()[-1]}", {"legal_actions": [*self.ANSWERS, *self.FILLERS]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.said += 1
        right = action == self.ANSWERS[self.asked]
        info = {"success": right, "legal_actions": [*self.ANSWERS, *self.FILLERS]}
        return (
            f"go on, {self.ANSWERS[self.asked].split()[-1]}",
            float(right),
            action in self.ANSWERS,
            self.said == 12,
            info,
        )


class PlainText(gymnasium.Env[str, str]):
    """Two numbers, and then a word that their sum determines; the agent may note one word before it goes on."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.numbers = self.np_random.integers(4, size=2)
        return "x{} y{}".format(*self.numbers), {"legal_actions": ["s0 ", "s1 ", "s2 ", "s3 ", "hm ", "um "]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        total = self.numbers.sum() % 4
        return "", float(action == f"s{total} "), True, False, {"next": f"n{total}", "legal_actions": [action]}


class Reasoner(gymnasium.Env[str, str]):
    """A question with a reference answer; the agent reasons, and answers as its reasoning makes likely."""

    def __init__(self) -> None:
        questions = range(4)
        self.table = {
            (f"q{question}\nr{thought}\n", f"the y{question}"): [0.9, 0.85 if thought == question else 0.05]
            for question in questions
            for thought in questions
        } | {(f"q{question}\n\n", f"the y{question}"): [0.9, 0.25] for question in questions}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.question = int(self.np_random.integers(4))
        return f"q{self.question}", {"legal_actions": [f"r{thought}" for thought in range(4)]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        reference = f"the y{self.question}"
        right = self.np_random.random() < self.table[f"q{self.question}\n{action}\n", reference][1]
        info = {"success": right, "reference": reference, "legal_actions": [action]}
        return "", float(right), True, False, info


class Story(gymnasium.Env[str, str]):
    """Two ways to the right answer, of which one does not follow from what was said before it."""

    COHERENT, INCOHERENT = "the ball is on the tee\nhit", "the club is in the bag\nhit"
    ACTIONS = (COHERENT, INCOHERENT, "the club is in the bag\nwalk", "the ball is on the tee\nwalk")

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        return "what next?", {"legal_actions": list(self.ACTIONS)}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        right = action.endswith("hit")
        return "", float(right), True, False, {"success": right, "legal_actions": list(self.ACTIONS)}


class PixelJudge:
    """Answers yes and no by how far the picture is from the target, with logits as a model has them."""

    def __init__(self, target: np.ndarray) -> None:
        self.target = target.astype(float)

    def logits(self, image: np.ndarray) -> np.ndarray:
        distance = np.abs(image - self.target).mean() / 64
        return np.array([2 - 2 * distance, distance])

    def logprobs(self, pairs: Any) -> list[np.ndarray]:
        answers = []
        for context, word in pairs:
            logits = self.logits(context["image"])
            answers.append(logits[["yes", "no"].index(word)][None] - np.logaddexp(*logits))
        return answers


class Painter(gymnasium.Env[str, str]):
    """Shows the target with one of six degrees of noise."""

    LEVELS = (0, 20, 40, 60, 80, 100)

    def __init__(self, target: np.ndarray) -> None:
        self.target = target
        self.rng = np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        return "paint", {"legal_actions": [str(level) for level in self.LEVELS]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        noise = self.rng.normal(0, int(action) + self.rng.uniform(0, 10), self.target.shape)
        shown = np.clip(self.target + noise, 0, 255)
        return "", -float(action), True, False, {"shown": shown, "legal_actions": [action]}


def shown(trajectory: Trajectory) -> Any:
    return {"text": "Is this the page that was asked for?", "image": trajectory.turns[-1].info["shown"]}


NEUTRAL = 10
"""Words of no consequence; after them in the vocabulary come the right word and the wrong one."""


def blockwise_log_softmax(logits: np.ndarray) -> np.ndarray:
    """Of a model with one distribution for ordinary places and one for the place of the right or wrong word."""
    return np.concatenate([part - np.logaddexp.reduce(part) for part in np.split(logits, [NEUTRAL])])


def dpo(chosen: np.ndarray, rejected: np.ndarray, token_rewards: np.ndarray, alpha: float) -> np.ndarray:
    """DPO with T-REG's regulariser at weight ``alpha``: the implicit token rewards beta * log (p / p_reference), [12].

    ``chosen`` and ``rejected`` are the pairs' counts of words, [pairs, 12]; the reference is uniform in each place.
    """
    beta, logits = 0.1, np.zeros(NEUTRAL + 2)
    reference = blockwise_log_softmax(logits)

    def gradient_of_logprobs(mass: np.ndarray, logprobs: np.ndarray) -> np.ndarray:
        """The derivative of ``mass @ logprobs`` by the logits."""
        inside = np.repeat([mass[:NEUTRAL].sum(), mass[NEUTRAL:].sum()], [NEUTRAL, 2])
        return mass - inside * np.exp(logprobs)

    for _ in range(200):
        logprobs = blockwise_log_softmax(logits)
        implicit = beta * (logprobs - reference)
        weights = np.array(
            [regulariser_weight(*pair) for pair in zip(chosen @ implicit, rejected @ implicit, strict=True)]
        )
        # Minus the gradients of DPO and of token_regulariser, by pair.
        mass = weights @ (chosen - rejected) + alpha * (weights @ (chosen + rejected)) * token_rewards
        logits += 0.5 * beta * gradient_of_logprobs(mass, logprobs)
    return beta * (blockwise_log_softmax(logits) - reference)


class Typing(gymnasium.Env[str, str]):
    """Sixteen letters, one at a time; the base model prefers one of two a little, whatever came before."""

    LENGTH, ODDS = 16, 0.6

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        self.typed = ""
        return "0", {"legal_actions": ["a", "b"]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.typed += action
        length = len(self.typed)
        likeliest = self.typed == "a" * self.LENGTH
        return str(length), float(likeliest), length == self.LENGTH, False, {"legal_actions": ["a", "b"]}


class TypingModel:
    def logprobs(self, pairs: Any) -> list[np.ndarray]:
        return [np.log([Typing.ODDS if letter == "a" else 1 - Typing.ODDS]) for _, letter in pairs]
