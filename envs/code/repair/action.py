"""What an agent may write: a whole program, or edits of single lines; around it, an explanation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 20_000
"""Characters of a program."""

_FENCE = re.compile(r"^```[^\n`]*\n(.*?)^```[^\S\n]*$", re.MULTILINE | re.DOTALL)
_EDIT = re.compile(r"[^\S\n]*(?:(replace|insert)\[(\d{1,4})\]\[(.*)\]|(delete)\[(\d{1,4})\])[^\S\n]*")


@dataclass(frozen=True, slots=True)
class Submission:
    """A program, and what was written around it."""

    program: str
    explanation: str = ""


def read(action: str, program: Sequence[str], name: str) -> Submission | str:
    """The submission that ``action`` makes of the lines of the ``program`` so far, or what is wrong with it.

    The last block between two lines of ``` is a whole program.  Without one, each line ``replace[n][text]``,
    ``insert[n][text]`` (after line n; 0 is the top) or ``delete[n]`` edits line n, all counted before any of them is
    done.  Text that begins with no blank takes the indentation of line n.  What defines ``name`` is a program itself.
    """
    blocks = list(_FENCE.finditer(action))
    if blocks:
        last = blocks[-1]
        return _checked(last[1], f"{action[: last.start()]}\n{action[last.end() :]}")
    lines = action.split("\n") if len(action) <= LONGEST else []
    edits = [(match, line) for line in lines if (match := _EDIT.fullmatch(line))]
    if edits:
        other = "\n".join(line for line in lines if not _EDIT.fullmatch(line))
        return _edited(program, [match for match, _ in edits], other)
    if re.search(rf"^(async )?def {re.escape(name)}\b", action, re.MULTILINE):
        return _checked(action, "")
    return "There is no program in this: write replace[line][text], or a whole program between two lines of ```."


def _edited(program: Sequence[str], edits: Sequence[re.Match[str]], explanation: str) -> Submission | str:
    """The program after all edits, each of which means the lines as they were before."""
    after: list[list[str]] = [[], *[[line] for line in program]]
    touched: set[tuple[bool, int]] = set()
    for edit in edits:
        verb, number = (edit[4], int(edit[5])) if edit[4] else (edit[1], int(edit[2]))
        least = 0 if verb == "insert" else 1
        if not least <= number <= len(program):
            return f"There is no line {number}: {verb} takes {least} to {len(program)}."
        if (verb == "insert", number) in touched:
            return f"Line {number} is edited twice."
        touched.add((verb == "insert", number))
        text = edit[3] or ""
        if text[:1] not in (" ", "\t") and number:
            indentation = program[number - 1]
            text = indentation[: len(indentation) - len(indentation.lstrip())] + text
        if verb == "insert":
            after[number].append(text)
        else:
            after[number][:1] = [] if verb == "delete" else [text]
    return _checked("\n".join(line for lines in after for line in lines), explanation)


def _checked(program: str, explanation: str) -> Submission | str:
    if len(program) > LONGEST:
        return f"The program has {len(program)} characters; at most {LONGEST} are taken."
    if not program.strip():
        return "The program is empty."
    return Submission(program.rstrip("\n"), explanation.strip())


def edit_towards(program: Sequence[str], wanted: Sequence[str], most: int = 3) -> str | None:
    """The edits that turn ``program`` into ``wanted`` where they differ in at most ``most`` lines, else None."""
    if len(program) != len(wanted):
        return None
    different = [number for number, (old, new) in enumerate(zip(program, wanted, strict=True)) if old != new]
    if not 0 < len(different) <= most:
        return None
    return "\n".join(f"replace[{number + 1}][{_brief(program[number], wanted[number])}]" for number in different)


def _brief(old: str, new: str) -> str:
    """``new`` without its indentation, where ``old`` has the same."""
    bare = new.lstrip()
    same = old[: len(old) - len(old.lstrip())] == new[: len(new) - len(bare)]
    return bare if same and bare else new
