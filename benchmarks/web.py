"""Steps per second and reset time on MiniWoB pages: here, in BrowserGym without its delays, and in MiniWoB++ itself.

All three use this machine's Chromium, the same tasks and the same kind of action: a click on a place of the page.  They
take turns, a block of episodes each in a process of its own, with and without screenshots, one process at a time and
two.  The others are measured where they are installed: MiniWoB++ beside chromedriver; BrowserGym, which wants an old
Playwright, in an environment of its own, whose Python ``BROWSERGYM_PYTHON`` names.

Then several environments of one process act at once, as those of a rollout do.

Then 24 environments go from page to page among the twelve tasks of the recipe ``miniwob``, with spare contexts in which
pages stand and without.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

TASKS = ("click-checkboxes", "click-button", "enter-text", "choose-list")
EPISODES = int(os.environ.get("EPISODES", "10"))
STEPS = 8
ENVS, ROUNDS = 24, 4
AT_ONCE = (1, 2, 4, 8)
PLACE = (150, 205)  # nothing is there
PIECES = ("goal", "tree", "screenshot")

Times = tuple[list[float], list[float]]
"""Seconds of each reset and of each step."""


def timed(reset: Callable[[int], Any], step: Callable[[], Any]) -> Times:
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


def ours(task: str, pictures: bool) -> Times:
    from palestra.envs.web.miniwob.env import MiniWoB

    env = MiniWoB(task, observation="dict", pieces=PIECES if pictures else PIECES[:2])
    action = f"mouse_click{PLACE}"
    try:
        return timed(lambda seed: env.reset(seed=seed), lambda: env.step(action))
    finally:
        env.close()


def browsergym(task: str, pictures: bool) -> Times:
    import browsergym.core.env as core
    import browsergym.miniwob  # noqa: F401 - registers its tasks
    import gymnasium
    from playwright.sync_api import BrowserType

    # Its page for the chat is in a browser of its own, which takes no options.
    launch = BrowserType.launch
    BrowserType.launch = lambda kind, **options: launch(kind, executable_path=os.environ["CHROMIUM"], **options)
    env: Any = gymnasium.make(
        f"browsergym/miniwob.{task}",
        headless=True,
        pre_observation_delay=0.0,
        slow_mo=0,
    )
    if not pictures:
        core.extract_screenshot = lambda page: None
    try:
        return timed(lambda seed: env.reset(seed=seed), lambda: env.step(f"mouse_click{PLACE}"))
    finally:
        env.close()


def selenium(task: str, pictures: bool) -> Times:
    import gymnasium
    import miniwob
    from miniwob.action import ActionTypes

    gymnasium.register_envs(miniwob)
    env: Any = gymnasium.make(f"miniwob/{task}-v1", disable_env_checker=True)
    action = env.unwrapped.create_action(ActionTypes.CLICK_COORDS, coords=PLACE)
    options = {"record_screenshots": pictures}
    try:
        return timed(lambda seed: env.reset(seed=seed, options=options), lambda: env.step(action))
    finally:
        env.close()


SIDES: dict[str, Callable[[str, bool], Times]] = {"palestra": ours, "browsergym": browsergym, "miniwob": selenium}


def missing(side: str) -> str | None:
    """What has to be installed before a side can be measured."""
    if side == "browsergym" and "BROWSERGYM_PYTHON" not in os.environ:
        install = "python -m venv browsergym && browsergym/bin/pip install browsergym-miniwob"
        return f"{install}, then BROWSERGYM_PYTHON=browsergym/bin/python"
    if side == "miniwob" and not (shutil.which("chromedriver") and shutil.which("chromium")):
        return "apt-get install chromium-driver chromium"
    return None


def environment() -> dict[str, str]:
    """What the sides are told of this machine's Chromium and of the pages."""
    from palestra.envs.web.browser import find_chromium
    from palestra.envs.web.miniwob.env import pages_folder

    return {
        **os.environ,
        "CHROMIUM": str(find_chromium()),
        "MINIWOB_URL": f"file://{pages_folder()}/miniwob/",
        "MINIWOB_CHROME_BINARY": shutil.which("chromium") or "",
        "MINIWOB_CHROMEDRIVER": shutil.which("chromedriver") or "",
    }


