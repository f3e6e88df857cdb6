"""Checkpoints: folders that are there whole or not at all, whenever the run is killed.

``<run>/checkpoints/step-000020/`` holds ``trainer.pt`` with the learner's tensors, ``state.json`` with the step,
whatever else the loop wants to keep, and the size of every file; and of a language-model agent the model and its
tokenizer, as ``from_pretrained`` and ``--model`` read them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from .recipe import RecipeError, Run

FOLDER, TRAINER, STATE = "checkpoints", "trainer.pt", "state.json"
OTHERS = "others"
"""Where ``trainer`` has the weights and optimisers of the policies beside the first, whose folder the checkpoint is."""
_UNFINISHED = ".unfinished-"


class CheckpointError(ValueError):
    """A damaged checkpoint; the message names the file."""


class Pretrained(Protocol):
    """A transformers model or tokenizer."""

    def save_pretrained(self, save_directory: Path, /) -> Any:
        """Write what ``from_pretrained`` reads."""
        ...


def save(
    run: str | Path,
    step: int,
    pretrained: Sequence[Pretrained],
    trainer: Mapping[str, Any],
    state: Mapping[str, Any],
    keep: int = 2,
) -> Path:
    """Write the checkpoint of ``step``, then remove all but the last ``keep``; its folder.

    A step that is saved already is left as it is.

    Args:
        run: folder of the run.
        pretrained: a model and its tokenizer, or nothing.
        trainer: tensors, numbers, strings and containers of them (``Learner.state()``).
        state: values for JSON; ``step`` and ``files`` are added.
    """
    import torch

    checkpoints = Path(run) / FOLDER
    final = checkpoints / f"step-{step:06d}"
    checkpoints.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(checkpoints)
    if not final.exists():
        unfinished = checkpoints / f"{_UNFINISHED}{final.name}"
        unfinished.mkdir()
        if pretrained:
            with no_progress_bar():
                for part in pretrained:
                    part.save_pretrained(unfinished)
        torch.save(dict(trainer), unfinished / TRAINER)
        content = {**state, "step": step, "files": _sizes(unfinished)}
        (unfinished / STATE).write_text(json.dumps(content, indent=1) + "\n")
        for path in [*unfinished.iterdir(), unfinished]:
            _to_disk(path)
        unfinished.rename(final)
        _to_disk(checkpoints)
    for path in _complete(checkpoints)[:-keep]:
        # Renamed first, so that a removal that is cut short leaves nothing that looks like a checkpoint.
        unfinished = path.rename(checkpoints / f"{_UNFINISHED}{path.name}")
        shutil.rmtree(unfinished)
    return final


def start(config: Run) -> Path | None:
    """The checkpoint that a run goes on from, or ``None`` for one that begins.

    Raises:
        CheckpointError: there is none to resume from.
        RecipeError: the folder of a new run holds one.
    """
    saved = latest(config.run)
    if config.resume:
        if saved is None:
            raise CheckpointError(f"{config.run} has no checkpoint to resume from")
        return saved
    if saved is not None:
        raise RecipeError(f"{config.run} holds a run: go on with it by --resume, or choose another --run")
    return None


def latest(run: str | Path) -> Path | None:
    """The folder of the last checkpoint of a run, or ``None``."""
    return next(reversed(_complete(Path(run) / FOLDER)), None)


def load(checkpoint: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The ``trainer`` (its tensors on the CPU) and ``state`` that a checkpoint was saved with.

    The weights and the tokenizer are read from the same folder by ``from_pretrained``.

    Raises:
        CheckpointError: a file is missing, cut short or unreadable.
    """
    import torch

    try:
        state = json.loads((checkpoint / STATE).read_text())
        files = dict(state.pop("files"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(checkpoint / STATE, f"it cannot be read ({type(error).__name__}: {error})") from error
    found = _sizes(checkpoint)
    for name, size in files.items():
        if name not in found:
            raise _damaged(checkpoint / name, "it is missing")
        if found[name] != size:
            raise _damaged(checkpoint / name, f"it has {found[name]} bytes instead of {size}")
    try:
        trainer = torch.load(checkpoint / TRAINER, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load has no error of its own for bytes that are none of its
        raise _damaged(checkpoint / TRAINER, f"it cannot be read ({error})") from error
    return trainer, state


def _damaged(path: Path, how: str) -> CheckpointError:
    return CheckpointError(f"damaged checkpoint: {path}: {how}; remove {path.parent} to go on from the one before it")


def _complete(checkpoints: Path) -> list[Path]:
    """The finished checkpoints, in the order of their steps."""
    found = [path for path in checkpoints.glob("step-*") if re.fullmatch(r"step-\d+", path.name)]
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


def _remove_unfinished(checkpoints: Path) -> None:
    for path in checkpoints.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(path)


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.name != STATE}


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Keep transformers from drawing a bar of its own across the run's."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
