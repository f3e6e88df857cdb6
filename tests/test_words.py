"""Environments put into words: what is shown, what an answer means, and what nonsense does."""

from __future__ import annotations

import doctest
import pickle
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import palestra
import palestra.envs.splits
import palestra.envs.words
from palestra.envs.abilities import Forkable, Guided, Solvable, Tasked
from palestra.envs.check import Settings
from palestra.envs.spaces import AnyText
from palestra.envs.splits import Splits
from palestra.envs.words import Phrases, Words, as_text, say

DOORS = Splits(train=list(range(8)), validation=[8, 9], test=[10, 11])


class Doors(gymnasium.Env):
    """Go through the right doors.

    Which doors are right is drawn, and shown as a number.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": [], "action_names": ["Left door", "Right door"]}
    guide = "An odd number: left. An even number: right."

    def __init__(self, render_mode: str | None = None) -> None:
        self.action_space = spaces.Discrete(2, start=5)
        self.observation_space = spaces.Dict({"room": spaces.Discrete(100), "air": spaces.Box(0, 1, (2,))})
        self.tasks = DOORS.count

    def show(self) -> dict[str, Any]:
        return {"room": self.room, "air": np.array([self.task / 16, self.left / 8], np.float32)}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.task = DOORS.choose(options, self.np_random)
        self.left, self.room = 3, self.task
        return self.show(), {"left": np.int64(self.left)}

    def step(self, action: int) -> Any:
        right = action == self.oracle()
        self.left, self.room = self.left - 1, int(self.np_random.integers(100))
        return self.show(), np.float64(right) / 3, self.left == 0, False, {"left": np.int64(self.left)}

    def oracle(self) -> int:
        return 5 if self.room % 2 else 6

    def snapshot(self) -> Any:
        return self.task, self.left, self.room, self.np_random.bit_generator.state

    def restore(self, state: Any) -> None:
        self.task, self.left, self.room, self.np_random.bit_generator.state = state


gymnasium.register("Doors-v0", entry_point=Doors, max_episode_steps=10)
gymnasium.register(
    "SpokenDoors-v0", entry_point=lambda render_mode=None: Words(Doors(render_mode)), max_episode_steps=9
)


@pytest.mark.parametrize("env_id", ["FrozenLake-v1", "Taxi-v4", "Blackjack-v1"])
def test_gymnasiums_own_pass_every_check_in_words(env_id: str) -> None:
    report = palestra.check(env_id, words=True)
    assert report.passed, str(report)
    assert report["hostile_actions_are_answered"].verdict == "passed"


@pytest.mark.parametrize(("env_id", "words"), [("Doors-v0", True), ("SpokenDoors-v0", False)])
def test_abilities_pass_every_check_in_words(env_id: str, words: bool) -> None:
    # Three other actions use up the three doors, so there is nothing left to recover.
    report = palestra.check(env_id, words=words, settings=Settings(min_recovery_score=0.0))
    assert report.passed, str(report)
    assert [outcome.name for outcome in report.outcomes if outcome.verdict == "skipped"] == ["render_modes"]


def test_frozen_lake_in_words() -> None:
    env = as_text(gymnasium.make("FrozenLake-v1", is_slippery=False))
    observation, info = env.reset(seed=0)
    assert observation == "You are at row 0, column 0 of 4 rows and 4 columns.\nActions: left, down, right, up"
    for action in ("down", " Down ", "RIGHT", "down\n", "right"):
        observation, reward, terminated, truncated, info = env.step(action)
        assert (reward, terminated, truncated, info["valid_action"]) == (0.0, False, False, True)
    observation, reward, terminated, truncated, info = env.step("right")
    assert observation.startswith("You are at row 3, column 3")
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert type(reward) is float


def test_the_picture_keeps_what_colours_show() -> None:
    env = as_text(gymnasium.make("FrozenLake-v1", is_slippery=False, render_mode="ansi"))
    env.reset(seed=0)
    assert env.step("down")[0].splitlines()[1:5] == ["SFFF", "<red>F</red>HFH", "FFFH", "HFFG"]
    env = as_text(gymnasium.make("Taxi-v4", render_mode="ansi"))
    observation, _ = env.reset(seed=1)
    assert observation.splitlines()[:2] == ["+---------+", "|<magenta>R</magenta>: | : :G|"]


def test_taxi_says_what_its_number_means() -> None:
    env = as_text(gymnasium.make("Taxi-v4"))
    env.reset(seed=1)
    taxi = env.env.unwrapped
    for state in range(500):
        row, column, passenger, destination = taxi.decode(state)
        said = env._say(taxi, state)
        assert f"taxi is at row {row}, column {column}." in said
        assert ("in the taxi" in said) == (passenger == 4)
        place = taxi.locs[destination]
        assert said.endswith(f"(row {place[0]}, column {place[1]}).")
    assert env.reset(seed=1)[1]["action_mask"] == [1, 1, 1, 1, 0, 0]


def test_blackjack_in_words() -> None:
    env = as_text(gymnasium.make("Blackjack-v1"))
    observation, _ = env.reset(seed=1)
    assert observation == "Your cards sum to 20, without usable ace. The dealer shows 7.\nActions: stick, hit"
    assert env.step("stick")[2] is True


def test_nonsense_is_answered_and_changes_nothing() -> None:
    env, twin = (as_text(gymnasium.make("Blackjack-v1")) for _ in range(2))
    shown, _ = env.reset(seed=3)
    twin.reset(seed=3)
    for action in ("", "hit me", "0", "stick, hit", "h" * 1_000_000, "\ud800", None, 1):
        observation, reward, terminated, truncated, info = env.step(action)
        assert observation == shown
        assert 10 < len(info["feedback"]) < 100
        assert (reward, terminated, truncated, info["valid_action"]) == (0.0, False, False, False)
    assert env.step("hit") == twin.step("hit")


def test_nonsense_takes_time() -> None:
    env = as_text(gymnasium.make("FrozenLake-v1", max_episode_steps=3))
    env.reset(seed=0)
    assert [env.step(action)[3] for action in ("left", "jump", "jump")] == [False, False, True]
    env.reset(seed=0)
    assert [env.step("left")[3] for _ in range(3)] == [False, False, True]


def test_abilities_come_through_in_words() -> None:
    env = Words(Doors())
    assert all(isinstance(env.unwrapped, ability) for ability in (Guided, Solvable, Forkable, Tasked))
    assert env.unwrapped.guide == Doors.guide
    assert env.tasks("test") == 2
    observation, info = env.reset(seed=0, options={"task": 3, "split": "train"})
    assert observation == "air: [0.1875, 0.375 ]\nroom: 3\nActions: Left door, Right door"
    assert info == {"left": 3}
    assert type(info["left"]) is int
    assert env.oracle() == "Left door"
    state = pickle.loads(pickle.dumps(env.snapshot()))
    future = [env.step("left door"), env.step("nonsense")]
    env.restore(state)
    assert [env.step("left door"), env.step("nonsense")] == future
    silent = as_text(gymnasium.make("FrozenLake-v1")).unwrapped
    assert not any(isinstance(silent, ability) for ability in (Solvable, Forkable, Tasked))


def test_a_guide_is_made_from_the_documentation() -> None:
    guide = as_text(gymnasium.make("Blackjack-v1")).unwrapped.guide
    assert guide.startswith("Blackjack is a card game")
    assert guide.endswith("Answer with one of these actions and nothing else: stick, hit.")
    assert as_text(gymnasium.make("CartPole-v1")).unwrapped.guide.startswith("This environment corresponds")


def test_names_are_given_declared_known_or_numbers() -> None:
    lake = gymnasium.make("FrozenLake-v1")
    assert Words(lake, names=["west", "south", "east", "north"]).names == ("west", "south", "east", "north")
    assert Words(Doors()).names == ("Left door", "Right door")
    assert Words(lake).names == ("left", "down", "right", "up")
    assert Words(gymnasium.make("CartPole-v1")).names == ("0", "1")
    with pytest.raises(ValueError, match="4 actions need as many different names"):
        Words(lake, names=["west", "south", "east"])
    with pytest.raises(ValueError, match="different names"):
        Words(lake, names=["west", "West", "east", "north"])


def test_chosen_names_keep_what_is_said() -> None:
    env = Words(gymnasium.make("FrozenLake-v1"), names=["west", "south", "east", "north"])
    assert env.reset(seed=0)[0].startswith("You are at row 0, column 0")


def test_what_speaks_already_is_left_alone() -> None:
    shop = gymnasium.make("WebShop-v0")
    assert as_text(shop) is shop
    spoken = as_text(gymnasium.make("FrozenLake-v1"))
    assert as_text(spoken) is spoken


class Echo(gymnasium.Env):
    """Says how long the answer is."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}
    observation_space = spaces.Discrete(20)
    action_space = spaces.Text(10)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: str) -> Any:
        return len(action), 0.0, False, False, {}


