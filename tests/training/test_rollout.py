from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from palestra.agents.engine import Capabilities, Completion, Request, Sampling
from palestra.agents.packed import load_model
from palestra.agents.parser import TextParser
from palestra.agents.players import Speaker
from palestra.agents.renderer import Renderer
from palestra.agents.transformers_engine import TransformersEngine
from palestra.envs.abilities import EnvironmentFault
from palestra.envs.spaces import AnyText
from palestra.training.rollout import Job, Rollout
from palestra.training.rows import to_row
from palestra.trajectory import Status, Trajectory

from ..agents.models import small_model_path

WORDS = [
    "lamp",
    "desk",
    "navy",
    "blue",
    "green",
    "brass",
    "warm",
    "light",
    "price",
    "lower",
    "than",
    "search",
    "page",
    "size",
    "buy",
]
Trouble = dict[int, tuple[str, int]]
ROLLOUTS: list[Rollout] = []


class Shelf(gymnasium.Env[str, str]):
    """Shows some words; likes answers of an even length, and says so about the others.  Lasts 1 to 4 turns.

    ``trouble`` maps a task to what breaks and in which turn (0 is the reset).
    """

    observation_space = action_space = AnyText()
    stay = threading.Event()
    made: list[Shelf] = []  # noqa: RUF012

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        self.threads: set[int] = set()
        self.closed = False
        Shelf.made.append(self)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.task = (options or {}).get("task", -1)
        self.turn = 0
        self.length = 1 + self.task % 4
        self.break_down()
        return self.page(), {}

    def step(self, action: str) -> Any:
        self.turn += 1
        broken = self.break_down()
        if broken is not None:
            return broken
        valid = len(action) % 2 == 0
        info = {"valid_action": valid} | ({} if valid else {"feedback": f"Odd: {action[:3]!r}."})
        return self.page(), float(valid), self.turn >= self.length, False, info

    def close(self) -> None:
        self.closed = True

    def page(self) -> str:
        return f"Task {self.task}: " + " ".join(self.np_random.choice(WORDS, self.np_random.integers(1, 20)))

    def break_down(self) -> Any:
        self.threads.add(threading.get_ident())
        kind, turn = self.trouble.get(self.task, ("", -1))
        if turn != self.turn:
            return None
        if kind == "raise":
            raise KeyError("the shelf fell")
        if kind == "exit":
            raise SystemExit(1)
        if kind == "fault":
            raise EnvironmentFault("the shop burnt down")
        if kind == "hang":
            Shelf.stay.wait(60)
        return {"nan": ("", float("nan"), False, False, {}), "malformed": ("", 1.0)}.get(kind)


gymnasium.register("Shelf-v0", Shelf, disable_env_checker=True, order_enforce=False)


@pytest.fixture(autouse=True)
def shelves() -> Iterator[None]:
    Shelf.stay.clear()
    Shelf.made.clear()
    yield
    Shelf.stay.set()
    while ROLLOUTS:
        ROLLOUTS.pop().close()


class Spy(TransformersEngine):
    """Writes down what each session consumed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.contexts: list[list[np.ndarray]] = []
        self.now: dict[Any, list[np.ndarray]] = {}

    def submit(self, request: Request) -> None:
        super().submit(request)
        self.now.setdefault(request.session, []).append(request.ids)

    def step(self) -> list[Completion]:
        done = super().step()
        for completion in done:
            self.now[completion.session].append(completion.ids)
        return done

    def release(self, session: Any) -> None:
        super().release(session)
        if session in self.now:
            self.contexts.append(self.now.pop(session))


def engine_of(rollout: Rollout) -> Any:
    """The policy's engine."""
    policy = rollout.players["policy"]
    assert isinstance(policy, Speaker)
    return policy.engine


def make_rollout(trouble: Trouble | None = None, max_context: int | None = None, **kwargs: Any) -> Rollout:
    path = str(small_model_path("qwen3"))
    tokenizer = AutoTokenizer.from_pretrained(path)
    renderer = Renderer(tokenizer, "You are in a shop.")
    engine = Spy(load_model(path), tokenizer, max_context=max_context)
    parser = TextParser(tokenizer, renderer.stop_ids)
    settings: dict[str, Any] = {"concurrency": 8, "timeout": 60.0} | kwargs
    ROLLOUTS.append(
        Rollout(
            lambda: gymnasium.make("Shelf-v0", trouble=trouble or {}),
            {"policy": Speaker(engine, renderer, parser)},
            **settings,
        )
    )
    return ROLLOUTS[-1]


SAMPLING = Sampling(max_tokens=6, stop_ids=(2,))


def jobs(tasks: Any, size: int = 1) -> list[Job]:
    return [Job("Shelf-v0", task, "train", 100 + task, (task, member)) for task in tasks for member in range(size)]


