"""A game of two robots as a PettingZoo environment."""

from __future__ import annotations

import copy
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from pettingzoo import AECEnv

from ...robot.camera import FRAME, Camera
from ...robot.world import World
from ...spaces import AnyText
from ...words import Phrases
from ..aec import TextObservation
from ..game import quote
from .rules import ROLES, Rules

Actions = Literal["numbers", "words"]


class RobotGame(AECEnv[str, Any, Any]):
    """Two robots that move at the same time, each without seeing what the other does now.

    With ``actions="numbers"`` an action is a ``Box(-1, 1)`` that lasts 40 ms, and an observation a vector.  With
    ``"words"``, for language agents, both are text: an action is one of the moves of ``info["legal_actions"]``, which
    steers the robot for some control steps.  An action that is invalid leaves the robot standing for the round, and
    ``info["feedback"]`` says why.

    Args:
        rules: the game.
        actions: what actions and observations are made of.
        max_cycles: rounds after which the game is broken off, unless the game's own.
        render_mode: ``"rgb_array"`` makes :meth:`render` return an image of ``camera``, ``"ansi"`` a text.
        camera, size: which camera of the scene, and height and width of its images in pixels.

    Raises:
        ValueError: an argument has an unknown value.
        gymnasium.error.DependencyNotInstalled: MuJoCo is missing, or, with images, a library to draw with.
    """

    def __init__(
        self,
        rules: Rules,
        actions: Actions = "numbers",
        max_cycles: int | None = None,
        render_mode: str | None = None,
        camera: str = "front",
        size: tuple[int, int] = FRAME,
    ) -> None:
        if actions not in ("numbers", "words"):
            raise ValueError(f"actions must be 'numbers' or 'words', not {actions!r}")
        if render_mode not in (None, "rgb_array", "ansi"):
            raise ValueError(f"render_mode must be None, 'rgb_array' or 'ansi', not {render_mode!r}")
        if max_cycles is not None and max_cycles < 1:
            raise ValueError(f"max_cycles must be at least 1, not {max_cycles}")
        self.rules = rules
        self.guide = rules.guide + " " + "; ".join(f"{word}: {meaning}" for word, meaning in rules.words.items()) + "."
        self.speaks = actions == "words"
        self.render_mode = render_mode
        self._steps = rules.hold if self.speaks else 1
        self.max_cycles = max_cycles or rules.limit // self._steps
        self.metadata = {
            "name": rules.name,
            "render_modes": ["rgb_array", "ansi"],
            "is_parallelizable": True,
            "render_fps": round(25 / self._steps),
        }
        self.possible_agents = list(ROLES)
        self.agents: list[str] = []
        self.world = World(rules.file, rules.places, rules.shapes)
        self._camera = Camera(self.world, camera, size)
        self._np_random: np.random.Generator | None = None
        self._set(np.random.default_rng(0))
        width = len(rules.observe(self.world, 0))
        self._open = False
        self._observation_spaces: dict[str, spaces.Space[Any]] = {
            role: AnyText() if self.speaks else spaces.Box(-np.inf, np.inf, (width,), np.float32) for role in ROLES
        }
        self._action_spaces: dict[str, spaces.Space[Any]] = {
            role: Phrases(tuple(rules.words)) if self.speaks else spaces.Box(-1.0, 1.0, (rules.numbers,), np.float32)
            for role in ROLES
        }

    @property
    def np_random(self) -> np.random.Generator:
        """The generator that layouts are drawn from."""
        if self._np_random is None:
            self._np_random, _ = seeding.np_random()
        return self._np_random

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Any text, or a vector."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The moves in words, or numbers in [-1, 1]."""
        return self._action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode with a drawn layout; without a seed the generator goes on.  No options are known."""
        if seed is not None:
            self._np_random, _ = seeding.np_random(seed)
        self._set(self.np_random)
        self._open = True
        self.agents = list(ROLES)
        self.agent_selection = ROLES[0]
        self.rewards = dict.fromkeys(ROLES, 0.0)
        self._cumulative_rewards = dict.fromkeys(ROLES, 0.0)
        self.terminations = dict.fromkeys(ROLES, False)
        self.truncations = dict.fromkeys(ROLES, False)
        self._skip_agent_selection = None
        self._round = 0
        self._answers: list[Any] = []
        self._feedback: dict[str, str | None] = dict.fromkeys(ROLES)
        self._tell()

    def step(self, action: Any) -> None:
        """Answer for the agent whose turn it is, ``None`` for one that is done; the last answer lets time pass."""
        agent = self._asked()
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[agent] = 0.0
        self.rewards = dict.fromkeys(self.agents, 0.0)
        answer, self._feedback[agent] = self._read(action)
        self._answers = [*self._answers, answer]
        if len(self._answers) < len(ROLES):
            self.agent_selection = ROLES[len(self._answers)]
        else:
            self._pass_time()
            self.agent_selection = ROLES[0]
        self._tell()

    def observe(self, agent: str) -> Any:
        """What the agent knows."""
        self._asked()
        player = ROLES.index(agent)
        if not self.speaks:
            return self.rules.observe(self.world, player).astype(np.float32)
        left = self.max_cycles - self._round
        shown = self.rules.describe(self.world, player)
        return TextObservation(f"You are {agent}. {left} moves left.\n{shown}\nActions: {', '.join(self.rules.words)}")

    def suggest(self, player: str, np_random: np.random.Generator) -> Any:
        """What a player, ``"scripted"`` or ``"random"``, answers for the agent whose turn it is.

        Raises :class:`ValueError` for another player.
        """
        number = ROLES.index(self._asked())
        if player == "random":
            words = list(self.rules.words)
            drawn = words[int(np_random.integers(len(words)))]
            return drawn if self.speaks else np_random.uniform(-1.0, 1.0, self.rules.numbers).astype(np.float32)
        if player != "scripted":
            raise ValueError(f"{self.rules.name} has no player {player!r}; there are 'random', 'scripted'")
        word = self.rules.advise(self.world, number)
        return word if self.speaks else self.rules.act(self.world, number, word).astype(np.float32)

    def oracle(self) -> Any:
        """What the scripted player answers for the agent whose turn it is."""
        return self.suggest("scripted", self.np_random)

    def snapshot(self) -> dict[str, Any]:
        """Everything that the future depends on."""
        self._asked()
        kept = {name: getattr(self, name) for name in _STATE}
        return copy.deepcopy(kept) | {
            "layout": self.world.layout(0),
            "world": self.world.snapshot(0),
            "np_random": copy.deepcopy(self.np_random.bit_generator.state),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a :meth:`snapshot` of this environment, or of another one made with the same arguments."""
        for name in _STATE:
            setattr(self, name, copy.deepcopy(state[name]))
        self.world.restore(0, state["layout"], state["world"])
        self.np_random.bit_generator.state = copy.deepcopy(state["np_random"])

    def render(self) -> Any:
        """An image ``[H, W, 3]`` bytes, or what both robots know as text; nothing without a ``render_mode``."""
        if self.render_mode is None:
            return None
        self._asked()
        if self.render_mode == "rgb_array":
            return self._camera.image(0)
        return "\n\n".join(f"{role}: {self.rules.describe(self.world, player)}" for player, role in enumerate(ROLES))

    def close(self) -> None:
        """Free what draws and what computes."""
        self._camera.close()
        self.world.close()

    def _set(self, np_random: np.random.Generator) -> None:
        layout = self.rules.layout(np_random)
        self.world.set_layout(0, layout, self.rules.rest(layout))

    def _asked(self) -> str:
        if not self._open:
            raise gymnasium.error.ResetNeeded("call reset() first")
        return self.agent_selection

    def _read(self, action: Any) -> tuple[Any, str | None]:
        """The move that is meant, None if it is invalid, and then what is wrong with it."""
        if self.speaks:
            word = " ".join(action[:100].split()).casefold() if isinstance(action, str) else ""
            return (word, None) if word in self.rules.words else (None, f"{quote(action)} is not one of the actions.")
        count = self.rules.numbers
        try:
            numbers = np.asarray(action, np.float64)
        except (TypeError, ValueError):
            return None, f"An action is {count} numbers, not {type(action).__name__}."
        if numbers.shape != (count,):
            return None, f"An action is {count} numbers, not an array of shape {numbers.shape}."
        if not np.isfinite(numbers).all():
            return None, "An action's numbers must be finite."
        return np.clip(numbers, -1.0, 1.0), None

    def _pass_time(self) -> None:
        """Let both move, until the round or the game is over."""
        self._round += 1
        for _ in range(self._steps):
            moves = [self._move(player, answer) for player, answer in enumerate(self._answers)]
            self.world.command = self.rules.command(self.world, np.stack(moves))
            self.world.advance()
            verdict = self.rules.judge(self.world)
            if verdict.over:
                break
        self._answers = []
        if verdict.over:
            self.terminations = dict.fromkeys(self.agents, True)
            self.rewards = dict(zip(ROLES, verdict.paid, strict=True))
            self._accumulate_rewards()
        elif self._round >= self.max_cycles:
            self.truncations = dict.fromkeys(self.agents, True)

    def _move(self, player: int, answer: Any) -> np.ndarray:
        if isinstance(answer, np.ndarray):
            return answer
        return self.rules.act(self.world, player, "wait" if answer is None else answer)

    def _tell(self) -> None:
        """Give everybody the info of the moment."""
        over = any(self.terminations.values()) or any(self.truncations.values())
        self.infos = {role: self._info(role, over) for role in self.agents}

    def _info(self, agent: str, over: bool) -> dict[str, Any]:
        feedback = self._feedback[agent]
        info: dict[str, Any] = {"role": agent, "valid_action": feedback is None}
        if self.speaks:
            asked = agent == self.agent_selection and not over
            info["legal_actions"] = list(self.rules.words) if asked else []
        if feedback is not None:
            info["feedback"] = feedback
        if over:
            info["success"] = self.rewards[agent] > 0
        return info


_STATE = (
    "agents",
    "agent_selection",
    "rewards",
    "_cumulative_rewards",
    "terminations",
    "truncations",
    "infos",
    "_skip_agent_selection",
    "_round",
    "_answers",
    "_feedback",
    "_open",
)
