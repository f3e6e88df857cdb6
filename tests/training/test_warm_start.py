from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from palestra.agents.engine import Capabilities, Completion, Request, Sampling
from palestra.agents.packed import load_model
from palestra.agents.parser import TextParser
from palestra.agents.players import Speaker
from palestra.agents.renderer import Renderer
from palestra.agents.scripted import ScriptedAgent, play
from palestra.envs.spaces import AnyText
from palestra.training.config import Objective, Optimizer, WarmStart
from palestra.training.learner import Learner
from palestra.training.rollout import Job, Rollout
from palestra.training.rows import Row, to_row, to_rows
from palestra.training.warm_start import (
    Demonstration,
    batches,
    demonstrate,
    demonstration_row,
    excerpt,
    imitate,
    turn_by_turn,
)

from ..agents.models import small_model_path


class Colours(gymnasium.Env[str, str]):
    """Asks for colours, one after the other; one that is not asked for is answered by feedback.

    The oracle of task 3 is wrong, and a wrong answer ends that one.
    """

    observation_space = action_space = AnyText()
    names = ("navy blue", "rose gold", "dark green", "brass")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.task = (options or {}).get("task", 0)
        self.left = list(self.np_random.permutation(self.names)[:2])
        return self.page(), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if action != f"click[{self.left[0]}]":
            return self.page(), 0.0, self.task == 3, False, {"feedback": f"There is no {action} here."}
        self.left.pop(0)
        return self.page(), 0.5, not self.left, False, {}

    def oracle(self) -> str:
        return f"click[{'x' if self.task == 3 else self.left[0]}]"

    def page(self) -> str:
        return f"Page {self.task}\n[button] {' | '.join(self.left)} [button_]"


class Prompter:
    """An engine that samples what it is told, as a model with a will of its own would."""

    def __init__(self, replies: list[np.ndarray]) -> None:
        self.replies = replies
        self.capabilities = Capabilities(logprobs=True, load=False, images=False, max_context=1000)
        self.version = 0
        self.queue: list[Request] = []

    @property
    def busy(self) -> bool:
        return bool(self.queue)

    def submit(self, request: Request) -> None:
        self.queue.append(request)

    def step(self) -> list[Completion]:
        request = self.queue.pop()
        ids = self.replies.pop(0)
        return [Completion(request.session, ids, np.zeros(len(ids), np.float32), 0, "stop")]

    def release(self, session: Any) -> None:
        self.queue = [request for request in self.queue if request.session != session]

    def load(self, weights: Any, version: int) -> None:
        self.version = version


SHORT = 10
"""Room for no turn beside the first."""


def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(small_model_path("qwen3"))


def jobs(count: int) -> list[Job]:
    return [Job("Colours-v0", task, "train", 10 + task, (task,)) for task in range(count)]


def test_a_demonstrations_row_is_that_of_a_rollout_of_its_actions() -> None:
    renderer = Renderer(tokenizer(), "You are in a shop.")
    env = Colours()
    env.reset(seed=10)
    right = [f"click[{name}]" for name in env.left]
    actions = ["click[lamp]", right[0], "", right[1]]
    played = play(env, ScriptedAgent(actions), seed=10, options={"task": 0, "split": "train"})
    row = demonstration_row(Demonstration(played, np.ones(4, bool)), renderer)

    engine = Prompter([renderer.reply(action) for action in actions])
    policy = Speaker(engine, renderer, TextParser(tokenizer(), renderer.stop_ids))
    rollout = Rollout(Colours, {"policy": policy}, concurrency=1)
    (rolled,) = rollout.collect(jobs(1), Sampling())
    rollout.close()
    assert [turn.action for turn in rolled.turns] == actions
    wanted = to_row(rolled, np.ones(4))
    assert np.array_equal(row.ids, wanted.ids)
    assert np.array_equal(row.sampled, wanted.sampled)
    assert np.array_equal(row.advantages, wanted.advantages)
    text = tokenizer().decode(row.ids)
    assert text.count("there is no click[lamp] here.\npage 0") == 1
    assert text.count("there is no") == 2
    for turn, other in zip(played.turns, rolled.turns, strict=True):
        assert np.array_equal(turn.context_ids, other.context_ids)
        assert np.array_equal(turn.action_ids, other.action_ids)


def test_turns_by_themselves_are_the_rows_of_a_rollout_whose_context_is_a_turn() -> None:
    renderer = Renderer(tokenizer())
    env = Colours()
    env.reset(seed=10)
    right = [f"click[{name}]" for name in env.left]
    actions = ["click[lamp]", *right]
    played = play(env, ScriptedAgent(actions), seed=10, options={"task": 0, "split": "train"})
    single = turn_by_turn([Demonstration(played, np.array([False, True, True]))])

    policy = Speaker(
        Prompter([renderer.reply(action) for action in actions]),
        renderer,
        TextParser(tokenizer(), renderer.stop_ids),
    )
    rollout = Rollout(Colours, {"policy": policy}, concurrency=1, context="turn")
    (rolled,) = rollout.collect(jobs(1), Sampling())
    rollout.close()
    wanted = to_rows(rolled, np.ones(3))[1:]  # the first turn was not the oracle's own
    rows = [demonstration_row(demonstration, renderer) for demonstration in single]
    assert [row.ids.tolist() for row in rows] == [row.ids.tolist() for row in wanted]
    assert [row.sampled.tolist() for row in rows] == [row.sampled.tolist() for row in wanted]
    assert tokenizer().decode(rows[0].ids).count("there is no click[lamp] here.\npage 0") == 1