def test_text_actions_stay_as_they_are_and_are_held_to_their_space() -> None:
    env = as_text(Echo())
    assert env.reset(seed=0)[0] == "0"
    assert env.step("abc")[0] == "3"
    assert env.step("far too long an answer")[4]["valid_action"] is False
    with pytest.raises(ValueError, match="names are for Discrete actions"):
        Words(Echo(), names=["a"])


@pytest.mark.parametrize(
    ("space", "value", "words"),
    [
        (spaces.Discrete(3), np.int64(2), "2"),
        (spaces.Tuple((spaces.Discrete(3), spaces.Text(5))), (1, "two"), "1, two"),
        (spaces.Box(-1, 1, (2,)), np.array([0.5, -1 / 3], np.float32), "[ 0.5   , -0.3333]"),
        (spaces.MultiBinary(3), np.array([1, 0, 1], np.int8), "[1, 0, 1]"),
        (AnyText(), "اي", "اي"),
    ],
)
def test_observations_are_said(space: gymnasium.Space, value: Any, words: str) -> None:
    assert say(space, value) == words


def test_what_words_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="Words needs Discrete or Text actions"):
        as_text(gymnasium.make("Pendulum-v1"))
    env = Doors()
    env.observation_space = spaces.Dict({"image": spaces.Box(0, 255, (8, 8, 3), np.uint8)})
    with pytest.raises(ValueError, match="more than 64 numbers"):
        Words(env)


