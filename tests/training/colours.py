"""A shop of paint for tests of the whole loop: quick, textual, with tasks, an oracle, and trouble on demand."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from palestra.envs.spaces import AnyText
from palestra.envs.splits import Splits

COLOURS = ["red", "green", "blue", "black", "white", "pink"]
ORDERS = np.random.default_rng(0).permutation(list(itertools.product(COLOURS, repeat=2))).tolist()


class Colours(gymnasium.Env[str, str]):
    """Two tins are ordered; name the colour of the first, then of the second.

    Args:
        trouble: ``"raise"`` or ``"hang"``, when every fourth order is answered; ``"always"`` raises for all of them;
            ``"silent"`` does not say whether an order was filled.
        gate: a file; while it is there, no answer is taken, and ``<gate>.waiting`` is there too once one waits.
    """

    guide = "Name the colours that are asked for, one by one."
    observation_space, action_space = AnyText(), AnyText()
    splits = Splits(train=ORDERS[:24], validation=[], test=ORDERS[24:])
    tasks = splits.count

    def __init__(self, trouble: str = "none", gate: str = "") -> None:
        self.trouble = trouble
        self.gate = gate

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.order = list(self.splits.choose(options, self.np_random))
        self.given: list[str] = []
        return f"first {self.order[0]}", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        while self.gate and Path(self.gate).exists():
            Path(f"{self.gate}.waiting").touch()
            time.sleep(0.01)
        if self.trouble == "always":
            raise RuntimeError("the lid is stuck")
        if ORDERS.index(self.order) % 4 == 0:
            if self.trouble == "raise":
                raise RuntimeError("the lid is stuck")
            if self.trouble == "hang":
                threading.Event().wait()
        self.given.append(action)
        done = len(self.given) == 2
        solved = self.given == self.order
        info = {"valid_action": action in COLOURS, **({"success": solved} if done and self.trouble != "silent" else {})}
        return f"second {self.order[1]}", float(solved), done, False, info

    def oracle(self) -> str:
        return self.order[len(self.given)]


gymnasium.register("Colours-v0", entry_point=Colours, max_episode_steps=4)


def approve(prompts: Sequence[str]) -> list[str]:
    """A judge's model: it gives 10 where red is ordered first, else 1."""
    replies = []
    for prompt in prompts:
        code = re.findall(r"<verdict (\w+)>", prompt)[-1]
        replies.append(f"<verdict {code}>{10 if 'first red' in prompt else 1}</verdict {code}>")
    return replies
