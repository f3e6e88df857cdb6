"""Meaning: how near a text or a view comes to what was wanted, in the space of an encoder that you bring.

An encoder is a function from a list of n things to an array [n, d]; texts for most rewards here, observations for
:func:`goal_similarity` and :func:`stage_progress`.  In an expression it is named ``my_module:my_encoder``.
:func:`character_ngrams` is one that needs no model, and knows spelling rather than meaning.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..trajectory import Turn
from .action import words
from .combinator import Operation, combinator
from .lift import turn_reward
from .reward import Episodes, RewardError, Scope, Values
from .tool import action_text, required

__all__ = [
    "character_ngrams",
    "contrastive_similarity",
    "distinct_trigrams",
    "goal_similarity",
    "length_incentive",
    "max_average_similarity",
    "relevance",
    "semantic_similarity",
    "stage_progress",
]

Encoder = Callable[[list[Any]], np.ndarray]
"""Maps n texts or observations to an array [n, d]; the same thing always to the same vector."""

_DIMENSIONS = 4096


def character_ngrams(texts: list[str]) -> np.ndarray:
    """Counts of character 2-, 3- and 4-grams, hashed into 4096 columns: [n, 4096] float64, each row of length 1.

    It tells texts apart by spelling: inflections, typing errors and shared stems are near, word order hardly matters.
    It does not know what words mean: synonyms, translations and paraphrases in other words are far, and "not" changes
    little.  Two texts of the same language share common letters, so that unrelated ones score above 0.
    Anything that should reward meaning needs a real encoder in its place.
    """
    vectors = np.zeros((len(texts), _DIMENSIONS))
    for row, text in enumerate(texts):
        spelled = f" {' '.join(text.lower().split())} ".encode("utf-32-le", "surrogatepass")
        for size in (8, 12, 16):  # 4 bytes a character
            for start in range(0, len(spelled) - size + 1, 4):
                vectors[row, zlib.crc32(spelled[start : start + size]) % _DIMENSIONS] += 1
    return _normalised(vectors)


@combinator()
def semantic_similarity(embed: Encoder = character_ngrams) -> Operation:
    """cos(embed(action), embed(info["reference"])), turn by turn.

    A dense reward for explanations and other free text.  RewardError without a reference.
    Source: Shaping Explanations (arXiv:2509.13081), with a small encoder-only transformer.
    """
    return lambda episodes: _each_turn(episodes, lambda turns: _cosine_to(embed, turns, "reference"))


@combinator()
def max_average_similarity(embed: Encoder = character_ngrams) -> Operation:
    """Bidirectional max-average similarity (BMAS) of the action and ``info["reference"]``, turn by turn.

    With S[i, j] the cosine of the action's i-th word and the reference's j-th, (mean_i max_j S + mean_j max_i S) / 2:
    1 for the same words, symmetric, lower for what is left out and for what is added; word order does not matter.
    0 if either has no word.  ``embed`` is asked for words.  Source: Mixed-R1 (arXiv:2505.24164), which takes the
    tokens' rows of the policy's own embedding matrix, and whose weighting of the two directions could not be checked.
    """

    def similarity(turn: Turn) -> float:
        own, reference = words(action_text(turn)), words(_text(turn, "reference"))
        if not own or not reference:
            return 0.0
        vectors = _normalised(_encode(embed, own + reference))
        similar = vectors[: len(own)] @ vectors[len(own) :].T
        return float(similar.max(axis=1).mean() + similar.max(axis=0).mean()) / 2

    return lambda episodes: _each_turn(episodes, lambda turns: np.array([similarity(turn) for turn in turns]))


@combinator()
def relevance(embed: Encoder = character_ngrams) -> Operation:
    """cos(embed(info["query"]), embed(action)), turn by turn: how far the reply is about the question.

    Alone it is hacked by repeating the question.  ``product(relevance(my_encoder), length_incentive,
    distinct_trigrams)`` is the regularised relevance reward, in which what each factor can be hacked by costs in
    another; :func:`~palestra.rewards.route` can send closed questions to :func:`semantic_similarity` instead, as the
    paper does.  Source: R^3, regularised relevance reward (arXiv:2402.03469); the product of the three factors is that
    of published code, which takes the retriever's inner product in place of the cosine.
    """
    return lambda episodes: _each_turn(episodes, lambda turns: _cosine_to(embed, turns, "query"))


@turn_reward
def length_incentive(turn: Turn, per: int = 100) -> float:
    """The action's words and punctuation marks, in units of ``per``.  See :func:`relevance`."""
    return len(_tokens(turn)) / per


