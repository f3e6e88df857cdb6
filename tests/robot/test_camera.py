"""Pictures show what the layout says."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled

from palestra.envs.robot import camera
from palestra.envs.robot.scene import COLOURS


@pytest.mark.parametrize("name", ["front", "top"])
def test_things_have_their_colours(name: str) -> None:
    env: Any = gymnasium.make("Push-v0", render_mode="rgb_array", camera=name).unwrapped
    for seed in range(3):
        env.reset(seed=seed)
        # The hand is taken out of the way.
        env.core.world.state[0, 1] = 2.5
        picture = env.render().astype(float)
        hues = picture / picture.max(axis=2, keepdims=True).clip(1)
        layout = env.core.world.layout(0)
        shown = {thing.split()[0] for thing in (*layout.things, *layout.places)}
        for colour, rgb in COLOURS.items():
            wanted = np.array(rgb) / max(rgb)
            pixels = int((np.abs(hues - wanted).max(axis=2) < 0.06).sum())
            assert (pixels > 20) == (colour in shown), (seed, colour, pixels)
    env.close()


def test_a_beacon_can_be_looked_through() -> None:
    env: Any = gymnasium.make("Walk-v0", render_mode="rgb_array", camera="top").unwrapped
    env.reset(seed=0)
    world = env.core.world
    empty = env.render().astype(int)
    world.state[0, 1:3] = world.place_position(0)[0, :2]
    column, row = env.camera.pixel(0, world.place_position(0)[0]).astype(int)
    inside = env.render().astype(int)
    assert np.abs(inside[row, column] - empty[row, column]).max() > 20
    assert inside[row, column].max() > inside[row, column].min() + 20
    env.close()


def test_depth_is_in_metres() -> None:
    env: Any = gymnasium.make("Push-v0", observation="rgbd", camera="top", size=(48, 64)).unwrapped
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    # The camera hangs 1.1 m above the table, whose corner nothing hides.
    assert observation["depth"][0, 0] == pytest.approx(1.1, abs=0.01)
    assert observation["depth"].min() < 1.0
    env.close()


def test_pictures_repeat_and_follow_a_snapshot() -> None:
    env: Any = gymnasium.make("PickPlace-v0", observation="rgb", camera="wrist", size=(64, 64)).unwrapped
    env.reset(seed=0)
    state = env.snapshot()
    first = [env.step(env.oracle())[0]["image"] for _ in range(5)]
    env.restore(state)
    second = [env.step(env.oracle())[0]["image"] for _ in range(5)]
    assert np.array_equal(first, second)
    assert not np.array_equal(first[0], first[-1])
    env.close()


def test_without_a_library_to_draw_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "BACKENDS", ("no_such_backend",))
    env = gymnasium.make("Reach-v0", render_mode="rgb_array")
    env.reset(seed=0)
    with pytest.raises(DependencyNotInstalled, match="libosmesa6"):
        env.render()


def test_a_program_that_closes_nothing_ends_without_an_error() -> None:
    """Finalizers that were there before MuJoCo's EGL is run after it has ended."""
    program = """
import weakref
class Anything: pass
thing = Anything()
finalizer = weakref.finalize(thing, print)
import gymnasium, palestra
env = gymnasium.make("Reach-v0", observation="rgb")
env.reset(seed=0)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
