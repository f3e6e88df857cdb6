"""Steps per second and reset time on MiniWoB pages: here, in BrowserGym without its delays, and in MiniWoB++ itself.

All three use this machine's Chromium, the same tasks and the same kind of action: a click on a place of the page.  They
take turns, a block of episodes each, with and without screenshots, in one process and in two at once.  The other two
are measured where they are installed: browsergym-miniwob with Playwright, and miniwob with chromedriver.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

TASKS = ("click-checkboxes", "click-button", "enter-text", "choose-list")
EPISODES = int(os.environ.get("EPISODES", "10"))
STEPS = 8
PLACE = (150, 205)  # nothing is there

Play = Callable[[str, bool], tuple[list[float], list[float]]]
"""Plays ``EPISODES`` episodes of a task, with screenshots or without; seconds of each reset and of each step."""


def timed(reset: Callable[[int], Any], step: Callable[[], Any]) -> tuple[list[float], list[float]]:
    resets, steps = [], []
    reset(0)
    step()
    for episode in range(EPISODES):
        begun = time.perf_counter()
        reset(episode)
        resets.append(time.perf_counter() - begun)
        for _ in range(STEPS):
            begun = time.perf_counter()
            step()
            steps.append(time.perf_counter() - begun)
    return resets, steps


def ours(task: str, pictures: bool) -> tuple[list[float], list[float]]:
    from palestra.envs.web.miniwob.env import MiniWoB

    env = MiniWoB(task, observation="dict", pieces=("goal", "tree", *(["screenshot"] if pictures else [])))
    action = f"mouse_click{PLACE}"
    try:
        return timed(lambda seed: env.reset(seed=seed), lambda: env.step(action))
    finally:
        env.close()


def browsergym(task: str, pictures: bool) -> tuple[list[float], list[float]]:
    import browsergym.core.env as core
    import browsergym.miniwob  # noqa: F401 - registers its tasks
    import gymnasium

    os.environ.setdefault("MINIWOB_URL", f"file://{pages()}/miniwob/")
    env: Any = gymnasium.make(
        f"browsergym/miniwob.{task}",
        headless=True,
        pre_observation_delay=0.0,
        slow_mo=0,
        pw_chromium_kwargs={"executable_path": chromium()},
    )
    if not pictures:
        core.extract_screenshot = lambda page: None
    try:
        return timed(lambda seed: env.reset(seed=seed), lambda: env.step(f"mouse_click{PLACE}"))
    finally:
        env.close()


def selenium(task: str, pictures: bool) -> tuple[list[float], list[float]]:
    import gymnasium
    import miniwob
    from miniwob.action import ActionTypes

    os.environ.setdefault("MINIWOB_CHROME_BINARY", shutil.which("chromium") or chromium())
    os.environ.setdefault("MINIWOB_CHROMEDRIVER", shutil.which("chromedriver") or "chromedriver")
    gymnasium.register_envs(miniwob)
    env: Any = gymnasium.make(f"miniwob/{task}-v1", disable_env_checker=True)
    action = env.unwrapped.create_action(ActionTypes.CLICK_COORDS, coords=PLACE)
    options = {"record_screenshots": pictures}
    try:
        return timed(lambda seed: env.reset(seed=seed, options=options), lambda: env.step(action))
    finally:
        env.close()


def chromium() -> str:
    from palestra.envs.web.browser import find_chromium

    return find_chromium()


def pages() -> str:
    from palestra.envs.web.miniwob.env import pages_folder

    return str(pages_folder())


SIDES: dict[str, Play] = {"palestra": ours, "browsergym": browsergym, "miniwob": selenium}


def missing(side: str) -> str | None:
    """What has to be installed before a side can be measured."""
    if side == "browsergym" and importlib.util.find_spec("browsergym") is None:
        return "pip install browsergym-miniwob"
    if side == "miniwob" and shutil.which("chromedriver") is None:
        return "apt-get install chromium-driver chromium"
    return None


def measure(side: str, pictures: bool, processes: int) -> tuple[float, float]:
    """Milliseconds of the median reset, and steps per second of all processes together."""
    resets: list[float] = []
    rate = 0.0
    with ProcessPoolExecutor(processes) as workers:
        for task in TASKS:
            for reset, step in workers.map(SIDES[side], [task] * processes, [pictures] * processes):
                resets += reset
                rate += len(step) / sum(step) / len(TASKS)
    return statistics.median(resets) * 1000, rate


def main() -> None:
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, {chromium()}")
    print(f"{len(TASKS)} tasks, {EPISODES} episodes of {STEPS} clicks each; load {os.getloadavg()[0]:.1f}")
    sides = []
    for side in SIDES:
        if note := missing(side):
            print(f"{side} is not measured: {note}")
        else:
            sides.append(side)
    for processes in (1, 2):
        for pictures in (True, False):
            figures = {side: measure(side, pictures, processes) for side in sides}
            print(f"\n{processes} process(es), tree {'and screenshot' if pictures else 'only'}")
            for side, (reset, rate) in figures.items():
                ratio = figures["palestra"][1] / rate
                print(f"  {side:<12} reset {reset:8.1f} ms   {rate:8.1f} steps/s   x{ratio:.1f}")


if __name__ == "__main__":
    main()
