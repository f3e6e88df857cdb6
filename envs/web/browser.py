"""A Chromium process: where it is found, how it is started, and the contexts that it holds."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..abilities import EnvironmentFault
from .protocol import Connection

EXECUTABLE_VARIABLE = "PALESTRA_CHROMIUM"
_NAMES = ("chromium-headless-shell", "chrome-headless-shell", "headless_shell")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-extensions",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--disable-smooth-scrolling",
    # A click on a page of which nothing is drawn yet counts.
    "--allow-pre-commit-input",
    "--mute-audio",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--lang=en-US",
    "--js-flags=--random-seed=1",
    # Frames are drawn when the environment asks for them.
    "--enable-begin-frame-control",
    "--run-all-compositor-stages-before-draw",
    "--deterministic-mode",
    # Animated pictures show their first image: they would keep the time between frames, not the page's.
    "--blink-settings=imageAnimationPolicy=2",
    # All frames of a tab in one process, which makes them one clock; pages that are gone back to load again; and one
    # document after another in the same frame, or a click goes to the one before while the new one is not drawn yet.
    "--disable-site-isolation-trials",
    "--disable-features=IsolateOrigins,site-per-process,BackForwardCache,RenderDocument,"
    "Translate,OptimizationHints,MediaRouter",
    # Nothing goes out but to the hosts that are named: see `network_flags`.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--dns-prefetch-disable",
    "--remote-debugging-pipe",
)


def find_chromium() -> str:
    """The path of a Chromium headless shell.

    It is ``$PALESTRA_CHROMIUM``, or on the ``PATH``, or among what ``playwright install`` downloaded.

    Raises:
        EnvironmentFault: there is none; the message says how to install it.
    """
    named = os.environ.get(EXECUTABLE_VARIABLE)
    if named:
        if not os.access(named, os.X_OK):
            raise EnvironmentFault(f"{EXECUTABLE_VARIABLE}={named} is not an executable file")
        return named
    for name in _NAMES:
        if path := shutil.which(name):
            return path
    downloads = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright")
    for pattern in ("chromium_headless_shell-*/*/headless_shell", "chromium_headless_shell-*/*/chrome-headless-shell"):
        if found := sorted(downloads.glob(pattern)):
            return str(found[-1])
    raise EnvironmentFault(
        "web environments need Chromium's headless shell: apt-get install chromium-headless-shell, or "
        "pip install playwright && playwright install chromium-headless-shell, "
        f"or name one in {EXECUTABLE_VARIABLE}"
    )


def network_flags(hosts: Iterable[str]) -> list[str]:
    """Flags that leave a browser only ``hosts`` (``"example.com"`` or ``"127.0.0.1:8000"``) to connect to.

    Every other connection, web sockets and the loopback included, goes to a proxy that does not exist.
    """
    return ["--proxy-server=socks5://0.0.0.0:9", "--proxy-bypass-list=" + ";".join(["<-loopback>", *sorted(hosts)])]


class Browser:
    """A running Chromium."""

    def __init__(self, connection: Connection, process: int, profile: str) -> None:
        self.connection = connection
        self.process = process
        self._profile = profile

    @classmethod
    async def launch(cls, hosts: Iterable[str], timeout: float, debugging: bool = False) -> Browser:
        """Start a Chromium that may connect to ``hosts`` and wait for its first answer.

        With ``debugging`` it listens to other programs of this machine, too; see :attr:`endpoint`.

        Raises:
            EnvironmentFault: there is none, or it does not start.
        """
        executable = find_chromium()
        profile = tempfile.mkdtemp(prefix="palestra-chromium-")
        ours_in, theirs_out = map(_high, os.pipe())
        theirs_in, ours_out = map(_high, os.pipe())
        nowhere = os.open(os.devnull, os.O_RDWR)
        port = ["--remote-debugging-port=0"] if debugging else []
        try:
            process = os.posix_spawn(
                executable,
                [executable, *_FLAGS, *port, *network_flags(hosts), f"--user-data-dir={profile}", "about:blank"],
                {**os.environ, "TZ": "UTC", "LANG": "en_US.UTF-8"},
                file_actions=[
                    *((os.POSIX_SPAWN_DUP2, nowhere, number) for number in (0, 1, 2)),
                    (os.POSIX_SPAWN_DUP2, theirs_in, 3),
                    (os.POSIX_SPAWN_DUP2, theirs_out, 4),
                ],
                setsid=True,
            )
        finally:
            for fd in (theirs_in, theirs_out, nowhere):
                os.close(fd)
        connection = Connection(timeout)
        await connection.open(ours_in, ours_out)
        browser = cls(connection, process, profile)
        try:
            # The page that it opens by itself draws without end.
            for target in (await connection.call("Target.getTargets"))["targetInfos"]:
                if target["type"] == "page":
                    await connection.call("Target.closeTarget", {"targetId": target["targetId"]})
        except RuntimeError as error:
            await browser.close()
            raise EnvironmentFault(f"{executable} did not start: {error}") from error
        return browser

    @property
    def alive(self) -> bool:
        """Whether it can still be talked to."""
        return self.connection.alive

    @property
    def endpoint(self) -> str:
        """The address that other programs reach it at by the DevTools protocol.

        Raises:
            EnvironmentFault: it listens to nobody else.
        """
        try:
            port, path = (Path(self._profile) / "DevToolsActivePort").read_text().split()
        except FileNotFoundError:
            raise EnvironmentFault("the browser listens to nobody else: it needs BrowserPool(debugging=True)") from None
        return f"ws://127.0.0.1:{port}{path}"

    async def close(self) -> None:
        """End every process of it, and remove its profile."""
        self.connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.process, 0)
        shutil.rmtree(self._profile, ignore_errors=True)


def _high(fd: int) -> int:
    """The same file under a number that the child's 0 to 4 cannot collide with."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16)
    os.close(fd)
    return high
