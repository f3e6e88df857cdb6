"""WebShop-v0 as an environment: resets, actions, what info says, and its abilities."""

from __future__ import annotations

import itertools
import json
import pickle
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from palestra.envs.abilities import Forkable, Guided, Solvable, Tasked
from palestra.envs.webshop import WebShop
from palestra.envs.webshop.action import parse_action

SPLITS = ("train", "validation", "test")


def legal_action(rng: random.Random, info: dict[str, Any]) -> str:
    """A legal action that is not the purchase."""
    names = [name for name in info["clickables"] if name not in ("search", "buy now")]
    if not names or rng.random() < 0.2:
        words = info["goal"]["instruction"].split()
        return f"search[{' '.join(rng.sample(words, min(4, len(words))))}]"
    return f"click[{rng.choice(names)}]"


def walk(env: WebShop, actions: Sequence[str]) -> list[tuple[Any, ...]]:
    return [env.step(action) for action in actions]


def solve(env: WebShop, most: int = 40) -> tuple[float, dict[str, Any]]:
    for _ in range(most):
        _, reward, terminated, _, info = env.step(env.oracle())
        if terminated:
            return reward, info
    raise AssertionError(f"not solved in {most} steps: {env.oracle()}")


@pytest.mark.parametrize("observation", ["text", "text_rich"])
def test_gymnasium_accepts_it(observation: str) -> None:
    check_env(gym.make("WebShop-v0", observation=observation, render_mode="ansi").unwrapped)


def test_it_declares_its_abilities(shop: WebShop) -> None:
    for ability in (Guided, Solvable, Forkable, Tasked):
        assert isinstance(shop, ability)
    for word in ("search[", "click[", "buy now"):
        assert word in shop.guide


def test_registered_with_a_limit_of_100_steps_and_none_of_its_own() -> None:
    env = gym.make("WebShop-v0")
    env.reset(seed=0)
    ends = [env.step("click[search]")[3] for _ in range(100)]
    assert ends == [False] * 99 + [True]
    for _ in range(200):
        assert env.unwrapped.step("click[search]")[2:4] == (False, False)


# Resets


def test_splits_lie_where_the_paper_has_them(shop: WebShop) -> None:
    sizes = {split: shop.tasks(split) for split in SPLITS}
    assert sizes["test"] == 500
    assert sizes["validation"] == 1000
    assert sizes["train"] > 1000
    numbers = {
        split: [
            shop.reset(options={"split": split, "task": task})[1]["goal"]["number"] for task in (0, sizes[split] - 1)
        ]
        for split in SPLITS
    }
    assert numbers == {"test": [0, 499], "validation": [500, 1499], "train": [1500, sum(sizes.values()) - 1]}


def test_a_task_is_the_goal_of_its_number(shop: WebShop) -> None:
    assert shop.reset(options={"goal": 503}) == shop.reset(options={"split": "validation", "task": 3})


def test_without_options_a_training_goal_is_drawn_by_the_seed(shop: WebShop) -> None:
    numbers = [shop.reset(seed=seed)[1]["goal"]["number"] for seed in range(50)]
    assert min(numbers) >= 1500
    assert len(set(numbers)) > 40
    assert numbers == [shop.reset(seed=seed)[1]["goal"]["number"] for seed in range(50)]


def test_resets_in_a_row_draw_on(shop: WebShop) -> None:
    shop.reset(seed=1)
    first = [shop.reset()[1]["goal"]["number"] for _ in range(20)]
    shop.reset(seed=1)
    assert first == [shop.reset()[1]["goal"]["number"] for _ in range(20)]
    assert len(set(first)) > 15


