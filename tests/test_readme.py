"""Everything that the README shows is run: Python as it stands, commands as they stand or, where long, shortened."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from palestra.agents.small import save_small_model

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"

SHORT_TRAINING = [
    "--steps=1",
    "--warm-start.epochs=1",
    "--rollout.groups=2",
    "--rollout.group-size=2",
    "--rollout.max-turns=2",
    "--rollout.max-tokens=4",
    "--evaluation.tasks=2",
    "--small.hidden=48",
    "--small.layers=2",
    "--device=cpu",
]
"""What is added to ``python train.py ...``, so that it ends in seconds."""
SHORT_CONTROL = ["--steps=64", "--num-envs=2", "--horizon=32", "--evaluation.episodes=2"]
"""The same for continuous control."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the ``text`` block right below it, which shows what it prints."""

    line: int
    language: str
    text: str
    output: str | None


def blocks(markdown: str) -> list[Block]:
    """The fenced blocks of a page in their order; an output belongs to the block above it."""
    fences = re.compile(r"^```(\w*)\n(.*?)^```$(\n\n?(?=```text$))?", re.MULTILINE | re.DOTALL)
    found: list[Block] = []
    followed = False
    for match in fences.finditer(markdown):
        line = markdown[: match.start()].count("\n") + 1
        if match[1] == "text" and followed:
            last = found.pop()
            found.append(Block(last.line, last.language, last.text, match[2]))
        else:
            found.append(Block(line, match[1], match[2], None))
        followed = match[3] is not None
    return found


BLOCKS = blocks(README.read_text())


def named(*languages: str) -> list[Any]:
    return [pytest.param(block, id=f"line-{block.line}") for block in BLOCKS if block.language in languages]


def run(command: list[str], folder: Path) -> str:
    """What ``command`` prints, run in ``folder``; it must succeed."""
    result = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False
    )
    assert result.returncode == 0, f"{shlex.join(command)}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def assert_prints(wanted: str, got: str) -> None:
    """``...`` in ``wanted`` stands for anything; how much white space there is does not matter."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if not doctest.OutputChecker().check_output(wanted, got, flags):
        pytest.fail(doctest.OutputChecker().output_difference(doctest.Example("", wanted), got, flags))


def run_shown(command: list[str], folder: Path) -> str:
    """What a command of the README prints; of a long one, only that it would start is checked."""
    environment, command = split_variables(command)
    match command:
        case ["make", *arguments]:
            run(["make", "--dry-run", "-C", str(ROOT), *arguments], folder)
            return ""
        case ["python", "train.py", *arguments]:
            command = [sys.executable, str(ROOT / "train.py"), *shortened(arguments, folder)]
        case ["python", "-m", "palestra", *arguments] | ["palestra", *arguments]:
            command = [sys.executable, "-m", "palestra", *arguments]
        case ["pip", "install", requirement]:
            extras = re.fullmatch(r"palestra(?:\[([\w,]+)\])?", requirement)
            assert extras, f"not this package: {requirement}"
            known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
            assert set((extras[1] or "").split(",")) - {""} <= set(known)
            return ""
        case _:
            pytest.fail(f"no one checks the command {shlex.join(command)!r}: teach it to this test")
    return run(["env", *environment, *command], folder)


def shortened(arguments: list[str], folder: Path) -> list[str]:
    """The arguments of a training that ends in seconds, with a small model in place of any that would be fetched."""
    if "--model" in arguments:
        model = folder / "model"
        save_small_model(model, ["WebShop Instruction Search click buy now price"], vocab_size=300, hidden=32, layers=1)
        place = arguments.index("--model") + 1
        arguments = [*arguments[:place], str(model), *arguments[place + 1 :]]
    if "--algorithm" in arguments:
        return [*arguments, *SHORT_CONTROL]
    if "--env" not in arguments:
        arguments = [*arguments, "--warm-start.demonstrations=16"]
    return [*arguments, *SHORT_TRAINING]


def split_variables(command: list[str]) -> tuple[list[str], list[str]]:
    """``A=1 B=2 command`` as its variables and the command."""
    count = next((i for i, word in enumerate(command) if not re.match(r"\w+=", word)), len(command))
    return command[:count], command[count:]


@pytest.mark.parametrize("block", named("python"))
def test_python_runs_and_prints_what_is_shown(block: Block, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block.text)
    printed = run([sys.executable, str(script)], tmp_path)
    if block.output is not None:
        assert_prints(block.output, printed)


@pytest.mark.parametrize("block", named("bash", "console"))
def test_commands_run_and_print_what_is_shown(block: Block, tmp_path: Path) -> None:
    lines = block.text.replace("\\\n", " ").splitlines()
    commands = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    printed = "".join(run_shown(command, tmp_path) for command in commands if command)
    if block.output is not None:
        assert_prints(block.output, printed)


def test_every_block_is_run() -> None:
    assert {block.language for block in BLOCKS} <= {"python", "bash", "console"}, "a block that no test runs"


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_blocks_are_found_with_their_output() -> None:
    page = "a\n```python\nprint(1)\n```\n\n```text\n1\n```\n```bash\nmake\n```\n\nprose\n\n```text\nfree\n```\n"
    assert blocks(page) == [
        Block(2, "python", "print(1)\n", "1\n"),
        Block(9, "bash", "make\n", None),
        Block(15, "text", "free\n", None),
    ]


def test_a_wrong_output_is_noticed() -> None:
    assert_prints("score ...\n", "score 0.5\n")
    with pytest.raises(pytest.fail.Exception):
        assert_prints("score 1.0\n", "score 0.5\n")


def test_an_unknown_command_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="no one checks"):
        run_shown(["curl", "example"], tmp_path)
    with pytest.raises(AssertionError, match="No rule to make target"):
        run_shown(["make", "no-such-target"], tmp_path)
