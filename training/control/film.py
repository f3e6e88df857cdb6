"""Pictures of what a policy does: an episode as a strip of frames and as a moving picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.wrappers import RenderCollection

from .config import ControlConfig
from .evaluation import Acting, ControlAgent, held_out, play_jobs
from .skills import skills_of
from .vector import Frame, make_single

STRIP, FILM = "episode.png", "episode.gif"
SHOWN = 6
"""Frames of a strip."""
LONGEST = 80
"""Frames of a film; of a longer episode every second is left out, or more."""
SIZE = 224
"""Most pixels of a frame, high and wide."""


def film(config: ControlConfig, learner: Acting, folder: Path) -> str | None:
    """Draw the first held-out episode into :data:`STRIP` and :data:`FILM`; why there are no pictures, if so."""
    env = make_single(config)
    modes = env.metadata.get("render_modes", [])
    env.close()
    if "rgb_array" not in modes:
        return f"{config.env} cannot be drawn"
    try:
        env = RenderCollection(make_single(config, render_mode="rgb_array"))
        agent = ControlAgent(learner, Frame(env.observation_space, env.action_space, config.env), skills_of(config))
        play_jobs(env, agent, held_out(env, config)[:1])
        frames: Any = env.render()
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, what was trained is not lost for a picture
        return f"{type(error).__name__}: {error}"
    finally:
        env.close()
    write_strip(folder / STRIP, frames)
    write_film(folder / FILM, frames, float(env.metadata.get("render_fps", 25)))
    return None


def write_strip(path: Path, frames: Sequence[np.ndarray]) -> None:
    """Write :data:`SHOWN` of the frames [H, W, 3], from the first to the last, side by side."""
    from PIL import Image

    chosen = np.linspace(0, len(frames) - 1, min(SHOWN, len(frames))).round().astype(int)
    images = [_small(frames[index]) for index in chosen]
    width, height = images[0].size
    strip = Image.new("RGB", (width * len(images), height))
    for number, image in enumerate(images):
        strip.paste(image, (number * width, 0))
    strip.save(path)


def write_film(path: Path, frames: Sequence[np.ndarray], fps: float) -> None:
    """Write frames [H, W, 3], ``fps`` a second, as a GIF that plays at their speed."""
    every = -(-len(frames) // LONGEST)
    first, *others = [_small(frame).quantize(64) for frame in frames[::every]]
    first.save(path, save_all=True, append_images=others, duration=round(1000 * every / fps), loop=0)


def _small(frame: np.ndarray) -> Any:
    from PIL import Image

    image = Image.fromarray(frame)
    image.thumbnail((SIZE, SIZE))
    return image
