"""What a module is to be: its ports, what it must do in words, and a solution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NAME = "dut"
"""What every module is called."""
Ports = Mapping[str, int]
"""Widths in bits, by name."""


@dataclass(frozen=True, slots=True)
class Design:
    """A module and its specification.

    A clocked one has ``clk`` besides its inputs, of which ``rst`` is a synchronous reset.  ``chances`` are the
    probabilities with which one-bit inputs are 1 in tests, where a half would exercise little.
    """

    text: str
    inputs: Ports
    outputs: Ports
    body: str
    """The solution's inside."""
    clocked: bool = False
    chances: Mapping[str, float] = field(default_factory=dict)
    family: str = ""

    @property
    def header(self) -> str:
        """The module's first line."""
        ports = [("input", name, width) for name, width in self.inputs.items()]
        ports += [("output", name, width) for name, width in self.outputs.items()]
        if self.clocked:
            ports.insert(0, ("input", "clk", 1))
        listed = ", ".join(f"{way} {_range(width)}{name}" for way, name, width in ports)
        return f"module {NAME}({listed});"

    @property
    def solution(self) -> str:
        """A module that does what is asked."""
        return f"{self.header}\n{self.body.strip()}\nendmodule"


def _range(width: int) -> str:
    return "" if width == 1 else f"[{width - 1}:0] "
