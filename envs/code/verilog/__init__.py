"""Hardware modules from specifications, simulated by Icarus Verilog."""

from __future__ import annotations

from .env import Verilog

__all__ = ["Verilog"]
