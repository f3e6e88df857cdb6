"""Programs as rewards, what the critic finds, and the searches with scripted proposers."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from palestra import Group, Status, Trajectory, Turn
from palestra.rewards import Reward, RewardError, RewardParseError, Scope, delta, env, parse_reward, score
from palestra.rewards.programs.evaluator import Evaluator, ProgramError, shared_evaluator
from palestra.rewards.programs.latents import CodeLatents, LatentCritic, write_latents
from palestra.rewards.programs.reward import digest_of, from_source, program
from palestra.rewards.programs.roles import Rollouts, design, sign_mix
from palestra.rewards.programs.schema import Field, Schema, infer_schema, state_of
from palestra.rewards.programs.search import Trained, component_course, evolve, prefer, reflection
from palestra.rewards.programs.writing import Critic, NoProgramError, extract_source, propose, refine, request

SOURCE = 'def reward(x, won):\n    return 2 * x + won, {"x": x, "won": won}\n'
SCHEMA = Schema("get far", (Field("x", "how far", "number", 0, 5), Field("won", "arrived", "boolean")))


def episode(*xs: float, won: bool = False, status: Status = Status.TERMINATED) -> Trajectory:
    turns = [Turn("here", "go", 0.5, info={"x": x, "won": False}) for x in xs]
    if turns:
        turns[-1].info["won"] = won
    return Trajectory("Far-v0", None, 0, turns, status)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "far.py"
    file.write_text(SOURCE)
    return file


@pytest.fixture(scope="module")
def evaluator() -> Iterator[Evaluator]:
    evaluator = Evaluator(seconds=0.5)
    yield evaluator
    evaluator.close()


@pytest.fixture
def critic(evaluator: Evaluator) -> Critic:
    return Critic(SCHEMA, evaluator, states=20)


class Script:
    """A proposer that gives its replies in turn, the last for ever, and keeps what it was asked."""

    def __init__(self, *replies: str) -> None:
        self.replies, self.asked = replies, list[str]()

    def __call__(self, text: str) -> str:
        self.asked.append(text)
        return self.replies[min(len(self.asked), len(self.replies)) - 1]


# --- as a reward ------------------------------------------------------------------------------------------------------


def test_a_program_pays_every_turn(path: Path) -> None:
    group = Group([episode(1, 2, won=True), episode(), episode(4), episode(9, status=Status.FAULT)])
    reward = program(str(path))
    assert [None if v is None else v.tolist() for v in reward(group)] == [[2, 5], [], [8], None]
    assert [None if v is None else v.tolist() for v in program(str(path), component="x")(group)] == [
        [1, 2],
        [],
        [4],
        None,
    ]
    assert reward([episode()])[0].tolist() == []  # type: ignore[union-attr]
    assert reward.scope is Scope.TURN
    values = score(delta(reward) + 0.1 * env, group)
    np.testing.assert_allclose(values[0], [2.05, 3.05])  # type: ignore[arg-type]


def test_a_program_round_trips_in_a_recipe(path: Path) -> None:
    reward = delta(program(str(path), seconds=1.0)) + 0.5 * program(str(path), component="won")
    recipe = tomllib.loads(f'reward = """{reward}"""')
    assert parse_reward(recipe["reward"]) == reward


def test_from_source_writes_a_file_and_pins_it(tmp_path: Path) -> None:
    file = tmp_path / "made.py"
    reward = from_source(SOURCE, file)
    assert str(reward) == f"program({str(file)!r}, digest={digest_of(SOURCE)!r})"
    assert parse_reward(str(reward)) == reward
    file.write_text(SOURCE + "\n")
    with pytest.raises(RewardParseError, match="it was changed"):
        parse_reward(str(reward))


def test_what_is_wrong_with_a_program_is_said(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file"):
        program(str(tmp_path / "none.py"))
    with pytest.raises(RewardError, match="no component 'y'; there are x, won"):
        program(str(path), component="y")([episode(1)])
    with pytest.raises(RewardError, match=r"far.py: a state has no x, won; it has"):
        program(str(path))([Trajectory("A-v0", None, 0, [Turn("o", "a")], Status.TERMINATED)])
    path.write_text("def reward(x):\n    return 1 / x\n")
    with pytest.raises(RewardError, match=r"line 2: 'return 1 / x': ZeroDivisionError.*in the state {\"x\": 0}"):
        program(str(path))([episode(0)])
    path.write_text("import os\n")
    with pytest.raises(ProgramError, match="line 1: 'import os'"):
        program(str(path))


def test_permuting_a_group_permutes_the_answers(path: Path) -> None:
    group = [episode(1, 2), episode(3), episode(), episode(4, 5, 6, won=True)]
    values = program(str(path))(group)
    for order in ([3, 1, 0, 2], [2, 3, 1, 0]):
        for index, value in zip(order, program(str(path))([group[i] for i in order]), strict=True):
            np.testing.assert_array_equal(value, values[index])


# --- the schema, the request and the critic ---------------------------------------------------------------------------


def test_a_state_is_the_info_and_what_was_seen_and_done() -> None:
    turn = Turn({"text": "a page", "image": np.zeros((1, 1, 3))}, "click", 0.5, info={"x": 1})
    assert state_of(turn) == {"x": 1, "observation": "a page", "action": "click", "env_reward": 0.5}


def test_a_schema_reads_as_python_and_draws_states() -> None:
    schema = Schema(
        "t",
        (
            Field("near", "distance", "number", 0, 2),
            Field("hp", "lives", "integer", 1, 3),
            Field("key", "held", "boolean"),
            Field("room", "where", "text", choices=("a", "b")),
            Field("xy", "place", "number", -1, 1, length=2),
        ),
    )
    assert "    near: float  # distance, 0 to 2" in str(schema)
    assert "    xy: list[float]  # place, -1 to 1, 2 of them" in str(schema)
    states = schema.draw(np.random.default_rng(0), 200)
    assert {state["hp"] for state in states} == {1, 2, 3}
    assert {state["room"] for state in states} == {"a", "b"}
    assert {type(state["key"]) for state in states} == {bool}
    assert all(0 <= state["near"] <= 2 and len(state["xy"]) == 2 for state in states)
    assert {0.0, 2.0} <= {state["near"] for state in states}
    assert states == schema.draw(np.random.default_rng(0), 200)


def test_a_schema_is_inferred_from_what_occurred() -> None:
    schema = infer_schema("t", [episode(1, 2.5, won=True)], {"x": "far", "won": "there", "action": "done"})
    assert [(f.name, f.kind, f.low, f.high, f.choices) for f in schema.fields] == [
        ("x", "number", 1, 2.5, ("",)),
        ("won", "boolean", -1, 1, ("",)),
        ("action", "text", -1, 1, ("go",)),
    ]
    with pytest.raises(ValueError, match="1 of 1 turns have no 'y'"):
        infer_schema("t", [episode(1)], {"y": "?"})
    with pytest.raises(ValueError, match="cannot name the field '__x'"):
        Field("__x", "?")
    with pytest.raises(ValueError, match="different names"):
        Schema("t", (Field("x", ""), Field("x", "")))


def test_source_is_taken_from_a_reply() -> None:
    assert (
        extract_source("Sure:\n```python\ndef reward(x):\n    return x\n```\nDone.") == "def reward(x):\n    return x\n"
    )
    assert extract_source("```\nx = 1\n```\n```py\ndef reward(x):\n  return 1\n```") == "def reward(x):\n  return 1\n"
    assert extract_source("def reward(x): return 1") == "def reward(x): return 1\n"


@pytest.mark.parametrize(
    ("source", "errors", "remarks"),
    [
        (SOURCE, "", ""),
        ("def reward(x): return 1 / x", "ZeroDivisionError.*in the state", ""),
        ("def reward(y): return y", "parameter 'y' is no field of the state; there are x, won, observation", ""),
        ("def reward(wonn): return wonn", "'wonn' is no field of the state; did you mean 'won'", ""),
        ("def reward(x): return x.real", "attribute", ""),
        ("C = [0]\ndef reward(x):\n    C[0] += 1\n    return C[0]", "depending on the states before it", ""),
        ("def reward(x): return 3", "", "the reward is 3 in all 20 states"),
        ("def reward(x): return x, {'a': 0}", "", "a is 0 in all"),
        ("def reward(action, env_reward): return env_reward + (action == 'go')", "", "is 0 in all 20"),
    ],
)
def test_the_critic(critic: Critic, source: str, errors: str, remarks: str) -> None:
    verdict = critic(source)
    assert verdict.accepted == (not errors)
    for found, wanted in ((verdict.errors, errors), (verdict.remarks, remarks)):
        assert bool(found) == bool(wanted)
        if wanted:
            assert re.search(wanted, " ".join(found))


def test_the_critic_tries_states_that_occurred(evaluator: Evaluator) -> None:
    strange = {"x": 77, "won": False}
    source = "def reward(x): return 1 / (x - 77)"
    assert Critic(SCHEMA, evaluator)(source).accepted
    assert not Critic(SCHEMA, evaluator, examples=[strange])(source).accepted


def test_a_refused_proposal_is_asked_for_again_with_the_error(critic: Critic) -> None:
    script = Script("def reward(x): return 1 / 0", "```python\ndef reward(x):\n    return x\n```")
    verdict = propose(script, critic, "be kind")
    assert verdict.source == "def reward(x):\n    return x\n"
    first, second = script.asked
    assert first == request(SCHEMA, "be kind")
    assert "how far, 0 to 5" in first
    assert "ZeroDivisionError" in second
    assert "def reward(x): return 1 / 0" in second
    with pytest.raises(NoProgramError, match=r"none of 2 proposals is a program.*\n.*SyntaxError"):
        propose(Script("I cannot do that"), critic, attempts=2)


def test_refining_shows_the_program_and_what_was_seen(critic: Critic) -> None:
    script = Script("def reward(x): return 2 * x")
    assert refine(script, critic, "def reward(x): return x\n", "too slow").source == "def reward(x): return 2 * x\n"
    assert "def reward(x): return x\n" in script.asked[0]
    assert "too slow" in script.asked[0]


# --- searches ---------------------------------------------------------------------------------------------------------


def trained(reward: Reward) -> Trained:
    """As fit as the reward pays on a state with x = 3; two checkpoints."""
    [values] = reward([episode(3)])
    assert values is not None
    return Trained(float(values[0]), [[episode(1), episode(2)], [episode(3)]])


def test_evolution_keeps_the_best_and_survives_the_worst(critic: Critic, tmp_path: Path) -> None:
    replies = ["def reward(x): return x", "nonsense", SOURCE, "def reward(x): return x", "nonsense", "nonsense"]
    script = Script(*replies)
    search = evolve(script, critic, trained, tmp_path, generations=3, samples=2)
    assert [[c.fitness for c in tried] for tried in search.rounds] == [[3, -np.inf], [6, 3], [-np.inf, -np.inf]]
    assert [best.fitness for best in search.best if best] == [3, 6, 6]
    assert search.winner.path == tmp_path / "1_0.py"
    assert search.winner.path.read_text() == SOURCE
    assert script.asked[0] == script.asked[1] == request(SCHEMA)
    assert "Its score at the task: 3." in script.asked[2]
    assert "component won: 0, 0 (least 0, most 0); it hardly changes" in script.asked[4]
    with pytest.raises(ValueError, match="no program of the search"):
        evolve(Script("?"), critic, trained, tmp_path, generations=1, samples=2).winner  # noqa: B018


def test_a_program_that_fails_in_training_is_no_candidate(critic: Critic, tmp_path: Path) -> None:
    def outside(reward: Reward) -> Trained:
        reward([episode(77)])
        return Trained(1.0)

    script = Script("def reward(x): return 1 / (x - 77)", "def reward(x): return x")
    search = evolve(script, critic, outside, tmp_path, generations=2, samples=1)
    assert [best and best.fitness for best in search.best] == [None, 1]
    assert "could not be used:\nprogram" in script.asked[1]
    assert "ZeroDivisionError" in script.asked[1]

    def broken(reward: Reward) -> Trained:
        raise RewardError("of another reward")

    with pytest.raises(RewardError, match="of another"):
        evolve(Script(SOURCE), critic, broken, tmp_path, generations=1, samples=1)


def test_statistics_of_the_components(evaluator: Evaluator, critic: Critic, tmp_path: Path) -> None:
    course = component_course(SOURCE, [[episode(1), episode(2, 3)], [episode(5, won=True)]], evaluator)
    assert {name: values.tolist() for name, values in course.items()} == {
        "reward": [4, 11],
        "component x": [2, 5],
        "component won": [0, 1],
    }
    candidate = evolve(Script(SOURCE), critic, trained, tmp_path, generations=1, samples=1).winner
    assert "- reward: 3, 6 (least 3, most 6)" in reflection(candidate, evaluator)


def test_preference_shows_the_best_and_the_worst(critic: Critic, tmp_path: Path) -> None:
    script = Script("def reward(x): return x", SOURCE, "nonsense", "def reward(won): return won")
    shown: list[int] = []

    def rank(behaviours: Sequence[Sequence[Trajectory]]) -> list[int]:
        shown.append(len(behaviours))
        return list(range(len(behaviours)))[::-1]

    search = prefer(script, critic, trained, rank, tmp_path, rounds=2, samples=2)
    assert shown == [2, 2]  # one of the second round was refused; the best of the first is ranked again
    assert search.comparisons == 2
    assert [best.path.name for best in search.best if best] == ["0_1.py", "1_1.py"]
    assert script.asked[2].index("2 * x + won") < script.asked[2].index("liked least")
    with pytest.raises(ValueError, match="each of 2 indices once"):
        prefer(Script(SOURCE), critic, trained, lambda _: [0, 0], tmp_path, rounds=1, samples=2)


def test_design_goes_on_until_nothing_fails(critic: Critic, tmp_path: Path) -> None:
    designer = Script("def reward(x): return 1 / x", "def reward(x): return x", "def reward(x): return 2 * x")
    analyser = Script("It stops half way; pay more.")
    results = iter([Rollouts(0.25, [episode(1, 2)]), Rollouts(1.0, [])])
    course = design(designer, critic, analyser, lambda _: next(results), tmp_path, rounds=5)
    assert [one.rollouts.success_rate for one in course] == [0.25, 1]
    assert "ZeroDivisionError" in designer.asked[1]
    assert "It stops half way; pay more." in designer.asked[2]
    [asked] = analyser.asked
    assert "solves 25%" in asked
    assert "'go' -> x=2, won=False" in asked


def test_the_reviewer_sends_programs_back(critic: Critic, tmp_path: Path) -> None:
    designer = Script("def reward(x): return -x", "def reward(x): return x")
    reviewer = Script("The sign is wrong.", "ok, fine")
    [one] = design(designer, critic, Script(""), lambda _: Rollouts(1, []), tmp_path, reviewer=reviewer)
    assert one.verdict.source == "def reward(x): return x\n"
    assert "the reviewer says: The sign is wrong." in designer.asked[1]


def test_sign_mix_is_small_whatever_the_scale() -> None:
    group = [episode(1, 0, won=True)]
    assert [v.tolist() for v in sign_mix(env, -1000 * env)(group) if v is not None] == [[0.9, 0.9]]
    assert [v.tolist() for v in sign_mix(0 * env, env, weight=0.5)(group) if v is not None] == [[0.5, 0.5]]
    assert parse_reward(str(sign_mix(env, env))) == sign_mix(env, env)


# --- latents ----------------------------------------------------------------------------------------------------------

LATENTS = "def latents(x, won):\n    return [x, won, 1]\n"


def test_latents_are_one_row_for_a_turn(tmp_path: Path) -> None:
    (tmp_path / "latents.py").write_text(LATENTS)
    tables = CodeLatents.read(tmp_path / "latents.py")([episode(1, 2, won=True), episode(), episode(3)])
    assert [table.tolist() for table in tables] == [[[1, 0, 1], [2, 1, 1]], [], [[3, 0, 1]]]
    assert tables[1].shape == (0, 3)
    with pytest.raises(ProgramError, match="no function 'latents'"):
        CodeLatents(SOURCE, shared_evaluator())


def test_latents_are_verified_and_summed_up(evaluator: Evaluator) -> None:
    critic = LatentCritic(SCHEMA, evaluator)
    assert critic(LATENTS).remarks == ("number 2 is the same in all states",)
    assert "tell nothing apart" in critic("def latents(x): return [1, 2]").errors[0]
    assert "no field of the state: y" in critic("def latents(y): return [y]").errors[0]
    script = Script("draft one", "draft two", "def latents(x): return [1 / 0]", LATENTS)
    latents = write_latents(script, critic, samples=2)
    assert latents.source == LATENTS
    assert "draft one" in script.asked[2]
    assert "draft two" in script.asked[2]
    assert "ZeroDivisionError" in script.asked[3]
    with pytest.raises(NoProgramError, match="gives latents"):
        write_latents(Script("no"), critic, attempts=1)
