"""Transforms of a reward's values: bounded process rewards, potentials, preferences, blends that learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .combinator import Operation, combinator
from .combine import paid_at_the_end, totals
from .regression import sigmoid
from .reward import Episodes, Reward, Scope, Values

__all__ = ["forward_delta", "krc", "potential_based", "preference_over", "shortfall", "when_confident"]


@combinator()
def shortfall(reward: Reward, threshold: float) -> Operation:
    """Each turn's lack of ``threshold``, min(v_t - threshold, 0): a good turn pays nothing and a bad one costs.

    For the scores of a process reward model: repeating a correct step then earns nothing.  Source: the *Clip*
    refinement of arXiv:2410.15115.  Its abstract says that the return is bounded from above; that the form is
    min(r - eta, 0) is our reading.
    """
    if not np.isfinite(threshold):
        raise ValueError(f"shortfall: threshold {threshold} is not finite")
    return lambda episodes: [np.minimum(values - threshold, 0.0) for values in episodes.values(reward)]


@combinator(Scope.EPISODE)
def forward_delta(reward: Reward) -> Operation:
    """What each turn's score has over the next one's: v_t - v_(t+1), and v_T on the last turn.

    The rewards from turn t on sum to v_t, whatever follows, so repeating a good step adds nothing; an episode totals
    v_1.  :func:`~palestra.rewards.delta` looks back instead and totals v_T.  Source: the *Delta* refinement of
    arXiv:2410.15115, whose abstract says that the return is bounded from above; the form is our reading.
    """
    return lambda episodes: [values - _next(values) for values in episodes.values(reward)]


@combinator(Scope.EPISODE)
def preference_over(reward: Reward, *references: Reward) -> Operation:
    """How likely the episode is preferred to a reference response, by a Bradley-Terry reward model: in (0, 1).

    mean over the references of sigmoid(R - R_ref), of totals, on the last turn.  A reference is a reward that gives the
    model's score of the reference response to the same task, say from ``info``.  One is enough, according to the paper.
    Source: Preference As Reward (arXiv:2502.18770) and its authors' code.
    """
    if not references:
        raise ValueError("preference_over needs at least one reference")

    def operation(episodes: Episodes) -> Values:
        total = totals(episodes.values(reward))
        against = np.stack([totals(episodes.values(reference)) for reference in references])
        return paid_at_the_end(sigmoid(total - against).mean(axis=0), episodes)

    return operation


@combinator(Scope.EPISODE)
def potential_based(potential: Reward, discount: float = 1.0) -> Operation:
    """Shaping that leaves the best policy the best: F_t = discount * Phi(s_(t+1)) - Phi(s_t), with Phi = 0 at the end.

    ``potential`` gives Phi(s_t), the potential of the state that turn t's *observation* shows; ``discount`` is the
    learner's.  Any end counts as a terminal state, so the discounted sum over an episode is -Phi(s_0): shaping moves
    credit between turns and cannot change which policy is best.  An advantage that compares whole returns within a
    group whose episodes start in one state does not see it at all if the discount is 1.
    Source: Ng, Harada and Russell, ICML 1999, theorem 1.
    """
    if not 0 <= discount <= 1:
        raise ValueError(f"potential_based: discount {discount} is not between 0 and 1")
    return lambda episodes: [discount * _next(values) - values for values in episodes.values(potential)]


@combinator()
def krc(*rewards: Reward) -> Operation:
    """Kinesthetic Reward Combination, turn by turn: s * (prod |r_i|)^(1/n), with s = 1 if all r_i > 0, else -1.

    High only where all of the n rewards are; 0 if any is 0.  Source: Lucy-SKG (arXiv:2305.15801, eq. 2), as several
    public re-implementations agree on it.
    """
    if len(rewards) < 2:
        raise ValueError("krc needs at least two rewards")

    def operation(episodes: Episodes) -> Values:
        columns = zip(*(episodes.values(reward) for reward in rewards), strict=True)
        return [_signed_geometric_mean(np.stack(values)) for values in columns]

    return operation


@combinator(Scope.EPISODE)
def when_confident(rule: Reward, *, confidence: Reward, otherwise: Reward, threshold: float = 0.5) -> Operation:
    """The rule in the episodes where its ``confidence`` totals at least ``threshold``, and ``otherwise`` in the others.

    For a rule that knows when it applies, with a learned model for the rest.  All three are evaluated on every episode,
    so that the record holds each of them.  Source: the hybrid reward of arXiv:2510.05283, whose abstract names
    the parts but not how they are joined: choosing one by a threshold is ours.
    """

    def operation(episodes: Episodes) -> Values:
        trusted = totals(episodes.values(confidence)) >= threshold
        pairs = zip(trusted, episodes.values(rule), episodes.values(otherwise), strict=True)
        return [by_rule if is_trusted else by_model for is_trusted, by_rule, by_model in pairs]

    return operation


class LearnedBlend:
    """A primary reward plus auxiliary ones whose weights learn to serve the primary.

    The policy is trained on ``blend.reward``, primary + sum_i w_i auxiliary_i.  After each inner phase, ``update``
    moves the weights up the primary's return: in bi-level form its gradient by w_i is grad J_p . (-H)^-1 grad J_i, with
    the gradients of the expected returns by the policy's parameters and H the inner objective's Hessian.  Here
    (-H)^-1 is the identity, which is exact for one inner gradient step (times its step size): an auxiliary gains
    weight while its policy gradient agrees with the primary's, and loses it while they oppose.  Weights stay at 0 or
    above.

    Source: BARFI (arXiv:2310.19007), which differentiates through the inner optimum and may also learn the inner
    discount and a network of weights.
    """

    def __init__(
        self, primary: Reward, auxiliaries: Sequence[Reward], *, weights: Sequence[float], learning_rate: float
    ) -> None:
        self.weights = np.array(weights, np.float64)
        """One per auxiliary, [k] float64."""
        if self.weights.shape != (len(auxiliaries),) or not (self.weights >= 0).all() or not len(auxiliaries):
            raise ValueError(f"a blend needs a weight of at least 0 for each auxiliary reward, got {weights}")
        if not learning_rate > 0:
            raise ValueError(f"LearnedBlend: learning_rate {learning_rate} is not above 0")
        self.primary = primary
        self.auxiliaries = tuple(auxiliaries)
        self.learning_rate = learning_rate

    @property
    def reward(self) -> Reward:
        """The blend at the present weights."""
        blend = self.primary
        for weight, auxiliary in zip(self.weights, self.auxiliaries, strict=True):
            blend = blend + float(weight) * auxiliary
        return blend

    def update(self, primary_gradient: np.ndarray, auxiliary_gradients: np.ndarray) -> None:
        """One outer step, from estimates of the policy gradients: [parameters] and [k, parameters] float.

        The primary's should come from episodes of the policy after the inner phase.  Raises ValueError for other shapes
        and for values that are not finite; the weights then stay as they are.
        """
        expected = (len(self.weights), *np.shape(primary_gradient))
        if np.ndim(primary_gradient) != 1 or np.shape(auxiliary_gradients) != expected:
            raise ValueError(
                f"update needs gradients [parameters] and [{len(self.weights)}, parameters], "
                f"got {np.shape(primary_gradient)} and {np.shape(auxiliary_gradients)}"
            )
        hypergradient = np.asarray(auxiliary_gradients, np.float64) @ np.asarray(primary_gradient, np.float64)
        if not np.isfinite(hypergradient).all():
            raise ValueError("update: a gradient is not finite")
        self.weights = np.maximum(self.weights + self.learning_rate * hypergradient, 0.0)


def _next(values: np.ndarray) -> np.ndarray:
    """The value of the turn after each, and 0 after the last."""
    return np.append(values[1:], 0.0)[: len(values)]


def _signed_geometric_mean(values: np.ndarray) -> np.ndarray:
    """Of [rewards, turns], over the rewards."""
    # By logarithms, since a product of many small factors underflows.
    with np.errstate(divide="ignore"):
        size = np.exp(np.log(np.abs(values)).mean(axis=0))
    return np.where((values > 0).all(axis=0) | (size == 0), size, -size)
