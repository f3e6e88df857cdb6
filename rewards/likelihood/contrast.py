"""What the agent wrote, more likely here than there: under two contexts, or to two models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from ...trajectory import Observation, Trajectory
from ..combinator import Operation, combinator
from ..combine import paid_at_the_end
from ..reward import Episodes, RewardError, Scope, Values
from .scorer import Pair, Scorer, ask, ask_turns, mean_logprob, seen, written


@combinator(Scope.EPISODE)
def follow_up_likelihood(scorer: Scorer, positive: tuple[str, ...], negative: tuple[str, ...]) -> Operation:
    """How much likelier the user is to go on satisfied than to complain, once the agent's last action stands:

        mean of log p(f | episode) over the positive follow-ups - the same over the negative ones

    where log p sums over the tokens of a follow-up.  Paid on the last turn.  Source: FLR (arXiv:2409.13948), which
    keeps a likelihood of positive and of negative follow-ups for each aspect of helpfulness; that the two are combined
    by the difference of means is our reading.
    """
    for name, follow_ups in (("positive", positive), ("negative", negative)):
        if isinstance(follow_ups, str) or not follow_ups or not all(follow_ups):
            raise ValueError(f"follow_up_likelihood: {name} must be one or more texts, not {follow_ups!r}")

    def operation(episodes: Episodes) -> Values:
        answers = iter(
            ask(
                scorer,
                [
                    (seen(episode, after=written(episode) + "\n"), follow_up)
                    for episode in episodes
                    if episode.turns
                    for follow_up in (*positive, *negative)
                ],
            )
        )
        amounts = np.zeros(len(episodes))
        for index, episode in enumerate(episodes):
            if episode.turns:
                satisfied = np.mean([next(answers).sum() for _ in positive])
                amounts[index] = satisfied - np.mean([next(answers).sum() for _ in negative])
        return paid_at_the_end(amounts, episodes)

    return operation


@combinator(Scope.EPISODE)
def self_aligned(scorer: Scorer) -> Operation:
    """How much better the model predicts the agent's answer a when it knows the query q:

        clip((ppl(a) - ppl(a | q)) / ppl(a), -1, 1),  ppl = exp(-mean log p of the tokens)

    Words that are as likely without the query bring the two perplexities together, so what is short and about the
    query pays most; add it to a reward for being right.  Over several turns, the tokens of all actions count together,
    each action given what was seen before it; paid on the last turn.  Source: SAR (arXiv:2509.05489).
    """

    def operation(episodes: Episodes) -> Values:
        informed = ask_turns(scorer, episodes, lambda episode, turn: (seen(episode, turn), written(episode, turn)))
        alone = ask_turns(scorer, episodes, lambda episode, turn: ("", written(episode, turn)))
        amounts = np.zeros(len(episodes))
        for index, (with_query, without) in enumerate(zip(informed, alone, strict=True)):
            if with_query:
                gap = mean_logprob(np.concatenate(without)) - mean_logprob(np.concatenate(with_query))
                # ppl(a | q) / ppl(a) is exp(gap); from log 2 on the reward is -1.
                amounts[index] = 1.0 - math.exp(min(gap, math.log(2.0)))
        return paid_at_the_end(amounts, episodes)

    return operation


@combinator(Scope.PAST)
def density_ratio(strong: Scorer, weak: Scorer, criterion: str = "") -> Operation:
    """What a well-aligned model finds likelier than a less aligned one: log p_strong(y | x) - log p_weak(y | x).

    Each turn is paid the sum over its action's tokens, given what was seen before it, so that an episode totals the
    ratio of all it wrote.  ``criterion`` is a text put before what was seen, to say by what to judge.
    Source: CDR, also Dr. SoW (arXiv:2411.02481); that both models read the criterion is our reading.
    """

    def operation(episodes: Episodes) -> Values:
        liked = _turn_totals(strong, episodes, criterion)
        return [values - plain for values, plain in zip(liked, _turn_totals(weak, episodes, criterion), strict=True)]

    return operation


@combinator(Scope.PAST)
def self_likelihood(scorer: Scorer) -> Operation:
    """The base model's own log p(y | x): each turn's sum over its action's tokens, given what was seen before it.

    Learning from it sharpens the model: it puts its mass on what it already found likeliest.
    Source: the sharpening mechanism (arXiv:2412.01951), with maximum likelihood as the self-reward.
    """
    return lambda episodes: _turn_totals(scorer, episodes)


class CertaintyScorer(Protocol):
    """A language model that says how sure it was: KL(U || p) of each of a target's tokens, [target tokens], in nats."""

    def certainty(self, pairs: Sequence[Pair]) -> list[np.ndarray]: ...


