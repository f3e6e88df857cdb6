"""Tools: their schemas, ToolUse-v0 in process and through an MCP server, and tools around any environment."""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

import gymnasium
import pytest

from palestra import EnvironmentFault, Status, Trajectory, Turn
from palestra.envs.code.mcp_client import McpServer
from palestra.envs.code.tool_wrapper import ToolWrapper
from palestra.envs.code.tools import Tool, ToolError
from palestra.envs.code.tooluse import ToolUse
from palestra.envs.code.tooluse.domains import DOMAINS
from palestra.envs.code.tooluse.requests import KINDS
from palestra.envs.tool_calls import read_calls, write_call
from palestra.rewards import parse_reward


def greet(name: str, times: int = 1, tone: Literal["warm", "cold"] = "warm", titles: list[str] | None = None) -> str:
    """Say hello."""
    return f"hello {name}" * times


def order(items: dict[str, int], express: bool) -> int:
    """Order things."""
    return sum(items.values()) + express


# Tools.


def test_a_typed_function_is_a_tool() -> None:
    tool = Tool.of(order)
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "items": {"type": "object", "additionalProperties": {"type": "integer"}},
            "express": {"type": "boolean"},
        },
        "required": ["items", "express"],
        "additionalProperties": False,
    }
    assert tool.line() == "order(items: object of integer, express: boolean): Order things."


def test_a_type_without_a_schema_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot take"):
        Tool.of(greet)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"items": {"lamp": 1}, "express": False}, None),
        ({"items": {"lamp": 1}}, "express is missing"),
        ({"items": {"lamp": "1"}, "express": True}, "items.lamp must be of type integer"),
        ({"items": {"lamp": True}, "express": True}, "items.lamp must be of type integer"),
        ({"items": {}, "express": 1}, "express must be of type boolean"),
        ({"items": [], "express": True}, "items must be of type object"),
        ({"items": {}, "express": True, "gift": 1}, "there is no argument gift"),
    ],
)
def test_arguments_are_held_to_the_schema(arguments: dict[str, Any], said: str | None) -> None:
    wrong = Tool.of(order).wrong(arguments)
    assert wrong == said if said is None else said in str(wrong)


# ToolUse.


def play(env: ToolUse, task: int, split: str = "train") -> Trajectory:
    """The oracle's episode."""
    observation, _ = env.reset(options={"task": task, "split": split})
    trajectory = Trajectory("ToolUse-v0", task, 0)
    for _ in range(20):
        action = env.oracle()
        following, reward, terminated, _, info = env.step(action)
        trajectory.turns.append(Turn(observation, action, reward, info=info))
        observation = following
        if terminated:
            trajectory.status = Status.TERMINATED
            return trajectory
    raise AssertionError("the oracle does not finish")


def test_every_kind_of_request_is_done_by_the_oracle_which_tool_rl_pays_fully() -> None:
    env, reward = ToolUse(), parse_reward("tool_format + tool_correct")
    for task in range(2 * len(KINDS)):
        trajectory = play(env, task, "test")
        assert trajectory.turns[-1].reward == 1.0
        assert trajectory.turns[-1].info["success"] is True
        assert reward([trajectory])[0].tolist() == [4.0] * len(trajectory.turns)


def test_another_way_to_the_same_state_is_as_good() -> None:
    env = ToolUse()
    kinds = [kind.__name__ for kind in KINDS]
    env.reset(options={"task": kinds.index("rename"), "split": "train"})
    assert env._task is not None
    request = env._task
    (old,) = request.state["files"].keys() - request.goal["files"].keys()
    (new,) = request.goal["files"].keys() - request.state["files"].keys()
    calls = [
        write_call("write_file", {"path": new, "text": request.state["files"][old]}),
        write_call("delete_file", {"path": old}),
        write_call("finish", {}),
    ]
    _, reward, terminated, _, info = env.step("\n".join(calls))
    assert (reward, terminated, info["success"]) == (1.0, True, True)


