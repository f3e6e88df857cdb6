"""Advantages: how much better each turn was than could be expected, from the rewards of a group.

An estimator is a registered function from :class:`Scored`, what is known of a group's scored trajectories, to their
advantages, an array [turns] for each.  Every token that was sampled in a turn gets that turn's advantage.  Constants
of an estimator are keyword arguments with defaults, which recipes set as ``advantage_options``.  One that remembers is
a class, :class:`Remembering`, whose instances are such functions; the constants are its constructor's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from ..rewards import Reward, objectives
from ..rewards.reward import TOTAL
from ..trajectory import Observation, Trajectory, Turn

SMALLEST = 1e-8
"""A standard deviation up to this counts as 0: rounding, not a difference."""


@dataclass(frozen=True)
class Scored:
    """What an estimator reads: the trajectories of a group that have an outcome and turns, and what those were paid."""

    trajectories: Sequence[Trajectory]
    rewards: Sequence[np.ndarray]
    """The whole reward, one array [turns] per trajectory."""
    terms: Sequence[np.ndarray]
    """The terms of the reward's outermost sum, unweighted, one array [turns, terms] per trajectory."""
    weights: np.ndarray
    """Of the terms, [terms]."""

    @classmethod
    def by(cls, reward: Reward, trajectories: Sequence[Trajectory]) -> Scored:
        """What ``score(reward, ...)`` has recorded; RewardError if it has not.  There is at least one trajectory."""
        vectors = [objectives(reward, trajectory) for trajectory in trajectories]
        totals = [trajectory.rewards[TOTAL] for trajectory in trajectories]
        return cls(trajectories, totals, [terms for terms, _ in vectors], vectors[0][1])

    @property
    def returns(self) -> np.ndarray:
        """The sum of each trajectory's rewards, [trajectories] float64."""
        return np.array([turns.sum() for turns in self.rewards])


Advantage = Callable[[Scored], list[np.ndarray]]


@runtime_checkable
class Remembering(Protocol):
    """An estimator with a memory, which checkpoints keep."""

    def __call__(self, scored: Scored) -> list[np.ndarray]: ...

    def snapshot(self) -> dict[str, Any]:
        """What it remembers, as values for JSON."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`snapshot`."""
        ...


Estimator = TypeVar("Estimator", bound=Callable[..., Any])

ADVANTAGES: dict[str, Callable[..., Any]] = {}


def register_advantage(name: str) -> Callable[[Estimator], Estimator]:
    """Make an estimator available to recipes under ``name``."""

    def register(function: Estimator) -> Estimator:
        if name in ADVANTAGES:
            raise ValueError(f"an advantage named {name!r} is registered already")
        ADVANTAGES[name] = function
        return function

    return register


def estimator(name: str, options: Mapping[str, Any]) -> Advantage:
    """The estimator registered as ``name`` with some of its constants set; ValueError for one that it does not have."""
    made = ADVANTAGES[name]
    parameters = list(inspect.signature(made).parameters)
    known = parameters if isinstance(made, type) else parameters[1:]
    unknown = sorted(set(options) - set(known))
    if unknown:
        has = ", ".join(known) or "none"
        raise ValueError(f"the advantage {name} has no option {', '.join(unknown)}; it has {has}")
    advantage: Advantage = made(**options) if isinstance(made, type) else partial(made, **options)
    return advantage


@register_advantage("grpo")
def grpo(scored: Scored) -> list[np.ndarray]:
    """(R - mean) / std over the group's returns (GRPO, arXiv:2402.03300, eq. 4); all 0 where the returns are equal."""
    return _spread(_standardised(scored.returns), scored)


@register_advantage("dr_grpo")
def dr_grpo(scored: Scored) -> list[np.ndarray]:
    """R - mean, without the division that favours groups of little variance (Dr. GRPO, arXiv:2503.20783)."""
    return _spread(scored.returns - scored.returns.mean(), scored)


@register_advantage("rloo")
def rloo(scored: Scored) -> list[np.ndarray]:
    """R minus the mean of the *others'* returns (RLOO, arXiv:2402.14740), that is n / (n - 1) (R - mean)."""
    returns = scored.returns
    if len(returns) < 2:
        return _spread(np.zeros_like(returns), scored)
    return _spread(len(returns) / (len(returns) - 1) * (returns - returns.mean()), scored)