@combinator(Scope.PAST)
def self_certainty(scorer: CertaintyScorer) -> Operation:
    """How sure the model was of each turn's action: the mean over its tokens of KL(U || p), 0 for an empty action.

    U is uniform over the vocabulary, so with p_ij the probability of token j in place i of n it is
    -1/(n V) sum_ij log(V p_ij).  Source: self-certainty (arXiv:2502.18581), which Shop-R1 (arXiv:2507.17842) pays for
    rationales, where no reference says what is right.  RewardError if the scorer gives anything but that.
    """

    def operation(episodes: Episodes) -> Values:
        pairs = [
            (seen(episode, turn), written(episode, turn)) for episode in episodes for turn in range(len(episode.turns))
        ]
        answers = [np.asarray(answer, np.float64) for answer in scorer.certainty(pairs)] if pairs else []
        if len(answers) != len(pairs) or any(answer.ndim != 1 or (answer < -1e-6).any() for answer in answers):
            raise RewardError(f"the scorer gave no certainties for {len(pairs)} actions")
        means = iter([float(answer.mean()) if len(answer) else 0.0 for answer in answers])
        return [np.array([next(means) for _ in episode.turns], np.float64) for episode in episodes]

    return operation


@combinator(Scope.PAST)
def contrastive_likelihood(scorer: Scorer, better: str, worse: str) -> Operation:
    """Whether the action's tokens are likelier to a model asked to do well than to one asked to do badly.

    ``better`` and ``worse`` are put before what was seen; each turn is paid the mean of :func:`token_contrast` over its
    action's tokens, between -1/2 and 1/2 (0 for an empty action).  Source of the token rewards: T-REG
    (arXiv:2412.02685), which uses them in :func:`token_regulariser`; to pay their mean is ours.
    """

    def operation(episodes: Episodes) -> Values:
        likely = ask_turns(
            scorer, episodes, lambda episode, turn: (seen(episode, turn, better), written(episode, turn))
        )
        others = ask_turns(scorer, episodes, lambda episode, turn: (seen(episode, turn, worse), written(episode, turn)))
        return [
            np.array(
                [mean_logprob(token_contrast(good, bad)) for good, bad in zip(goods, bads, strict=True)], np.float64
            )
            for goods, bads in zip(likely, others, strict=True)
        ]

    return operation


@combinator(Scope.EPISODE)
def yes_probability(
    scorer: Scorer, question: Callable[[Trajectory], Observation], yes: str = "yes", no: str | None = None
) -> Operation:
    """The model's probability of answering ``yes`` to a question about the episode.

    ``question(trajectory)`` gives the context: instructions, reference examples and reasoning as text, with a picture
    if the scorer can see.  With ``no``, the probability is among the two answers: p(yes) / (p(yes) + p(no)).  Paid on
    the last turn.  Source: RewardDance (arXiv:2509.08826), which asks whether the generated image beats a reference.
    """

    def operation(episodes: Episodes) -> Values:
        contexts = {index: question(episode) for index, episode in enumerate(episodes) if episode.turns}
        agreed = np.array([logprobs.sum() for logprobs in ask(scorer, [(text, yes) for text in contexts.values()])])
        if no is not None:
            denied = np.array([logprobs.sum() for logprobs in ask(scorer, [(text, no) for text in contexts.values()])])
            agreed = agreed - np.logaddexp(agreed, denied)
        amounts = np.zeros(len(episodes))
        amounts[list(contexts)] = np.exp(agreed)
        return paid_at_the_end(amounts, episodes)

    return operation


def token_contrast(better: np.ndarray, worse: np.ndarray) -> np.ndarray:
    """Token rewards sigmoid(log p_better - log p_worse) - 1/2, between -1/2 and 1/2.

    ``better`` and ``worse`` [tokens] are the log-probabilities of one text's tokens after a prompt to do well and after
    one to do badly.  RewardError if they are not of the same tokens.  Source: T-REG (arXiv:2412.02685).
    """
    if better.shape != worse.shape:
        raise RewardError(f"the scorer splits one text into {len(better)} and into {len(worse)} tokens")
    return np.tanh((better - worse) / 2) / 2  # sigmoid(x) - 1/2, without overflow


def token_regulariser(token_rewards: np.ndarray, logprobs: np.ndarray, beta: float = 0.1) -> float:
    """-beta * sum over t of r_t * log p(y_t | x, y_<t), to be minimised beside a preference loss.

    ``token_rewards`` r and ``logprobs`` of the policy are [tokens].  Up to a constant it is minus the inner product of
    r with the implicit token rewards beta * log (p / p_reference) that preference optimisation learns: it falls as the
    two agree, and is 0 where no token is rewarded.  Source: T-REG (arXiv:2412.02685).
    """
    return -beta * float(token_rewards @ logprobs)


def regulariser_weight(chosen: float, rejected: float) -> float:
    """sigmoid(rejected - chosen): the weight of a pair in DPO's gradient, by which T-REG also weights its regulariser.

    The arguments are the pair's implicit rewards, beta * log (p / p_reference) summed over tokens.  The loss is
    DPO + alpha * weight * (regulariser of the chosen + that of the rejected), the weight taken as a constant.
    """
    return float(np.exp(-np.logaddexp(0.0, chosen - rejected)))


def _turn_totals(scorer: Scorer, episodes: Episodes, before: str = "") -> Values:
    """The log-probability of each action given what was seen before it, [turns] per episode."""
    answers = ask_turns(scorer, episodes, lambda episode, turn: (seen(episode, turn, before), written(episode, turn)))
    return [np.array([logprobs.sum() for logprobs in turns], np.float64) for turns in answers]
