"""The players of self-play: policies that learn, frozen ones, scripts; and which of them takes a role for whom."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import PreTrainedModel

from ..agents.packed import load_model
from ..agents.players import script
from .checkpoint import no_progress_bar
from .config import Config
from .rollout import POLICY
from .setup import Setup, device_of

PLAYERS = "players"
"""The folder of a run's frozen policies."""
START = "start"
"""The policy that training began with."""


class Cast:
    """Gives members their players in the rollout.

    A *member* is something that can take every role: the policy of the moment (None), a frozen one, a script.  It has
    one player for all roles, unless each role has a policy of its own.
    """

    def __init__(self, config: Config, setup: Setup) -> None:
        self._config = config
        self._setup = setup
        self._frozen: dict[str, dict[str, PreTrainedModel]] = {}
        self._fixed = {role: str(member) for role, member in config.opponents.roles.items()}
        self.open = [role for role in setup.roles if role not in self._fixed]
        """The roles that nobody has for good."""

    def player(self, member: str | None, role: str) -> str:
        """Who takes ``role`` for a member: the name of a player of the rollout.

        Raises:
            ValueError: in the rollout, when a script is asked that the environment does not know.
        """
        member = self._fixed.get(role, member)
        if member is None:
            return self._learner(role)
        if member in self._frozen or member == START:
            return self._name(member, role)
        return self.script(member)

    def script(self, name: str) -> str:
        """A script as a player of the rollout: its name there."""
        self._setup.rollout.players.setdefault(name, script(name))
        return name

    def model(self, role: str) -> PreTrainedModel | None:
        """The model that takes ``role`` for the policy of the moment; None if a script has the role for good."""
        if role not in self._fixed:
            return self._setup.models[self._learner(role)]
        return self._frozen.get(self._fixed[role], {}).get(self._key(role))

    def freeze(self, member: str, models: Mapping[str, PreTrainedModel]) -> None:
        """Make a member of copies of ``models``, by the names of the policies that they are of; kept in the run."""
        for name, model in models.items():
            with no_progress_bar():
                model.save_pretrained(self._folder(member) / name)
        self._seat(member, {name: copy.deepcopy(model) for name, model in models.items()})

    def thaw(self, member: str) -> None:
        """Read a frozen member back."""
        dtype = getattr(torch, self._config.dtype)
        with no_progress_bar():
            folders = sorted(path for path in self._folder(member).iterdir() if path.is_dir())
            models = {path.name: load_model(str(path), device_of(self._config), dtype) for path in folders}
        self._seat(member, models)

    def leave(self, member: str) -> None:
        """Let go of a frozen member; its folder stays."""
        for name in self._frozen.pop(member):
            del self._setup.rollout.players[f"{member}/{name}"]

    def frozen(self, member: str) -> Mapping[str, PreTrainedModel]:
        """The models of a frozen member, by the names of the policies that they are of."""
        return self._frozen[member]

    def _seat(self, member: str, models: dict[str, PreTrainedModel]) -> None:
        self._frozen[member] = {name: model.requires_grad_(False) for name, model in models.items()}
        for name, model in models.items():
            self._setup.rollout.players[f"{member}/{name}"] = self._setup.speaker(self._config, model)

    def _folder(self, member: str) -> Path:
        return Path(self._config.run) / PLAYERS / member

    def _learner(self, role: str) -> str:
        return POLICY if self._config.opponents.policies == "shared" else role

    def _key(self, role: str) -> str:
        """The policy that takes ``role``; a role that is taken for good has no policy of its own, so any will do."""
        learner = self._learner(role)
        return learner if learner in self._setup.models else next(iter(self._setup.models))

    def _name(self, member: str, role: str) -> str:
        return f"{member}/{self._key(role)}"
