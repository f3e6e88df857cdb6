"""Redistribution, thoughts, tool contrast and implicit process rewards, by hand and by what they teach."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, Scope, env, parse_reward, success, turn_reward
from palestra.rewards.credit import (
    ReturnDecoder,
    implicit_prm,
    redistributed,
    thought_ends,
    thoughts,
    tool_contrast,
)
from palestra.rewards.intrinsic import learning_in
from palestra.training.advantages import estimator

from .credit_toys import Chain, Matching, ToolTasks
from .lab import TabularPolicy, improve, learn, play


@turn_reward
def judged(turn: Turn) -> float:
    return turn.info["judged"]


@turn_reward
def used(turn: Turn) -> float:
    return turn.info.get("used", 0.0)


def latents(turn: Turn) -> list[float]:
    return turn.info["z"]


def episode(rewards: list[float], status: Status = Status.TERMINATED, **columns: list[Any]) -> Trajectory:
    infos = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    turns = [Turn("o", "a", reward, info=info) for reward, info in zip(rewards, infos or [{}] * 99, strict=False)]
    return Trajectory("X-v0", 0, 0, turns, status)


def lists(reward: Reward, group: list[Trajectory]) -> list[Any]:
    return [None if value is None else pytest.approx(value.tolist()) for value in reward(group)]


def test_the_decoder_solves_its_normal_equations() -> None:
    # Sums of (z, 1): (1, 2) with return 3 and (2, 1) with return 0.
    group = [episode([0, 3], z=[[0.0], [1.0]]), episode([0], z=[[2.0]])]
    decoder = ReturnDecoder(latents, ridge=1.0)
    assert decoder.decode(group[0]).tolist() == [0, 0]
    decoder.update(group)
    # (X'X + I) w = X'R, that is [[6, 4], [4, 6]] w = [3, 6].
    slope, bias = (3 * 6 - 6 * 4) / 20, (6 * 6 - 3 * 4) / 20
    assert decoder.decode(group[0]).tolist() == pytest.approx([bias, slope + bias])
    assert decoder.error(group) == pytest.approx(((slope + 2 * bias - 3) ** 2 + (2 * slope + bias) ** 2) / 2)


def test_a_linear_step_reward_is_found_from_returns() -> None:
    rng = np.random.default_rng(0)

    def draw() -> Trajectory:
        z = rng.normal(size=(int(rng.integers(1, 8)), 3))
        return episode([0.0] * (len(z) - 1) + [float((z @ [1.0, -2.0, 0.5] + 0.25).sum())], z=z.tolist())

    decoder = ReturnDecoder(latents, ridge=1e-6)
    decoder.update([draw() for _ in range(100)])
    fresh = [draw() for _ in range(10)]
    assert decoder.error(fresh) < 1e-8
    for trajectory in fresh:
        z = np.array([turn.info["z"] for turn in trajectory.turns])
        np.testing.assert_allclose(decoder.decode(trajectory), z @ [1.0, -2.0, 0.5] + 0.25, atol=1e-4)


@given(st.lists(st.lists(st.floats(-5, 5), min_size=1, max_size=5), min_size=1, max_size=5), st.integers(0, 5))
def test_what_is_redistributed_sums_to_the_return(rewards: list[list[float]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = [episode(values, z=rng.normal(size=(len(values), 2)).tolist()) for values in rewards]
    decoder = ReturnDecoder(latents)
    for _ in range(2):  # before anything is learned, and after
        for trajectory, values in zip(group, redistributed(env, decoder)(group), strict=True):
            assert values is not None
            assert values.sum() == pytest.approx(trajectory.score, abs=1e-6)
        decoder.update(group)


def test_redistribution_credits_turns_by_their_latents() -> None:
    group = [episode([0, 0, 1], z=[[0.0], [1.0], [0.0]]), episode([0, 0, 0], z=[[0.0], [0.0], [0.0]])] * 50
    decoder = ReturnDecoder(latents, ridge=1e-6)
    assert lists(redistributed(env, decoder), group[:2]) == [[1 / 3] * 3, [0, 0, 0]]
    decoder.update(group)
    values = redistributed(env, decoder)(group[:2])
    assert values[0] is not None
    np.testing.assert_allclose(values[0], [0, 1, 0], atol=1e-3)


def test_the_decoder_passes_over_faults_and_goes_on_from_a_snapshot() -> None:
    group = [episode([1.0, 2.0], z=[[0.5], [1.5]]), episode([0.25], z=[[3.0]])]
    decoder, other, third = ReturnDecoder(latents), ReturnDecoder(latents), ReturnDecoder(latents)
    other.update([group[0], episode([9.0], Status.FAULT, z=[[9.0]]), episode([]), group[1]])
    decoder.update(group)
    third.restore(json.loads(json.dumps(other.snapshot())))
    for each in (decoder, other, third):
        each.update(group[:1])
        np.testing.assert_array_equal(each.decode(group[0]), decoder.decode(group[0]))
    empty = ReturnDecoder(latents)
    empty.restore(json.loads(json.dumps(empty.snapshot())))
    assert empty.decode(group[0]).tolist() == [0, 0]


def test_broken_latents_are_named() -> None:
    decoder = ReturnDecoder(latents)
    for z in ([[1.0], [math.nan]], [[1.0], [1.0, 2.0]]):
        with pytest.raises(RewardError, match="the latents of turn 1"):
            decoder.update([episode([0, 0], z=z)])
    decoder.update([episode([0], z=[[1.0]])])
    with pytest.raises(RewardError, match=r"the latents of turn 0 .* not 1 finite numbers"):
        decoder.decode(episode([0], z=[[1.0, 2.0]]))
    with pytest.raises(ValueError, match="ridge 0 is not above 0"):
        ReturnDecoder(latents, ridge=0)
    with pytest.raises(TypeError, match="redistributed needs a ReturnDecoder"):
        redistributed(env, latents)  # type: ignore[arg-type]


def test_what_learns_is_found_in_a_reward() -> None:
    decoder = ReturnDecoder(latents)
    reward = success + 0.5 * redistributed(env, decoder)
    assert learning_in(reward) == [decoder]
    assert learning_in(reward)[0] is decoder
    assert redistributed(env, decoder).scope is Scope.EPISODE


def test_thoughts_merge_what_was_judged_alike() -> None:
    assert thought_ends(np.array([True, True, False, False, True])).tolist() == [1, 3, 4]
    assert thought_ends(np.array([True])).tolist() == [0]
    assert thought_ends(np.zeros(0, bool)).tolist() == []


def test_thoughts_by_hand() -> None:
    reward = thoughts(judged, by=env)
    solved, failed = episode([0, 0, 0, 0, 1], judged=[1, 1, 0, 0, 1]), episode([0, 0], judged=[0, 0])
    # Half the group is right, so that a wrong thought costs one half.
    assert lists(reward, [solved, failed]) == [[0, 1 / 3, 0, -0.5 / 3, 1 / 3], [0, -0.5]]
    assert lists(reward, [solved]) == [[0, 1 / 3, 0, -1 / 3, 1 / 3]]
    assert lists(reward, [failed, episode([])]) == [[0, 0], []]
    assert lists(thoughts(judged, by=env, threshold=0), [failed]) == [[0, -1]]


def test_works_tp_grpo_units() -> None:
    """Three units; what an episode earns does not change if a step is cut in two, as a sum over steps does."""
    whole, cut = [1, 1, 0, 0, 1], [1, 1, 1, 0, 0, 0, 1]
    assert len(thought_ends(np.array(whole) > 0)) == 3
    reward = thoughts(judged, by=env)
    paid = [reward([episode([0.0] * (len(j) - 1) + [1.0], judged=j)])[0] for j in (whole, cut)]
    assert paid[0] is not None
    assert paid[1] is not None
    assert paid[0].sum() == pytest.approx(paid[1].sum())
    assert sum(whole) != sum(cut)


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(0, 7), st.booleans())
def test_cutting_a_turn_in_two_changes_no_total(labels: list[bool], where: int, solved: bool) -> None:
    where = min(where, len(labels) - 1)
    cut = [*labels[: where + 1], labels[where], *labels[where + 1 :]]
    paid = [
        thoughts(judged, by=env)([episode([0.0] * (len(j) - 1) + [float(solved)], judged=list(map(float, j)))])[0]
        for j in (labels, cut)
    ]
    assert paid[0] is not None
    assert paid[1] is not None
    assert paid[0].sum() == pytest.approx(paid[1].sum())
    assert -1 <= paid[0].sum() <= 1


def test_tool_contrast_by_hand() -> None:
    def group(*members: tuple[float, float]) -> list[Trajectory]:
        return [episode([0, outcome], used=[tool, 0.0]) for outcome, tool in members]

    helps = group((1, 1), (0, 1), (0, 0), (0, 0))
    assert lists(tool_contrast(used, by=env), helps) == [[0, 1], [0, 1], [0, 0], [0, 0]]
    assert lists(tool_contrast(used, by=env, margin=0.5), helps) == [[0, 0]] * 4
    hurts = group((0, 1), (1, 0), (1, 0))
    assert lists(tool_contrast(used, by=env), hurts) == [[0, -1], [0, 0], [0, 0]]
    for nothing_to_compare in (group((1, 1), (0, 1)), group((1, 0), (0, 0)), group((1, 1), (1, 0))):
        assert lists(tool_contrast(used, by=env), nothing_to_compare) == [[0, 0]] * 2
    with pytest.raises(ValueError, match="margin -1 is below 0"):
        tool_contrast(used, by=env, margin=-1)


def test_implicit_rewards_sum_to_the_outcome_models() -> None:
    ratios = [[0.5, -0.25], [1.0], [0.125, 0.125, -2.0]]
    values = implicit_prm(beta=0.1)([episode([0, 0, 0], log_ratio=[np.array(r) for r in ratios])])[0]
    assert values is not None
    assert values.tolist() == pytest.approx([0.025, 0.1, -0.175])
    assert values.sum() == pytest.approx(0.1 * sum(sum(r) for r in ratios))
    assert lists(implicit_prm(beta=1, key="total"), [episode([0], total=[0.5])]) == [[0.5]]
    with pytest.raises(RewardError, match=r"no info\['log_ratio'\]"):
        implicit_prm([episode([0], other=[1])])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reward", [thoughts(judged, by=env), tool_contrast(used, by=env)], ids=str)
def test_faults_change_nobodys_reward_and_order_does_not_matter(reward: Reward, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def draw(status: Status = Status.TERMINATED) -> Trajectory:
        size = int(rng.integers(0, 4))
        columns = {name: rng.integers(0, 2, size).tolist() for name in ("judged", "used")}
        return episode(rng.integers(0, 2, size).tolist(), status, **columns)

    group = [draw() for _ in range(6)]
    expected = dict(zip(map(id, group), reward(group), strict=True))
    mixed = [draw(Status.FAULT), *group, draw(Status.TIMEOUT)]
    order = rng.permutation(len(mixed))
    for index, value in zip(order, reward([mixed[i] for i in order]), strict=True):
        if mixed[index].status.scored:
            np.testing.assert_allclose(value, expected[id(mixed[index])])
        else:
            assert value is None


def test_expressions_name_them() -> None:
    text = "success + 0.5*thoughts(valid_action, by=success) + tool_contrast(invalid_action, by=env, margin=0.1)"
    assert str(parse_reward(text)) == text
    assert parse_reward("implicit_prm(beta=0.1)") == implicit_prm(beta=0.1)


def steps_until(history: list[float], level: float, window: int = 5) -> int:
    """Steps until the last ``window`` scores average the level; one more than were made if they never do."""
    for step in range(window, len(history) + 1):
        if np.mean(history[step - window : step]) >= level:
            return step
    return len(history) + 1


@turn_reward
def right(turn: Turn) -> float:
    return turn.info["right"]


def matched(turn: Turn) -> list[float]:
    """A latent that says how well a turn went."""
    return [float(turn.info["matched"])]


def raw(turn: Turn) -> list[float]:
    """What was seen and what was done, side by side."""
    colours = Matching.COLOURS
    return [float(turn.info["shown"] == name) for name in colours] + [float(turn.action == name) for name in colours]


def test_works_lare_decoding() -> None:
    """What latents decode sums to the return and is the hidden reward of the turns; what raw states decode is not."""
    policy = TabularPolicy()
    for colour in Matching.COLOURS:  # better than chance, so that returns say something
        policy.logits[colour] = {name: 0.5 * (name == colour) for name in Matching.COLOURS}
    games: list[list[Trajectory]] = []
    learn(Matching(), env, steps=40, groups=1, size=8, learning_rate=0.0, policy=policy, measure=games.extend)
    correlation = {}
    for latent in (matched, raw):
        decoder = ReturnDecoder(latent)
        for group in games[:30]:
            decoder.update(group)
        fresh = [trajectory for group in games[30:] for trajectory in group]
        hidden = np.concatenate([[turn.info["matched"] for turn in each.turns] for each in fresh])
        decoded = np.concatenate([decoder.decode(each) for each in fresh])
        correlation[latent] = float(np.corrcoef(hidden, decoded)[0, 1])
        if latent is matched:
            assert decoder.error(fresh) < 1e-3
    assert correlation[matched] > 0.999
    assert correlation[raw] < 0.3


@pytest.mark.slow
def test_works_lare_learning() -> None:
    steps: dict[str, list[int]] = {}
    for seed in range(5):
        rewards = {
            "delayed": env,
            "latents": redistributed(env, ReturnDecoder(matched)),
            "raw": redistributed(env, ReturnDecoder(raw)),
        }
        for name, reward in rewards.items():
            options: dict[str, Any] = {"groups": 1, "size": 4, "advantage": "returns_to_go", "seed": seed}
            steps.setdefault(name, []).append(steps_until(learn(Matching(), reward, steps=80, **options)[1], 13))
    print(steps)
    assert np.median(steps["latents"]) < np.median(steps["delayed"])
    assert np.median(steps["latents"]) < np.median(steps["raw"])


def team(reward: Reward, steps: int, seed: int) -> tuple[list[float], list[Group]]:
    """Two agents match colours each for itself, both are paid what they got right together, and one reward is for both.

    Returns the team's mean return at each step, and the last groups, a role's each.
    """
    rng = np.random.default_rng(seed)
    policies, estimate = [TabularPolicy(), TabularPolicy()], estimator("returns_to_go", {})
    history: list[float] = []
    groups: list[Group] = []
    for step in range(steps):
        seeds = [int(drawn) for drawn in rng.integers(2**31, size=2)]
        groups = [
            Group([play(Matching(), policy, rng, seed=drawn) for _ in range(4)])
            for policy, drawn in zip(policies, seeds, strict=True)
        ]
        for first, second in zip(*groups, strict=True):
            first.turns[-1].reward = second.turns[-1].reward = first.turns[-1].reward + second.turns[-1].reward
        for policy, group in zip(policies, groups, strict=True):
            improve(policy, group, reward, estimate, step, len(group))
        for each in learning_in(reward):
            for group in groups:
                each.update(group)
        history.append(float(np.mean([trajectory.score for trajectory in groups[0]])))
    return history, groups


def test_what_is_decoded_of_a_team_s_return_is_each_agent_s_own_part() -> None:
    decoder = ReturnDecoder(matched)
    _, groups = team(redistributed(env, decoder), steps=15, seed=0)
    for group in groups:
        own = np.concatenate([[turn.info["matched"] for turn in each.turns] for each in group])
        said = np.concatenate([decoder.decode(each) for each in group])
        assert np.corrcoef(own, said)[0, 1] > 0.999


@pytest.mark.slow
def test_works_lare_team() -> None:
    """Two agents with one return learn sooner where it goes to the turns that explain it."""
    steps: dict[str, list[int]] = {}
    for seed in range(5):
        rewards = {
            "shared": env,
            "latents": redistributed(env, ReturnDecoder(matched)),
        }
        for name, reward in rewards.items():
            history, _ = team(reward, steps=200, seed=seed)
            steps.setdefault(name, []).append(steps_until(history, 26))
    print(steps)
    assert max(steps["latents"]) < min(steps["shared"])


@pytest.mark.slow
def test_works_tp_grpo_learning() -> None:
    steps: dict[str, list[int]] = {}
    for seed in range(5):
        for name, reward in {"outcome": env, "thoughts": env + thoughts(right, by=env)}.items():
            _, history = learn(Chain(4, 3), reward, steps=150, groups=2, seed=seed)
            steps.setdefault(name, []).append(steps_until(history, 0.8))
    print(steps)
    assert np.median(steps["thoughts"]) < 0.8 * np.median(steps["outcome"])


@pytest.mark.slow
def test_works_gcpo() -> None:
    """Contrasted, the tool is used where it helps; rewarded in any case, it is used everywhere."""
    for seed in range(3):
        share = {}
        for name, reward in {"contrast": env + 0.5 * tool_contrast(used, by=env), "always": env + 0.5 * used}.items():
            policy, _ = learn(ToolTasks(), reward, steps=60, tasks=2, seed=seed)
            share[name] = [
                float(policy.probabilities(f"question of kind {kind}", ["tool", "plain"])[0]) for kind in (0, 1)
            ]
        print(share)
        assert share["contrast"][0] > 0.75
        assert share["contrast"][1] < 0.25
        assert min(share["always"]) > 0.75


@pytest.mark.slow
def test_works_empg_learning() -> None:
    """No gain on a chain of ten choices: with exact entropies it is as GRPO, by one token's surprisal it is slower."""
    steps: dict[str, list[int]] = {}
    for seed in range(5):
        for name, advantage, options in (
            ("grpo", "grpo", {}),
            ("entropy", "empg", {"key": "entropy"}),
            ("surprisal", "empg", {}),
        ):
            policy = TabularPolicy()
            for number in range(10):
                policy.logits[f"step {number}"] = {"choice 0": 1.2, "choice 1": 0.0}
            given: dict[str, Any] = {"advantage": advantage, "options": options, "seed": seed, "policy": policy}
            _, history = learn(Chain(10, 2), env, steps=120, groups=2, **given)
            steps.setdefault(name, []).append(steps_until(history, 0.8))
    print(steps)
    median = {name: float(np.median(values)) for name, values in steps.items()}
    assert 0.75 < median["entropy"] / median["grpo"] < 1.25
    assert median["surprisal"] > 1.25 * median["grpo"]
