"""The brief form of the pages: numbered results, nothing shown twice, the same shop underneath."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest

import palestra  # noqa: F401 - registers the environments


@pytest.fixture
def brief() -> Any:
    return gym.make("WebShop-v0", observation="brief").unwrapped


@pytest.fixture
def plain() -> Any:
    return gym.make("WebShop-v0", observation="text").unwrapped


def test_the_oracle_plays_by_numbers_and_solves_every_goal(brief: Any) -> None:
    for task in range(50):
        brief.reset(options={"task": task, "split": "validation"})
        reward, ended = 0.0, False
        while not ended:
            _, reward, ended, _, info = brief.step(brief.oracle())
            assert info["valid_action"]
        assert reward == 1.0


def test_an_oracle_that_browses_solves_every_goal_by_opening_results_from_the_top() -> None:
    shop: Any = gym.make("WebShop-v0", observation="brief", oracle="browses").unwrapped
    looks = 0
    for task in range(50):
        shop.reset(options={"task": task, "split": "validation"})
        opened: list[int] = []
        page, reward, ended = "", 0.0, False
        while not ended:
            action = shop.oracle()
            if page.startswith("page "):
                opened.append(int(action.removeprefix("click[").removesuffix("]")))
            page, reward, ended, _, info = shop.step(action)
            assert info["valid_action"]
        assert reward == 1.0
        assert opened == list(range(1, len(opened) + 1))
        looks += len(opened)
    assert looks > 100


def test_numbers_stand_for_the_products_of_the_page(brief: Any, plain: Any) -> None:
    for env in (brief, plain):
        env.reset(options={"goal": 3})
        page, *_, info = env.step("search[waterproof jacket]")
        env.links = [name for name in info["clickables"] if name not in ("back to search", "next >", "< prev")]
        env.page = page
    assert brief.links == [str(number) for number in range(1, 11)]
    assert [line.rpartition("[")[2] for line in brief.page.split("\n")[1:]] == [f"{number}]" for number in brief.links]
    for number, code in zip(brief.links, plain.links, strict=True):
        start = brief.snapshot()
        opened, *_, info = brief.step(f"click[{number}]")
        plain_start = plain.snapshot()
        shown, *_ = plain.step(f"click[{code}]")
        assert info["valid_action"]
        assert opened.rpartition("\n")[2].split(" $")[0] in shown
        brief.restore(start)
        plain.restore(plain_start)


def test_a_product_and_the_instruction_are_shown_once(brief: Any) -> None:
    instruction, info = brief.reset(options={"goal": 3})
    assert instruction == info["goal"]["instruction"]
    seen = [brief.step(brief.oracle())[0] for _ in range(3)]
    assert all(instruction not in page for page in seen)
    assert seen[2].startswith("chosen: ")


def test_a_products_page_sets_its_price_beside_the_limit(brief: Any) -> None:
    instruction, info = brief.reset(options={"goal": 3})
    limit = f"{info['goal']['price_upper']:.2f}"
    assert instruction.endswith(f"price lower than {limit} dollars")
    brief.step("search[jacket]")
    product, *_ = brief.step("click[1]")
    assert product.endswith(f", limit ${limit}")
    assert not brief.step("click[< prev]")[0].endswith(limit)


def test_coming_back_to_the_results_says_which_were_opened_instead_of_listing_them_again(brief: Any) -> None:
    brief.reset(options={"goal": 3})
    listed, *_ = brief.step("search[jacket]")
    for number in (4, 2):
        brief.step(f"click[{number}]")
        back, *_, info = brief.step("click[< prev]")
    assert back == "page 1, opened 2, 4"
    assert "7" in info["clickables"]
    following, *_ = brief.step("click[next >]")
    assert following.startswith("page 2\n")
    assert brief.step("click[< prev]")[0] == listed  # not where one was
    assert brief.step("search[jacket]")[0] == listed


def test_what_cannot_be_clicked_is_answered_in_few_words_and_the_page_is_not_repeated(brief: Any) -> None:
    instruction, _ = brief.reset(options={"goal": 3})
    assert brief.step("click[5]")[0] == instruction
    brief.step("search[jacket]")
    after, reward, ended, _, info = brief.step("click[11]")
    assert (after, reward, ended, info["valid_action"]) == ("page 1", 0.0, False, False)
    assert info["feedback"] == "'11' cannot be clicked here."
    item, *_ = brief.step("click[2]")
    assert "\n" in item
    assert brief.step("click[2]")[0] == item.rpartition("\n")[2]
    assert brief.step("click[description]")[0] != "description"
    assert brief.step("click[2]")[0] == "description"
    brief.step("click[< prev]")
    brief.step("click[< prev]")
    assert brief.step("click[11]")[0] == "page 1, opened 2"


def test_codes_are_no_links_where_numbers_are(brief: Any) -> None:
    _, info = brief.reset(options={"goal": 3})
    brief.step("search[jacket]")
    assert not brief.step(f"click[{info['goal']['asin'].lower()}]")[-1]["valid_action"]


def test_a_form_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="'brief'"):
        gym.make("WebShop-v0", observation="html")
