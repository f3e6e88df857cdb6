"""The floors of the house: imports only ever point down, and importing the package stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FLOORS = [
    ["trajectory", "trajectory_io"],
    ["sandbox"],
    ["envs"],
    ["rewards"],
    ["agents"],
    ["training"],
    ["viewer"],
    ["palestra", "train", "cli", "__main__"],
]
"""From the ground up.  ``palestra`` is the package's own ``__init__.py``."""
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}

MODEL_LIBRARIES = {
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "accelerate",
    "peft",
    "trl",
    "vllm",
    "jaxtyping",
}
"""What only ``agents``, the floors above it and :data:`LEARNED` may import, in whatever way."""
LEARNED = ("rewards", "learned")
"""The one folder below ``agents`` that may: the reward models."""
HEAVY = [*sorted(MODEL_LIBRARIES), "matplotlib", "bm25s", "tensorboard", "datasets", "pandas", "scipy", "spacy", "tyro"]
"""What importing the package must not load."""


def modules() -> list[Path]:
    """Every module of the package, relative to the root."""
    folders = [path.parent for path in ROOT.glob("*/__init__.py")]
    found = [*ROOT.glob("*.py"), *(path for folder in folders for path in folder.rglob("*.py"))]
    return sorted(path.relative_to(ROOT) for path in found)


def floor(module: str) -> str:
    """The floor of ``palestra.x.y``: ``x``; of the package itself: ``palestra``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "palestra"


def dotted(path: Path) -> list[str]:
    """``envs/shop/page.py`` as ``[palestra, envs, shop, page]``, a package as its folder."""
    parts = ["palestra", *path.with_suffix("").parts]
    return parts[:-1] if parts[-1] == "__init__" else parts


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def imports(source: str, path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every module that ``source`` imports, wherever in it and however."""
    package = dotted(path) if path.name == "__init__.py" else dotted(path)[:-1]
    for node in ast.walk(ast.parse(source, str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{target}.{alias.name}"
                yield node.lineno, full if target.split(".")[0] == "palestra" and is_module(full) else target
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__", "lazy_import"):
                yield node.lineno, str(node.args[0].value)


def breaches(source: str, path: Path) -> list[str]:
    """What in ``source``, the text of the module at ``path``, goes against the floors."""
    here = floor(".".join(dotted(path)))
    found = []
    for line, name in imports(source, path):
        top = name.split(".")[0]
        if top == "palestra" and LEVEL[floor(name)] > LEVEL[here]:
            found.append(f"{path}:{line}: {here} imports {name}, which stands above it")
        if top in MODEL_LIBRARIES and LEVEL[here] < LEVEL["agents"] and path.parts[:2] != LEARNED:
            found.append(f"{path}:{line}: {here} imports {name}, which only agents and above may")
        if top in LEVEL and top != "palestra":
            found.append(f"{path}:{line}: {name} is imported without `palestra.`")
    return found


def test_every_module_stands_on_a_floor() -> None:
    homeless = [str(path) for path in modules() if floor(".".join(dotted(path))) not in LEVEL]
    assert not homeless, "give these a floor in FLOORS"


@pytest.mark.parametrize("path", modules(), ids=str)
def test_imports_point_down(path: Path) -> None:
    assert breaches((ROOT / path).read_text(), path) == []


def names_itself(source: str) -> bool:
    """Whether ``source`` imports ``palestra`` by its name."""
    for node in ast.walk(ast.parse(source)):
        absolute = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        absolute += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
        if any(name.split(".")[0] == "palestra" for name in absolute):
            return True
    return False


def test_inside_the_package_imports_are_relative() -> None:
    assert names_itself("def f():\n    from palestra.envs import a")
    assert not names_itself("from .palestra import a")
    found = [str(path) for path in modules() if path != Path("train.py") and names_itself((ROOT / path).read_text())]
    assert found == []


@pytest.mark.parametrize("folder", ["tests", "benchmarks", "examples"])
def test_outside_code_imports_the_package_by_its_name(folder: str) -> None:
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        for line, name in imports(path.read_text(), path.relative_to(ROOT)):
            if name.split(".")[0] in LEVEL and name.split(".")[0] != "palestra":
                found.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert found == []


@pytest.mark.parametrize(
    ("path", "source", "wanted"),
    [
        ("envs/a.py", "from ..rewards import b", "envs imports palestra.rewards, which stands above it"),
        ("envs/shop/a.py", "from ...training.b import c", "envs imports palestra.training.b, which stands above it"),
        ("envs/a.py", "def f():\n    from .. import agents", "envs imports palestra.agents, which stands above it"),
        ("envs/__init__.py", "from ..training import x", "envs imports palestra.training, which stands above it"),
        ("sandbox/a.py", "import palestra.envs", "sandbox imports palestra.envs, which stands above it"),
        ("training/a.py", "from palestra import __version__", "training imports palestra, which stands above it"),
        ("trajectory.py", "from .sandbox import a", "trajectory imports palestra.sandbox, which stands above it"),
        ("rewards/learned.py", "import torch", "rewards imports torch, which only agents"),
        ("rewards/learned/a.py", "from ...agents import b", "rewards imports palestra.agents, which stands above it"),
        ("rewards/a.py", "if TYPE_CHECKING:\n    import torch.nn", "rewards imports torch.nn, which only agents"),
        ("envs/a.py", "def f():\n    from transformers import A", "envs imports transformers, which only agents"),
        ("envs/a.py", "importlib.import_module('torch')", "envs imports torch, which only agents"),
        ("training/a.py", "from envs import b", "envs is imported without `palestra.`"),
    ],
)
def test_a_breach_is_found(path: str, source: str, wanted: str) -> None:
    found = breaches(source, Path(path))
    assert len(found) == 1
    assert wanted in found[0]


def test_what_points_down_is_allowed() -> None:
    lines = [
        "import torch",
        "from . import b",
        "from .b import c",
        "from .. import envs, trajectory",
        "from ..envs.a import b",
    ]
    assert breaches("\n".join(lines), Path("agents/a.py")) == []
    assert breaches("import torch\nfrom ..reward import b", Path("rewards/learned/a.py")) == []


PROBE = """
    import sys, time

    def refuse(event, arguments):
        if event.startswith("socket."):
            raise SystemExit(f"importing palestra used the network: {event}{arguments}")

    sys.addaudithook(refuse)
    began = time.process_time()
    import palestra
    print(time.process_time() - began)
    print(*{name.partition(".")[0] for name in sys.modules})
"""


@pytest.fixture(scope="module")
def fresh_imports() -> list[tuple[float, set[str]]]:
    """CPU seconds and loaded packages of three imports in processes of their own, where sockets are refused."""
    found = []
    for _ in range(3):
        command = [sys.executable, "-c", textwrap.dedent(PROBE)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        seconds, loaded = result.stdout.splitlines()
        found.append((float(seconds), set(loaded.split())))
    return found


def test_importing_is_light(fresh_imports: list[tuple[float, set[str]]]) -> None:
    assert min(seconds for seconds, _ in fresh_imports) < 0.5


def test_importing_loads_nothing_heavy(fresh_imports: list[tuple[float, set[str]]]) -> None:
    assert "gymnasium" in fresh_imports[0][1]
    assert fresh_imports[0][1].isdisjoint(HEAVY)
