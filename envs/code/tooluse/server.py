"""A server of the Model Context Protocol for the tools of a domain.

``python -m palestra.envs.code.tooluse.server shop`` speaks over standard input and output.  Besides the tools there are
``load_state`` and ``dump_state``, for whoever sets up an episode.  Results are JSON text.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from mcp import stdio_server
from mcp.server.lowlevel import Server
from mcp.types import CallToolResult, ListToolsResult, TextContent
from mcp.types import Tool as McpTool

from ..tools import Tool, ToolError
from .domains import DOMAINS, Domain, State


def load_state(state: str) -> str:
    """Replace the state by this one, as JSON."""
    raise NotImplementedError


def dump_state() -> str:
    """The state as JSON."""
    raise NotImplementedError


def serve(domain: Domain) -> Server[Any]:
    """The server of a domain, whose state is empty until one is loaded."""
    state: State = {}
    tools = {**domain.tools, "load_state": Tool.of(load_state), "dump_state": Tool.of(dump_state)}

    async def list_tools(context: Any, request: Any) -> ListToolsResult:
        return ListToolsResult(
            tools=[
                McpTool(name=tool.name, description=tool.description, input_schema=dict(tool.parameters))
                for tool in tools.values()
            ]
        )

    async def call_tool(context: Any, request: Any) -> CallToolResult:
        arguments = request.arguments or {}
        try:
            if request.name not in tools:
                raise ToolError(f"there is no tool {request.name}")
            if wrong := tools[request.name].wrong(arguments):
                raise ToolError(wrong)
            if request.name == "load_state":
                loaded = json.loads(arguments["state"])
                state.clear()
                state.update(loaded)
                text = "loaded"
            elif request.name == "dump_state":
                text = json.dumps(state)
            else:
                text = json.dumps(tools[request.name].call(state, **arguments))
        except ToolError as error:
            return CallToolResult(content=[TextContent(text=str(error))], is_error=True)
        return CallToolResult(content=[TextContent(text=text)])

    return Server(f"palestra-{domain.name}", on_list_tools=list_tools, on_call_tool=call_tool)


async def _run(domain: Domain) -> None:
    server = serve(domain)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in DOMAINS:
        sys.exit(f"usage: python -m palestra.envs.code.tooluse.server {{{','.join(DOMAINS)}}}")
    asyncio.run(_run(DOMAINS[sys.argv[1]]))
