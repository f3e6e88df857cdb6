"""Train a language-model agent: ``python train.py`` for the main job, ``python train.py --help`` for all the rest."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one training; returns the exit status: 0 done, 1 failed, 2 a wrong command line, 130 interrupted."""
    # Read when torch is first imported.  Threads that spin while they wait slow a shared machine down twentyfold.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
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
    except checkpoint.CheckpointError as error:
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
