"""ToolUse-v0: requests carried out by JSON calls of typed tools, graded by the state that they end in."""

from __future__ import annotations

import copy
import json
import zlib
from dataclasses import dataclass, replace
from typing import Any

from ...tool_calls import Call, read_calls, write_call
from ..base import Key, Outcome, TextTask, numbered, task_generator
from ..tools import ToolError
from .carrier import Carrier, carrier
from .domains import DOMAINS
from .oracle import next_call, shown_ids, solution
from .requests import KINDS, Request

_SEED = 2027
_MOST_CALLS = 8
"""Calls that one action may make."""
_LONGEST = 4000
FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an episode is: the domain's state as JSON, what was called, which ids were shown, and the last results."""

    state: str
    made: tuple[str, ...] = ()
    ids: frozenset[str] = frozenset()
    results: str = ""


class ToolUse(TextTask[Request, Progress]):
    """Do what a person asks for with the tools of a calendar, of files or of a shop.

    An action is one or several calls, each a JSON object in ``<tool_call>`` tags, as in ToolRL (arXiv:2504.13958);
    their results are the next observation.  The call ``finish``, with an answer where something was asked, ends the
    episode and pays 1 if the state is then what was wanted (whatever calls led to it) and the answer is right, else 0.

    ``info["tool_calls"]`` holds what a solver would have called in the action's place, which is what ToolRL's reward
    ``tool_format + tool_correct`` compares the action with; ``info["success"]`` whether it is done.

    Args:
        transport: ``"local"`` calls the tools in this process; ``"mcp"`` starts a server of the Model Context Protocol
            for them and calls them through it, which changes nothing else.

    Raises:
        ModuleNotFoundError: ``"mcp"`` without the package ``mcp``.
    """

    guide = "\n".join(
        [
            "Do what is asked for by calling tools. A call is JSON between tags, such as",
            write_call("find_events", {"title": "lunch"}),
            "Several calls may follow each other. You see their results, and can then make more. When all is done, "
            "call finish, with the answer if something was asked:",
            write_call(FINISH, {"answer": "12"}),
            "The tools, of which a request needs those of one group:",
            *(
                f"[{domain.name}]\n" + "\n".join(tool.line() for tool in domain.tools.values())
                for domain in DOMAINS.values()
            ),
            "finish(answer?: string): end, and answer.",
        ]
    )

    def __init__(self, transport: str = "local") -> None:
        super().__init__(numbered(train=500, validation=100, test=200))
        self._carrier: Carrier = carrier(transport)

    def make_task(self, key: Key) -> Request:
        """See :class:`TextTask`."""
        rng, kind = task_generator(_SEED, key), KINDS[key[1] % len(KINDS)]
        while True:
            request = kind(rng)
            if _split_of(request) == key[0]:
                return request

    def begin(self, task: Request) -> Progress:
        """Nothing is called yet."""
        return Progress(json.dumps(task.state))

    def act(self, task: Request, state: Progress, action: str) -> Outcome[Progress]:
        """Make the calls of the action, one after the other, up to one that fails."""
        info = {"tool_calls": [self._reference(task, state)]}
        calls = read_calls(action)
        if not calls:
            wrong = "a call cannot be read" if calls is None else "it calls no tool"
            return Outcome(state, feedback=f"{wrong.capitalize()}: write {write_call('name', {})}", info=info)
        if len(calls) > _MOST_CALLS:
            return Outcome(state, feedback=f"At most {_MOST_CALLS} calls are made at once.", info=info)
        results: list[str] = []
        after = state
        for number, call in enumerate(calls):
            if call.name == FINISH:
                if number + 1 < len(calls) or call.arguments.keys() - {"answer"}:
                    return Outcome(state, feedback="finish takes only an answer, and is the last call.", info=info)
                done = self._solved(task, after, call.values.get("answer", ""))
                return Outcome(after, float(done), True, info={**info, "success": done})
            after, result, wrong_call = self._call(task, after, call)
            if wrong_call is not None and number == 0:
                return Outcome(state, feedback=wrong_call, info=info)
            results.append(wrong_call or f"{call.name}: {result}")
            if wrong_call is not None:
                break
        return Outcome(replace(after, results="\n".join(results)[:_LONGEST]), info=info)

    def _call(self, task: Request, progress: Progress, call: Call) -> tuple[Progress, str, str | None]:
        """Make one call: what it leads to, its result as JSON, and what was wrong with it."""
        tool = task.domain.tools.get(call.name)
        if tool is None:
            return progress, "", f"There is no tool {call.name!r:.60} here; there are {', '.join(task.domain.tools)}."
        wrong = tool.wrong(call.values)
        if wrong is not None:
            return progress, "", f"{call.name}: {wrong}."
        try:
            state, result = self._carrier.call(task.domain, json.loads(progress.state), call.name, call.values)
        except ToolError as error:
            return progress, "", f"{call.name}: {error}."
        made = (*progress.made, write_call(call.name, call.values))
        return Progress(json.dumps(state), made, progress.ids | shown_ids(result)), json.dumps(result), None

    def _solved(self, task: Request, progress: Progress, answer: Any) -> bool:
        content = task.domain.content
        if content(json.loads(progress.state)) != content(task.goal):
            return False
        return task.answer is None or str(answer).strip().lower() == task.answer

    def show(self, task: Request, state: Progress) -> str:
        """What is asked for, the tools at hand, and what the last calls returned."""
        return f"{task.text}\n{state.results}" if state.results else f"{task.text}\n[{task.domain.name}]"

    def advise(self, task: Request, state: Progress) -> str:
        """One call at a time: look up, change, finish."""
        reference = self._reference(task, state)
        return write_call(reference["name"], reference["arguments"])

    def _reference(self, task: Request, progress: Progress) -> dict[str, Any]:
        made = [(name, values) for text in progress.made for name, values in _read(text)]
        call = next_call(task, json.loads(progress.state), made, progress.ids)
        if call is None:
            call = FINISH, {} if task.answer is None else {"answer": task.answer}
        # Parts of the task's goal are arguments, and who reads `info` may change it.
        return {"name": call[0], "arguments": copy.deepcopy(call[1])}

    def about(self, task: Request, state: Progress) -> dict[str, Any]:
        """See :class:`TextTask`."""
        return {"success": False, "domain": task.domain.name}

    def close(self) -> None:
        """End the server, if there is one."""
        self._carrier.close()
        super().close()


def _split_of(request: Request) -> str:
    """Which split a request belongs to: one that asks the same and is solved by the same calls is in the same split."""
    place = zlib.crc32(json.dumps([request.text, request.answer, solution(request)]).encode()) % 10
    return ("validation", "test", "test", *["train"] * 7)[place]


def _read(text: str) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name, call.values) for call in read_calls(text) or []]
