"""Lets other processes import the mutants, as an environment author's module would be."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
