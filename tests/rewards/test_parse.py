"""Rewards as text: what can be said comes back equal, and what cannot be said is named."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

from palestra.rewards import (
    Reward,
    RewardParseError,
    anneal,
    clip,
    cosine,
    delta,
    env,
    exponential,
    gate,
    harmonic,
    invalid_action,
    lexicographic,
    linear,
    named,
    parse_reward,
    product,
    response_length,
    route,
    solved,
    success,
    truncated,
    trust_weighted,
    turns,
    valid_action,
    worst_of,
)

MODULE = '''
from palestra.rewards import combinator, success, turn_reward, turns

@turn_reward
def polite(turn, word="please", limit=1):
    """Whether the action says the word."""
    return float(word in turn.action)

@combinator()
def halved(reward):
    return lambda episodes: [0.5 * values for values in episodes.values(reward)]

def falling(step):
    return 1 / (1 + step)

def plain(turn):
    return 1.0

mixed = success + 0.5 * polite - 0.1 * halved(turns)
'''


@pytest.fixture(autouse=True)
def shop_rewards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of somebody's own, importable as ``shop_rewards``."""
    (tmp_path / "shop_rewards.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shop_rewards", raising=False)
    return "shop_rewards"


REWARDS = [
    success,
    success + 0.2 * valid_action - 0.01 * turns,
    -success,
    -0.1 * turns + success - (env - 2 * truncated),
    1e-300 * env + 1e300 * turns + 12345678901234567890 * success,
    env / 3,
    solved(threshold=0.5) - solved(threshold=-2),
    clip(env, 0, 1) + clip(env, low=-0.5) + clip(env + turns, high=1e-9),
    delta(env) - 0.1 * invalid_action,
    gate(valid_action + turns, by=success) + gate(env, by=solved(threshold=0.25), threshold=-3),
    anneal(valid_action, linear(1, 0, steps=100)),
    anneal(valid_action, cosine(1.5, -0.5, steps=7)) + anneal(env, exponential(1, 1e-3, steps=9)),
    product(success, valid_action, env - turns),
    harmonic(env, success, weights=(0.25, 2)),
    harmonic(env, success, weights=[1, 1]),  # type: ignore[arg-type]
    lexicographic(success, -response_length, margin=0.5),
    route({"WebShop-v0": success, 'it\'s a "kind": x:y': env - turns}, by="kind"),
    worst_of(env, success, solved, nominal=0.25),
    trust_weighted(valid_action, by=success) + trust_weighted(valid_action, by=success, threshold=0.75),
    named(0.5 * env - turns, "effort: a:b") + named(success, "it's"),
    gate(anneal(clip(delta(env), 0, 1), linear(1, 0, steps=2)), by=worst_of(success, solved)),
]


@pytest.mark.parametrize("reward", REWARDS, ids=str)
def test_a_reward_comes_back_equal_from_its_text_and_from_a_recipe(reward: Reward) -> None:
    assert parse_reward(str(reward)) == reward
    recipe = tomllib.loads(f"[training]\nreward = {json.dumps(str(reward))}\n")
    assert parse_reward(recipe["training"]["reward"]) == reward


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        (" success+0.2 *valid_action ", success + 0.2 * valid_action),
        ("0.25*(success - env)/2 * 4", 0.5 * (success - env)),
        ("-(-success)", success),
        ("+success", success),
        ("2**0.5 * success", None),
        ("clip(high=1, reward=env, low=0)", clip(env, 0, 1)),
        ("success()", success),
        ("solved(threshold=1)", solved),
        ("(success)", success),
        ("success # the outcome", success),
        ("anneal(env, linear(start=1, end=0.5, steps=10))", anneal(env, linear(1, 0.5, 10))),
    ],
)
def test_ways_of_writing(text: str, reward: Reward | None) -> None:
    if reward is None:
        with pytest.raises(RewardParseError):
            parse_reward(text)
    else:
        assert str(parse_reward(text)) == str(reward)


