"""Sends the programs of ``inside/`` to a Python that runs somewhere else, and starts one there."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

# In the order in which they import each other.
_MODULES = (
    "wire",
    "linux",
    "landlock",
    "seccomp",
    "cgroup",
    "jail",
    "python",
    "files",
    "supervisor",
    "program",
    "server",
)

#: What that Python is started with, after ``-c``: it reads everything else from its standard input.
BOOT = """
import json, os, sys, types
def read(size):
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece: sys.exit("the other end is gone")
        data += piece
    return data
sys.path[:] = [path for path in sys.path if path]
order = json.loads(read(int.from_bytes(read(4), "big")))
package = sys.modules["inside"] = types.ModuleType("inside")
package.__path__ = []
for name, source in order["modules"]:
    module = sys.modules["inside." + name] = types.ModuleType("inside." + name)
    module.__package__ = "inside"
    setattr(package, name, module)
    exec(compile(source, "inside/" + name + ".py", "exec"), module.__dict__)
module.main(order["settings"])
"""


def order(entry: str, settings: dict[str, Any]) -> bytes:
    """What to write to its standard input: ``main(settings)`` of the module ``entry`` is called there."""
    needed = (*_MODULES, entry)
    text = json.dumps({"modules": [[name, _source(name)] for name in needed], "settings": settings}).encode()
    return len(text).to_bytes(4, "big") + text


@cache
def _source(name: str) -> str:
    return (Path(__file__).parent / "inside" / f"{name}.py").read_text()