def test_a_small_catalogue_says_that_it_draws_from_all_goals(contract: Path) -> None:
    shop = gym.make("WebShop-v0", catalogue=contract).unwrapped
    assert [shop.tasks(split) for split in SPLITS] == [0, 0, 194]
    with pytest.warns(UserWarning, match="194 goals"):
        shop.reset(seed=0)
    with pytest.raises(ValueError, match="train split is empty"):
        shop.reset(options={"split": "train"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"goal": -1}, r"no goal -1: there are 0 to \d+"),
        ({"goal": 10**9}, r"no goal 1000000000: there are 0 to \d+"),
        ({"goal": "first"}, "whole number"),
        ({"goal": 1.5}, "whole number"),
        ({"task": 500, "split": "test"}, "no test task 500: there are 0 to 499"),
        ({"task": -1}, "no train task -1"),
        ({"task": 0, "split": "dev"}, "test, train, validation"),
        ({"goal": 0, "split": "test"}, "not both"),
        ({"gaol": 0}, "unknown reset option 'gaol'"),
    ],
)
def test_a_wrong_reset_says_what_there_is(shop: WebShop, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shop.reset(options=options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"observation": "html"}, "'text', 'text_rich'"),
        ({"render_mode": "human"}, "ansi"),
    ],
)
def test_a_wrong_argument_says_what_there_is(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WebShop(**arguments)


def test_a_seed_must_be_a_number() -> None:
    with pytest.raises(TypeError):
        WebShop(price_seed=None)  # type: ignore[arg-type]


def test_unknown_splits_have_no_size(shop: WebShop) -> None:
    with pytest.raises(ValueError, match="test, train, validation"):
        shop.tasks("dev")


# Actions


def test_actions_are_read_as_the_reference_reads_them() -> None:
    read = 0
    for length in range(8):
        for text in map("".join, itertools.product("A[]\n", repeat=length)):
            found = re.match(r"(.+)\[(.+)\]", text)
            assert parse_action(text) == ((found[1], found[2].lower()) if found else (text, None))
            read += found is not None
    assert read > 1000


HOSTILE = [
    "",
    "buy now",
    "Click[Buy Now]",
    "click[]",
    "search[]",
    "click[search]",
    "think[where am I]",
    "click[\x00\x07\x1b[31m]",
    "щелчок[купить]",
    "点击[立即购买]",
    "\ud800",
    "[" * 1_000_000,
    "click[" + "x" * 1_000_000 + "]",
    "click[{clickables}]",
    None,
    7,
    b"click[buy now]",
]


@pytest.mark.parametrize("path", [[], ["search[knife]"], ["search[knife]", "click", "click[description]"]])
@pytest.mark.parametrize("action", HOSTILE, ids=lambda action: repr(action)[:20])
def test_an_invalid_action_changes_nothing_and_is_explained(shop: WebShop, path: list[str], action: Any) -> None:
    page, info = shop.reset(seed=0)
    for step in path:
        if step == "click":
            step = f"click[{info['clickables'][2]}]"
        page, _, _, _, info = shop.step(step)
        assert info["valid_action"]
        assert "feedback" not in info
    before = shop.snapshot()
    after_page, reward, terminated, truncated, after = shop.step(action)
    assert (after_page, reward, terminated, truncated) == (page, 0.0, False, False)
    assert not after["valid_action"]
    assert after["feedback"].endswith(".")
    assert len(after["feedback"]) < 5000
    assert after["clickables"] == info["clickables"]
    assert shop.snapshot() == before


def test_a_megabyte_of_query_is_a_query(shop: WebShop) -> None:
    shop.reset(seed=0)
    page, _, _, _, info = shop.step(f"search[{'knife ' * 170_000}]")
    assert info["valid_action"]
    assert "knife" in page


def test_search_works_on_every_page(shop: WebShop) -> None:
    _, info = shop.reset(seed=0)
    wanted, *_ = shop.step("search[Shoes]")
    for path in (["search[knife]"], ["search[knife]", 2], ["search[knife]", 2, "click[features]"]):
        for step in path:
            *_, info = shop.step(f"click[{info['clickables'][step]}]" if isinstance(step, int) else step)
        assert not info["has_search_bar"]
        page, _, _, _, info = shop.step("search[shoes]")
        assert page == wanted


def test_info_is_plain_json_on_every_page(shop: WebShop) -> None:
    rng = random.Random(0)
    _, info = shop.reset(seed=0)
    for _ in range(200):
        assert json.loads(json.dumps(info)) == info
        *_, info = shop.step(legal_action(rng, info))
    _, info = solve(shop)
    assert json.loads(json.dumps(info)) == info


def test_what_a_caller_does_to_info_changes_nothing(shop: WebShop) -> None:
    _, info = shop.reset(options={"goal": 0})
    info["goal"]["attributes"].clear()
    info["goal"]["price_upper"] = 0
    info["clickables"].clear()
    reward, info = solve(shop)
    assert reward == 1.0
    assert info["goal"]["attributes"]


# The score


def test_the_end_holds_every_part_of_the_score(shop: WebShop) -> None:
    _, start = shop.reset(options={"split": "test", "task": 0})
    reward, info = solve(shop)
    goal = start["goal"]
    assert reward == info["score"] == 1.0
    assert info["success"] is True
    assert (info["n_att"], info["n_opt"], info["price_ok"]) == (len(goal["attributes"]), len(goal["options"]), True)
    assert info["r_type"] == 1.0
    assert info["noun_tagger"] == shop.noun_tagger
    assert info["asin"] == goal["asin"]
    assert info["price"] <= goal["price_upper"]
    assert info["w_att"] + info["w_option"] + info["w_price"] == pytest.approx(1.0)


def test_a_purchase_scores_by_its_parts(shop: WebShop) -> None:
    rng = random.Random(1)
    scores = set()
    for goal in range(150):
        _, info = shop.reset(options={"goal": goal})
        for _ in range(rng.randint(2, 12)):
            *_, info = shop.step(legal_action(rng, info))
        while "buy now" not in info["clickables"]:
            results = [name for name in info["clickables"] if re.fullmatch(r"b0[a-z0-9]{8}", name)]
            *_, info = shop.step(f"click[{rng.choice(results)}]" if results else "search[steel]")
        _, reward, terminated, _, info = shop.step("click[Buy Now]")
        assert terminated
        wanted = len(info["goal"]["attributes"]) + len(info["goal"]["options"]) + 1
        parts = info["n_att"] + info["n_opt"] + info["price_ok"]
        assert reward == info["score"] == pytest.approx(info["r_type"] * parts / wanted)
        assert info["success"] == (reward == 1.0)
        scores.add(reward)
    assert len(scores) > 5


def test_the_end_of_an_episode_is_an_end(shop: WebShop) -> None:
    shop.reset(options={"goal": 1})
    solve(shop)
    with pytest.raises(ResetNeeded):
        shop.step("search[more]")
    with pytest.raises(ResetNeeded):
        shop.oracle()
    shop.reset()
    assert shop.step("search[more]")[4]["valid_action"]


def test_before_the_first_reset_there_is_no_episode() -> None:
    for call in (lambda env: env.step("search[x]"), lambda env: env.oracle()):
        with pytest.raises(ResetNeeded):
            call(WebShop())


# Abilities


def test_the_oracle_solves_the_embedded_goals(shop: WebShop) -> None:
    scores = []
    for task in range(500):
        shop.reset(options={"split": "test", "task": task})
        scores.append(solve(shop)[0])
    assert sum(score == 1.0 for score in scores) >= 0.98 * len(scores)


def test_the_oracle_solves_from_wherever_the_agent_is(shop: WebShop) -> None:
    rng = random.Random(2)
    scores = []
    for task in range(100):
        _, info = shop.reset(options={"split": "train", "task": task})
        for _ in range(rng.randint(1, 25)):
            *_, info = shop.step(legal_action(rng, info))
        scores.append(solve(shop)[0])
    assert sum(score == 1.0 for score in scores) >= 0.98 * len(scores)


def test_the_oracle_acts_by_the_rules_and_changes_nothing(shop: WebShop) -> None:
    shop.reset(options={"goal": 3})
    terminated = False
    while not terminated:
        before = shop.snapshot()
        action = shop.oracle()
        assert action == shop.oracle()
        assert shop.snapshot() == before
        _, _, terminated, _, info = shop.step(action)
        assert info["valid_action"]


def test_a_restored_state_has_the_same_future(shop: WebShop) -> None:
    rng = random.Random(3)
    other = gym.make("WebShop-v0").unwrapped
    other.reset(seed=99)
    for seed in range(10):
        _, info = shop.reset(seed=seed)
        for _ in range(rng.randint(0, 15)):
            *_, info = shop.step(legal_action(rng, info))
        state = shop.snapshot()
        kept = pickle.dumps(state)
        actions = []
        for _ in range(10):
            actions.append(legal_action(rng, info))
            *_, info = shop.step(actions[-1])
        shop.restore(state)
        future = walk(shop, actions), shop.reset()
        assert pickle.dumps(state) == kept
        for env, saved in ((shop, state), (other, pickle.loads(kept))):
            env.restore(saved)
            assert (walk(env, actions), env.reset()) == future


def test_a_finished_episode_can_be_gone_back_on(shop: WebShop) -> None:
    shop.reset(options={"goal": 2})
    state = shop.snapshot()
    solve(shop)
    shop.restore(state)
    assert solve(shop)[0] == 1.0


def test_environments_share_one_catalogue() -> None:
    first, second = WebShop(), WebShop(observation="text_rich")
    assert first._catalogue is second._catalogue
    assert first._goals is second._goals
    assert first._search is second._search


def test_rendering_is_the_marked_page() -> None:
    env = gym.make("WebShop-v0", render_mode="ansi")
    page, _ = env.reset(seed=0)
    assert env.render().startswith("WebShop\nInstruction: \n")
    assert env.render() != page
    rich = gym.make("WebShop-v0", observation="text_rich")
    assert rich.reset(seed=0)[0] == env.render()


def test_closing_twice(shop: WebShop) -> None:
    shop.reset(seed=0)
    shop.close()
    shop.close()


def test_the_noun_tagger_has_a_name(shop: WebShop) -> None:
    assert shop.noun_tagger in ("rule", "spacy:en_core_web_sm")
    assert WebShop(nouns=str.split).noun_tagger == "custom"


# Synthetic goals


def test_synthetic_goals_are_all_combinations_of_options(contract: Path) -> None:
    shop = WebShop(catalogue=contract, human_goals=False)
    goals = shop._goals
    by_asin: dict[str, list[Any]] = {}
    for goal in goals:
        by_asin.setdefault(goal.asin, []).append(goal)
    for found in by_asin.values():
        product = shop._product(found[0].product)
        assert len({goal.options for goal in found}) == len({goal.options for goal in found})
        size = 1
        for values in product.options.values():
            size *= len(values)
        assert len(found) == size
        assert len({goal.price_upper for goal in found}) == 1
        for goal in found:
            wishes = ", and ".join(
                f"{group}: {value}" for group, value in zip(sorted(product.options), goal.options, strict=True)
            )
            start = f"{product.instruction} with {wishes}" if wishes else product.instruction
            limit = f", and price lower than {goal.price_upper:.2f} dollars" if goal.price_upper < 1e6 else ""
            assert goal.instruction == f"{start}{limit}"
    assert [goal.number for goal in goals] == list(range(len(goals)))
    assert len(goals) > len(by_asin) > 100


def test_the_oracle_solves_synthetic_goals(contract: Path) -> None:
    shop = WebShop(catalogue=contract, human_goals=False)
    scores = []
    for goal in range(0, len(shop._goals), 29):
        shop.reset(options={"goal": goal})
        scores.append(solve(shop)[0])
    assert sum(score == 1.0 for score in scores) >= 0.9 * len(scores)


def test_seeds_change_prices_and_order(contract: Path) -> None:
    def texts(**seeds: int) -> list[str]:
        return [goal.instruction for goal in WebShop(catalogue=contract, **seeds)._goals]

    assert texts() == texts()
    assert texts(price_seed=1) != texts()
    assert texts(shuffle_seed=1) != texts()
    assert sorted(texts(shuffle_seed=1)) == sorted(texts())


# Vectors


@pytest.mark.parametrize(
    ("mode", "arguments"), [("sync", {}), ("async", {}), ("async", {"shared_memory": False})], ids=str
)
def test_vectors_of_environments_are_the_environments(mode: str, arguments: dict[str, Any]) -> None:
    vector = gym.make_vec("WebShop-v0", num_envs=3, vectorization_mode=mode, vector_kwargs=arguments)
    single = gym.make("WebShop-v0")
    try:
        pages, infos = vector.reset(seed=5)
        for number in range(3):
            page, info = single.reset(seed=5 + number)
            assert pages[number] == page
            assert infos["clickables"][number] == info["clickables"]
        pages, _, _, _, infos = vector.step(("search[red shoes]", "nonsense", "search[knife \N{SNOWMAN}]"))
        assert pages in vector.observation_space
        assert infos["valid_action"].tolist() == [True, False, True]
        assert pages[2] == single.step("search[knife \N{SNOWMAN}]")[0]
    finally:
        vector.close()


def test_a_vector_keeps_the_terminal_page() -> None:
    solver = gym.make("WebShop-v0").unwrapped
    solver.reset(seed=5)
    vector = gym.make_vec(
        "WebShop-v0",
        num_envs=1,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": gym.vector.AutoresetMode.SAME_STEP},
    )
    vector.reset(seed=5)
    ended = False
    while not ended:
        action = solver.oracle()
        page, reward, ended, _, _ = solver.step(action)
        pages, rewards, terminations, _, infos = vector.step((action,))
        assert (rewards[0], bool(terminations[0])) == (reward, ended)
    assert infos["final_obs"][0] == page
    assert infos["final_info"]["score"][0] == 1.0
    assert pages[0].startswith("WebShop [SEP] Instruction:")
