"""The names under which Gymnasium makes the environments of this folder."""

from __future__ import annotations

import gymnasium
from gymnasium.envs.registration import WrapperSpec

from .reasoning_names import NAMES


def register_code() -> None:
    """Register them, by where they are, so that nothing is imported."""
    gymnasium.register("CodeRepair-v0", entry_point="palestra.envs.code.repair:CodeRepair", max_episode_steps=8)
    gymnasium.register("Math-v0", entry_point="palestra.envs.code.mathematics:Math", max_episode_steps=8)
    gymnasium.register(
        "MathPython-v0",
        entry_point="palestra.envs.code.mathematics:Math",
        max_episode_steps=8,
        additional_wrappers=(
            WrapperSpec("ToolWrapper", "palestra.envs.code.tool_wrapper:ToolWrapper", {"tools": ["python"]}),
        ),
    )
    for name in NAMES:
        gymnasium.register(
            f"ReasoningGym/{name}-v0",
            entry_point="palestra.envs.code.reasoning:ReasoningGym",
            max_episode_steps=4,
            kwargs={"name": name},
        )
    gymnasium.register("Svg-v0", entry_point="palestra.envs.code.svg:Svg", max_episode_steps=10)
    gymnasium.register("Terminal-v0", entry_point="palestra.envs.code.terminal:Terminal", max_episode_steps=30)
    gymnasium.register("ToolUse-v0", entry_point="palestra.envs.code.tooluse:ToolUse", max_episode_steps=20)
    gymnasium.register("TextToSQL-v0", entry_point="palestra.envs.code.sql:TextToSQL", max_episode_steps=10)
    gymnasium.register("Verilog-v0", entry_point="palestra.envs.code.verilog:Verilog", max_episode_steps=8)
