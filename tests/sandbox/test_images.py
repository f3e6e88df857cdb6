"""What sessions see around their files: images of one's own, and images made of sessions."""

import io
import tarfile
from pathlib import Path

from palestra.sandbox import Sandbox, open_sandbox

from .engine import tree


def test_a_folder_is_an_image_of_bubblewrap(bubblewrap: Sandbox, tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(tree())) as archive:
        archive.extractall(tmp_path, filter="tar")
    (tmp_path / "only-here").write_text("seen")
    with bubblewrap.open({"x": "1"}, image=str(tmp_path)) as session:
        code = "print(open('/only-here').read(), open('x').read())\nopen('/only-here', 'w')"
        result = session.run(code)
        assert result.text == "seen 1\n"
        assert "Read-only" in result.error_text or "Permission" in result.error_text
        assert session.run(["python3", "-c", "print(2)"]).text == "2\n"
        assert session.run(["bash", "-c", "ls /usr/share"]).exit_code != 0
        with session.fork() as fork:
            assert fork.run("print(open('/only-here').read())").text == "seen\n"


def test_a_container_becomes_an_image(docker: Sandbox) -> None:
    with docker.open({"folder/x": "kept"}) as session:
        name = session.commit("palestra-kept:1")  # type: ignore[attr-defined]
        session.write("folder/x", "changed")
    with docker.open({"y": "more"}, image=name) as session:
        assert session.read("folder/x") == b"kept"
        assert sorted(session.files()) == ["folder", "folder/x", "y"]


def test_packages_and_modules_made_ready(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "helpful.py").write_text("")
    with open_sandbox("bubblewrap", packages=[tmp_path], preload=["helpful"]) as sandbox:
        assert sandbox.run("import sys; print('helpful' in sys.modules)").text == "True\n"
        assert sandbox.run(["python3", "-c", "import helpful; print(helpful.__name__)"]).text == "helpful\n"
