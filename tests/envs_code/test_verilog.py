"""Verilog-v0: every design has a solution that its tests accept, and nothing else gets past them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import palestra
from palestra.envs.check import Settings
from palestra.envs.code.sandboxes import shared_sandbox
from palestra.envs.code.verilog import Verilog, bench
from palestra.envs.code.verilog.bench import draw_vectors, simulate, write_bench
from palestra.envs.code.verilog.families import FAMILIES, Family
from palestra.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return shared_sandbox("bubblewrap")


@pytest.fixture
def env() -> Iterator[Verilog]:
    env = Verilog()
    yield env
    env.close()


@pytest.mark.slow
def test_it_keeps_every_promise() -> None:
    report = palestra.check("Verilog-v0")
    assert report.passed, str(report)


def test_it_forks_and_is_deterministic() -> None:
    only = ["same_seed_same_episode", "restore_in_another_instance", "info_is_json"]
    report = palestra.check("Verilog-v0", only=only, settings=Settings(episodes=1, steps=2))
    assert report.passed, str(report)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_the_solutions_drive_every_output(family: Family, sandbox: Sandbox) -> None:
    rng = np.random.default_rng(1)
    design = family(rng)
    vectors = draw_vectors(design, 60, rng)
    trace = simulate(sandbox, design, design.solution, vectors)
    assert (trace.status, trace.problem, len(trace.rows)) == ("ok", "", len(vectors))
    assert all(set(output) <= {"0", "1"} for row in trace.rows for output in row)
    assert len(set(trace.rows)) > 1


CHANGES = {
    "adder": (" + cin", ""),
    "comparator": ("a == b", "a != b"),
    "saturating": ("assign y", "assign #0 y"),
    "priority": ("|x", "&x"),
    "counter": ("if (en)", "if (1)"),
    "register": ("if (load)", "if (!load)"),
    "edges": ("r <=", "r <= !"),
    "sequence": ("n >=", "1 || n >="),
    "divider": ("? 0", "? 1"),
    "pulse_width": ("c < duty", "c <= duty"),
}
"""A change to the solution of a family that makes it wrong, but for one that does not."""


@pytest.mark.parametrize(
    "family", [family for family in FAMILIES if family.__name__ in CHANGES], ids=lambda f: f.__name__
)
def test_a_module_that_is_nearly_right_is_found_out(family: Family, sandbox: Sandbox) -> None:
    rng = np.random.default_rng(2)
    design = family(rng)
    vectors = draw_vectors(design, 150, rng)
    old, new = CHANGES[family.__name__]
    changed = simulate(sandbox, design, design.solution.replace(old, new), vectors)
    assert old in design.solution
    assert changed.status == "ok"
    right = simulate(sandbox, design, design.solution, vectors)
    assert (changed.rows == right.rows) == (family.__name__ == "saturating")


def test_what_is_right_pays_and_says_what_was_tested(env: Verilog) -> None:
    text, info = env.reset(options={"task": 0, "split": "test"})
    assert "module dut(" in text
    assert info["success"] is False
    page, reward, terminated, _, info = env.step(env.oracle())
    total = info["execution"]["total"]
    assert (reward, terminated, info["success"], info["overfit"]) == (1.0, True, True, False)
    assert info["execution"] == {"status": "ok", "passed": total, "total": total}
    assert page.endswith("tests are right.")


def combinational(env: Verilog, width: int) -> int:
    """The number of a training task without a clock whose inputs are wide."""
    for task in range(200):
        design = env.make_task(("train", task)).design
        if not design.clocked and sum(design.inputs.values()) >= width:
            return task
    raise AssertionError


def test_a_table_of_the_visible_tests_is_overfit(env: Verilog, sandbox: Sandbox) -> None:
    number = combinational(env, 10)
    task = env.make_task(("train", number))
    rows = simulate(sandbox, task.design, task.design.solution, task.visible).rows
    inputs, outputs = ", ".join(task.design.inputs), ", ".join(task.design.outputs)
    width = sum(task.design.inputs.values())
    lines = []
    for vector, row in zip(task.visible, rows, strict=True):
        key = "".join(f"{vector[name]:0{bits}b}" for name, bits in task.design.inputs.items())
        value = "".join(row)
        lines.append(f"{width}'b{key}: r = {len(value)}'b{value};")
    cases = "\n".join(dict.fromkeys(lines))
    total = sum(task.design.outputs.values())
    source = (
        f"{task.design.header}\nreg [{total - 1}:0] r;\nalways @* case ({{{inputs}}})\n{cases}\ndefault: r = "
        f"0;\nendcase\n"
        f"assign {{{outputs}}} = r;\nendmodule"
    )
    env.reset(options={"task": number, "split": "train"})
    _, reward, terminated, _, info = env.step(source)
    assert (reward, terminated, info["success"], info["overfit"]) == (0.0, True, False, True)


def test_errors_and_wrong_outputs_are_told(env: Verilog) -> None:
    number = combinational(env, 8)
    env.reset(options={"task": number, "split": "train"})
    header = env.make_task(("train", number)).design.header
    page, reward, terminated, _, info = env.step(f"{header}\nassign = ;\nendmodule")
    assert "dut.v:2: " in page
    assert (reward, terminated, info["execution"]["status"]) == (0.0, False, "error")
    page, _, _, _, info = env.step(f"{header}\nendmodule")
    assert "0 of 16 tests are right." in page
    assert "should be" in page
    assert "module dut" in env.step("assign y = a;")[4]["feedback"]
    # Comments and spaces make no other line of thought.
    paths = {env.step(f"{header}{rest}endmodule")[4]["path"] for rest in ("\n", "  // nothing\n\n", " /* so */ ")}
    assert len(paths) == 1


def test_a_module_cannot_speak_for_the_bench(env: Verilog, sandbox: Sandbox) -> None:
    number = combinational(env, 8)
    task = env.make_task(("train", number))
    design = task.design
    # It reads the bench while it is simulated, and ends everything with lines of its own.
    source = f"""{design.header}
integer f, c, i; reg [8*20-1:0] word;
initial begin
  f = $fopen("bench.v", "r"); c = $fscanf(f, "module %s", word);
  for (i = 0; i < 200; i = i + 1) $display("%0s 1", word);
  $finish(0);
end
endmodule"""
    env.reset(options={"task": number, "split": "train"})
    _, reward, _, _, info = env.step(source)
    assert (reward, info["success"]) == (0.0, False)
    assert write_bench(design, task.visible, "m0") != write_bench(design, task.visible, "m1")
    quiet = simulate(sandbox, design, design.solution.replace(";", ';\ninitial $display("debug");', 1), task.visible)
    assert quiet.rows == simulate(sandbox, design, design.solution, task.visible).rows


def test_endless_modules_are_stopped(env: Verilog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "LIMITS", replace(bench.LIMITS, cpu_s=0.5))
    env.reset(options={"task": 0, "split": "train"})
    header = env.make_task(("train", 0)).design.header
    page, reward, terminated, _, info = env.step(f"{header}\nreg r = 0;\ninitial forever #0 r = ~r;\nendmodule")
    assert "did not end in time" in page
    assert (reward, terminated, info["execution"]["status"]) == (0.0, False, "timeout")
