"""A success classifier of frames: which frame it reads, and how often it is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from palestra import Status, Trajectory, Turn
from palestra.rewards import RewardError
from palestra.rewards.learned.data import Labelled
from palestra.rewards.learned.encoders import FrameEncoder
from palestra.rewards.learned.fit import fit, label_loss
from palestra.rewards.learned.model import RewardModel
from palestra.rewards.learned.reward import learned
from palestra.rewards.learned.saved import load, save

from .bench import generator

SIZE = 24


def scene(rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """A table with a tray (green) and a block (red) somewhere, in changing light: done if the block is in the tray."""
    frame = np.full((SIZE, SIZE, 3), rng.integers(90, 140), np.float64)
    tray = rng.integers(0, SIZE - 10, 2)
    done = bool(rng.random() < 0.5)
    inside = tray + rng.integers(1, 6, 2)
    block = inside if done else rng.integers(0, SIZE - 4, 2)
    done = bool(((block >= tray) & (block + 4 <= tray + 10)).all())
    frame[tray[0] : tray[0] + 10, tray[1] : tray[1] + 10] = (40, 160, 60)
    frame[block[0] : block[0] + 4, block[1] : block[1] + 4] = (200, 40, 40)
    return np.clip(frame + rng.normal(0, 8, frame.shape), 0, 255).astype(np.uint8), done


def shown(frame: np.ndarray) -> Trajectory:
    """An episode of one action that led to this frame."""
    blank = {"text": "", "image": np.zeros((SIZE, SIZE, 3), np.uint8)}
    turns = [Turn(blank, "place")]
    return Trajectory("Table-v0", None, 0, turns, Status.TERMINATED, final_observation={"text": "", "image": frame})


def test_a_turn_is_judged_by_the_frame_that_it_led_to() -> None:
    frames = [np.full((4, 4, 3), value, np.uint8) for value in (0, 100, 200)]
    turns = [Turn({"text": "", "image": frame}, "a") for frame in frames[:2]]
    trajectory = Trajectory("Table-v0", None, 0, turns, Status.TERMINATED, final_observation={"image": frames[2]})
    encoder = FrameEncoder(4, 4, channels=(2,), outputs=3)
    with torch.no_grad():
        [rows] = encoder([trajectory])
        pixels = torch.from_numpy(np.stack(frames[1:])).permute(0, 3, 1, 2).float() / 255
        torch.testing.assert_close(rows, encoder.net(pixels))
    assert rows.shape == (2, 3)
    assert encoder([Trajectory("Table-v0", None, 0)])[0].shape == (0, 3)


@pytest.mark.parametrize(
    ("final", "found"),
    [
        (None, "none"),
        ("text", "none"),
        ({"text": ""}, "none"),
        ({"image": np.zeros((4, 5, 3), np.uint8)}, r"uint8 \(4, 5, 3\)"),
        ({"image": np.zeros((4, 4, 3))}, r"float64 \(4, 4, 3\)"),
    ],
)
def test_a_frame_that_is_missing_or_odd_is_an_error(final: Any, found: str) -> None:
    trajectory = Trajectory("Table-v0", None, 0, [Turn("o", "a")], Status.TERMINATED, final_observation=final)
    with pytest.raises(RewardError, match=rf"action 0 of .* uint8 \(4, 4, 3\), got {found}"):
        RewardModel(FrameEncoder(4, 4)).pay([trajectory])


def test_a_classifier_of_frames_comes_back_from_disk(tmp_path: Path) -> None:
    made = RewardModel(FrameEncoder(SIZE, SIZE, (4,), 8, seed=1), "process", "logistic")
    trajectory = shown(scene(np.random.default_rng(0))[0])
    save(made, tmp_path)
    assert load(tmp_path).pay([trajectory])[0].tolist() == made.pay([trajectory])[0].tolist()


def turned(frame: np.ndarray) -> list[np.ndarray]:
    """The eight ways to turn and mirror a frame, in all of which the block is where it was."""
    views = [np.rot90(frame, quarter) for quarter in range(4)]
    return [np.ascontiguousarray(view) for view in (*views, *(view[:, ::-1] for view in views))]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_works_robofume(seed: int) -> None:
    """100 labelled frames, and their mirror images, make a reward that agrees with the truth."""
    rng = np.random.default_rng(seed)
    labelled, held_out = [[scene(rng) for _ in range(count)] for count in (100, 500)]
    views = [Labelled(shown(view), float(done)) for frame, done in labelled for view in turned(frame)]
    model = RewardModel(FrameEncoder(SIZE, SIZE, seed=seed), "outcome", "logistic", seed=seed)
    fit(model, views, label_loss, epochs=15, learning_rate=2e-3, weight_decay=0.01, generator=generator())
    paid = np.array([value[-1] for value in learned(model)([shown(frame) for frame, _ in held_out])])  # type: ignore[index]
    truth = np.array([done for _, done in held_out])
    agreement = ((paid > 0.5) == truth).mean()
    print(f"agreement {agreement:.3f}, of which {truth.mean():.2f} done")
    assert agreement >= 0.9
