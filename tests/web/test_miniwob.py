"""MiniWoB's tasks: all there, repeatable, paid as their pages say, and solved by their scripts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gymnasium
import pytest

import palestra
from palestra.envs.check import Settings
from palestra.envs.web.miniwob.env import MiniWoB, pages_folder
from palestra.envs.web.miniwob.names import FLIGHTS, PAGES, TASKS
from palestra.envs.web.miniwob.oracle import solved_tasks
from palestra.envs.web.pool import BrowserPool

REPEATABLE = ("same_seed_same_episode", "reset_forgets", "reset_without_seed_goes_on", "instances_apart")
SAMPLE = ("click-checkboxes", "email-inbox-noscroll")
FEW = Settings(episodes=2, steps=4, oracle_tasks=3)


def test_every_page_of_the_package_is_a_task() -> None:
    shipped = {path.stem for path in (pages_folder() / "miniwob").glob("*.html")}
    flights = {f"flight.{path.parent.name}" for path in (pages_folder() / "flight").glob("*/wrapper.html")}
    assert (shipped, flights) == (set(PAGES), set(FLIGHTS))
    assert all(f"MiniWoB/{task}-v0" in gymnasium.registry for task in TASKS)


def test_sixty_tasks_or_more_have_a_solver() -> None:
    assert len(solved_tasks()) >= 60
    assert solved_tasks() <= set(TASKS)
    assert not hasattr(MiniWoB("circle-center"), "oracle")


@pytest.mark.parametrize("task", SAMPLE)
def test_episodes_are_repeatable_and_solved(task: str) -> None:
    report = palestra.check(
        f"MiniWoB/{task}-v0", only=(*REPEATABLE, "oracle_solves", "oracle_only_advises"), settings=FEW
    )
    assert report.passed, report


def compositor(env: MiniWoB) -> int:
    """The process that draws the pages of the environment's browser."""
    found = env.pool.run(env.context.active.connection.call("SystemInfo.getProcessInfo"))
    return next(process["id"] for process in found["processInfo"] if process["type"] == "GPU")


def test_pages_that_are_drawn_at_once_leave_the_browser_whole() -> None:
    def play(env: MiniWoB) -> None:
        for seed in range(4):
            env.reset(seed=seed)
            assert env.step(env.oracle())[1] == 1.0

    envs = [MiniWoB("click-test-2") for _ in range(4)]
    for env in envs:
        env.reset(seed=0)
    before = [compositor(env) for env in envs]
    with ThreadPoolExecutor(len(envs)) as lanes:
        list(lanes.map(play, envs))
    assert [compositor(env) for env in envs] == before
    for env in envs:
        env.close()


def test_raw_and_decayed_reward_and_success() -> None:
    paid = {}
    for decay in (False, True):
        env = MiniWoB("click-test-2", time_decay=decay)
        env.reset(seed=3)
        env.step("noop(4900)")
        _, paid[decay], terminated, _, info = env.step(env.oracle())
        assert (terminated, info["success"], info["raw_reward"]) == (True, True, 1.0)
        env.reset(seed=3)
        assert env.step("click('a3')")[1] == -1.0
        env.close()
    assert paid[False] == 1.0
    assert 0.4 < paid[True] < 0.5


def test_a_wrong_answer_that_is_paid_a_little_is_no_success() -> None:
    env = MiniWoB("find-greatest")
    env.reset(seed=1)
    script = """(() => {
      const cards = [...document.querySelectorAll('.card')];
      const value = (card) => Number(card.querySelector('.card-value').textContent);
      const box = cards.sort((a, b) => value(a) - value(b))[0].getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2];
    })()"""
    x, y = env.pool.run(env.context.active.evaluate(script))
    env.step(f"mouse_click({x}, {y})")
    submit = next(line.name for line in env.seen.lines if "button 'Submit'" in line.text)
    _, reward, terminated, _, info = env.step(f"click('{submit}')")
    env.close()
    assert (reward, terminated, info["success"]) == (0.1, True, False)


def test_time_runs_out_on_the_pages_clock() -> None:
    env = MiniWoB("click-test")
    env.reset(seed=0)
    for _ in range(9):
        assert not env.step("noop(900)")[2]
    _, reward, terminated, _, info = env.step("noop(1000)")
    env.close()
    assert (reward, terminated, info["reason"]) == (-1.0, True, "timed out")


def test_one_environment_serves_several_tasks() -> None:
    env = gymnasium.make("MiniWoB/mix-v0", tasks=["click-test", "focus-text"])
    seen = {env.reset(seed=seed)[1]["task"] for seed in range(8)}
    env.close()
    assert seen == {"click-test", "focus-text"}


