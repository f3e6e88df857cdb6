"""A container engine of the tests' own, and an image of this machine's Python and shell, since none can be pulled."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IMAGE = "palestra-test:latest"
_PROGRAMS = ("bash", "sh", "cat", "ls", "true", "sleep", "mkdir", "grep", "yes")


@contextmanager
def running_engine(folder: Path) -> Iterator[str]:
    """Start dockerd in a folder; gives the address of its socket."""
    program = shutil.which("dockerd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    assert program, "the tests need dockerd: apt install docker.io"
    address = f"unix://{folder}/docker.sock"
    command = [program, "-H", address, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
    command += ["--pidfile", f"{folder}/dockerd.pid", "--iptables=false", "--bridge=none", "--ip-forward=false"]
    with open(folder / "log", "wb") as log:
        engine = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        )
    try:
        deadline = time.monotonic() + 60
        while not _answers(address):
            if engine.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dockerd did not start:\n{(folder / 'log').read_text()[-3000:]}")
            time.sleep(0.1)
        yield address
    finally:
        engine.terminate()
        engine.wait(60)


def _answers(address: str) -> bool:
    import docker

    try:
        with_client = docker.DockerClient(base_url=address)
    except docker.errors.DockerException:
        return False
    with_client.close()
    return True


def make_image(address: str) -> None:
    """Import the image."""
    import docker

    client = docker.DockerClient(base_url=address)
    client.api.import_image_from_data(tree(), repository=IMAGE.partition(":")[0], tag=IMAGE.partition(":")[2])
    client.close()


def tree() -> bytes:
    """A file system with a Python and a shell, as a tar archive."""
    python = os.path.realpath(sys._base_executable)
    library = Path(os.__file__).parent
    wanted = {python} | {path for name in _PROGRAMS if (path := shutil.which(name))}
    extensions = [str(path) for path in library.glob("lib-dynload/*.so")]
    libraries = {path for file in [*wanted, *extensions] for path in _libraries(file)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as archive:
        for name in ("work", "tmp", "proc", "dev", "sys", "etc"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for path in sorted(wanted | libraries):
            archive.add(path, path.lstrip("/"))
        for name in _PROGRAMS:
            _link(archive, f"bin/{name}", str(shutil.which(name)))
        _link(archive, "usr/bin/python3", python)
        archive.add(library, str(library).lstrip("/"), filter=_needed)
        passwd = b"root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000:user:/work:/bin/bash\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size = len(passwd)
        archive.addfile(entry, io.BytesIO(passwd))
    return buffer.getvalue()


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    if f"/{name}" != target:
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, target
        archive.addfile(link)


def _libraries(file: str) -> list[str]:
    said = subprocess.run(["ldd", file], capture_output=True, text=True, check=False).stdout
    return [word for line in said.splitlines() for word in line.split() if word.startswith("/")]


def _needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    left_out = (
        "/test",
        "/site-packages",
        "/__pycache__",
        "/idlelib",
        "/tkinter",
        "/ensurepip",
        "/config-",
        "/turtledemo",
        "/lib2to3",
        "/pydoc_data",
    )
    return None if any(part in member.name for part in left_out) else member