@turn_reward
def distinct_trigrams(turn: Turn) -> float:
    """The share of the action's trigrams of words that are distinct, in (0, 1]; 1 if it has none: see relevance."""
    tokens = _tokens(turn)
    trigrams = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
    return len(set(trigrams)) / len(trigrams) if trigrams else 1.0


@combinator()
def contrastive_similarity(embed: Encoder = character_ngrams, temperature: float = 0.1) -> Operation:
    """The probability that the action belongs to ``info["reference"]`` rather than to one of ``info["negatives"]``.

    exp(s+ / temperature) / (exp(s+ / temperature) + sum exp(s- / temperature)), with s the cosines to the reference
    (the user's intent) and to the negatives (a list of other intents), in (0, 1).
    ``sql_execution + 0.5 * contrastive_similarity(my_encoder)`` also tells apart queries that return the same rows by
    accident.  RewardError without a reference or a negative.  Source: contrastive rewards for multilingual text-to-SQL
    (arXiv:2510.13827); how the paper scales its term could not be checked, and the form here is InfoNCE's.
    """
    if not temperature > 0:
        raise ValueError(f"contrastive_similarity: temperature {temperature} is not above 0")

    def probability(turn: Turn) -> float:
        negatives = required(turn, "negatives")
        if not negatives or not all(isinstance(text, str) for text in negatives):
            raise RewardError(f'info["negatives"] must be a list of texts, not {negatives!r:.200}')
        vectors = _normalised(_encode(embed, [action_text(turn), _text(turn, "reference"), *negatives]))
        logits = vectors[1:] @ vectors[0] / temperature
        weights = np.exp(logits - logits.max())
        return float(weights[0] / weights.sum())

    return lambda episodes: _each_turn(episodes, lambda turns: np.array([probability(turn) for turn in turns]))