def test_a_page_that_stands_in_a_spare_context_is_not_loaded_again() -> None:
    with_pages, seeds = BrowserPool(), range(12)
    tasks = ["click-button", "click-tab", "email-inbox-delete", "click-dialog-2"]
    env = MiniWoB(tasks, pool=with_pages)
    marked: set[str] = set()
    stood = []
    for seed in seeds:
        text, info = env.reset(seed=seed)
        stood.append((text, env.step("noop(200)")[0]))
        known = env.pool.run(env.context.active.evaluate("Boolean(window.marked)"))
        assert known == (info["task"] in marked)
        env.pool.run(env.context.active.evaluate("window.marked = true"))
        if info["task"] != "click-dialog-2":  # which is loaded anew each time
            marked.add(info["task"])
    env.close()
    with_pages.close()
    assert len(marked) == 3

    loaded = []
    for seed in seeds:
        env = MiniWoB(tasks)
        text, _ = env.reset(seed=seed)
        loaded.append((text, env.step("noop(200)")[0]))
        env.close()
    assert stood == loaded


@pytest.mark.parametrize("earlier", [["keyboard_press('Tab')"] * 8, ["mouse_click(30, 205)"]], ids=["tabs", "click"])
def test_where_the_focus_was_is_forgotten(earlier: list[str]) -> None:
    """On a page that stands between episodes, Tab may have left the window, or begin where the mouse was last."""
    env = gymnasium.make("MiniWoB/click-checkboxes-v0")

    def tabbed() -> list[str]:
        return [env.reset(seed=1)[0], env.step("keyboard_press('Tab')")[0]]

    fresh = tabbed()
    env.reset(seed=2)
    for action in earlier:
        env.step(action)
    assert tabbed() == fresh
    env.close()


def test_spare_contexts_are_bounded() -> None:
    pool = BrowserPool(spare=2)
    env = MiniWoB(["click-button", "click-tab", "click-link", "click-option"], pool=pool)
    contexts = set()
    for seed in range(12):
        env.reset(seed=seed)
        contexts.add(env.context)
    env.close()
    pool.close()
    assert len(contexts) == 3


def test_a_time_limit_is_for_the_environment_that_has_it() -> None:
    pool = BrowserPool()
    for limit, ended in ((500, True), (None, False)):
        env = MiniWoB("click-test", pool=pool, time_limit_ms=limit)
        env.reset(seed=0)
        assert env.step("noop(600)")[2] is ended
        env.close()
    pool.close()


def test_unknown_tasks_and_modes_are_errors() -> None:
    with pytest.raises(ValueError, match="the nearest one is 'click-test'"):
        MiniWoB(["click-tset"])
    with pytest.raises(ValueError, match="data_mode"):
        MiniWoB("click-test", data_mode="dev")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one task"):
        MiniWoB([])


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_repeatable(task: str) -> None:
    report = palestra.check(f"MiniWoB/{task}-v0", only=REPEATABLE, settings=FEW)
    assert report.passed, report


@pytest.mark.slow
@pytest.mark.parametrize("task", sorted(solved_tasks()))
def test_every_solver_solves(task: str) -> None:
    report = palestra.check(f"MiniWoB/{task}-v0", only=("oracle_solves",))
    assert report.passed, report


@pytest.mark.slow
def test_two_thousand_resets_leak_nothing() -> None:
    env = MiniWoB("click-checkboxes")
    memory, files, renderers = [], [], []
    for number in range(2000):
        env.reset(seed=number)
        if number in (200, 1999):
            processes = [path for path in Path("/proc").glob("[0-9]*") if _session(path) == env.context.browser.process]
            memory.append(sum(_resident(path) for path in processes))
            files.append(len(list(Path("/proc/self/fd").iterdir())))
            renderers.append(len(processes))
    env.close()
    assert renderers[0] == renderers[1]
    assert files[0] == files[1]
    assert memory[1] < 1.3 * memory[0]


@pytest.mark.slow
def test_a_page_whose_pictures_change_can_be_left() -> None:
    pool = BrowserPool(timeout=10)
    envs = [MiniWoB("social-media", pool=pool) for _ in range(3)]
    for number in range(400):
        env = envs[number % len(envs)]
        env.reset(seed=number)
        for _ in range(number % 4):
            if env.step(env.oracle())[2]:
                break
    pool.close()


def _session(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[3])
    except OSError:
        return 0


def _resident(process: Path) -> int:
    return int((process / "statm").read_text().split()[1]) * 4096