@register_advantage("returns_to_go")
def returns_to_go(scored: Scored, gamma: float = 1.0) -> list[np.ndarray]:
    """(R_t - mean_t) / std, with R_t = sum_(k >= t) gamma^(k - t) r_k.

    mean_t is the mean of R_t over the trajectories that had a turn t, std the deviation of all the differences.  A turn
    then answers for what came after it only (REINFORCE with rewards to go, Williams, 1992), and with gamma below 1 more
    for what came soon.  A turn that no other trajectory got to is compared with none and gets 0.
    """
    to_go = discounted(scored.rewards, gamma)
    at = np.concatenate([np.arange(len(turns)) for turns in to_go])
    values = np.concatenate(to_go)
    means = np.bincount(at, values) / np.bincount(at)
    return _split(_standardised(values - means[at]), scored)


@register_advantage("gigpo")
def gigpo(scored: Scored, gamma: float = 0.95, weight: float = 1.0, divide: bool = False) -> list[np.ndarray]:
    """The trajectory's advantage plus the turn's among the turns that began alike (GiGPO, arXiv:2505.10978, eqs. 3-8).

    A_t = (R - mean R) / F + weight (R_t - mean_anchor R_t) / F_anchor, where R_t is the discounted return from turn t
    and an anchor is the set of the group's turns with one and the same observation.  F is 1, or with ``divide`` the
    standard deviation of what its mean is of.  A turn whose observation occurs once gets the first term alone.  The
    authors' code (verl-agent) has the same defaults; it divides by the deviation of a sample, n - 1, here by that of
    the group, n, as in :func:`grpo`.
    """
    relative = _standardised if divide else _centred
    to_go = np.concatenate(discounted(scored.rewards, gamma))
    within = np.zeros_like(to_go)
    for turns in _anchors(scored.trajectories):
        within[turns] = relative(to_go[turns])
    whole = np.concatenate(_spread(relative(scored.returns), scored))
    return _split(whole + weight * within, scored)


@register_advantage("empg")
def empg(
    scored: Scored, k: float = 1.0, k_future: float = 1.0, zeta: float = 0.1, key: str | None = None
) -> list[np.ndarray]:
    """GRPO's advantage, modulated by how sure the agent was (EMPG, arXiv:2509.09265); see :func:`modulated`.

    The paper's entropy of a turn is the mean over its tokens of the entropy of the old policy.  ``info[key]`` holds it
    where something records it.  Without ``key`` it is estimated by the mean of -log p of the sampled tokens; that has
    the same expectation, but is large for rare choices, whose advantages then shrink, so it suits long actions only.
    The paper normalises over a batch, here over the group.  Raises ValueError for a turn without what is asked for.
    """
    entropies = [np.array([_entropy(turn, key) for turn in trajectory.turns]) for trajectory in scored.trajectories]
    return modulated(grpo(scored), entropies, k, k_future, zeta)


@register_advantage("multi_critic")
def multi_critic(scored: Scored) -> list[np.ndarray]:
    """Advantages are combined, not rewards: sum_k w_k (R_k - mean R_k) / std R_k over the terms k of the reward's sum.

    R_k is a trajectory's return by the term alone.  Each term then weighs what its weight says, whatever its scale.
    The combination is that of SLIM (arXiv:2402.00823), which has a critic learn each term; here the group is the
    baseline of each.
    """
    returns = np.stack([terms.sum(axis=0) for terms in scored.terms])  # [trajectories, terms]
    columns = [_standardised(column) for column in returns.T]
    return _spread(np.stack(columns, axis=1) @ scored.weights, scored)


