"""An episode's page as one of Playwright's."""

from __future__ import annotations

from contextlib import closing

import gymnasium
import pytest
from playwright.sync_api import sync_playwright

from palestra.envs.abilities import EnvironmentFault
from palestra.envs.web.playwright import playwright_page
from palestra.envs.web.pool import BrowserPool

from .site import open_shop


def test_playwright_reads_and_acts_on_the_page_of_the_episode_and_leaves_it_open() -> None:
    with closing(BrowserPool(debugging=True)) as pool:
        env, other = (open_shop(pool=pool)[0] for _ in range(2))
        env.reset(seed=0)
        other.reset(seed=0)
        with sync_playwright() as playwright:
            page = playwright_page(env, playwright)
            assert page.title() == "Form"
            page.get_by_label("Name").fill("Ann", force=True)
            page.context.browser.close()
        assert "textbox 'Name' value='Ann'" in env.step("noop()")[0]
        assert "value='Ann'" not in other.step("noop()")[0]
        env.reset(seed=0)
        assert "value='Ann'" not in env.step("noop()")[0]


def test_a_browser_that_listens_to_nobody_else_is_an_error_that_says_what_to_do() -> None:
    env, _ = open_shop()
    env.reset(seed=0)
    with sync_playwright() as playwright, pytest.raises(EnvironmentFault, match="debugging=True"):
        playwright_page(env, playwright)
    env.close()


def test_an_environment_without_a_browser_is_refused() -> None:
    with sync_playwright() as playwright, pytest.raises(TypeError, match="no browser"):
        playwright_page(gymnasium.make("FrozenLake-v1"), playwright)
