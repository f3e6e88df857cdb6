"""What every backend does, isolating or not."""

import hashlib
import io
import tarfile

import pytest

from palestra.sandbox import Limits, RunStatus, Sandbox, SandboxFault, Session, open_sandbox

SMALL = Limits(wall_s=20, cpu_s=1, memory_bytes=96 << 20, output_bytes=10_000, disk_bytes=8 << 20)


def test_a_run_says_how_it_ended(session: Session) -> None:
    result = session.run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (result.status, result.exit_code, result.text, result.error_text) == (RunStatus.ERROR, 3, "out\n", "err\n")
    assert result.wall_s > 0
    assert result.peak_memory > 1 << 20
    assert session.run(["sh", "-c", "exit 0"]).status is RunStatus.SUCCESS
    killed = session.run(["sh", "-c", "kill -9 $$"])
    assert (killed.status, killed.exit_code) == (RunStatus.KILLED, -9)
    missing = session.run(["no-such-program"])
    assert (missing.status, missing.exit_code) == (RunStatus.ERROR, 127)
    assert "no-such-program" in missing.error_text


def test_code_is_the_main_program(session: Session) -> None:
    result = session.run("if __name__ == '__main__':\n    import sys\n    print(sys.argv)\n    x = [1]\n    x[5]\n")
    assert result.text == "['']\n"
    assert result.error_text.splitlines()[0] == "Traceback (most recent call last):"
    assert 'File "<code>", line 5, in <module>\n    x[5]' in result.error_text
    assert "inside" not in result.error_text
    syntax = session.run("def f(:")
    assert syntax.exit_code == 1
    assert "SyntaxError" in syntax.error_text
    assert session.run("import atexit; atexit.register(print, 'last'); exit()").text == "last\n"


def test_hash_order_is_always_the_same(session: Session) -> None:
    code = "print([hash(str(i)) for i in range(9)])"
    first = session.run(code).text
    assert first
    assert session.run(["python3", "-c", code]).text == first
    assert session.run(code).text == first


def test_standard_input_of_any_size(session: Session) -> None:
    data = bytes(range(256)) * 4000
    result = session.run("import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())", stdin=data)
    assert result.text.strip() == hashlib.sha256(data).hexdigest()
    assert session.run("print('not read')", stdin=data).ok
    assert session.run("print(input())", stdin="grüße\n").text == "grüße\n"


def test_limits_have_statuses_of_their_own(sandbox: Sandbox) -> None:
    with sandbox.open(limits=SMALL) as session:
        assert session.run("import time; time.sleep(60)", timeout=0.3).status is RunStatus.TIMEOUT
        assert session.run("while True: pass").status is RunStatus.TIMEOUT
        assert session.run("x = b'x' * (1 << 28)").status is RunStatus.MEMORY
        flood = session.run("while True: print('x' * 99)")
        assert flood.status is RunStatus.OUTPUT_LIMIT
        assert len(flood.stdout) == SMALL.output_bytes
        assert session.run("print('y' * 9_998)").ok


def test_a_session_keeps_files_and_nothing_else(session: Session) -> None:
    session.write("folder/a.txt", "text")
    session.write("run.sh", "#!/bin/sh\ncat folder/a.txt", mode=0o755)
    assert session.run(["./run.sh"]).text == "text"
    session.run(
        "open('new', 'wb').write(bytes(range(256))); import os; os.environ['X'] = '1'; os.symlink('new', 'link')"
    )
    assert session.read("new") == bytes(range(256))
    assert session.run("import os; print(os.environ.get('X'))").text == "None\n"
    files = session.files()
    assert {path: info.kind for path, info in files.items()} == {
        "folder": "folder",
        "folder/a.txt": "file",
        "run.sh": "file",
        "new": "file",
        "link": "link",
    }
    assert (files["new"].size, files["run.sh"].mode, files["link"].target) == (256, 0o755, "new")
    session.write("new", b"")
    assert session.read("new") == b""


def test_no_path_leads_outside(session: Session) -> None:
    session.run("import os; os.symlink('/etc', 'etc'); os.symlink('/etc/passwd', 'passwd'); os.mkfifo('fifo')")
    for path in ("../x", "/etc/passwd", "etc/passwd", "passwd", "a/../../x", "", ".", "fifo"):
        with pytest.raises(ValueError, match=r"lead|not a regular file|not the path"):
            session.read(path)
    for path in ("../x", "/tmp/x", "etc/x", "a/../../x", "..", ""):
        with pytest.raises(ValueError, match=r"lead|not the path"):
            session.write(path, "x")
    with pytest.raises(FileNotFoundError):
        session.read("nothing")
    session.write("folder/x", "")
    with pytest.raises(IsADirectoryError):
        session.write("folder", "x")
    session.write("passwd", "mine")  # in place of the link, not through it
    assert session.read("passwd") == b"mine"


