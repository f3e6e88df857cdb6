"""All families of tasks, and drawing one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import families_build, families_files, families_git, families_text
from .task import Task

FAMILIES = (*families_files.FAMILIES, *families_text.FAMILIES, *families_git.FAMILIES, *families_build.FAMILIES)


def make_terminal_task(rng: np.random.Generator) -> Task:
    """A task of a family that is drawn."""
    family = FAMILIES[int(rng.integers(len(FAMILIES)))]
    return replace(family(rng), family=family.__name__)