@combinator()
def goal_similarity(
    encode: Encoder, embed: Encoder, goal: str, baseline: str | None = None, alpha: float = 0.0
) -> Operation:
    """How near the view is to a goal described in words, turn by turn.

    ``encode`` takes observations (what the agent saw in the turn), ``embed`` texts, into one space, as CLIP does.
    With s, g and b the unit vectors of observation, goal and baseline, and P the projection on the direction g - b,

        1 - |(alpha * P + (1 - alpha) * I) (s - g)|^2 / 2.

    alpha = 0 is the cosine of s and g.  alpha = 1 looks only along the line from baseline ("a humanoid robot") to goal
    ("a humanoid robot kneeling"), and ignores whatever else changes in the picture.  ValueError for alpha without a
    baseline or outside [0, 1].  Source: VLM-RM (arXiv:2310.12921) and its authors' code.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"goal_similarity: alpha {alpha} is not between 0 and 1")
    if baseline is None and alpha > 0:
        raise ValueError("goal_similarity: alpha needs a baseline to project on")

    def similarity(turns: list[Turn]) -> np.ndarray:
        states = _normalised(_encode(encode, [turn.observation for turn in turns]))
        prompts = _normalised(_encode(embed, [goal] if baseline is None else [goal, baseline]))
        difference = states - prompts[0]
        if alpha > 0:
            direction = _normalised(prompts[0] - prompts[1])
            difference = alpha * np.outer(difference @ direction, direction) + (1 - alpha) * difference
        return np.asarray(1 - (difference**2).sum(axis=1) / 2)

    return lambda episodes: _each_turn(episodes, similarity)


@combinator(Scope.PAST)
def stage_progress(
    encode: Encoder,
    embed: Encoder,
    stages: tuple[tuple[str, ...], ...],
    temperature: float = 0.05,
    smoothing: float = 0.05,
) -> Operation:
    """How much better than of late the view shows the current stage's completion, turn by turn.

    Each of ``stages`` is a tuple of texts: what completion looks like, then what it does not look like, an opposite
    and near misses.  ``info["stage"]`` is the index of the turn's stage.  The stage's score and the reward are

        u_t = sigmoid((s+ - max s-) / temperature)
        r_t = u_t - m_t  where  m_t = (1 - smoothing) * m_(t-1) + smoothing * u_t,

    with s the cosines of view and texts, and m a running mean for each stage that starts at its first score.  A near
    miss resembles its own text more than completion's, and so scores below 1/2.  RewardError for an unknown stage.
    Source: EvoVLA (arXiv:2511.16166), with the values of its authors' code, which however multiplies by 0.05 where a
    temperature divides; multiplying keeps every score within 0.03 of 1/2.
    """
    if not stages or any(len(stage) < 2 for stage in stages):
        raise ValueError("stage_progress: a stage needs a text of completion and at least one of what is not")
    if not temperature > 0 or not 0 < smoothing <= 1:
        raise ValueError(f"stage_progress: temperature {temperature} or smoothing {smoothing} is out of range")

    def operation(episodes: Episodes) -> Values:
        flat = [turn for trajectory in episodes for turn in trajectory.turns]
        scores = iter(
            stage_scores(encode, embed, stages, [_stage(turn, len(stages)) for turn in flat], flat, temperature)
        )
        rewards = []
        for trajectory in episodes:
            means: dict[int, float] = {}
            values = np.zeros(len(trajectory.turns))
            for index, turn in enumerate(trajectory.turns):
                stage, u = turn.info["stage"], float(next(scores))
                means[stage] = (1 - smoothing) * means.get(stage, u) + smoothing * u
                values[index] = u - means[stage]
            rewards.append(values)
        return rewards

    return operation


def stage_scores(
    encode: Encoder,
    embed: Encoder,
    stages: Sequence[Sequence[str]],
    current: Sequence[int],
    turns: Sequence[Turn],
    temperature: float = 0.05,
) -> np.ndarray:
    """The u of :func:`stage_progress` for turns in the stages ``current``: [turns] float64 in (0, 1)."""
    if not turns:
        return np.zeros(0)
    views = _normalised(_encode(encode, [turn.observation for turn in turns]))
    texts = [_normalised(_encode(embed, list(stage))) for stage in stages]
    similar = [texts[stage] @ view for stage, view in zip(current, views, strict=True)]
    margins = np.array([cosines[0] - cosines[1:].max() for cosines in similar])
    return np.asarray((1 + np.tanh(margins / temperature / 2)) / 2)  # the sigmoid, without overflow


def view_utility(text: np.ndarray, coverage: np.ndarray, clip: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """How informative each of n views of a scene is, [n].

        w_t * text + (w_c * coverage + w_clip * clip) / (w_c + w_clip)

    The three scores [n] are how well the view answers the question, how much of the scene it shows, and how well image
    and text agree; ``weights`` = (w_t, w_c, w_clip), (0.3, 0.35, 0.35) at the start of 3D-R1's training, of which
    w_c + w_clip > 0.  The views to look at are ``np.argsort(-utility)[:k]``.
    Source: dynamic view selection of 3D-R1 (arXiv:2507.23478), its authors' code.
    """
    relevance, own, paired = weights
    if not own + paired > 0:
        raise ValueError(f"view_utility: the weights {own} and {paired} of coverage and clip must sum to more than 0")
    return np.asarray(relevance * text + (own * coverage + paired * clip) / (own + paired))


def _each_turn(episodes: Episodes, values: Callable[[list[Turn]], np.ndarray]) -> Values:
    """``values`` of all turns of the group at once, [turns], so that an encoder is asked in one batch."""
    turns = [turn for trajectory in episodes for turn in trajectory.turns]
    ends = np.cumsum([len(trajectory.turns) for trajectory in episodes])
    return np.split(values(turns) if turns else np.zeros(0), ends[:-1])


def _cosine_to(embed: Encoder, turns: list[Turn], key: str) -> np.ndarray:
    texts = [action_text(turn) for turn in turns] + [_text(turn, key) for turn in turns]
    vectors = _normalised(_encode(embed, texts))
    return np.asarray((vectors[: len(turns)] * vectors[len(turns) :]).sum(axis=1))


def _encode(encode: Encoder, things: list[Any]) -> np.ndarray:
    vectors = np.asarray(encode(things), np.float64)
    if vectors.ndim != 2 or len(vectors) != len(things) or not np.isfinite(vectors).all():
        raise RewardError(f"the encoder must give finite numbers [{len(things)}, d], and gave shape {vectors.shape}")
    return vectors


def _normalised(vectors: np.ndarray) -> np.ndarray:
    """Each row divided by its length; rows of zeros, which are near nothing, stay."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0))


def _text(turn: Turn, key: str) -> str:
    text = required(turn, key)
    if not isinstance(text, str):
        raise RewardError(f"info[{key!r}] must be a text, not {text!r:.200}")
    return text


def _tokens(turn: Turn) -> list[str]:
    return re.findall(r"\w+|[^\w\s]+", action_text(turn))


def _stage(turn: Turn, stages: int) -> int:
    stage = required(turn, "stage")
    if not isinstance(stage, int) or not 0 <= stage < stages:
        raise RewardError(f'info["stage"] is {stage!r}, and there are {stages} stages')
    return stage
