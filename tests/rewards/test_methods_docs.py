"""The pages about methods are held to the code: blocks print what they say, names exist, commands run their checks."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import palestra.rewards
from palestra.rewards import parse
from palestra.training.advantages import ADVANTAGES

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "methods").glob("*.md"))
INDEX = ROOT / "docs" / "methods.md"

METHODS = {
    "reward": """ACECode, Auto MC-Reward, BARFI, CaRL, CDR, Clip & Delta, Co-Reward, Contrastive Text-to-SQL, DRO,
        Eureka, EvoVLA, FLR, G-RA, GRPO-CARE, GRPO-lambda, GUI-G1, GUI-G2, Hybrid multi-aspect reward, ICPL, KAGI,
        Lucy-SKG, Mixed-R1, MMBoundary, MR-RLVR, PAR, R^3, RGR-GRPO, RLPR, RPR, SAR, Self-Debug & Explain, Semantic
        encoder reward, SGP, Shop-R1, SophiaVL-R1, SSL4RL, Text2Reward, TGPO, ToolRL, Vision-SR1, VLM-RM, 3D-R1,
        STVG-o1, TRivia""",
    "intrinsic-reward": "ONI, RLP, RLSP, SLIM",
    "credit-assignment": "CALM, EMPG, LaRe, OPRL, T-REG, TP-GRPO",
    "judge": "Flex-Judge, MPO, Self-J, SSR-Zero",
    "reward-model": """DeepSeek-GRM, EditScore, GLoRe, Goal-conditioned RM, HERON, Multi-objective GRPO, POLAR, Regret
        preference model, Reward-Robust RLHF, RewardDance, RM-R1, RoboFuME, SALMON, Think-RM, TRM,
        UnifiedReward-Think, VeriRL, VPL""",
}
"""What the literature has of each kind, as far as it was gone through."""
STATES = ("shown", "partly: ", "**not seen**: ")


class Row(NamedTuple):
    """A line of a page's table."""

    page: str
    method: str
    name: str
    pays: str
    check: str
    measured: str


def cells(page: Path) -> Iterator[list[str]]:
    """Of each line of a page's tables that begins with a method, the cells."""
    for line in page.read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| method "):
            yield line.strip("| ").split(" | ")


ROWS = [Row(page.stem, *row) for page in PAGES for row in cells(page) if len(row) == len(Row._fields) - 1]
LISTED = list(cells(INDEX))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_blocks_print_what_they_say(page: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {"__name__": "__main__"}, page.name, str(page), 0)
    report: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert result.attempted > 0
    assert result.failed == 0, "".join(report)


def test_every_page_is_listed() -> None:
    pages = re.findall(r"\]\(methods/([\w-]+)\.md\)", (ROOT / "docs" / "rewards.md").read_text())
    assert sorted(pages) == [page.stem for page in PAGES]


def test_every_method_is_listed_under_its_kind_with_its_state() -> None:
    listed = {(re.split(r"[\]]", method)[0].strip("["), kind) for method, kind, _, _ in LISTED}
    for kind, names in METHODS.items():
        for name in re.split(r",\s+", names):
            wanted = " ".join(name.split())
            assert any(is_kind == kind and one.startswith(wanted) for one, is_kind in listed), (wanted, kind)
    assert len(LISTED) == sum(len(names.split(",")) for names in METHODS.values())
    assert all(state.startswith(STATES) for _, _, _, state in LISTED)


@pytest.mark.parametrize("row", LISTED, ids=lambda row: row[0].split("]")[0].strip("["))
def test_what_is_listed_is_on_its_pages(row: list[str]) -> None:
    [paper] = re.findall(r"arxiv\.org/abs/([\d.]+)", row[0])
    for page in re.findall(r"\]\(methods/([\w-]+)\.md\)", row[2]):
        assert any(paper in each.method for each in ROWS if each.page == page), page


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.page} {row.method[:20]}")
def test_what_a_page_names_exists(row: Row) -> None:
    snippets = re.findall(r"`([^`]+)`", row.name)
    assert snippets
    for snippet in snippets:
        estimator = re.fullmatch(r'advantage = "(\w+)"', snippet)
        if estimator:
            assert estimator[1] in ADVANTAGES
            continue
        for name in called(snippet):
            assert exists(name), f"{name} in {snippet}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.page} {row.method[:20]}")
def test_what_a_page_runs_is_a_check(row: Row) -> None:
    elsewhere = re.fullmatch(r"see \[[\w ]+\]\(([\w-]+)\.md\)", row.check)
    if elsewhere:
        assert any(other.page == elsewhere[1] and other.method == row.method for other in ROWS)
        return
    assert row.measured
    commands = re.findall(r"`([^`]+)`", row.check)
    assert commands
    for command in commands:
        chosen = [slow for path in files_of(command) for slow in selected(path, keyword_of(command))]
        assert chosen, command
        assert (' -m ""' in command) == any(chosen), f"{command} selects {'slow' if any(chosen) else 'no slow'} tests"


def test_every_name_of_the_shelves_is_on_a_page() -> None:
    told = "\n".join(page.read_text() for page in PAGES)
    shelves = [importlib.import_module(f"palestra.rewards.{shelf}") for shelf in parse.SHELVES]
    missing = [name for shelf in shelves for name in shelf.__all__ if not re.search(rf"\b{name}\b", told)]
    assert not missing


def called(snippet: str) -> list[str]:
    """The names that an expression calls or that stand in it outside of brackets."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"|\w+:\w+|my_\w+", "", snippet)
    names = re.findall(r"(?<![\w.])[A-Za-z_][\w.]*(?=\()", text)
    while (flat := re.sub(r"\([^()]*\)", "", text)) != text:
        text = flat
    return names + re.findall(r"(?<![\w.-])[A-Za-z_][\w.]*(?!\w*\s*=)\b", re.sub(r"-v\d+", "", text))


def exists(name: str) -> bool:
    """Whether a module of rewards (or of scoring and asking models) has what a dotted name says."""
    first, *rest = name.split(".")
    found = names().get(first, [])
    for attribute in rest:
        found = [getattr(owner, attribute) for owner in found if hasattr(owner, attribute)]
    return bool(found)


@cache
def names() -> dict[str, list[Any]]:
    """What every module of rewards defines by its name, and the modules themselves."""
    found: dict[str, list[Any]] = {}
    modules = [name for _, name, _ in pkgutil.walk_packages(palestra.rewards.__path__, "palestra.rewards.")]
    for full in [*modules, "palestra.agents.scoring", "palestra.agents.ask"]:
        if full.endswith(".worker"):
            continue  # runs in a process of its own
        module = importlib.import_module(full)
        found.setdefault(full.rpartition(".")[2], []).append(module)
        for name, value in vars(module).items():
            found.setdefault(name, []).append(value)
    return found


def files_of(command: str) -> list[Path]:
    """The test files that a command names."""
    words = shlex.split(command)
    assert words[0] == "pytest"
    return [ROOT / word for word in words[1:] if word.startswith("tests/")]


def keyword_of(command: str) -> str:
    """What a command selects by, empty for all."""
    words = shlex.split(command)
    return words[words.index("-k") + 1] if "-k" in words else ""


def selected(path: Path, keyword: str) -> list[bool]:
    """Of each test in a file that ``-k keyword`` selects by its name, whether it is slow."""
    wanted = re.split(r" or ", keyword)
    tests = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    return [
        any("mark.slow" in ast.unparse(decorator) for decorator in test.decorator_list)
        for test in tests
        if test.name.startswith("test_") and any(word in test.name for word in wanted)
    ]
