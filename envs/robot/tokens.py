"""Continuous actions as tokens, one or several steps at a time, for vision-language-action policies."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from ..abilities import Guided
from ..spaces import AnyText
from ..words import Phrases, Translation, plain, say

LONGEST_NUMBER = 6


class Bins:
    """Evenly spaced bins of each number of a bounded ``Box``, as RT-2 (https://arxiv.org/abs/2307.15818) has them.

    Bin 0 stands for the lowest value and the last bin for the highest.

    Raises :class:`ValueError` for a space that is no bounded vector, and for fewer than two bins.
    """

    def __init__(self, space: gymnasium.Space, bins: int = 256) -> None:
        if not isinstance(space, spaces.Box) or len(space.shape) != 1 or not space.is_bounded():
            raise ValueError(f"only a bounded vector can be put into tokens, not {space}")
        if bins < 2:
            raise ValueError(f"there must be at least 2 bins, not {bins}")
        self.bins, self.dimensions = bins, space.shape[0]
        self._low, self._high = space.low.astype(np.float64), space.high.astype(np.float64)
        self._dtype = space.dtype

    def encode(self, actions: np.ndarray) -> np.ndarray:
        """Actions ``[..., A]`` as the nearest bins, whole numbers ``[..., A]``; what is out of bounds is clipped."""
        share = (np.clip(actions, self._low, self._high) - self._low) / (self._high - self._low)
        return np.rint(share * (self.bins - 1)).astype(np.int64)

    def decode(self, tokens: np.ndarray) -> np.ndarray:
        """The actions ``[..., A]`` that tokens stand for.  Raises :class:`ValueError` for a token that is no bin."""
        tokens = np.asarray(tokens)
        if ((tokens < 0) | (tokens >= self.bins)).any():
            raise ValueError(f"tokens are whole numbers from 0 to {self.bins - 1}")
        return (self._low + tokens / (self.bins - 1) * (self._high - self._low)).astype(self._dtype)


class ActionTokens(Translation):
    """Any environment with bounded vectors as actions, answered by text such as ``128 200 12 255``.

    A number is a bin (see :class:`Bins`).  An action is a chunk of at most ``chunk`` steps, separated by ``;``, as in
    action chunking (Zhao et al. 2023, https://arxiv.org/abs/2304.13705): their rewards are summed, and an episode that
    ends drops the rest.  ``info["chunk"]`` says how many steps were taken.  Anything else is an invalid action, which
    changes nothing.

    Observations that hold text stay as they are, and vectors are said in words.  It works on every MuJoCo environment
    of Gymnasium too:

    >>> env = ActionTokens(gymnasium.make("Pendulum-v1"), bins=5)
    >>> env.reset(seed=0)[0], env.step("4")[1] < 0
    ('[ 0.652 ,  0.7582, -0.4604]', True)

    Raises :class:`ValueError` for other actions, for observations that words cannot carry, and for no steps.
    """

    def __init__(self, env: gymnasium.Env, bins: int = 256, chunk: int = 1) -> None:
        RecordConstructorArgs.__init__(self, bins=bins, chunk=chunk)
        gymnasium.Wrapper.__init__(self, env)
        if chunk < 1:
            raise ValueError(f"a chunk has at least 1 step, not {chunk}")
        self.codec, self._chunk = Bins(env.action_space, bins), chunk
        gives = env.observation_space
        self._speaks = isinstance(gives, AnyText) or (isinstance(gives, spaces.Dict) and "text" in gives.spaces)
        parts = gives.spaces.values() if isinstance(gives, spaces.Dict) else [gives]
        if not self._speaks and not all(isinstance(part, spaces.Box) and len(part.shape) == 1 for part in parts):
            raise ValueError(f"tokens go with text or vectors as observations, not {gives}")
        self.observation_space = gives if self._speaks else AnyText()
        middle = " ".join([str(bins // 2)] * self.codec.dimensions)
        self.action_space = Phrases([middle, " ".join(["0"] * self.codec.dimensions)])
        steps = f"at most {chunk} steps, separated by ';'" if chunk > 1 else "one step"
        self._form = f"{self.codec.dimensions} whole numbers from 0 to {bins - 1} for each of {steps}"
        about = env.unwrapped.guide + "\n" if isinstance(env.unwrapped, Guided) else ""
        self.guide = f"{about}Write the numbers of an action as bins, from the lowest to the highest: {self._form}."
        self._shown: Any = None
        self._declare_abilities()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the wrapped environment."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._shown = self._put(observation, info)
        return self._shown, plain(info)

    def step(self, action: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take the steps of a chunk; see the class for what happens to an invalid one."""
        actions = self._read(action)
        if actions is None:
            feedback = f"Invalid action: write {self._form}."
            return self._shown, 0.0, False, False, {"valid_action": False, "feedback": feedback}
        reward, terminated, truncated, taken = 0.0, False, False, 0
        for numbers in actions:
            observation, part, terminated, truncated, info = self.env.step(numbers)
            reward, taken = reward + float(part), taken + 1
            if terminated or truncated:
                break
        self._shown = self._put(observation, info)
        info = {**plain(info), "valid_action": True, "chunk": taken}
        return self._shown, reward, bool(terminated), bool(truncated), info

    def write(self, actions: np.ndarray) -> str:
        """The text of a chunk of actions ``[steps, A]``."""
        return "; ".join(" ".join(map(str, row)) for row in self.codec.encode(np.atleast_2d(actions)).tolist())

    def _read(self, action: Any) -> np.ndarray | None:
        """The actions ``[steps, A]`` of a text, or ``None`` if it is none."""
        longest = self._chunk * (self.codec.dimensions * (LONGEST_NUMBER + 1) + 2)
        if not isinstance(action, str) or len(action) > longest:
            return None
        rows = [row.split() for row in action.split(";")]
        if len(rows) > self._chunk or any(len(row) != self.codec.dimensions for row in rows):
            return None
        if not all(word.isascii() and word.isdigit() for row in rows for word in row):
            return None
        try:
            return self.codec.decode(np.array(rows, dtype=np.int64))
        except (ValueError, OverflowError):
            return None

    def _put(self, observation: Any, info: dict[str, Any]) -> Any:
        if self._speaks:
            return observation
        said = say(self.env.observation_space, observation)
        return f"{info['instruction']}\n{said}" if "instruction" in info else said

    def _oracle(self) -> str:
        return self.write(self.env.unwrapped.oracle())  # type: ignore[attr-defined]

    def _snapshot(self) -> Any:
        return self.env.unwrapped.snapshot(), self._shown  # type: ignore[attr-defined]

    def _restore(self, state: Any) -> None:
        inner, self._shown = state
        self.env.unwrapped.restore(inner)  # type: ignore[attr-defined]