def test_gymnasium_can_make_it_again() -> None:
    env = Words(gymnasium.make("FrozenLake-v1", is_slippery=False), names=["w", "s", "e", "n"])
    again = gymnasium.make(env.spec)
    assert isinstance(again, Words)
    assert again.names == env.names
    assert again.reset(seed=0) == env.reset(seed=0)
    assert isinstance(gymnasium.make("SpokenDoors-v0").unwrapped, Words)


def test_phrases_draw_only_what_means_something() -> None:
    space = Phrases(["left", "right"], seed=0)
    assert {space.sample() for _ in range(50)} == {"left", "right"}
    assert "anything" in space
    assert space == pickle.loads(pickle.dumps(space))
    assert space != Phrases(["left"])
    with pytest.raises(ValueError, match="neither a mask"):
        space.sample(mask=np.ones(2))  # type: ignore[arg-type]


def test_splits_say_what_there_is() -> None:
    generator = np.random.default_rng(0)
    splits = Splits(train=["a", "b"], test=["c"])
    assert {splits.choose(None, generator) for _ in range(50)} == {"a", "b"}
    assert splits.choose({"split": "test"}, generator) == "c"
    assert splits.choose({"task": np.int64(1)}, generator) == "b"
    for options, message in [
        ({"task": 2}, "from 0 to 1, not 2"),
        ({"task": True}, "not True"),
        ({"task": None}, "not None"),
        ({"split": "tset"}, "'train', 'validation', 'test'"),
        ({"split": "validation"}, "no validation tasks"),
        ({"tsk": 1}, "unknown reset option 'tsk'"),
    ]:
        with pytest.raises(ValueError, match=message):
            splits.choose(options, generator)
    with pytest.raises(ValueError, match="training task"):
        Splits(train=[])


@pytest.mark.parametrize("module", [palestra.envs.words, palestra.envs.splits])
def test_the_examples_in_the_documentation_run(module: Any) -> None:
    result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted > 0
