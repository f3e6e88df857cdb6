"""Who carries a call out: this process, or a server of the Model Context Protocol."""

from __future__ import annotations

import copy
import json
import sys
from typing import Any, Protocol

from ...abilities import EnvironmentFault
from .domains import Domain, State


class Carrier(Protocol):
    """Carries calls out."""

    def call(self, domain: Domain, state: State, name: str, arguments: dict[str, Any]) -> tuple[State, Any]:
        """The state after a call of one of the domain's tools, and its result.

        Raises :class:`~palestra.envs.code.tools.ToolError` for what the agent is to be told, and
        :class:`EnvironmentFault` where the server is lost.
        """
        ...

    def close(self) -> None: ...


def carrier(transport: str) -> Carrier:
    """The carrier of that name.  Raises ValueError for an unknown one."""
    if transport == "local":
        return Local()
    if transport == "mcp":
        return Served()
    raise ValueError(f"transport must be 'local' or 'mcp', not {transport!r}")


class Local:
    """Calls the tools in this process."""

    def call(self, domain: Domain, state: State, name: str, arguments: dict[str, Any]) -> tuple[State, Any]:
        """See :class:`Carrier`."""
        after = copy.deepcopy(state)
        return after, domain.tools[name].call(after, **arguments)

    def close(self) -> None:
        """Nothing is held."""


class Served:
    """Calls the tools through one server for each domain, which is started at the first call.

    The server is given the state with each call and asked for it afterwards, so that an episode can be forked.
    """

    def __init__(self) -> None:
        from ..mcp_client import McpServer

        self._make = McpServer
        self._servers: dict[str, McpServer] = {}

    def call(self, domain: Domain, state: State, name: str, arguments: dict[str, Any]) -> tuple[State, Any]:
        """See :class:`Carrier`."""
        server = self._server(domain)
        server.call("load_state", {"state": json.dumps(state)})
        result = server.call(name, arguments)
        return json.loads(server.call("dump_state", {})), json.loads(result)

    def _server(self, domain: Domain) -> Any:
        if domain.name not in self._servers:
            server = self._make([sys.executable, "-m", "palestra.envs.code.tooluse.server", domain.name])
            offered = {tool.name for tool in server.tools()}
            if not domain.tools.keys() <= offered:
                raise EnvironmentFault(f"the server of {domain.name} offers {', '.join(sorted(offered))}")
            self._servers[domain.name] = server
        return self._servers[domain.name]

    def close(self) -> None:
        """End the servers."""
        while self._servers:
            self._servers.popitem()[1].close()
