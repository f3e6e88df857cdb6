"""An episode's page in the hands of Playwright, to look or to act beside the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium

from .env import WebEnv

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright


def playwright_page(env: gymnasium.Env[Any, Any], playwright: Playwright) -> Page:
    """The active tab of ``env``'s episode, as a page of ``playwright``, which ``sync_playwright()`` gives.

    The environment's pool must be a ``BrowserPool(debugging=True)``.  Pages are drawn when the environment draws them,
    so what Playwright waits a frame for does not come: act with ``force=True``, and take pictures by ``env.render()``.
    Closing ``page.context.browser`` disconnects Playwright and leaves the episode as it is.

    Raises:
        TypeError: ``env`` has no browser.
        EnvironmentFault: the browser listens to nobody else.
    """
    web = env.unwrapped
    if not isinstance(web, WebEnv):
        raise TypeError(f"{web} has no browser; only web environments have")
    wanted = web.context.active.target
    browser = playwright.chromium.connect_over_cdp(web.context.browser.endpoint)
    for context in browser.contexts:
        for page in context.pages:
            session = context.new_cdp_session(page)
            found = session.send("Target.getTargetInfo")["targetInfo"]["targetId"]
            session.detach()
            if found == wanted:
                return page
    raise RuntimeError(f"Playwright does not list the tab {wanted}")
