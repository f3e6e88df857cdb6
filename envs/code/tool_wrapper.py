"""Tool calls between the turns of any text environment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import gymnasium
from gymnasium.utils import RecordConstructorArgs

from ..spaces import AnyText
from ..tool_calls import Call, read_calls, write_call
from .python_tool import PythonTool
from .tools import Tool, ToolError, by_name

_LONGEST = 4000


class ToolWrapper(gymnasium.Wrapper[str, str, str, str], RecordConstructorArgs):
    """A text environment in which an action may also be a tool call, as in GEM (arXiv:2510.01051).

    An action with ``<tool_call>{"name": ..., "arguments": ...}</tool_call>`` calls tools: the environment underneath is
    not stepped, nothing is paid, and the next observation is what the tools returned.  Any other action goes to the
    environment, calls of tools that are not the wrapper's too.  The first observation says which tools there are.
    ``info["tool_call"]`` says whether a step called tools, and ``info["tool_calls_left"]`` how many calls are left;
    when none is, a call is an invalid action.

    The tool ``"python"`` keeps its variables until the next reset.  A snapshot of ``env.unwrapped`` does not hold what
    the tools keep, nor the budget.

    >>> import gymnasium, palestra
    >>> from palestra.envs.code.tool_wrapper import ToolWrapper
    >>> from palestra.envs.code.tools import Tool
    >>> def add(a: int, b: int) -> int:
    ...     "Add two numbers."
    ...     return a + b
    >>> env = ToolWrapper(gymnasium.make("WebShop-v0"), tools=[Tool.of(add)], budget=2)
    >>> page, info = env.reset(seed=0)
    >>> env.step('<tool_call>{"name": "add", "arguments": {"a": 1, "b": 2}}</tool_call>')[0]
    'add: 3'

    Args:
        env: an environment whose observations and actions are text.
        tools: tools, and ``"python"`` for one that runs code in a sandbox.
        budget: tool calls per episode.
        sandbox: the backend for ``"python"``.

    Raises:
        TypeError: the environment does not speak text.
        ValueError: an unknown tool, two tools of one name, or a budget below 1.
        palestra.sandbox.SandboxUnavailable: this machine cannot run the sandbox that ``"python"`` needs.
    """

    def __init__(
        self,
        env: gymnasium.Env[str, str],
        tools: Sequence[Tool | str],
        budget: int = 5,
        sandbox: str = "bubblewrap",
    ) -> None:
        # A tool may hold a connection, which has no copy.
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, tools=tools, budget=budget, sandbox=sandbox)
        gymnasium.Wrapper.__init__(self, env)
        for space in (env.observation_space, env.action_space):
            if not isinstance(space, AnyText | gymnasium.spaces.Text):
                raise TypeError(f"tools are called in text, and this environment has {space}")
        if budget < 1:
            raise ValueError(f"budget must be at least 1, not {budget}")
        # What tools return is any text, and so is a call.
        self.observation_space = self.action_space = AnyText()
        unknown = [tool for tool in tools if isinstance(tool, str) and tool != "python"]
        if unknown:
            raise ValueError(f"there is no tool {unknown[0]!r}; by name there is 'python'")
        self._python = PythonTool(sandbox) if "python" in tools else None
        given = [tool for tool in tools if isinstance(tool, Tool)]
        self._tools = by_name([*given, *([self._python.tool] if self._python else [])])
        self._budget = budget
        self._left = 0
        self._playing = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode, with all calls left."""
        if self._python is not None:
            self._python.restart()
        observation, info = self.env.reset(seed=seed, options=options)
        self._left, self._playing = self._budget, True
        told = [
            f"Up to {self._budget} times you may call a tool before you answer, and see what it returns:",
            *(tool.line() for tool in self._tools.values()),
            f"A call is written {write_call('name', {'argument': 'value'})}",
        ]
        return "\n".join([*told, observation]), self._about(info, False)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Call the tools that the action calls, or step the environment."""
        calls = read_calls(action) if isinstance(action, str) and self._playing else None
        mine = [call for call in calls or [] if call.name in self._tools]
        if not mine:
            observation, reward, terminated, truncated, info = self.env.step(action)
            self._playing = not (terminated or truncated)
            return observation, float(reward), terminated, truncated, self._about(info, False)
        if len(mine) > self._left:
            feedback = f"{self._left} tool calls are left, and this makes {len(mine)}."
            return "", 0.0, False, False, self._about({"valid_action": False, "feedback": feedback}, True)
        self._left -= len(mine)
        results = "\n".join(f"{call.name}: {self._result(call)}" for call in mine)
        return results[:_LONGEST], 0.0, False, False, self._about({"valid_action": True}, True)

    def close(self) -> None:
        """Close the environment and what the tools keep."""
        if self._python is not None:
            self._python.close()
        super().close()

    def _result(self, call: Call) -> str:
        tool = self._tools[call.name]
        wrong = tool.wrong(call.values)
        if wrong is not None:
            return f"error: {wrong}"
        try:
            result = tool.call(**call.values)
        except ToolError as error:
            return f"error: {error}"
        return result if isinstance(result, str) else json.dumps(result)

    def _about(self, info: dict[str, Any], called: bool) -> dict[str, Any]:
        return {**info, "tool_call": called, "tool_calls_left": self._left}