def play(side: str, task: str, pictures: bool, processes: int, given: dict[str, str]) -> list[Times]:
    """The times of as many processes at once as are asked for."""
    python = os.environ["BROWSERGYM_PYTHON"] if side == "browsergym" else sys.executable
    command = [python, __file__, side, task, str(int(pictures))]
    started = [subprocess.Popen(command, env=given, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    said = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit(f"{' '.join(command)} has failed")
    return [json.loads(lines.splitlines()[-1]) for lines in said]


def compare(sides: list[str], pictures: bool, processes: int, given: dict[str, str]) -> None:
    """Print the median reset in milliseconds, and the steps per second of all processes together, of each side."""
    resets: dict[str, list[float]] = {side: [] for side in sides}
    rates = dict.fromkeys(sides, 0.0)
    for task in TASKS:
        for side in sides:
            for reset, step in play(side, task, pictures, processes, given):
                resets[side] += reset
                rates[side] += len(step) / sum(step) / len(TASKS)
    print(f"\n{processes} process(es), tree {'and screenshot' if pictures else 'only'}")
    for side in sides:
        reset = statistics.median(resets[side]) * 1000
        ratio = rates["palestra"] / rates[side]
        print(f"  {side:<12} reset {reset:8.1f} ms   {rates[side]:8.1f} steps/s   x{ratio:.1f}", flush=True)


def mixed(spare: int) -> list[float]:
    """Seconds of each reset of environments that draw their page anew each time, one after another."""
    from palestra.envs.web.miniwob.env import MiniWoB
    from palestra.envs.web.pool import BrowserPool
    from palestra.training.config import Config
    from palestra.training.recipe import find, load_as

    pool = BrowserPool(spare=spare)
    options = load_as(Config, find("miniwob")).env_options
    envs = [MiniWoB(**options, pool=pool) for _ in range(ENVS)]
    resets = []
    for number in range(ENVS * (ROUNDS + 2)):
        begun = time.perf_counter()
        envs[number % ENVS].reset(seed=number)
        resets.append(time.perf_counter() - begun)
    pool.close()
    return resets[2 * ENVS :]  # by then every environment has a context, and the spare ones are there


def together(envs: int) -> float:
    """Steps per second of so many environments of this process, all of which see trees and screenshots."""
    from palestra.envs.web.miniwob.env import MiniWoB

    pages = [MiniWoB(TASKS[number % len(TASKS)], observation="dict", pieces=PIECES) for number in range(envs)]

    async def act(page: MiniWoB) -> None:
        for _ in range(STEPS):
            await page.astep(f"mouse_click{PLACE}")

    async def episodes() -> list[float]:
        times = []
        for episode in range(EPISODES + 1):
            await asyncio.gather(*(page.areset(seed=episode) for page in pages))
            begun = time.perf_counter()
            await asyncio.gather(*map(act, pages))
            times.append(time.perf_counter() - begun)
        return times[1:]

    times = asyncio.run(episodes())
    for page in pages:
        page.close()
    return envs * STEPS * len(times) / sum(times)


def compare_together(given: dict[str, str]) -> None:
    """Print the steps per second of one process by how many environments it has."""
    print("\n1 process, tree and screenshot, environments at once")
    rates: dict[int, list[float]] = {envs: [] for envs in AT_ONCE}
    for _ in range(3):
        for envs in AT_ONCE:
            command = [sys.executable, __file__, "together", str(envs)]
            said = subprocess.run(command, env=given, stdout=subprocess.PIPE, text=True, check=True).stdout
            rates[envs].append(json.loads(said.splitlines()[-1]))
    for envs in AT_ONCE:
        print(f"  {envs:2} environments   {statistics.median(rates[envs]):8.1f} steps/s", flush=True)


def compare_spare(given: dict[str, str]) -> None:
    """Print the mean reset in milliseconds with spare contexts and without."""
    means = {}
    for spare in (16, 0):
        command = [sys.executable, __file__, "mixed", str(spare)]
        said = subprocess.run(command, env=given, stdout=subprocess.PIPE, text=True, check=True).stdout
        means[spare] = statistics.mean(json.loads(said.splitlines()[-1])) * 1000
    print(f"\n{ENVS} environments that go from page to page, tree only: mean reset")
    for spare, mean in means.items():
        print(f"  {spare:2} spare contexts   {mean:6.1f} ms   x{mean / means[16]:.1f}", flush=True)


def main() -> None:
    given = environment()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, {given['CHROMIUM']}")
    print(f"{len(TASKS)} tasks, {EPISODES} episodes of {STEPS} clicks each; load {os.getloadavg()[0]:.1f}")
    sides = [side for side in SIDES if missing(side) is None]
    for side in SIDES:
        if note := missing(side):
            print(f"{side} is not measured: {note}")
    for processes in (1, 2):
        for pictures in (True, False):
            compare(sides, pictures, processes, given)
    compare_together(given)
    compare_spare(given)


if __name__ == "__main__":
    if sys.argv[1:2] == ["mixed"]:
        print(json.dumps(mixed(int(sys.argv[2]))))
    elif sys.argv[1:2] == ["together"]:
        print(json.dumps(together(int(sys.argv[2]))))
    elif sys.argv[1:]:
        print(json.dumps(SIDES[sys.argv[1]](sys.argv[2], sys.argv[3] == "1")))
    else:
        main()
