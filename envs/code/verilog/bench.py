"""Test benches, and running them in a sandbox.

A bench only drives the inputs and prints the outputs: what they should be is compared outside, so that nothing in
the sandbox could tell a module.  Its names and the mark before its lines are drawn for each run, so that a module can
neither reach into it nor print in its place by knowing them.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....sandbox import Limits, Result, RunStatus, Sandbox
from ...abilities import EnvironmentFault
from .design import NAME, Design

LIMITS = Limits(wall_s=20.0, cpu_s=5.0, memory_bytes=512 << 20, output_bytes=1 << 20, processes=16, disk_bytes=8 << 20)
_EXHAUSTIVE_BITS = 6
_SHOWN = 600

Vector = dict[str, int]
"""What each input is, by its name."""
Row = tuple[str, ...]
"""What each output is after a vector, in binary with ``x`` and ``z`` for what is not driven."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a module did: a row for each vector that it was simulated for, or why there are fewer."""

    rows: tuple[Row, ...]
    status: str
    """``"ok"``, ``"error"`` or ``"timeout"``."""
    problem: str = ""


def draw_vectors(design: Design, count: int, rng: np.random.Generator) -> list[Vector]:
    """Inputs to test with: first a reset, or the extremes; few inputs are tried in every combination."""
    width = sum(design.inputs.values())
    if not design.clocked and width <= _EXHAUSTIVE_BITS:
        numbers = [int(i) for i in rng.permutation(1 << width)][:count]
        return [_split(design, number) for number in numbers]
    vectors = [{name: _draw(design, name, rng) for name in design.inputs} for _ in range(count)]
    if design.clocked:
        for vector in vectors[:2]:
            vector["rst"] = 1
        # So that whatever is counted gets going before the next reset.
        for vector in vectors[2:8]:
            vector["rst"] = 0
    else:
        vectors[0] = _split(design, 0)
        vectors[1] = _split(design, (1 << width) - 1)
    return vectors


def _draw(design: Design, name: str, rng: np.random.Generator) -> int:
    if design.inputs[name] == 1:
        return int(rng.random() < design.chances.get(name, 0.5))
    return int(rng.integers(1 << design.inputs[name]))


def _split(design: Design, number: int) -> Vector:
    vector = {}
    for name, width in design.inputs.items():
        vector[name], number = number & ((1 << width) - 1), number >> width
    return vector


def simulate(sandbox: Sandbox, design: Design, source: str, vectors: Sequence[Vector]) -> Trace:
    """What the module in ``source`` does with the vectors, in a fresh sandbox.

    Raises :class:`EnvironmentFault` if the sandbox broke, or has no Icarus Verilog.
    """
    mark = f"m{secrets.token_hex(8)}"
    files = {"dut.v": source, "bench.v": write_bench(design, vectors, mark)}
    with sandbox.open(files, limits=LIMITS) as session:
        compiled = session.run(["iverilog", "-g2012", "-o", "simulation", "-s", mark, "dut.v", "bench.v"])
        if problem := _problem(compiled, "the compiler"):
            return Trace((), *problem)
        ran = session.run(["vvp", "-n", "simulation"])
    prefix = f"{mark} ".encode()
    lines = [line[len(prefix) :] for line in ran.stdout.splitlines() if line.startswith(prefix)]
    rows = tuple(tuple(line.decode("ascii", "replace").split()) for line in lines)[: len(vectors)]
    problem = _problem(ran, "the simulation")
    if not problem and len(rows) < len(vectors):
        problem = "error", "the simulation ended before all tests were made"
    return Trace(rows, *(problem or ("ok",)))


def _problem(result: Result, what: str) -> tuple[str, str] | None:
    """The status and the words of what went wrong."""
    if result.status is RunStatus.FAULT:
        raise EnvironmentFault(f"the sandbox broke while a module was tested: {result.reason}")
    if result.ok:
        return None
    if result.exit_code == 127:
        raise EnvironmentFault("the sandbox has no Icarus Verilog")
    if result.status is RunStatus.TIMEOUT:
        return "timeout", f"{what} did not end in time"
    if result.status is not RunStatus.ERROR:
        return "error", f"{what} was stopped: {result.status.value}"
    said = re.sub(r"\bu?m[0-9a-f]{16}\b", "bench", result.error_text + result.text).strip()
    return "error", said if len(said) <= _SHOWN else said[:_SHOWN] + "..."


def write_bench(design: Design, vectors: Sequence[Vector], mark: str) -> str:
    """A module called ``mark`` that drives ``dut`` and prints a line of its outputs for each vector."""
    lines = [f"module {mark};"]
    lines += [f"reg [{width - 1}:0] {name};" for name, width in design.inputs.items()]
    lines += [f"wire [{width - 1}:0] {name};" for name, width in design.outputs.items()]
    ports = [*design.inputs, *design.outputs]
    if design.clocked:
        lines.append("reg clk = 0;")
        ports.append("clk")
    lines.append(f"{NAME} u{mark}({', '.join(f'.{name}({name})' for name in ports)});")
    lines.append("initial begin")
    shown = f'$display("{mark}{" %b" * len(design.outputs)}", {", ".join(design.outputs)});'
    for vector in vectors:
        values = " ".join(f"{name} = {value};" for name, value in vector.items())
        lines.append(f"{values} #5 clk = 1; #5 {shown} clk = 0;" if design.clocked else f"{values} #10 {shown}")
    return "\n".join([*lines, "$finish(0);", "end", "endmodule", ""])
