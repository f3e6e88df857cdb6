"""What an agent writes, read as the reference reads it."""

from __future__ import annotations


def parse_action(action: object) -> tuple[str, str | None]:
    r"""``"click[Buy Now]"`` -> ``("click", "buy now")``; the argument is None where there is none.

    The reference matches ``(.+)\[(.+)\]`` from the start: the first line counts, its last ``]`` closes the argument,
    and the last ``[`` that leaves the argument a character opens it.  Here in linear time, whatever the text.
    """
    if not isinstance(action, str):
        return "", None
    line = action.partition("\n")[0]
    end = line.rfind("]")
    start = line.rfind("[", 1, max(end - 1, 1))
    if start < 0:
        return action, None
    return line[:start], line[start + 1 : end].lower()


def click(name: str) -> str:
    """The action that clicks ``name``."""
    return f"click[{name}]"


def search(query: str) -> str:
    """The action that searches for ``query``."""
    return f"search[{query}]"
