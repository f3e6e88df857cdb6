"""How likely a known text becomes after the agent's reasoning: a reference answer, the text's next words, its answer.

The agent's reasoning is its last action up to the last mark ``until`` in it (by default, all but the last line), or all
of it where the mark is missing; the mark is then put behind it.  So the known text stands where the agent's own answer
would have begun.
"""

from __future__ import annotations

import numpy as np

from ...trajectory import Observation, Trajectory
from ..combinator import Operation, combinator
from ..combine import paid_at_the_end, totals
from ..reward import Episodes, Reward, RewardError, Scope, Values
from .scorer import Pair, Scorer, ask_episodes, ask_turns, known, mean_logprob, seen, written


@combinator(Scope.PAST)
def thought_gain(scorer: Scorer, baseline: Scorer, target: str = "next") -> Operation:
    """How much a thought helps to predict how a text goes on, in nats: log p(x | context, c) - log q(x | context).

    Each turn's action is a thought c about the text seen so far, and ``info[target]`` holds the words x that really
    follow; p is the ``scorer``, and q the ``baseline``, which does not see the thought.  No verifier is needed: any
    text will do.  Source: RLP (arXiv:2510.01265, eqs. 3-5), where q is the :func:`~.scorer.ema_update` of p, and whose
    advantage (eq. 7) is ``rloo``.
    """

    def operation(episodes: Episodes) -> Values:
        def guided(episode: Trajectory, turn: int) -> Pair:
            return seen(episode, turn, after=written(episode, turn)), known(episode, turn, target)

        thought = ask_turns(scorer, episodes, guided)
        plain = ask_turns(baseline, episodes, lambda episode, turn: (seen(episode, turn), known(episode, turn, target)))
        return [
            np.array([p.sum() - q.sum() for p, q in zip(ps, qs, strict=True)], np.float64)
            for ps, qs in zip(thought, plain, strict=True)
        ]

    return operation


@combinator(Scope.EPISODE)
def reference_probability(scorer: Scorer, reference: str = "reference", until: str = "\n") -> Operation:
    """How much the agent's reasoning z raises the model's mean probability of the reference answer y*'s tokens:

        clip(f(y* | x, z) - f(y* | x), 0, 1),  f = mean over the tokens of p(token)

    y* is ``info[reference]`` of the last turn.  A mean, unlike a product, is not ruined by one unlikely token; the
    second term takes away what the question alone gives.  Paid on the last turn.  Source: RLPR (arXiv:2506.18254, eqs.
    2 and 4).  It also drops prompts whose rewards hardly differ: see :func:`spread_gate`.
    """
    _need_mark("reference_probability", until)

    def operation(episodes: Episodes) -> Values:
        reasoned = ask_episodes(
            scorer, episodes, lambda episode: (_reasoned(episode, until), known(episode, -1, reference))
        )
        direct = ask_episodes(
            scorer, episodes, lambda episode: (seen(episode, after=until), known(episode, -1, reference))
        )
        gains = [_mean_probability(p) - _mean_probability(q) for p, q in zip(reasoned, direct, strict=True)]
        return paid_at_the_end(np.clip(gains, 0.0, 1.0), episodes)

    return operation


@combinator(Scope.GROUP)
def reasoning_reflection(
    scorer: Scorer, reference: str = "reference", until: str = "\n", min_spread: float = 0.0
) -> Operation:
    """The reference answer's log-probability after the agent's reasoning, by the tokens that reasoning can change:

        sum over j of w_j (log p(y_j | x, c, y_<j) - log p(y_j | x, y_<j))

    y is ``info[reference]`` of the last turn, the same in the whole group, c the reasoning, and w the
    :func:`reflection_weights`.  A group in which no token's log-probability deviates by more than ``min_spread`` nats
    has nothing to compare and is paid 0.  Paid on the last turn.  Source: R3 of DRO (arXiv:2506.13351v1, sections 4.1.3
    and 4.2.2), with no reasoning at all as its masked reasoning.  Among episodes of one prompt, the subtracted term is
    the same for all.
    """
    _need_mark("reasoning_reflection", until)
    if not min_spread >= 0:
        raise ValueError(f"reasoning_reflection: min_spread {min_spread} is below 0")

    def operation(episodes: Episodes) -> Values:
        played = [index for index, episode in enumerate(episodes) if episode.turns]
        amounts = np.zeros(len(episodes))
        if len(references := {known(episodes[index], -1, reference) for index in played}) > 1:
            raise RewardError(
                f"reasoning_reflection compares one reference in a group, got {sorted(references)!r:.200}"
            )
        if played:
            group = episodes.subset(played)
            reasoned = _stacked(
                ask_episodes(scorer, group, lambda episode: (_reasoned(episode, until), known(episode, -1, reference)))
            )
            direct = _stacked(
                ask_episodes(scorer, group, lambda episode: (seen(episode, after=until), known(episode, -1, reference)))
            )
            if reasoned.std(axis=0).max() > min_spread:
                amounts[played] = (reasoned - direct) @ reflection_weights(reasoned)
        return paid_at_the_end(amounts, episodes)

    return operation


