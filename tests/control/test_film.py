"""An episode of a policy in pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from palestra.training.control.config import PPOConfig, Skills
from palestra.training.control.film import FILM, STRIP, film, write_film

from . import envs  # noqa: F401 - registers them


class Upwards:
    """A policy that lifts the hand."""

    def act(self, observation: np.ndarray) -> np.ndarray:
        return np.array([0, 0, 1, 1], np.float32)


def test_the_pictures_are_of_what_the_policy_does(tmp_path: Path) -> None:
    config = PPOConfig("Reach-v0", {"max_episode_steps": 9, "size": (32, 48)})
    assert film(config, Upwards(), tmp_path) is None
    strip = np.asarray(Image.open(tmp_path / STRIP))
    assert strip.shape == (32, 6 * 48, 3)
    first, last = strip[:, :48].astype(float), strip[:, -48:].astype(float)
    assert np.abs(first - last).max() > 50
    moving = Image.open(tmp_path / FILM)
    assert moving.n_frames == 10
    assert moving.info["duration"] == 40


def test_the_pictures_of_skills_are_of_the_first(tmp_path: Path) -> None:
    class Skilled(Upwards):
        def act(self, observation: np.ndarray) -> np.ndarray:
            assert observation[-3:].tolist() == [1, 0, 0]
            return super().act(observation)

    config = PPOConfig("Reach-v0", {"max_episode_steps": 3, "size": (32, 48)}, skills=Skills(3))
    assert film(config, Skilled(), tmp_path) is None
    assert (tmp_path / STRIP).exists()


def test_a_long_film_keeps_its_speed(tmp_path: Path) -> None:
    frames = [np.full((4, 4, 3), 2 * number, np.uint8) for number in range(100)]
    write_film(tmp_path / FILM, frames, 25)
    moving = Image.open(tmp_path / FILM)
    assert moving.n_frames == 50
    assert moving.info["duration"] == 80


def test_what_cannot_be_drawn_is_said(tmp_path: Path) -> None:
    assert film(PPOConfig("ControlPoint-v0"), Upwards(), tmp_path) == "ControlPoint-v0 cannot be drawn"
    assert not list(tmp_path.iterdir())
