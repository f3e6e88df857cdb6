"""A game as a Gymnasium environment: one player is the agent, the others are built-in opponents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
from gymnasium.error import ResetNeeded

from ..abilities import EnvironmentFault
from ..spaces import AnyText
from ..words import Phrases
from .game import Game, Mover, Player
from .players import mover
from .referee import Illegal, Position, Referee
from .view import Detail, View, legal_actions, task_of


class SingleAgentGame(gymnasium.Env[str, str]):
    """A :class:`~palestra.envs.multi.game.Game` for one agent against ``opponent``.

    Args:
        opponent: who plays the other seats: ``"random"``, ``"optimal"`` where the game can be solved, a player that the
            game brings along, or a function ``(observation, info, np_random) -> action``; a dictionary names one for
            each other role.  By default the game's ``default_opponent``.
        seat: the role that the agent plays, ``"any"`` to draw it in each episode; by default the game's
            ``default_seat``.
        illegal, penalty, observation, render_mode: as in :class:`~palestra.envs.multi.aec.GameEnv`.

    ``info`` holds ``role``, ``legal_actions``, ``valid_action``, ``feedback`` if that is false, and at the end
    ``success`` and the game's ``outcome``.  An opponent's illegal move is replaced by a legal one, drawn at random.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 - as gymnasium.Env has it

    def __init__(
        self,
        game: Game[Any],
        opponent: str | Player | Mapping[str, str | Player] | None = None,
        seat: str | None = None,
        illegal: Illegal = "retry",
        penalty: float = 0.0,
        observation: Detail = "full",
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, "ansi"):
            raise ValueError(f"render_mode must be None or 'ansi', not {render_mode!r}")
        seat = game.default_seat if seat is None else seat
        if seat != "any" and seat not in game.roles:
            raise ValueError(f"seat must be any or one of {', '.join(game.roles)}, not {seat!r}")
        self.game = game
        self.guide = game.guide
        self.render_mode = render_mode
        self.observation_space = AnyText()
        self.action_space = Phrases(game.phrases)
        self._seats = range(len(game.roles)) if seat == "any" else (game.roles.index(seat),)
        self._movers = _movers(game, game.default_opponent if opponent is None else opponent, self._seats)
        self._referee = Referee(game, illegal, penalty)
        self._others = Referee(game, "random")
        self._view = View(game, observation)
        self._seat = self._seats[0]
        self._position: Position | None = None
        # As instance attributes, so that only what the game has is declared.
        if game.splits is not None:
            self.tasks = game.splits.count
        if type(game).advise is not Game.advise:
            self.oracle = self._oracle

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode, and let the opponents move until it is the agent's turn.

        Raises:
            ValueError: an unknown option, task or split.
        """
        super().reset(seed=seed)
        task = task_of(self.game, options or {}, self.np_random)
        self._seat = self._seats[0] if len(self._seats) == 1 else int(self.np_random.integers(len(self._seats)))
        self._view.clear()
        self._position = self._opened(task)
        return self._view.show(self._position, self._seat), self._info(None)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Move, and let the opponents move until it is the agent's turn again.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset, and after the end.
        """
        before = self._position
        if before is None:
            raise ResetNeeded("call reset() first")
        if before.turn is None:
            raise ResetNeeded("the game is over; call reset()")
        self._view.look(before, self._seat)
        after, feedback = self._referee.act(before, action, self.np_random)
        self._position = after = self._until_asked(after)
        reward = self._referee.paid(after)[self._seat] - self._referee.paid(before)[self._seat]
        return self._view.show(after, self._seat), reward, after.turn is None, False, self._info(feedback)

    def _opened(self, task: Any) -> Position:
        """The first position where the agent is asked; a game that is over before that is drawn again."""
        for _ in range(1000):
            position = self._until_asked(self._referee.open(self.np_random, task))
            if position.turn is not None:
                return position
        raise EnvironmentFault(f"{self.game.roles[self._seat]} was not asked in 1,000 games of {self.game.name}")

    def _until_asked(self, position: Position) -> Position:
        while position.turn is not None and position.turn != self._seat:
            action = self._movers[position.turn](position.state, position.turn, self.np_random)
            position, _ = self._others.act(position, action, self.np_random)
        return position

    def _oracle(self) -> str:
        """The next action of the game's solver, which sees everything."""
        position = self._position
        if position is None or position.turn is None:
            raise ResetNeeded("there is no move to make; call reset()")
        return self.game.advise(position.state, self._seat)

    def _info(self, feedback: str | None) -> dict[str, Any]:
        position, seat = self._position, self._seat
        assert position is not None
        info: dict[str, Any] = {
            "role": self.game.roles[seat],
            "legal_actions": legal_actions(self.game, position, seat),
            "valid_action": feedback is None,
        }
        if feedback is not None:
            info["feedback"] = feedback
        if position.turn is None:
            info["success"] = self._referee.paid(position)[seat] > 0
            info["outcome"] = self.game.outcome(position.state)
        return info

    def snapshot(self) -> Any:
        """Everything that the future depends on; opponents that remember anything are not part of it."""
        return self._position, self._seat, self._view.memory(), self.np_random.bit_generator.state

    def restore(self, state: Any) -> None:
        """Go back to a :meth:`snapshot` of this environment, or of another one made with the same arguments."""
        self._position, self._seat, memory, generator = state
        self._view.remember(memory)
        self.np_random.bit_generator.state = generator

    def render(self) -> str | None:
        """The whole state as text where ``render_mode`` is ``"ansi"``, else nothing."""
        if self._position is None:
            raise ResetNeeded("call reset() first")
        return None if self.render_mode is None else self.game.render(self._position.state)


def _movers(game: Game[Any], opponent: Any, seats: Any) -> list[Mover]:
    """Who plays each seat when it is not the agent's."""
    if not isinstance(opponent, Mapping):
        opponent = dict.fromkeys(game.roles, opponent)
    others = [role for number, role in enumerate(game.roles) if len(seats) > 1 or number not in seats]
    missing = [role for role in others if role not in opponent]
    unknown = [role for role in opponent if role not in game.roles]
    if missing or unknown:
        raise ValueError(f"opponent must name a player for each of {', '.join(others)}; check {(missing + unknown)[0]}")
    return [mover(game, opponent.get(role, "random"), role) for role in game.roles]
