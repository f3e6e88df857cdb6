"""Train a language-model agent: ``python train.py`` for the main job, ``python train.py --help`` for all the rest."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


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
        from palestra.envs.abilities import EnvironmentFault
        from palestra.rewards import RewardError, RewardParseError
        from palestra.sandbox import SandboxFault, SandboxUnavailable
        from palestra.training import checkpoint, loop, recipe
    except ModuleNotFoundError as error:
        print(f"train.py: {error}; training needs: pip install 'palestra[train]'", file=sys.stderr)
        return 2
    try:
        config = recipe.parse(arguments)
    except recipe.RecipeError as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    try:
        loop.train(config)
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


if __name__ == "__main__":
    sys.exit(main())