@register_advantage("role_baseline")
class RoleBaseline:
    """A = R - b, with a running mean b of the returns of each environment and role (SPIRAL, arXiv:2506.24119).

    b <- decay b + (1 - decay) R after each trajectory, from 0.  An advantage is taken before its own group changes b,
    so that it is no part of its own baseline.  In a game some roles win more often; a baseline shared by all of them
    would punish whoever sits there.
    """

    def __init__(self, decay: float = 0.95) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be in [0, 1), not {decay}")
        self.decay = decay
        self.baselines: dict[str, float] = {}

    def __call__(self, scored: Scored) -> list[np.ndarray]:
        """The advantages of a group, which is of one role."""
        first = scored.trajectories[0]
        key = f"{first.env_id}/{first.role}"
        before = baseline = self.baselines.get(key, 0.0)
        for value in scored.returns:
            baseline = self.decay * baseline + (1 - self.decay) * float(value)
        self.baselines[key] = baseline
        return _spread(scored.returns - before, scored)

    def snapshot(self) -> dict[str, float]:
        """The baselines."""
        return dict(self.baselines)

    def restore(self, state: Mapping[str, float]) -> None:
        """Go on from a :meth:`snapshot`."""
        self.baselines = dict(state)


def modulated(
    advantages: Sequence[np.ndarray], entropies: Sequence[np.ndarray], k: float, k_future: float, zeta: float
) -> list[np.ndarray]:
    """A g(H_t) + zeta f(H_(t+1)), less its mean over all turns (EMPG, arXiv:2509.09265, eqs. 7 to 12).

    ``advantages`` and ``entropies`` hold one array [turns] per trajectory.  H is the entropy, brought to [0, 1] by the
    least and the largest; g = exp(-k H) over its mean, so that it averages 1 and turns that were sure weigh more,
    whether right or wrong; f = exp(-k_future H) rewards a turn that led to a sure one, and is 0 for the last turn.
    """
    entropy = np.concatenate(entropies)
    width = entropy.max() - entropy.min()
    level = (entropy - entropy.min()) / width if width > SMALLEST else np.zeros_like(entropy)
    scale = np.exp(-k * level)
    scale /= scale.mean()
    ends = np.cumsum([len(turns) for turns in entropies])
    future = np.append(np.exp(-k_future * level)[1:], 0.0)
    future[ends - 1] = 0.0
    whole = np.concatenate(advantages) * scale + zeta * future
    return np.split(whole - whole.mean(), ends[:-1])


def discounted(rewards: Sequence[np.ndarray], gamma: float) -> list[np.ndarray]:
    """R_t = r_t + gamma R_(t+1) of each trajectory, [turns] each; ValueError unless gamma is in [0, 1]."""
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma must be between 0 and 1, not {gamma}")
    result = []
    for turns in rewards:
        to_go = np.array(turns, np.float64)
        for turn in range(len(to_go) - 2, -1, -1):
            to_go[turn] += gamma * to_go[turn + 1]
        result.append(to_go)
    return result


def _centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean()


def _standardised(values: np.ndarray) -> np.ndarray:
    """(x - mean) / std, or zeros where all are equal."""
    deviation = values.std()
    return _centred(values) / deviation if deviation > SMALLEST else np.zeros_like(values)


def _spread(values: np.ndarray, scored: Scored) -> list[np.ndarray]:
    """One value per trajectory [n] to one per turn."""
    return [np.full(len(turns), value) for value, turns in zip(values, scored.rewards, strict=True)]


def _split(values: np.ndarray, scored: Scored) -> list[np.ndarray]:
    """The values of all turns, one trajectory after the other, as one array per trajectory."""
    return np.split(values, np.cumsum([len(turns) for turns in scored.rewards])[:-1])


def _anchors(trajectories: Sequence[Trajectory]) -> list[list[int]]:
    """The turns of all trajectories, numbered through, that have the same observation."""
    found: dict[Any, list[int]] = {}
    turns = (turn for trajectory in trajectories for turn in trajectory.turns)
    for number, turn in enumerate(turns):
        found.setdefault(_key(turn.observation), []).append(number)
    return list(found.values())


def _key(observation: Observation | Any) -> Any:
    """What two observations have in common exactly if they are the same."""
    if isinstance(observation, np.ndarray):
        return observation.dtype.str, observation.shape, observation.tobytes()
    if isinstance(observation, dict):
        return tuple((name, _key(value)) for name, value in sorted(observation.items()))
    return observation


def _entropy(turn: Turn, key: str | None) -> float:
    if key is not None:
        if key not in turn.info:
            raise ValueError(f"the advantage empg needs info[{key!r}]; a turn has none")
        return float(turn.info[key])
    if not len(turn.logprobs):
        raise ValueError("the advantage empg needs the log-probabilities of what was sampled; a turn has none")
    return -float(turn.logprobs.mean())
