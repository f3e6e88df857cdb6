"""A policy learns from its own solved episodes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from palestra.agents.packed import Packing, hidden_states, load_model, logits
from palestra.agents.small import save_small_model
from palestra.agents.workers import Workers
from palestra.training.config import Config, Optimizer, SelfImitation
from palestra.training.recipe import RecipeError
from palestra.training.self_imitation import check, imitate_solved
from palestra.trajectory import Status, Trajectory, Turn

SETTINGS = SelfImitation(every=1, epochs=30, batch_tokens=64, optimizer=Optimizer(learning_rate=3e-3))
CONFIG = Config(env="WebShop-v0", self_imitation=SETTINGS)


def episode(first: int, second: int, solved: bool, status: Status = Status.TERMINATED) -> Trajectory:
    """Two turns; the environment refused the first."""
    turns = [
        Turn(
            observation="",
            action=str(number),
            reward=0.0,
            context_ids=np.array([5, 6 + number], np.int32),
            action_ids=np.array([token], np.int32),
            logprobs=np.zeros(1, np.float32),
            info={"valid_action": number == 1, "success": solved},
        )
        for number, token in enumerate((first, second))
    ]
    return Trajectory("WebShop-v0", task=0, seed=0, turns=turns, status=status)


@pytest.fixture
def model(tmp_path: Path) -> PreTrainedModel:
    save_small_model(tmp_path, ["one two three four"], vocab_size=300, hidden=32, layers=1)
    return load_model(str(tmp_path), torch.device("cpu"), torch.float32)


def probability(model: PreTrainedModel, ids: list[int], token: int) -> float:
    with torch.no_grad():
        scores = logits(model, hidden_states(model, torch.tensor(ids), Packing([len(ids)])))
        return float(scores[-1].softmax(0)[token])


def test_solved_episodes_are_imitated_but_for_what_was_refused(model: PreTrainedModel) -> None:
    episodes = [episode(20, 21, True), episode(20, 22, False), episode(20, 23, True, Status.FAULT)]
    assert imitate_solved(model, episodes, CONFIG, 1, Workers()) == 1
    assert probability(model, [5, 6, 20, 5, 7], 21) > 0.9
    assert probability(model, [5, 6], 20) < 0.1


def test_of_attempts_that_failed_only_the_last_can_be_imitated(model: PreTrainedModel) -> None:
    attempts = episode(20, 21, True)
    attempts.turns[0].info["valid_action"] = True
    last = replace(CONFIG, self_imitation=replace(SETTINGS, turns="last"))
    before = probability(model, [5, 6], 20)
    imitate_solved(model, [attempts], last, 1, Workers())
    assert probability(model, [5, 6, 20, 5, 7], 21) > 0.9
    assert probability(model, [5, 6], 20) < max(0.1, 2 * before)


@pytest.mark.parametrize("distinct", [False, True])
def test_episodes_that_read_the_same_count_once_if_asked(model: PreTrainedModel, distinct: bool) -> None:
    """Nine answered one way and one the other: each as often, or each once."""

    def answered(token: int) -> Trajectory:
        one = episode(20, token, True)
        one.turns[0].info["valid_action"] = False
        return one

    config = replace(CONFIG, self_imitation=replace(SETTINGS, distinct=distinct, batch_tokens=1000))
    assert imitate_solved(model, [*[answered(21)] * 9, answered(22)], config, 1, Workers()) == 10
    often, seldom = (probability(model, [5, 6, 20, 5, 7], token) for token in (21, 22))
    if distinct:
        assert often == pytest.approx(seldom, abs=0.1)
    else:
        assert often > 3 * seldom


@pytest.mark.parametrize("weighting", ["equal", "advantage"])
def test_what_always_succeeds_can_be_left_out(model: PreTrainedModel, weighting: Literal["equal", "advantage"]) -> None:
    """A task that is solved each time, by 21, and one that is solved once in four, by 22."""
    sure = [episode(20, 21, True) for _ in range(4)]
    seldom = [replace(episode(20, 22 if solved else 23, solved), task=1) for solved in (True, False, False, False)]
    config = replace(CONFIG, self_imitation=replace(SETTINGS, weighting=weighting, batch_tokens=1000))
    imitated = imitate_solved(model, [*sure, *seldom], config, 1, Workers())
    likely = {token: probability(model, [5, 6, 20, 5, 7], token) for token in (21, 22)}
    if weighting == "equal":
        assert imitated == 5
        assert likely[21] > 2 * likely[22]
    else:
        assert imitated == 1
        assert likely[22] > 0.9


def test_without_a_solved_episode_nothing_changes(model: PreTrainedModel) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert imitate_solved(model, [episode(20, 21, False)], CONFIG, 1, Workers()) == 0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (replace(CONFIG, keep_trajectories=2), "keep_trajectories = 1"),
        (replace(CONFIG, self_play=True), "for one agent"),
    ],
)
def test_what_it_cannot_do_is_said_before_the_run(config: Config, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        check(config)


def test_a_run_that_does_not_ask_for_it_is_free() -> None:
    check(replace(CONFIG, self_imitation=SelfImitation(), keep_trajectories=0, self_play=True))
