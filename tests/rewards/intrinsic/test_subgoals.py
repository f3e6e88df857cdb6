"""Subgoals by hand, what becomes of a model's answers, and what they teach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palestra import Status, Trajectory, Turn
from palestra.rewards import RewardError, env, score, turn_reward
from palestra.rewards.intrinsic import AskedJudge, AskedPlanner, SkillDiscriminator, intrinsic, subgoals

from ..lab import learn
from ..lab import play as play_policy
from .toys import KeyDoor, Push, episodes_needed


def path(*seen: str | None, status: Status = Status.TERMINATED) -> Trajectory:
    turns = [Turn(str(text), f"go {number}") for number, text in enumerate(seen[:-1])]
    return Trajectory("X-v0", 0, 0, turns, status, final_observation=seen[-1])


def says(goal: str, before: Any, action: Any, after: Any) -> bool:
    return goal in after


def paid(reward: Any, trajectory: Trajectory) -> list[float]:
    [values] = reward([trajectory])
    assert values is not None
    return list(values.tolist())


def test_each_subgoal_pays_once() -> None:
    reward = subgoals(says, ("key", "door"))
    assert paid(reward, path("", "key", "", "key", "key door", "door")) == [1, 0, 0, 1, 0]
    assert paid(reward, path("key", "key door")) == [2]  # the first observation is nobody's doing
    assert paid(reward, path("", "key", None)) == [1, 0]
    assert paid(reward, path("")) == []
    assert reward([path("", "key", status=Status.FAULT)]) == [None]


def test_a_judge_is_not_asked_again_about_what_was_reached() -> None:
    asked: list[tuple[Any, ...]] = []

    def judge(goal: str, before: Any, action: Any, after: Any) -> bool:
        asked.append((goal, before, action, after))
        return goal in str(after)

    paid(subgoals(judge, ("a", "b")), path("s", "a", "c", "b", "d"))
    assert asked == [
        ("a", "s", "go 0", "a"),
        ("b", "s", "go 0", "a"),
        ("b", "a", "go 1", "c"),
        ("b", "c", "go 2", "b"),
    ]


def test_a_planner_names_the_subgoals_of_an_episode() -> None:
    reward = subgoals(says, lambda seen: str(seen).split())
    assert paid(reward, path("key key door", "door", "key")) == [1, 1]
    with pytest.raises(RewardError, match="the planner named none for the agent's episode"):
        reward([path("", "key")])
    for goals in ((), (1,)):
        with pytest.raises(ValueError, match="needs the subgoals in words"):
            subgoals(says, goals)  # type: ignore[arg-type]


def test_what_a_model_answers_is_read_or_is_nothing() -> None:
    planner = AskedPlanner(lambda prompt: f"Sure!\n1. find it\n 2) take it \n2) take it\n- no\n3. {prompt[:6]}", most=3)
    assert planner("a cave") == ["find it", "take it", "A task"]
    assert AskedPlanner(lambda prompt: "I will not.")("a cave") == []
    for answer, meant in (("Yes.", True), ("no", False), ("It is not. No!", False), ("", False), ("yesterday", False)):
        assert AskedJudge(lambda prompt, answer=answer: answer)("goal", "before", "go", "after") is meant
    prompts: list[str] = []
    AskedJudge(lambda prompt: prompts.append(prompt) or "no")("the goal", "here", "go", {"text": "there"})
    assert all(part in prompts[0] for part in ("the goal", "here", "go", "there"))


def ask(prompt: str) -> str:
    """A stand-in for a language model that knows the corridor."""
    if "numbered list" in prompt:
        return "1. take the key\n2. unlock the door"
    after = prompt.partition("After:")[2]
    reached = "with key" in after if "take the key" in prompt else "door open" in after
    return "Yes, it was." if reached else "No."


def test_the_environments_reward_stays_unmixed() -> None:
    trajectory = path("place 0 without key door shut", "place 0 with key door shut")
    trajectory.turns[0].reward = 0.25
    score(env + 0.5 * subgoals(AskedJudge(ask), AskedPlanner(ask)), [trajectory])
    assert trajectory.rewards["env"].tolist() == [0.25]
    assert trajectory.rewards["total"].tolist() == [0.75]


@pytest.mark.slow
def test_works_calm() -> None:
    reward = env + 0.5 * subgoals(AskedJudge(ask), AskedPlanner(ask))
    sparse, with_subgoals = (
        [episodes_needed(KeyDoor(), each, seed, limit=250) for seed in range(5)] for each in (env, reward)
    )
    print(sparse, with_subgoals)
    assert np.median(with_subgoals) <= np.median(sparse) / 2


@turn_reward
def near(turn: Turn) -> float:
    """Of a scale far above that of the skills."""
    return -100.0 * turn.info["distance"]


def place_of_object(seen: Any) -> str:
    return str(seen).partition("object")[2]


@pytest.mark.slow
def test_works_slim() -> None:
    """Skills move the object to more places if each reward has a baseline of its own than if they are summed before."""
    places: dict[str, list[int]] = {}
    for seed in range(2):
        for advantage in ("multi_critic", "grpo"):
            reward = intrinsic(SkillDiscriminator(4, key=place_of_object)) + near
            options: dict[str, Any] = {"learning_rate": 2.0, "advantage": advantage, "tasks": 4, "seed": seed}
            policy, _ = learn(Push(), reward, steps=100, measure=len, **options)
            rng = np.random.default_rng(99)
            ends = {play_policy(Push(), policy, rng, task=skill % 4).turns[-1].info["object"] for skill in range(40)}
            places.setdefault(advantage, []).append(len(ends))
    print(places)
    assert min(places["multi_critic"]) > max(places["grpo"])
