"""Learned models on disk: a folder with weights in safetensors, and settings in JSON that name their version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_model, save_model

from .encoders import Encoder, FeatureEncoder, Features, FrameEncoder
from .goals import GoalModel
from .implicit import ImplicitProcessModel, Policy
from .model import LearnedModel, RewardModel
from .users import UserRewardModel

FORMAT, VERSION = "palestra.learned", 1
SETTINGS, WEIGHTS = "learned.json", "model.safetensors"


class SavedModelError(ValueError):
    """The folder does not hold a learned model that can be read; the message says why."""


def save(model: LearnedModel, folder: str | Path) -> None:
    """Write a model to ``folder``, which is made if need be; what was saved there before is replaced.

    The settings are written last: a folder that has them has all the rest.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).unlink(missing_ok=True)
    settings = {"format": FORMAT, "version": VERSION, "model": model.describe(folder)}
    save_model(model, str(folder / WEIGHTS))
    (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n")


def load(
    folder: str | Path,
    *,
    features: Features | None = None,
    encoder: Encoder | None = None,
    policies: tuple[Policy, Policy | None] | None = None,
) -> LearnedModel:
    """Read a model that :func:`save` wrote, ready to judge.  Nothing in the folder is executed.

    Args:
        folder: where it was saved.
        features: the function it was trained with, for a model on features that are not a key of ``info``.
        encoder: for a model on an encoder of yours, one of the same shape, whose weights are replaced.
        policies: for an implicit model of policies of yours, the like: (policy, reference).

    Raises:
        SavedModelError: there is no model, it is of a later version, damaged, or needs (or does not take) one of the
            arguments.
    """
    folder = Path(folder)
    try:
        settings = json.loads((folder / SETTINGS).read_text())
    except FileNotFoundError as error:
        raise SavedModelError(f"no learned model in {folder}: it has no {SETTINGS}") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SavedModelError(f"cannot read {folder / SETTINGS}: {error}") from error
    if not isinstance(settings, dict) or settings.get("format") != FORMAT:
        raise SavedModelError(f"{folder / SETTINGS} is not the file of a learned model")
    if settings.get("version") != VERSION:
        raise SavedModelError(f"{folder} is of version {settings.get('version')!r}; this Palestra reads {VERSION}")
    given = _Given(folder, features, encoder, policies)
    try:
        model = given.model(settings["model"])
    except (KeyError, TypeError) as error:
        raise SavedModelError(f"the settings in {folder} are damaged: {error!r}") from error
    given.check_all_used()
    try:
        load_model(model, str(folder / WEIGHTS))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise SavedModelError(f"the weights in {folder} do not fit its settings: {error}") from error
    return model.eval()


class _Given:
    """Builds modules from settings and from what the caller gives for those that are no settings."""

    def __init__(
        self,
        folder: Path,
        features: Features | None,
        encoder: Encoder | None,
        policies: tuple[Policy, Policy | None] | None,
    ) -> None:
        self.folder = folder
        self.unused: dict[str, Any] = {
            name: value
            for name, value in (("features", features), ("encoder", encoder), ("policies", policies))
            if value is not None
        }

    def take(self, name: str) -> Any:
        if name not in self.unused:
            raise SavedModelError(f"the model in {self.folder} needs {name}=..., as it was trained with")
        return self.unused.pop(name)

    def check_all_used(self) -> None:
        if self.unused:
            raise SavedModelError(f"the model in {self.folder} takes no {', '.join(self.unused)}")

    def model(self, settings: dict[str, Any]) -> LearnedModel:
        settings = dict(settings)
        match settings.pop("type"):
            case "reward":
                return RewardModel(self.encoder(settings.pop("encoder")), **settings)
            case "user":
                return UserRewardModel(self.encoder(settings.pop("encoder")), **settings)
            case "goal":
                return GoalModel(self.encoder(settings.pop("encoder")))
            case "implicit":
                return self.implicit(settings)
            case other:
                raise SavedModelError(f"{self.folder} holds a model of the unknown type {other!r}")

    def encoder(self, settings: dict[str, Any]) -> Encoder:
        settings = dict(settings)
        match settings.pop("type"):
            case "features":
                key = settings.pop("key")
                return FeatureEncoder(self.take("features") if key is None else key, **settings)
            case "frames":
                return FrameEncoder(**settings)
            case "language":
                from .language import LanguageEncoder  # loads transformers, which other models do without

                return LanguageEncoder.from_config(self.folder / "trunk", **settings)
            case "custom":
                encoder = self.take("encoder")
                if not isinstance(encoder, Encoder) or encoder.width != settings["width"]:
                    raise SavedModelError(f"the model in {self.folder} needs an encoder of width {settings['width']}")
                return encoder
            case other:
                raise SavedModelError(f"{self.folder} holds an encoder of the unknown type {other!r}")

    def implicit(self, settings: dict[str, Any]) -> ImplicitProcessModel:
        names = ("policy", "reference")
        if all(settings[name] is None or settings[name]["type"] == "language" for name in names):
            from .language import LanguagePolicy

            built = [settings[name] and LanguagePolicy.from_config(self.folder / name) for name in names]
            return ImplicitProcessModel(built[0], built[1], beta=settings["beta"])
        policy, reference = self.take("policies")
        return ImplicitProcessModel(policy, reference, beta=settings["beta"])