def same(one: Trajectory, other: Trajectory, tolerance: float = 1e-6) -> bool:
    return (
        (one.status, one.task, one.seed, one.score) == (other.status, other.task, other.seed, other.score)
        and one.final_observation == other.final_observation
        and len(one.turns) == len(other.turns)
        and all(
            (a.observation, a.action, a.reward, a.info) == (b.observation, b.action, b.reward, b.info)
            and np.array_equal(a.context_ids, b.context_ids)
            and np.array_equal(a.action_ids, b.action_ids)
            and np.abs(a.logprobs - b.logprobs).max() <= tolerance
            for a, b in zip(one.turns, other.turns, strict=True)
        )
    )


def test_episodes_come_in_the_order_of_their_jobs_and_hold_what_happened() -> None:
    rollout = make_rollout(concurrency=3)
    finished: list[Trajectory] = []
    episodes = rollout.collect(jobs(range(8)), SAMPLING, finished.append)
    assert [episode.task for episode in episodes] == list(range(8))
    assert sorted(map(id, finished)) == sorted(map(id, episodes))
    for episode in episodes:
        env: Any = gymnasium.make("Shelf-v0", trouble={})
        observation, _ = env.reset(seed=episode.seed, options={"task": episode.task, "split": "train"})
        assert (episode.env_id, episode.split, episode.status) == ("Shelf-v0", "train", Status.TERMINATED)
        assert len(episode.turns) == 1 + episode.task % 4
        for turn in episode.turns:
            assert turn.observation == observation
            observation, reward, _, _, info = env.step(turn.action)
            assert (turn.reward, turn.info) == (reward, info)
            assert len(turn.logprobs) == len(turn.action_ids) <= 6
        assert episode.final_observation == observation
    assert not engine_of(rollout).busy


def test_contexts_are_what_the_engine_consumed_and_feedback_is_shown_once() -> None:
    rollout = make_rollout(concurrency=4)
    engine: Any = engine_of(rollout)
    episodes = rollout.collect(jobs(range(12)), SAMPLING)
    consumed = {np.concatenate(parts).tobytes() for parts in engine.contexts}
    model = AutoModelForCausalLM.from_pretrained(small_model_path("qwen3"), attn_implementation="eager").eval()
    fed_back = 0
    for episode in episodes:
        row = to_row(episode, np.ones(len(episode.turns)))
        assert row.ids.tobytes() in consumed
        with torch.no_grad():
            scores = model(input_ids=torch.from_numpy(row.ids.astype(np.int64))[None]).logits[0].log_softmax(-1)
        places = np.flatnonzero(row.sampled)
        independent = scores[places - 1, row.ids[places]].numpy()
        assert np.abs(row.logprobs[places] - independent).max() <= 1e-5
        before: Any = None
        for turn in episode.turns:
            text = engine.tokenizer.decode(turn.context_ids)
            shown = turn.observation if before is None else f"{before.info.get('feedback', '')}\n{turn.observation}"
            assert f"user\n{shown.lstrip()}<|im_end|>".lower() in text
            fed_back += "odd:" in text
            before = turn
    assert fed_back == sum("feedback" in turn.info for episode in episodes for turn in episode.turns[:-1]) > 3


TROUBLE: Trouble = {
    1: ("raise", 1),
    3: ("fault", 0),
    6: ("hang", 1),
    9: ("hang", 0),
    10: ("exit", 2),
    11: ("nan", 1),
    14: ("malformed", 1),
}


@pytest.mark.parametrize("lockstep", [True, False])
@pytest.mark.parametrize("concurrency", [2, 16])
def test_what_breaks_costs_its_own_episode_only(lockstep: bool, concurrency: int) -> None:
    whole = make_rollout().collect(jobs(range(16)), SAMPLING)
    rollout = make_rollout(TROUBLE, concurrency=concurrency, lockstep=lockstep, timeout=0.5)
    episodes = rollout.collect(jobs(range(16)), SAMPLING)
    for task, (episode, wanted) in enumerate(zip(episodes, whole, strict=True)):
        kind = TROUBLE.get(task, ("",))[0]
        if not kind:
            assert same(episode, wanted, 1e-5)
            continue
        assert episode.status == (Status.TIMEOUT if kind == "hang" else Status.FAULT)
        assert not episode.status.scored
        assert len(episode.turns) == TROUBLE[task][1]
    errors = {TROUBLE[task][0]: str(episodes[task].error) for task in TROUBLE}
    assert errors["raise"] == "KeyError: 'the shelf fell'"
    assert errors["fault"] == "EnvironmentFault: the shop burnt down"
    assert errors["hang"] == "no answer within 0.5 s"
    assert errors["exit"] == "SystemExit: 1"
    assert errors["nan"] == "EnvironmentFault: the environment paid nan"
    assert errors["malformed"].startswith("ValueError: not enough values")
    # Nothing of it is left: the same rollout plays on, and no environment ever changed its thread.
    fine = [task for task in range(16) if task not in TROUBLE]
    again = rollout.collect(jobs(fine), SAMPLING)
    assert all(same(episode, whole[task], 1e-5) for episode, task in zip(again, fine, strict=True))
    assert all(len(shelf.threads) <= 1 for shelf in Shelf.made)