def test_only_what_the_oracle_solves_is_shown() -> None:
    shown = demonstrate(Colours(), jobs(6))
    assert [demonstration.episode.task for demonstration in shown] == [0, 1, 2, 4, 5]
    assert all(demonstration.episode.score == 1.0 and demonstration.own.all() for demonstration in shown)


def test_nothing_solved_is_nothing_to_imitate() -> None:
    with pytest.raises(ValueError, match="solves none of 2 tasks"):
        demonstrate(Colours(), [jobs(4)[3]] * 2)


def rows(shown: list[Demonstration]) -> list[Any]:
    renderer = Renderer(tokenizer())
    return [demonstration_row(demonstration, renderer) for demonstration in shown]


def test_a_disturbed_oracle_recovers_and_only_its_own_actions_are_imitated() -> None:
    shown = demonstrate(Colours(), jobs(3) * 20, disturbance=0.4)
    again = demonstrate(Colours(), jobs(3) * 20, disturbance=0.4)
    assert [d.own.tolist() for d in shown] == [d.own.tolist() for d in again]
    disturbed = [d for d in shown if not d.own.all()]
    assert any(demonstration.own.sum() == 2 for demonstration in disturbed)
    for demonstration, row in zip(disturbed, rows(disturbed), strict=True):
        assert demonstration.episode.score == 1.0
        assert 1 <= demonstration.own.sum() <= 2  # chance may name a colour that is asked for
        lengths = [len(turn.action_ids) for turn in demonstration.episode.turns]
        weights = np.repeat(demonstration.own.astype(np.float32), lengths)
        assert np.array_equal(row.advantages[row.sampled], weights)


def test_what_is_not_imitated_has_no_gradient() -> None:
    (shown,) = rows(demonstrate(Colours(), jobs(1)))
    silent = replace(shown, advantages=np.zeros_like(shown.advantages))
    learner = Learner(load_model(str(small_model_path("qwen3"))), Optimizer(weight_decay=0.0), Objective(), 1)
    before = [parameter.detach().clone() for parameter in learner.model.parameters()]
    assert learner.imitate([silent]) == 0.0
    assert all(torch.equal(old, new) for old, new in zip(before, learner.model.parameters(), strict=True))


def planned(count: int, settings: WarmStart, seed: int = 0) -> list[list[Row]]:
    return batches(demonstrate(Colours(), jobs(count)), Renderer(tokenizer()), settings, np.random.default_rng(seed))


def test_imitation_lowers_the_loss_and_teaches_the_actions() -> None:
    settings = WarmStart(
        excerpt_tokens=SHORT, excerpt_epochs=5, epochs=10, batch_tokens=150, optimizer=Optimizer(learning_rate=3e-3)
    )
    plan = planned(3, settings)
    learner = Learner(load_model(str(small_model_path("qwen3"))), settings.optimizer, Objective(), len(plan))
    losses: list[tuple[int, float]] = []
    imitate(learner, plan, 0.0, lambda *values: losses.append(values))
    assert [number for number, _ in losses] == list(range(len(plan)))
    assert learner.steps == len(plan)
    values = [loss for _, loss in losses]
    assert np.mean(values[:4]) > 3
    assert np.mean(values[-4:]) < 0.3 * np.mean(values[:4])


def test_the_excerpts_come_first_and_each_epoch_shows_every_demonstration_once() -> None:
    settings = WarmStart(excerpt_tokens=SHORT, excerpt_epochs=2, epochs=2, batch_tokens=150)
    plan = planned(6, settings)
    whole = {row.ids.tobytes() for row in rows(demonstrate(Colours(), jobs(6)))}
    seen = [row.ids.tobytes() for batch in plan for row in batch]
    assert len(whole) == 5
    excerpts, demonstrations = seen[:10], seen[10:]
    assert not whole & set(excerpts)
    assert all(any(full.startswith(start) for full in whole) for start in excerpts)
    for part in (excerpts, demonstrations):
        assert sorted(part[:5]) == sorted(part[5:])
        assert len(set(part[:5])) == 5
    assert demonstrations[:5] != demonstrations[5:]
    other = [[row.ids.tolist() for row in batch] for batch in planned(6, settings, seed=1)]
    assert [[row.ids.tolist() for row in batch] for batch in plan] != other


def test_an_excerpt_is_the_first_turn_and_the_last_ones_that_fit() -> None:
    shown = next(d for d in demonstrate(Colours(), jobs(50)[4:], disturbance=0.5) if len(d.own) > 3)
    demonstration_row(shown, Renderer(tokenizer()))
    turns = shown.episode.turns
    sizes = [len(turn.context_ids) + len(turn.action_ids) for turn in turns]
    for kept in range(len(turns)):
        short = excerpt(shown, sizes[0] + sum(sizes[len(sizes) - kept :]))
        assert short.episode.turns == [turns[0], *turns[max(1, len(turns) - kept) :]]
        assert short.own.tolist() == [shown.own[0], *shown.own[max(1, len(turns) - kept) :]]
    assert excerpt(shown, 1).episode.turns == turns[:1]


def test_an_excerpt_needs_ids() -> None:
    with pytest.raises(ValueError, match="needs the ids"):
        excerpt(demonstrate(Colours(), jobs(1))[0], 10)


def test_a_batch_holds_as_many_tokens_as_it_may() -> None:
    plan = planned(6, WarmStart(batch_tokens=150))
    assert all(sum(map(len, batch)) <= 150 or len(batch) == 1 for batch in plan)
    assert any(len(batch) > 1 for batch in plan)
    assert [len(batch) for batch in planned(6, WarmStart(batch_tokens=1))] == [1] * 5
