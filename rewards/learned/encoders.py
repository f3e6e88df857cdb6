"""What reads a trajectory: one embedding per turn, from feature vectors or from frames.

Row t of an encoder's answer depends on turns 0 to t and on what action t led to, never on later turns, so that the last
row sums up the episode and the others are judgements on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...trajectory import Trajectory
from ..reward import RewardError, place

Features = Callable[[Trajectory], np.ndarray]
"""A trajectory's features, [turns, inputs]."""


class Encoder(nn.Module):
    """A module that embeds trajectories; subclass it to learn rewards on anything else.

    A subclass sets ``width`` and implements ``forward``.  Models on an encoder of yours are saved without its
    settings, and loaded with ``load(folder, encoder=...)``.
    """

    width: int
    """Entries of an embedding."""
    causal: bool = True
    """Whether row t is free of later turns; where it is not, only outcomes can be judged."""

    def forward(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """One float32 tensor [turns, width] per trajectory."""
        raise NotImplementedError

    def describe(self, folder: Path) -> dict[str, Any]:
        """The settings as JSON; what is not JSON goes to files of its own in ``folder``."""
        return {"type": "custom", "width": self.width}


class FeatureEncoder(Encoder):
    """A perceptron on each turn's feature vector.

    Args:
        features: a function from a trajectory to [turns, inputs], or the key of ``info`` that holds each turn's vector.
        inputs: length of a vector.
        hidden: widths of the layers, each followed by tanh; none for the features themselves.
        seed: of the weights; torch's own generator is left as it was.
    """

    def __init__(self, features: Features | str, inputs: int, hidden: Sequence[int] = (32,), seed: int = 0) -> None:
        super().__init__()
        self.features, self.inputs, self.hidden = features, inputs, tuple(hidden)
        self.width = self.hidden[-1] if self.hidden else inputs
        with seeded(seed):
            layers = zip((inputs, *self.hidden), self.hidden, strict=False)
            self.net = nn.Sequential(*(part for sizes in layers for part in (nn.Linear(*sizes), nn.Tanh())))

    def read(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """The raw features, one tensor [turns, inputs] each; RewardError where they are missing or not finite."""
        return [torch.from_numpy(self._array(trajectory)) for trajectory in trajectories]

    def forward(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """One tensor [turns, width] per trajectory."""
        return in_one_batch(self.net, self.read(trajectories))

    def describe(self, folder: Path) -> dict[str, Any]:
        """A function is no setting: it is named again when the model is loaded."""
        key = self.features if isinstance(self.features, str) else None
        return {"type": "features", "key": key, "inputs": self.inputs, "hidden": list(self.hidden)}

    def _array(self, trajectory: Trajectory) -> np.ndarray:
        if isinstance(self.features, str):
            missing = [index for index, turn in enumerate(trajectory.turns) if self.features not in turn.info]
            if missing:
                raise RewardError(f"no info[{self.features!r}] at turn {missing[0]} of {place(trajectory)}")
            found: Any = [turn.info[self.features] for turn in trajectory.turns]
        else:
            found = self.features(trajectory)
        try:
            array = np.asarray(found, np.float32)
        except (TypeError, ValueError) as error:
            raise RewardError(f"the features of {place(trajectory)} are not numbers: {error}") from error
        wanted = (len(trajectory.turns), self.inputs)
        if not trajectory.turns:
            return np.zeros(wanted, np.float32)
        if array.shape != wanted:
            raise RewardError(f"features of shape {array.shape}, not {wanted}, for {place(trajectory)}")
        if not np.isfinite(array).all():
            turn = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
            raise RewardError(f"a feature is not finite at turn {turn} of {place(trajectory)}")
        return array


class FrameEncoder(Encoder):
    """A small convolutional net on the frame that each action led to.

    The frame of turn t is ``observation["image"]`` of turn t + 1, and of ``final_observation`` for the last: uint8
    [height, width, 3].  RewardError where it is missing or has another shape.

    Args:
        height, width: of the frames.
        channels: of the layers, 3x3 with stride 2.
        outputs: width of the embedding.
        seed: of the weights; torch's own generator is left as it was.
    """

    def __init__(
        self, height: int, width: int, channels: Sequence[int] = (16, 32), outputs: int = 64, seed: int = 0
    ) -> None:
        super().__init__()
        self.size, self.channels, self.width = (height, width), tuple(channels), outputs
        with seeded(seed):
            layers: list[nn.Module] = []
            for incoming, outgoing in zip((3, *self.channels), self.channels, strict=False):
                layers += [nn.Conv2d(incoming, outgoing, 3, stride=2, padding=1), nn.ReLU()]
                height, width = (height + 1) // 2, (width + 1) // 2
            layers += [nn.Flatten(), nn.Linear((3, *self.channels)[-1] * height * width, outputs), nn.ReLU()]
            self.net = nn.Sequential(*layers)

    def forward(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """One tensor [turns, width] per trajectory."""
        return in_one_batch(self.net, [self._frames(trajectory) for trajectory in trajectories])

    def describe(self, folder: Path) -> dict[str, Any]:
        """All of it is settings."""
        height, width = self.size
        return {
            "type": "frames",
            "height": height,
            "width": width,
            "channels": list(self.channels),
            "outputs": self.width,
        }

    def _frames(self, trajectory: Trajectory) -> Tensor:
        """[turns, 3, height, width] in 0 to 1."""
        led_to = [turn.observation for turn in trajectory.turns[1:]] + [trajectory.final_observation]
        frames = np.zeros((len(trajectory.turns), *self.size, 3), np.uint8)
        for turn, observation in enumerate(led_to[: len(trajectory.turns)]):
            image = observation.get("image") if isinstance(observation, dict) else None
            if not isinstance(image, np.ndarray) or image.shape != frames.shape[1:] or image.dtype != np.uint8:
                found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else "none"
                raise RewardError(
                    f"action {turn} of {place(trajectory)} must lead to an image uint8 {frames.shape[1:]}, got {found}"
                )
            frames[turn] = image
        return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255


def in_one_batch(net: nn.Module, rows: Sequence[Tensor]) -> list[Tensor]:
    """``net`` of each tensor's rows, asked once for all, on the net's device."""
    if not rows:
        return []
    return list(net(torch.cat(list(rows)).to(device_of(net))).split([len(part) for part in rows]))


def device_of(module: nn.Module) -> torch.device:
    """Where a module's parameters are; the CPU if it has none."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random weights from ``seed``, torch's own generator left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
