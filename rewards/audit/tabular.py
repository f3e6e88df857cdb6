"""How far two reward functions are from each other, whatever their scale and potential shaping: STARC and EPIC.

Arrays: ``reward`` [S, A, S] is R(s, a, s'), ``transition`` [S, A, S] the probability of s' after a in s, both float64.
Adding potential shaping, gamma * Phi(s') - Phi(s), or multiplying by a positive number leaves every policy's rank as it
is, so a distance that matters must not see either.

STARC (arXiv:2309.15257): canonicalise, divide by a norm, take the distance.  A small one bounds the regret of
optimising one reward for the other.  EPIC (arXiv:2006.13900) canonicalises without the transitions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

FLAT = 1e-9
"""A canonical reward whose norm is below this share of the reward's own is taken for zero: it is rounding."""


def uniform_value(reward: np.ndarray, transition: np.ndarray, discount: float) -> np.ndarray:
    """V(s) of the policy that takes each action equally often, [S]: V = (I - gamma P)^-1 r, exactly."""
    _check(reward, transition, discount)
    expected = (transition * reward).sum(axis=2).mean(axis=1)
    following = transition.mean(axis=1)
    return np.linalg.solve(np.eye(len(expected)) - discount * following, expected)


def starc_canonical(reward: np.ndarray, transition: np.ndarray, discount: float) -> np.ndarray:
    """STARC's value canonicalisation, for the uniform policy's V, [S, A].

    C(R)(s, a) = E_{S' ~ transition(s, a)} [R(s, a, S') + gamma V(S') - V(s)]

    It does not depend on s', so it also removes what redistributing reward among the s' of one action changes.  It is
    the uniform policy's advantage.
    """
    value = uniform_value(reward, transition, discount)
    return (transition * (reward + discount * value)).sum(axis=2) - value[:, None]


def starc_distance(first: np.ndarray, second: np.ndarray, transition: np.ndarray, discount: float) -> float:
    """Half the L2 distance of the standardised rewards, s(R) = C(R) / |C(R)|_2: from 0 to 1.

    0: the same policies are better; 1: exactly the opposite ones (R and -R).  A reward under which all policies are
    equal standardises to 0, which is 1/2 from every other and 0 from another such.  The half is ours, so that it ends
    at 1.  Raises ValueError for shapes that do not agree, rows that are no distribution, or a discount outside [0, 1).
    """
    canonical = [
        (starc_canonical(reward, transition, discount), float(np.linalg.norm(reward))) for reward in (first, second)
    ]
    return distance_of_canonical(*[_rounded(table, scale) for table, scale in canonical])


def distance_of_canonical(first: np.ndarray, second: np.ndarray) -> float:
    """Half the L2 distance of two canonical rewards, each divided by its norm where that is not 0."""
    return float(np.linalg.norm(_unit(first) - _unit(second)) / 2)


Triples = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""A reward function of arrays of states [n, ...], actions [n, ...] and next states [n, ...], to [n]."""


def epic_distance(
    first: Triples, second: Triples, states: np.ndarray, actions: np.ndarray, next_states: np.ndarray, discount: float
) -> float:
    """EPIC: sqrt((1 - rho) / 2), rho the Pearson correlation of the canonically shaped rewards on n transitions.

    C(R)(s, a, s') = R(s, a, s') + gamma E[R(s', A, S')] - E[R(s, A, S')] - gamma E[R(S, A, S')]

    with S, A and S' independent of each other.  Their distribution is that of the given arrays: A of ``actions``, S and
    S' of all states in ``states`` and ``next_states``.  All of them are gone through, so shaping cancels exactly, not
    on average; that takes n_A * n_S^2 calls in arrays, so give at most a few hundred.  From 0 (equal) to 1 (opposite).
    ValueError for a reward that is constant once it is canonical: it has no correlation.
    """
    n = len(states)
    if not (n == len(actions) == len(next_states) and n > 1):
        raise ValueError("epic_distance needs as many states, actions and next states, and at least two")
    canonical = [_epic_canonical(reward, states, actions, next_states, discount) for reward in (first, second)]
    centred = [values - values.mean() for values in canonical]
    norms = [np.linalg.norm(values) for values in centred]
    scales = [np.linalg.norm(reward(states, actions, next_states)) for reward in (first, second)]
    if any(norm <= FLAT * scale or norm == 0 for norm, scale in zip(norms, scales, strict=True)):
        raise ValueError("a reward is nothing but a constant and potential shaping: EPIC is not defined")
    # |a - b| / 2 of unit vectors is sqrt((1 - rho) / 2), without the loss of digits where rho is near 1.
    return distance_of_canonical(*centred)


def tabular_epic_distance(first: np.ndarray, second: np.ndarray, discount: float) -> float:
    """:func:`epic_distance` over all transitions of a tabular problem, each equally likely; arrays [S, A, S]."""
    if first.shape != second.shape or first.ndim != 3 or first.shape[0] != first.shape[2]:
        raise ValueError(f"rewards must have one shape [S, A, S], not {first.shape} and {second.shape}")

    def canonical(reward: np.ndarray) -> np.ndarray:
        mean = reward.mean(axis=(1, 2))
        return (reward + discount * mean[None, None, :] - mean[:, None, None] - discount * mean.mean()).ravel()

    tables = [canonical(reward) for reward in (first, second)]
    centred = [values - values.mean() for values in tables]
    if any(np.linalg.norm(c) <= FLAT * np.linalg.norm(r) for c, r in zip(centred, (first, second), strict=True)):
        raise ValueError("a reward is nothing but a constant and potential shaping: EPIC is not defined")
    return distance_of_canonical(*centred)


def _epic_canonical(
    reward: Triples, states: np.ndarray, actions: np.ndarray, next_states: np.ndarray, discount: float
) -> np.ndarray:
    pool = np.concatenate([states, next_states])
    count, choices = len(pool), len(actions)
    tries = np.repeat(actions, count, axis=0)
    ends = np.tile(pool, (choices, *[1] * (pool.ndim - 1)))
    mean = np.array([reward(np.repeat(state[None], len(ends), axis=0), tries, ends).mean() for state in pool])
    here, there = mean[: len(states)], mean[len(states) :]
    return reward(states, actions, next_states) + discount * there - here - discount * mean.mean()


def _unit(table: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(table)
    return table / norm if norm > 0 else np.zeros_like(table)


def _rounded(table: np.ndarray, scale: float) -> np.ndarray:
    return table if np.linalg.norm(table) > FLAT * scale else np.zeros_like(table)


def _check(reward: np.ndarray, transition: np.ndarray, discount: float) -> None:
    if reward.shape != transition.shape or reward.ndim != 3 or reward.shape[0] != reward.shape[2]:
        raise ValueError(f"reward and transition must have one shape [S, A, S], not {reward.shape}, {transition.shape}")
    if not (np.allclose(transition.sum(axis=2), 1) and (transition >= 0).all()):
        raise ValueError("the transition probabilities of some state and action do not sum to 1")
    if not 0 <= discount < 1:
        raise ValueError(f"discount {discount} is not in [0, 1)")
