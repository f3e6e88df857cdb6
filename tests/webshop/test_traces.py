"""The recorded episodes of the reference simulator, reproduced field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest


def make(traces: dict[str, Any], folder: Path, **kwargs: Any) -> gym.Env[str, str]:
    return gym.make(
        "WebShop-v0",
        catalogue=folder,
        price_seed=traces["price_seed"],
        shuffle_seed=traces["shuffle_seed"],
        search=lambda query, k: traces["search"].get(query, [])[:k],
        nouns=lambda title: [word.lower() for word in title.split() if len(word) > 3],
        **kwargs,
    )


def test_the_traces_are_whole(traces: dict[str, Any]) -> None:
    steps = [step for episode in traces["episodes"] for step in episode["steps"]]
    assert len(traces["episodes"]) == 120
    assert len(steps) == 1292
    assert sum(step["done"] for step in steps) == 80


@pytest.mark.parametrize("observation", ["text", "text_rich"])
def test_every_field_of_every_step(traces: dict[str, Any], contract: Path, observation: str) -> None:
    env = make(traces, contract, observation=observation)
    for episode in traces["episodes"]:
        for step in episode["steps"]:
            if step["action"] is None:
                (page, info), reward, terminated, truncated = (
                    env.reset(options={"goal": episode["goal"]}),
                    0.0,
                    False,
                    False,
                )
            else:
                page, reward, terminated, truncated, info = env.step(step["action"])
            where = episode["goal"], step["action"]
            assert (reward, terminated, truncated) == (step["reward"], step["done"], False), where
            if not step["done"]:
                assert page == step[observation], where
                assert info["clickables"] == step["clickables"], where
                assert info["has_search_bar"] == step["has_search_bar"], where


def test_the_goals(traces: dict[str, Any], contract: Path) -> None:
    env = make(traces, contract)
    for number, goal in enumerate(traces["goals"]):
        _, info = env.reset(options={"goal": number})
        assert info["goal"] == {
            "number": number,
            "asin": goal["asin"],
            "instruction": goal["instruction_text"],
            "attributes": goal["attributes"],
            "options": goal["goal_options"],
            "price_upper": goal["price_upper"],
        }
    with pytest.raises(ValueError, match=f"0 to {len(traces['goals']) - 1}"):
        env.reset(options={"goal": len(traces["goals"])})


def test_the_prices(traces: dict[str, Any], contract: Path) -> None:
    shop = make(traces, contract).unwrapped
    prices = {shop._catalogue.product(number).asin: price for number, price in enumerate(shop._goals.prices.tolist())}
    assert prices == traces["prices"]
