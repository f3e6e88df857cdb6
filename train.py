"""Train an agent: ``python train.py`` for the main job, ``python train.py --help`` for all the rest."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one training; returns the exit status: 0 done, 1 failed, 2 a wrong command line, 130 interrupted.

    What the user or an environment did wrong is said in a line or a few; any other exception is a fault of this
    program, and is raised.
    """
    # Read when torch is first imported.  Threads that spin while they wait slow a shared machine down twentyfold.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Where `python -m` would find it: the module that registers an environment, or holds a reward.
    sys.path.insert(0, os.getcwd())
    try:
        import torch  # noqa: F401 - missing, it is said before anything is made

        from palestra.envs.abilities import EnvironmentFault
        from palestra.rewards import RewardError, RewardParseError
        from palestra.sandbox import SandboxFault, SandboxUnavailable
        from palestra.training import checkpoint, recipe

        config = recipe.parse(arguments)
        train = _loop_for(config)
    except ModuleNotFoundError as error:
        print(f"train.py: {error}; training needs: pip install 'palestra[train]'", file=sys.stderr)
        return 2
    except recipe.RecipeError as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    try:
        train(config)
    except (recipe.RecipeError, RewardParseError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        recipe.forget(config)
        return 2
    except (
        checkpoint.CheckpointError,
        RewardError,
        EnvironmentFault,
        SandboxFault,
        SandboxUnavailable,
        FloatingPointError,
    ) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if checkpoint.latest(config.run) is None:
            print("\nInterrupted before there was anything to save.", file=sys.stderr)
        else:
            print(f"\nInterrupted. Go on with: python train.py --run {config.run} --resume", file=sys.stderr)
        return 130
    return 0


def _loop_for(config: Any) -> Callable[[Any], None]:
    """What runs this configuration; continuous control does without transformers, which takes seconds to import."""
    from palestra.training.recipe import ControlConfig

    if isinstance(config, ControlConfig):
        from palestra.training.control import loop as control

        return control.train
    from palestra.training import loop

    return loop.train


if __name__ == "__main__":
    sys.exit(main())