def _archive(*members: tuple[str, bytes, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "members",
    [
        [("../x", tarfile.REGTYPE, "")],
        [("/tmp/x", tarfile.REGTYPE, "")],
        [("a/../../x", tarfile.REGTYPE, "")],
        [("..", tarfile.DIRTYPE, "")],
        [("link", tarfile.SYMTYPE, "/tmp"), ("link/x", tarfile.REGTYPE, "")],
        [("link", tarfile.SYMTYPE, ".."), ("link/x", tarfile.DIRTYPE, "")],
        [("x", tarfile.LNKTYPE, "../../etc/passwd")],
        [("x", tarfile.LNKTYPE, "/etc/passwd")],
        [("link", tarfile.SYMTYPE, "/etc"), ("x", tarfile.LNKTYPE, "link/passwd")],
        [("x", tarfile.CHRTYPE, "")],
        [("x", tarfile.BLKTYPE, "")],
        [("x", tarfile.FIFOTYPE, "")],
    ],
)
def test_no_archive_leads_outside(sandbox: Sandbox, members: list[tuple[str, bytes, str]]) -> None:
    if hasattr(sandbox, "client") and len(members) == 1:
        pytest.skip("the same code as elsewhere, in a container that takes long to start")
    with pytest.raises(ValueError, match=r"lead|neither|not the path"):
        sandbox.open(_archive(*members))


def test_what_is_no_archive_is_refused(session: Session) -> None:
    for data in (b"no archive" * 100, _archive(("x", tarfile.REGTYPE, ""))[:300]):
        with pytest.raises(ValueError, match=r"file|header|truncated"):
            session.restore(data)
    assert session.run("1").ok


def test_a_snapshot_brings_everything_back(session: Session) -> None:
    make = """
import os
os.makedirs('a/b'); open('a/b/c', 'w').write('c'); os.symlink('nowhere', 'dangling'); os.link('a/b/c', 'hard')
open('secret', 'w').write('s'); os.chmod('secret', 0); os.makedirs('closed/in'); os.chmod('closed', 0)
open('sticky', 'w'); os.chmod('sticky', 0o1751); open(os.environ['TMPDIR'] + '/t', 'w').write('t')
os.utime('a/b/c', (5, 5)); os.utime('a', (7, 7)); open('\\udcff', 'w')
"""
    assert session.run(make).ok
    before = session.files()
    assert before["secret"].mode == 0
    assert session.read("secret") == b"s"
    snapshot = session.snapshot()
    assert session.files() == before
    session.run("import os; os.unlink('hard'); open('a/b/c', 'w').write('other'); os.chmod('closed', 0o755)")
    shell = session.shell()
    for _ in range(2):
        session.restore(snapshot)
        assert session.files() == before
        check = "print(os.stat('a').st_mtime, os.stat('hard').st_nlink, open(os.environ['TMPDIR'] + '/t').read())"
        assert session.run(f"import os; {check}").text == "7.0 2 t\n"
    assert not shell.run("true").ok
    with session.fork() as fork:
        assert fork.files() == before
        fork.write("only here", "")
        assert session.files() == before


def test_a_python_that_stays(session: Session) -> None:
    python = session.python()
    assert python.run("import math\ndef area(r):\n    return round(math.pi * r * r, 2)\n").text == ""
    assert python.run("x = area(2)\nx").text == "12.57\n"
    assert python.call("area", 3).value == 28.27
    assert python.call("area", r"wrong").status is RunStatus.ERROR
    nothing = python.call("nothing")
    assert (nothing.status, nothing.value) == (RunStatus.ERROR, None)
    assert "there is no function 'nothing'" in nothing.error_text
    failed = python.run("y = 1\nz = y / 0")
    assert (failed.status, failed.exit_code) == (RunStatus.ERROR, 1)
    assert 'File "<code-6>", line 2, in <module>\n    z = y / 0' in failed.error_text
    assert python.run("y").text == "1\n"
    assert session.python().run("x").status is RunStatus.ERROR  # another one knows nothing of it
    late = python.run("import time\nwhile True: time.sleep(0.01)", timeout=0.3)
    assert late.status is RunStatus.TIMEOUT
    assert "KeyboardInterrupt" in late.error_text
    assert python.alive
    assert python.run("y").text == "1\n"
    assert python.run("exit(4)").exit_code == 4
    assert not python.alive
    assert python.run("1").status is RunStatus.KILLED
    python.close()


def test_a_python_that_does_not_listen_is_ended(session: Session) -> None:
    python = session.python()
    code = (
        "import signal\nwhile True:\n    try:\n        while True: signal.pause()\n    except KeyboardInterrupt: pass"
    )
    assert python.run(code, timeout=0.3).status is RunStatus.TIMEOUT
    assert not python.alive
    other = session.python()
    assert other.run("import os; os.kill(os.getpid(), 9)").status is RunStatus.KILLED
    third = session.python()
    assert third.run("import os, sys\nos.write(3, b'\\0\\0\\0\\2\\0{]')\n1").status in (
        RunStatus.ERROR,
        RunStatus.SUCCESS,
    )
    assert session.run("print(1)").ok


def test_what_a_function_returns_is_json(session: Session) -> None:
    python = session.python()
    python.run("def same(*x): return x\ndef deep(n):\n    x = []\n    for _ in range(n): x = [x]\n    return x\n")
    assert python.call("same", 1, "ä", None, [True, {"k": 1.5}]).value == [1, "ä", None, [True, {"k": 1.5}]]
    assert python.call("same").value == []
    assert python.run("def odd(): return object()").ok
    assert python.call("odd").status is RunStatus.ERROR
    assert python.call("deep", 100_000).status is RunStatus.ERROR
    big = "x" * 3_000_000
    assert python.call("same", big).value == [big]


def test_a_shell_that_stays(session: Session) -> None:
    shell = session.shell()
    assert shell.run("mkdir -p d; cd d; x='a b'; export Y=1; f() { echo f $1; }").ok
    assert shell.run('pwd | grep -c /d$; echo "$x" $Y; f 2').text == "1\na b 1\nf 2\n"
    failed = shell.run("ls nothing")
    assert failed.status is RunStatus.ERROR
    assert "nothing" in failed.error_text
    assert shell.run("if").status is RunStatus.ERROR
    assert shell.run("cat").text == ""  # there is nobody who types
    assert shell.run("printf 'no newline'; printf x >&2").stdout == b"no newline"
    late = shell.run("echo begun; sleep 1000", timeout=0.3)
    assert (late.status, late.text) == (RunStatus.TIMEOUT, "begun\n")
    assert shell.alive
    assert shell.run("echo $x").text == "a b\n"
    assert shell.run("exit 7").exit_code == 7
    assert not shell.alive
    with pytest.raises(ValueError, match="null"):
        session.shell().run("a\0b")


def test_an_interpreter_is_limited_too(sandbox: Sandbox) -> None:
    with sandbox.open(limits=SMALL) as session:
        python = session.python()
        assert python.run("print('x' * 20_000)").status is RunStatus.OUTPUT_LIMIT
        assert not python.alive
        assert session.python().run("x = []\nwhile True: x.append(bytearray(1 << 20))").status is RunStatus.MEMORY
        assert session.python().run("while True: pass").status is RunStatus.TIMEOUT


def test_a_closed_session_is_lost(sandbox: Sandbox) -> None:
    session = sandbox.open()
    python = session.python()
    session.close()
    session.close()
    assert not session.alive
    assert not python.alive
    assert session.run("1").status is RunStatus.FAULT
    assert python.run("1").status is RunStatus.FAULT
    with pytest.raises(SandboxFault, match="closed"):
        session.files()


def test_what_makes_no_sense_is_refused(session: Session) -> None:
    with pytest.raises(ValueError, match="timeout"):
        session.run("1", timeout=0)
    with pytest.raises(ValueError, match="at least"):
        session.run([])
    with pytest.raises(ValueError, match="positive"):
        Limits(processes=0)
    with pytest.raises(ValueError, match="no sandbox backend 'chroot'"):
        open_sandbox("chroot")


@pytest.mark.parametrize("backend", ["bubblewrap", "process"])
def test_closing_a_sandbox_closes_its_sessions(backend: str) -> None:
    sandbox = open_sandbox(backend)
    session = sandbox.open()
    sandbox.close()
    assert not session.alive
    with pytest.raises(SandboxFault, match="closed"):
        sandbox.open()
