"""The scorer: a language model that says how likely texts are, and how the rewards here ask it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ...trajectory import Observation, Trajectory
from ..reward import Episodes, RewardError, place

Pair = tuple[Observation, str]
"""A context and the text whose likelihood in it is asked."""


class Scorer(Protocol):
    """A language model that says how likely texts are.

    ``logprobs(pairs)`` takes (context, target) pairs and gives one float array [target tokens] per pair: the
    log-probability of each token of the target after the context and the tokens before it.  A context is a text, or
    ``{"text": str, "image": uint8 array [height, width, 3]}``; ``""`` asks for the likelihood of the target alone.  A
    target's tokens must not depend on its context.

    A reward's text shows a scorer by its ``repr``.  One that gives the name it can be imported by, such as
    ``my_module:my_scorer``, lets the text be read back.
    """

    def logprobs(self, pairs: Sequence[Pair]) -> list[np.ndarray]: ...


def ask(scorer: Scorer, pairs: Sequence[Pair]) -> list[np.ndarray]:
    """The scorer's answers, one float64 array [target tokens] per pair; each different pair is asked once, in one call.

    RewardError if the scorer gives anything but one vector of log-probabilities per pair.
    """
    places: dict[Hashable, int] = {}
    different: list[Pair] = []
    for context, target in pairs:
        key = _key(context), target
        if key not in places:
            places[key] = len(different)
            different.append((context, target))
    answers = [np.asarray(answer, np.float64) for answer in scorer.logprobs(different)] if different else []
    if len(answers) != len(different):
        raise RewardError(f"the scorer gave {len(answers)} answers for {len(different)} pairs")
    for answer, (_, target) in zip(answers, different, strict=True):
        # A probability may be rounded to a little more than 1.
        if answer.ndim != 1 or not (answer <= 1e-6).all():
            raise RewardError(f"the scorer gave no log-probabilities for {target!r:.80}: {answer!r:.200}")
    return [answers[places[_key(context), target]] for context, target in pairs]


def ask_turns(scorer: Scorer, episodes: Episodes, pair: Callable[[Trajectory, int], Pair]) -> list[list[np.ndarray]]:
    """For each episode, the answer to ``pair(trajectory, turn)`` at each turn."""
    answers = iter(ask(scorer, [pair(episode, turn) for episode in episodes for turn in range(len(episode.turns))]))
    return [[next(answers) for _ in episode.turns] for episode in episodes]


def ask_episodes(scorer: Scorer, episodes: Episodes, pair: Callable[[Trajectory], Pair]) -> list[np.ndarray]:
    """For each episode, the answer to ``pair(trajectory)``; no tokens for one that has no turns."""
    answers = iter(ask(scorer, [pair(episode) for episode in episodes if episode.turns]))
    return [next(answers) if episode.turns else np.zeros(0) for episode in episodes]


def seen(trajectory: Trajectory, turn: int = -1, before: str = "", after: str = "") -> Observation:
    """What the agent had seen when it acted at ``turn``, as a context, between the texts ``before`` and ``after``.

    The observations and actions up to there, each followed by a line break; the picture is that of the last
    observation, if it has one.  RewardError for what is no text.
    """
    last = turn % len(trajectory.turns)
    lines = [before]
    for index, past in enumerate(trajectory.turns[: last + 1]):
        lines.append(_text_of(past.observation, trajectory) + "\n")
        if index < last:
            lines.append(written(trajectory, index) + "\n")
    text = "".join([*lines, after])
    observation = trajectory.turns[last].observation
    pictured = isinstance(observation, dict) and "image" in observation
    return {"text": text, "image": observation["image"]} if pictured else text  # type: ignore[index]


def written(trajectory: Trajectory, turn: int = -1) -> str:
    """What the agent wrote at ``turn``; RewardError for an action that is no text."""
    action = trajectory.turns[turn].action
    if not isinstance(action, str):
        raise RewardError(f"likelihoods are of texts, but the action {action!r:.80} of {place(trajectory)} is none")
    return action


def known(trajectory: Trajectory, turn: int, key: str) -> str:
    """The text ``info[key]`` of a turn, which the environment gives; RewardError if there is none."""
    text = trajectory.turns[turn].info.get(key)
    if not isinstance(text, str) or not text:
        raise RewardError(f"info[{key!r}] in turn {turn} of {place(trajectory)} must be a text, not {text!r:.80}")
    return text


def mean_logprob(logprobs: np.ndarray) -> float:
    """The mean log-probability of a text's tokens; 0 for a text of no tokens."""
    return float(logprobs.mean()) if len(logprobs) else 0.0


def ema_update(reference: Mapping[str, Any], policy: Mapping[str, Any], decay: float = 0.995) -> dict[str, Any]:
    """The weights of a reference that follows a policy slowly: decay * reference + (1 - decay) * policy, by name.

    The values are arrays or tensors.  ValueError for a decay outside [0, 1] or if the names differ.  Sources: RLP
    (arXiv:2510.01265, algorithm 1), at every step; GRPO-CARE (arXiv:2506.16141), whose authors' scripts use 0.995 and
    update every 10 steps.
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"ema_update: decay {decay} is not between 0 and 1")
    if reference.keys() != policy.keys():
        raise ValueError(f"ema_update: only one side has {sorted(reference.keys() ^ policy.keys())}")
    return {name: decay * weights + (1 - decay) * policy[name] for name, weights in reference.items()}


def _text_of(observation: Any, trajectory: Trajectory) -> str:
    text = observation.get("text") if isinstance(observation, dict) else observation
    if not isinstance(text, str):
        raise RewardError(f"likelihoods need texts, but {place(trajectory)} has the observation {observation!r:.80}")
    return text


def _key(context: Observation) -> Hashable:
    return context if isinstance(context, str) else id(context)
