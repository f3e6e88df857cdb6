"""What is delivered: every module and data file in the wheel, nothing else, and one version."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, metadata, version
from pathlib import Path
from typing import Any

import pytest

import palestra


@pytest.fixture(scope="module")
def pyproject(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


def package_folders(root: Path) -> list[Path]:
    """The folders, below the root, that hold an ``__init__.py``; the tests and whatever else has none are left out."""
    tops = [path.parent for path in root.glob("*/__init__.py")]
    return sorted(path.parent for top in tops for path in top.rglob("__init__.py"))


def files(folder: Path) -> set[str]:
    """Every file below ``folder`` but compiled ones, as paths relative to it."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


def test_every_package_is_listed(root: Path, pyproject: dict[str, Any]) -> None:
    found = {".".join(["palestra", *folder.relative_to(root).parts]) for folder in package_folders(root)}
    assert set(pyproject["tool"]["setuptools"]["packages"]) == found | {"palestra"}


def test_the_wheel_holds_the_package_and_its_data(root: Path, wheel: Path) -> None:
    folders = [folder.relative_to(root) for folder in root.iterdir() if (folder / "__init__.py").exists()]
    below = {f"{folder}/{name}" for folder in [*folders, Path("recipes")] for name in files(root / folder)}
    assert files(wheel / "palestra") == below | {path.name for path in root.glob("*.py")} | {"py.typed"}


def test_the_wheel_installs_nothing_beside_the_package(wheel: Path) -> None:
    beside = {path.name for path in wheel.iterdir()} - {"palestra", "bin"}
    assert beside == {f"palestra-{version('palestra')}.dist-info"}


def test_the_licence_is_delivered(root: Path, wheel: Path) -> None:
    licence = next(wheel.glob("*.dist-info")) / "licenses" / "LICENSE"
    assert licence.read_text() == (root / "LICENSE").read_text()
    assert metadata("palestra")["License-Expression"] == "Apache-2.0"


def test_there_is_one_version(root: Path, pyproject: dict[str, Any]) -> None:
    assert palestra.__version__ == version("palestra") == pyproject["project"]["version"]
    assert f"## [{palestra.__version__}]" in (root / "CHANGELOG.md").read_text()


def test_the_command_is_installed() -> None:
    (script,) = entry_points(group="console_scripts", name="palestra")
    help_ = subprocess.run([sys.executable, "-m", "palestra", "--help"], capture_output=True, text=True, check=True)
    assert "usage: palestra" in help_.stdout
    with pytest.raises(SystemExit) as stop:
        script.load()(["--help"])
    assert stop.value.code == 0


def test_the_package_is_imported_under_its_own_name_only(root: Path) -> None:
    inside = [root / "__init__.py", *(folder / "__init__.py" for folder in package_folders(root))]
    found = {
        name
        for name, module in sys.modules.items()
        if getattr(module, "__file__", None) in {str(path) for path in inside}
    }
    assert {name.partition(".")[0] for name in found} <= {"palestra"}