def test_references_to_modules() -> None:
    import shop_rewards  # type: ignore[import-not-found]

    assert parse_reward("shop_rewards:polite") is shop_rewards.polite
    assert parse_reward("shop_rewards:mixed") is shop_rewards.mixed
    assert str(shop_rewards.mixed) == ("success + 0.5*shop_rewards:polite - 0.1*shop_rewards:halved(turns)")
    for reward in (
        shop_rewards.mixed,
        shop_rewards.polite(word="a:b 'c'", limit=3) + env,
        shop_rewards.halved(shop_rewards.polite),
        anneal(env, shop_rewards.falling),
        route({"a": shop_rewards.polite}),
    ):
        assert parse_reward(str(reward)) == reward


def test_a_reference_to_a_module_in_a_package() -> None:
    assert parse_reward("palestra.rewards.builtin:success - 0.5 * palestra.rewards:turns") == success - 0.5 * turns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("succes", "unknown name 'succes'.*did you mean 'success'"),
        ("success + 0.2*vald_action", "did you mean 'valid_action'"),
        ("gatee(env, by=success)", "did you mean 'gate'"),
        ("qqq", "known are anneal, clip"),
        ("", "cannot read the reward ''"),
        ("success +", "invalid syntax"),
        ("success; env", "invalid syntax"),
        ("success success", "invalid syntax"),
        ("(" * 300 + "success", "cannot read"),
        ("-" * 100_000 + "success", "cannot build|cannot read"),
        ("\0", "cannot read"),
        ("3", "not a reward but int"),
        ("'success'", "not a reward but str"),
        ("clip", r"not a reward but Combinator; write clip\(...\)"),
        ("linear(1, 0, steps=5)", "not a reward but Schedule"),
        ("1 + success", r"write 1\*turns"),
        ("success * env", r"product\(success, env\)"),
        ("success / 0", "division by zero"),
        ("1e999 * success", "the weight of success is inf"),
        ("9" * 5000 + " * success", "cannot"),
        ("clip(env)", "low, high or both"),
        ("clip(env, lo=1)", "lo"),
        ("clip(3, 0, 1)", "clip: reward must be a reward, not 3"),
        ("success(limit=3)", "no parameter 'limit'; it has none"),
        ("success(3)", "parameters by name"),
        ("gate(env, success)", "positional"),
        ("anneal(env, 3)", "needs a schedule"),
        ("product(*success)", "cannot read"),
        ("clip(**success)", "cannot read"),
        ("named(success, 'total')", "other than 'total'"),
        ("success - named(env, 'success')", "two different parts are named 'success'"),
        ("no_such_module:reward", "cannot import 'no_such_module'"),
        ("shop_rewards:polit", "shop_rewards has no 'polit'; did you mean 'polite'"),
        ("shop_rewards:plain", "not a reward but function"),
        ("shop_rewards:plain(1)", "shop_rewards:plain is not a reward or an operator"),
        ("os:system('true')", "os:system is not a reward or an operator"),
        ("__import__('os')", "unknown name '__import__'"),
        ("success.scope", "cannot read 'success.scope'"),
        ("success.__class__", "cannot read"),
        ("success if 1 else env", "cannot read"),
        ("[success for x in (1,)]", "cannot read"),
        ("lambda turn: 1", "cannot read"),
        ("f'{success}'", "cannot read"),
        ("success[0]", "cannot read"),
        ("success == env", "cannot read"),
        ("not success", "cannot read"),
        ("success and env", "cannot read"),
        ("success ** 2", "cannot read"),
        ("(x := success)", "cannot read"),
        ("route({[]: env})", "cannot"),
        ("route({**env})", "cannot read"),
        ("b'x'", "cannot read"),
    ],
)
def test_what_is_not_a_reward_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(RewardParseError, match=message):
        parse_reward(text)


def test_an_error_inside_somebodys_module_is_theirs(tmp_path: Path) -> None:
    (tmp_path / "broken_rewards.py").write_text("import a_missing_dependency")
    with pytest.raises(RewardParseError, match="cannot import 'a_missing_dependency' for the reward broken_rewards:x"):
        parse_reward("broken_rewards:x")