def test_an_environment_that_comes_too_late_leaves_its_successor_alone() -> None:
    started = threading.Event()

    def make_env() -> gymnasium.Env[Any, Any]:
        if not started.is_set():
            started.set()
            Shelf.stay.wait(60)
        return gymnasium.make("Shelf-v0", trouble={})

    rollout = make_rollout(concurrency=1, timeout=0.5)
    late = Rollout(make_env, rollout.players, concurrency=1, timeout=0.5)
    ROLLOUTS.append(late)
    episodes = late.collect(jobs(range(3)), SAMPLING)
    assert [episode.status for episode in episodes] == [Status.TIMEOUT, Status.TERMINATED, Status.TERMINATED]
    (successor,) = Shelf.made
    Shelf.stay.set()
    episodes = late.collect(jobs(range(3)), SAMPLING)
    assert all(episode.status.scored for episode in episodes)
    assert len(successor.threads) == 1
    assert successor.task == 2


def test_when_everything_breaks_the_first_error_is_raised() -> None:
    rollout = make_rollout({task: ("raise", task % 2) for task in range(3)})
    with pytest.raises(RuntimeError, match="all 3 episodes failed; the first: KeyError: 'the shelf fell'"):
        rollout.collect(jobs(range(3)), SAMPLING)
    assert rollout.collect(jobs([5]), SAMPLING)[0].status is Status.TERMINATED
    assert rollout.collect([], SAMPLING) == []


def test_turns_and_contexts_are_bounded() -> None:
    (episode,) = make_rollout(max_turns=2).collect(jobs([3]), SAMPLING)
    assert (episode.status, len(episode.turns)) == (Status.TRUNCATED, 2)
    assert episode.final_observation
    (whole,) = make_rollout().collect(jobs([3]), SAMPLING)
    lengths = np.cumsum([[len(turn.context_ids), len(turn.action_ids)] for turn in whole.turns])
    (episode,) = make_rollout(max_context=int(lengths[4])).collect(jobs([3]), SAMPLING)
    assert (episode.status, len(episode.turns)) == (Status.TRUNCATED, 2)
    assert episode.final_observation == whole.turns[2].observation
    assert episode.score == sum(turn.reward for turn in whole.turns[:2])
    (episode,) = make_rollout(max_context=int(lengths[0])).collect(jobs([3]), SAMPLING)
    assert (episode.status, len(episode.turns)) == (Status.TRUNCATED, 0)


def test_lockstep_runs_are_the_same_to_the_last_bit() -> None:
    one, other = (make_rollout(concurrency=5).collect(jobs(range(6), size=3), SAMPLING) for _ in range(2))
    assert all(same(a, b, 0.0) for a, b in zip(one, other, strict=True))


def test_results_do_not_depend_on_the_concurrency() -> None:
    runs = [make_rollout(concurrency=n).collect(jobs(range(6), size=3), SAMPLING) for n in (1, 4, 16)]
    assert all(same(a, b, 1e-5) for run in runs[1:] for a, b in zip(runs[0], run, strict=True))
    members = runs[0][3:6]
    assert members[0].turns[0].context_ids.tolist() == members[1].turns[0].context_ids.tolist()
    assert len({tuple(member.turns[0].action_ids.tolist()) for member in members}) > 1


def test_slow_environments_do_not_hold_the_others() -> None:
    """Without lockstep the others end while one is in its step; with it they would wait for it."""
    finished: list[int] = []

    def on_finish(episode: Trajectory) -> None:
        finished.append(episode.task or 0)
        if len(finished) == 7:
            Shelf.stay.set()

    rollout = make_rollout({0: ("hang", 1)}, lockstep=False)
    episodes = rollout.collect(jobs(range(8)), SAMPLING, on_finish)
    assert finished[-1] == 0
    assert all(episode.status is Status.TERMINATED for episode in episodes)


def test_close_closes_the_environments_also_those_that_broke() -> None:
    others = set(threading.enumerate())
    rollout = make_rollout({1: ("raise", 1)}, concurrency=2)
    rollout.collect(jobs(range(4)), SAMPLING)
    assert len(Shelf.made) == 3
    workers = [thread for thread in threading.enumerate() if thread not in others]
    assert len(workers) >= 2
    rollout.close()
    rollout.close()
    for worker in workers:
        worker.join(timeout=60)
        assert not worker.is_alive()
    assert all(shelf.closed for shelf in Shelf.made)


def test_an_error_on_our_side_is_raised_and_leaves_the_engine_free() -> None:
    rollout = make_rollout(concurrency=2)

    def fail(episode: Trajectory) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        rollout.collect(jobs(range(6)), SAMPLING, fail)
    assert not engine_of(rollout).busy
    assert all(episode.status.scored for episode in rollout.collect(jobs(range(6)), SAMPLING))


def test_an_engine_without_logprobs_is_refused() -> None:
    rollout = make_rollout()
    engine_of(rollout).capabilities = Capabilities(logprobs=False, load=False, images=False, max_context=10)
    with pytest.raises(ValueError, match="log-probabilities"):
        Rollout(lambda: Shelf({}), rollout.players)
    engine_of(rollout).capabilities = Capabilities(logprobs=True, load=False, images=False, max_context=10)
    with pytest.raises(ValueError, match="it has no choices"):
        Rollout(lambda: Shelf({}), rollout.players, actions="legal")