def test_finishing_too_early_or_with_a_wrong_answer_is_not_paid() -> None:
    env = ToolUse()
    kinds = [kind.__name__ for kind in KINDS]
    for kind, answer in (("move", {}), ("when", {"answer": "sunday"}), ("price", {})):
        env.reset(options={"task": kinds.index(kind), "split": "train"})
        _, reward, terminated, _, info = env.step(write_call("finish", answer))
        assert (reward, terminated, info["success"]) == (0.0, True, False)


def test_who_changes_what_info_says_does_not_change_the_task() -> None:
    env = ToolUse()
    for kind in range(len(KINDS)):
        env.reset(options={"task": kind, "split": "train"})
        done = False
        while not done:
            _, reward, done, _, info = env.step(env.oracle())
            for call in info["tool_calls"]:
                call["arguments"].clear()
        assert reward == 1.0


def test_calls_after_one_that_fails_are_not_made() -> None:
    env = ToolUse()
    env.reset(options={"task": [kind.__name__ for kind in KINDS].index("write"), "split": "train"})
    good, bad = write_call("write_file", {"path": "x", "text": "1"}), write_call("read_file", {"path": "none"})
    page, _, _, _, info = env.step(good + bad + write_call("write_file", {"path": "y", "text": "2"}))
    assert info["valid_action"]
    assert "write_file: \"written\"\nread_file: there is no file 'none'." in page
    files = json.loads(env.step(write_call("list_files", {}))[0].partition("list_files: ")[2])
    assert "x" in files
    assert "y" not in files


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("hello", "calls no tool"),
        ("<tool_call>{</tool_call>", "cannot be read"),
        (write_call("find_orders", {}), "There is no tool 'find_orders' here"),
        (write_call("read_file", {"path": 3}), "path must be of type string"),
        (write_call("read_file", {"path": "none"}), "there is no file 'none'"),
        (write_call("finish", {"answer": 1, "more": 2}), "takes only an answer"),
        (write_call("finish", {}) + write_call("list_files", {}), "the last call"),
        (write_call("list_files", {}) * 9, "At most 8 calls"),
    ],
)
def test_a_call_that_fails_is_feedback_and_changes_nothing(action: str, said: str) -> None:
    env = ToolUse()
    env.reset(options={"task": [kind.__name__ for kind in KINDS].index("rename"), "split": "train"})
    before = env.snapshot()
    _, reward, terminated, _, info = env.step(action)
    assert (reward, terminated, info["valid_action"]) == (0.0, False, False)
    assert said in info["feedback"]
    assert env.snapshot() == before


# The Model Context Protocol.


def test_through_an_mcp_server_the_episodes_are_the_same() -> None:
    local, served = ToolUse(), ToolUse(transport="mcp")
    try:
        for task in (0, 6, 13):  # one of each domain
            ours, theirs = (
                [(turn.observation, turn.action, turn.reward, turn.info) for turn in play(env, task).turns]
                for env in (local, served)
            )
            assert ours == theirs
        served.reset(options={"task": 6, "split": "train"})
        assert "there is no file" in served.step(write_call("read_file", {"path": "none"}))[-1]["feedback"]
    finally:
        served.close()


def test_tools_of_an_mcp_server_go_around_any_environment() -> None:
    server = McpServer([sys.executable, "-m", "palestra.envs.code.tooluse.server", "files"])
    try:
        tools = server.tools()
        assert {tool.name for tool in tools} == {*DOMAINS["files"].tools, "load_state", "dump_state"}
        env = ToolWrapper(gymnasium.make("WebShop-v0"), tools=tools, budget=9)
        page, _ = env.reset(seed=0)
        assert "read_file(path: string): Read a file." in page
        env.step(write_call("load_state", {"state": json.dumps({"files": {"a": "hello"}})}))
        assert env.step(write_call("read_file", {"path": "a"}))[0] == 'read_file: "hello"'
        assert env.step(write_call("read_file", {"path": "b"}))[0] == "read_file: error: there is no file 'b'"
        assert env.step("search[shoes]")[-1]["tool_call"] is False
    finally:
        server.close()
    with pytest.raises(EnvironmentFault, match="is closed"):
        server.call("list_files", {})