def reflection_weights(logprobs: np.ndarray) -> np.ndarray:
    """The weight of each reference token, [tokens]: its deviation across the reasonings, sigma_j / sum of sigma.

    ``logprobs`` [reasonings, tokens].  Where no token deviates, all weigh the same.  R3 asks for a weight that grows
    with sigma and leaves its form open (arXiv:2506.13351v1, section 4.1.3); to be proportional to it is our choice.
    """
    deviation = logprobs.std(axis=0)
    total = deviation.sum()
    return np.asarray(deviation / total if total > 0 else np.full(len(deviation), 1 / len(deviation)))


@combinator(Scope.GROUP)
def consistency_bonus(
    accuracy: Reward,
    by: Scorer,
    until: str = "\n",
    coefficient: float = 0.5,
    margin: float = 0.01,
    ceiling: float = 0.95,
) -> Operation:
    """A bonus for accurate episodes whose answer follows from their reasoning at least as well as their peers' does.

    The consistency of an episode is exp(mean log p(answer tokens | what was seen, reasoning)), at most ``ceiling``,
    where the answer is what stands behind the last ``until`` in the last action, and the model ``by`` is a slowly
    updated reference (:func:`~.scorer.ema_update`); an action without an answer has consistency 0.  Accurate are the
    episodes whose ``accuracy`` is above 0 and not below the group's mean.  Of these, the ones whose consistency reaches
    the mean over them minus ``margin`` are paid ``coefficient`` times their accuracy, on the last turn.  The whole
    reward is ``success + consistency_bonus(success, by=...)``; it takes the place of the KL penalty.

    Source: GRPO-CARE (arXiv:2506.16141) and its authors' code, whose scripts have these constants; there, accurate
    means above 0.1.
    """
    _need_mark("consistency_bonus", until)
    for name, value in (("coefficient", coefficient), ("margin", margin), ("ceiling", ceiling)):
        if not value >= 0:
            raise ValueError(f"consistency_bonus: {name} {value} is below 0")

    def operation(episodes: Episodes) -> Values:
        right = totals(episodes.values(accuracy))
        answers = ask_episodes(by, episodes, lambda episode: (_reasoned(episode, until), _split(episode, until)[1]))
        consistency = np.array([np.exp(mean_logprob(logprobs)) if len(logprobs) else 0.0 for logprobs in answers])
        consistency = np.minimum(consistency, ceiling)
        accurate = (right > 0) & (right >= right.mean())
        bonus = np.zeros(len(episodes))
        if accurate.any():
            # The mean of equal numbers may be rounded to a little more than they are.
            paid = accurate & (consistency >= consistency[accurate].mean() - margin - 1e-9)
            bonus[paid] = coefficient * right[paid]
        return paid_at_the_end(bonus, episodes)

    return operation


@combinator(Scope.GROUP)
def spread_gate(reward: Reward, minimum: float) -> Operation:
    """The reward in groups where its totals deviate by at least ``minimum``, and 0 for the whole group elsewhere.

    An advantage that divides by the deviation blows up differences that mean nothing, which rewards in [0, 1] that are
    not 0 or 1 always have.  Source: the standard-deviation filter of RLPR (arXiv:2506.18254), whose threshold follows a
    moving average of the deviations; here it is a constant.
    """
    if not minimum >= 0:
        raise ValueError(f"spread_gate: minimum {minimum} is below 0")

    def operation(episodes: Episodes) -> Values:
        values = episodes.values(reward)
        return [float(totals(values).std() >= minimum) * value for value in values]

    return operation


def _need_mark(name: str, until: str) -> None:
    if not until:
        raise ValueError(f"{name}: until must be a text that ends the reasoning")


def _split(trajectory: Trajectory, until: str) -> tuple[str, str]:
    """The reasoning and the answer of the last action."""
    reasoning, mark, answer = written(trajectory).rpartition(until)
    return (reasoning, answer) if mark else (answer, "")


def _reasoned(trajectory: Trajectory, until: str) -> Observation:
    """What was seen and reasoned, up to where the answer begins."""
    return seen(trajectory, after=_split(trajectory, until)[0] + until)


def _mean_probability(logprobs: np.ndarray) -> float:
    return float(np.exp(logprobs).mean()) if len(logprobs) else 0.0


def _stacked(answers: list[np.ndarray]) -> np.ndarray:
    """[episodes, tokens]; RewardError if the scorer does not split one text into the same tokens each time."""
    lengths = {len(answer) for answer in answers}
    if len(lengths) > 1 or 0 in lengths:
        raise RewardError(f"the scorer splits one reference into {sorted(lengths)} tokens")
    return np.stack(answers)
