"""The shop in Chromium: the same purchases, and the recorded episodes, as in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import pytest

from palestra.envs.webshop.browser import WebShopInBrowser


def test_a_purchase_in_the_browser() -> None:
    env = gymnasium.make("WebShop-v0", observation="browser").unwrapped
    assert isinstance(env, WebShopInBrowser)
    words = gymnasium.make("WebShop-v0")
    _, info = env.reset(options={"split": "test", "task": 3})
    assert info == {**words.reset(options={"split": "test", "task": 3})[1]}
    for _ in range(20):
        _, reward, over, _, info = env.step(env.oracle())
        assert info["valid_action"]
        if over:
            break
    assert reward == 1.0
    assert info["success"]
    env.close()


def test_what_was_told_is_ones_own() -> None:
    env = WebShopInBrowser()
    _, told = env.reset(seed=0)
    told["goal"].clear()
    infos = [env.step("noop(1)")[4] for _ in range(2)]
    assert infos[0] == infos[1]
    assert infos[0]["goal"]["instruction"]
    infos[0]["goal"].clear()
    assert infos[1]["goal"]
    env.close()


@pytest.fixture(scope="module")
def browsed(contract: Path, traces: dict[str, Any]) -> Any:
    env = WebShopInBrowser(
        catalogue=contract,
        price_seed=traces["price_seed"],
        shuffle_seed=traces["shuffle_seed"],
        search=lambda query, k: traces["search"].get(query, [])[:k],
        nouns=lambda title: [word.lower() for word in title.split() if len(word) > 3],
    )
    yield env
    env.close()


@pytest.mark.parametrize("episodes", [range(2), pytest.param(range(120), marks=pytest.mark.slow)], ids=len)
def test_recorded_episodes_go_the_same_way(browsed: Any, traces: dict[str, Any], episodes: range) -> None:
    names = "[...document.querySelectorAll('[data-name]')].map(e => e.dataset.name)"
    for episode in [traces["episodes"][number] for number in episodes]:
        for step in episode["steps"]:
            if step["action"] is None:
                browsed.reset(options={"goal": episode["goal"]})
                continue
            verb, _, argument = step["action"].partition("[")
            argument = argument.removesuffix("]").lower()
            offered = browsed.pool.run(browsed.context.active.evaluate(names))
            if verb == "click" and argument in offered:
                outcome = browsed.step(browsed.pool.run(browsed._advise("click", argument)))
            elif verb == "search" and argument:
                browsed.step(browsed.pool.run(browsed._advise("search", argument)))
                outcome = browsed.step(browsed.pool.run(browsed._advise("search", argument)))
            else:
                continue  # what no page offers is invalid in words, too
            assert outcome[1:3] == (step["reward"], step["done"]), (episode["goal"], step["action"])
            if not step["done"]:
                assert outcome[4]["clickables"] == step["clickables"]
                offered = browsed.pool.run(browsed.context.active.evaluate(names))
                assert set(offered) == {name for name in step["clickables"] if name != "search"}