def test_a_server_that_does_not_start_is_a_fault() -> None:
    with pytest.raises(EnvironmentFault, match="did not start"):
        McpServer([sys.executable, "-c", "raise SystemExit(3)"], timeout=60.0)


# Tools around an environment.


def add(a: int, b: int) -> int:
    """Add two numbers."""
    if a > 100:
        raise ToolError("too much")
    return a + b


def wrapped(budget: int = 2) -> ToolWrapper:
    return ToolWrapper(gymnasium.make("WebShop-v0"), tools=[Tool.of(add)], budget=budget)


def test_a_tool_call_does_not_step_the_environment() -> None:
    env, bare = wrapped(), gymnasium.make("WebShop-v0")
    page, info = env.reset(seed=3)
    first, _ = bare.reset(seed=3)
    assert page.endswith(first)
    assert "add(a: integer, b: integer): Add two numbers." in page
    assert info["tool_calls_left"] == 2
    observation, reward, terminated, truncated, info = env.step(write_call("add", {"a": 1, "b": 2}))
    assert (observation, reward, terminated, truncated) == ("add: 3", 0.0, False, False)
    assert (info["tool_call"], info["tool_calls_left"], info["valid_action"]) == (True, 1, True)
    assert env.step("search[red shoes]")[0] == bare.step("search[red shoes]")[0]


def test_beyond_the_budget_a_call_is_an_invalid_action() -> None:
    env = wrapped(budget=1)
    env.reset(seed=0)
    call = write_call("add", {"a": 1, "b": 2})
    assert env.step(call * 2)[-1]["valid_action"] is False
    assert env.step(call)[-1]["valid_action"] is True
    info = env.step(call)[-1]
    assert info["valid_action"] is False
    assert "0 tool calls are left" in info["feedback"]
    env.reset(seed=0)
    assert env.step(call)[0] == "add: 3"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"a": 1}, "add: error: b is missing"), ({"a": 101, "b": 0}, "add: error: too much")],
)
def test_the_agent_is_told_what_is_wrong_with_a_call(arguments: dict[str, Any], said: str) -> None:
    env = wrapped()
    env.reset(seed=0)
    assert env.step(write_call("add", arguments))[0] == said


def test_calls_of_tools_that_are_the_environments_own_go_to_it() -> None:
    env = ToolWrapper(gymnasium.make("ToolUse-v0"), tools=[Tool.of(add)])
    env.reset(options={"task": 6, "split": "train"})
    assert "list_files: [" in env.step(write_call("list_files", {}))[0]


def test_python_keeps_its_variables_for_an_episode() -> None:
    env = ToolWrapper(gymnasium.make("WebShop-v0"), tools=["python"])
    env.reset(seed=0)
    assert env.step(write_call("python", {"code": "x = 20\nx + 1"}))[0] == "python: 21"
    assert env.step(write_call("python", {"code": "print(x)"}))[0] == "python: 20"
    assert "ZeroDivisionError" in env.step(write_call("python", {"code": "1 / 0"}))[0]
    assert "[the variables are lost]" in env.step(write_call("python", {"code": "import os; os._exit(1)"}))[0]
    assert "NameError" in env.step(write_call("python", {"code": "x"}))[0]
    env.reset(seed=0)
    assert "NameError" in env.step(write_call("python", {"code": "x"}))[0]
    env.close()


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"tools": ["pyton"]}, ValueError, "no tool 'pyton'"),
        ({"tools": [Tool.of(add)] * 2}, ValueError, "same name: add"),
        ({"tools": [], "budget": 0}, ValueError, "budget"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        ToolWrapper(gymnasium.make("WebShop-v0"), **arguments)


def test_only_environments_of_text_can_be_wrapped() -> None:
    with pytest.raises(TypeError, match="in text"):
        ToolWrapper(gymnasium.make("FrozenLake-v1"), tools=[])  # type: ignore[arg-type]


def test_a_written_call_is_read_back() -> None:
    (call,) = read_calls(write_call("f", {"a": [1, {"b": None}], "c": "</x>"})) or []
    assert (call.name, call.values) == ("f", {"a": [1, {"b": None}], "c": "</x>"})
