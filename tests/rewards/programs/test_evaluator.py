"""Programs run outside this process: what they may say, what they cost, and what is said of their errors."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.rewards.programs import language
from palestra.rewards.programs.evaluator import Evaluator, ProgramError
from palestra.sandbox import RunStatus, Sandbox, SandboxFault, open_sandbox
from palestra.sandbox.bubblewrap import BubblewrapSandbox

GOOD = '''
import math

NEAR: float = 0.5

def closeness(distance):
    """How near, from 0 to 1."""
    return math.exp(-distance / NEAR)

def reward(distance: float, steps: list[int], holding_key: bool) -> float:
    total = 0
    for index, step in enumerate(steps):
        if step % 2 == 0:
            continue
        total += step ** 2 * index
    total %= 7
    near = closeness(distance) if distance >= 0 else 0.0
    return near + total + holding_key, {"near": near, "odd": total}
'''


@pytest.fixture(scope="module")
def evaluator() -> Iterator[Evaluator]:
    evaluator = Evaluator(seconds=0.2, megabytes=128)
    yield evaluator
    evaluator.close()


def body(text: str) -> str:
    return f"def reward(x):\n    {text}\n"


def test_a_program_is_run_on_every_state(evaluator: Evaluator) -> None:
    states = [
        {"distance": 0.5, "steps": [1, 2, 3], "holding_key": True, "unread": object()},
        {"distance": -1, "steps": [], "holding_key": False},
    ]
    assert evaluator.parameters(GOOD) == ("distance", "steps", "holding_key")
    outputs = evaluator.run(GOOD, states)
    # (1 * 0 + 9 * 2) % 7 = 4
    np.testing.assert_allclose(outputs.values, [math.exp(-1) + 4 + 1, 0], rtol=1e-15)
    np.testing.assert_allclose(outputs.components["near"], [math.exp(-1), 0], rtol=1e-15)
    assert outputs.components["odd"].tolist() == [4, 0]
    nothing = evaluator.run(GOOD, [])
    assert nothing.values.shape == (0,)
    assert nothing.components == {}


def test_vectors(evaluator: Evaluator) -> None:
    source = "def latents(x, y):\n    return [x, x * y, max(x, y)]\n"
    table = evaluator.run_vectors(source, [{"x": 2, "y": 3}, {"x": -1, "y": 0.5}])
    assert table.tolist() == [[2, 6, 3], [-1, -0.5, 0.5]]
    with pytest.raises(ProgramError, match="always as many"):
        evaluator.run_vectors("def latents(x):\n    return [1] * x\n", [{"x": 1}, {"x": 2}])


def test_numpy_values_are_states_too(evaluator: Evaluator) -> None:
    state = {"x": np.array([[1, 2], [3, 4]]), "y": np.float32(0.5)}
    assert evaluator.run("def reward(x, y):\n    return x[1][0] + y\n", [state]).values.tolist() == [3.5]
    with pytest.raises(TypeError, match="'x', a object"):
        evaluator.run(body("return 1"), [{"x": object()}])


HOSTILE = {
    "an attribute": "return x.__class__",
    "the way to all classes": "return ().__class__.__bases__[0].__subclasses__()",
    "an attribute of a call": "return float(x).real",
    "math's own": "return math.__loader__",
    "a module through math": "return math.sys",
    "a dunder name": "return __builtins__",
    "an underscore": "_x = 1",
    "an import": "import os",
    "an import from": "from os import system",
    "eval": "return eval('1')",
    "open": "return open('/etc/passwd')",
    "getattr": "return getattr(x, 'real')",
    "globals": "return globals()",
    "type": "return type(x)",
    "a format string": "return f'{x.__class__}'",
    "a format method": "return '{0.__class__}'.format(x)",
    "a format map": "return str.format('{}', x)",
    "a lambda": "return (lambda: x)()",
    "a call of a call": "return max(abs, abs)(x)",
    "a call of an item": "return [abs][0](x)",
    "a class": "class A: pass",
    "a nested function": "def g(): return 1",
    "a decorator": "@abs\n    def g(): return 1",
    "while": "while True: pass",
    "try": "try:\n        return 1\n    except Exception:\n        return 0",
    "with": "with x: pass",
    "raise": "raise x",
    "assert": "assert x",
    "global": "global y",
    "del": "del x",
    "yield": "yield x",
    "await": "await x",
    "the walrus": "return (y := x)",
    "match": "match x:\n        case 1: return 1",
    "matrix product": "return x @ x",
    "a shift": "return 1 << x",
    "an inverted bit": "return ~x",
    "bytes": "return b'1'",
    "a complex number": "return 1j",
    "an ellipsis": "return ...",
    "another's function": "abs = x",
    "the math module": "math = x",
    "the name of the guard": "return reward.__globals__",
    "an assignment to an attribute": "x.y = 1",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_not_in_the_language_is_refused_before_it_runs(evaluator: Evaluator, text: str) -> None:
    with pytest.raises(ProgramError) as caught:
        evaluator.parameters(body(text))
    assert caught.value.line is not None
    assert 2 <= caught.value.line <= 3
    assert f"line {caught.value.line}: " in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def reward(x):\n  return 1 +\n", "line 2: .*SyntaxError: invalid syntax"),
        ("def reward(*x):\n  return 1\n", r"\*arguments"),
        ("def reward(x=1):\n  return 1\n", "take no defaults"),
        ("def reward(x=().__class__):\n  return 1\n", "attribute"),
        ("def other(x):\n  return 1\n", "there is no function 'reward'"),
        ("for x in range(3):\n  y = 1\n", "line 1: .*only constants"),
        ("async def reward(x):\n  return 1\n", "only constants"),
        ("X = 1 / 0\ndef reward(x):\n  return X\n", "line 1: 'X = 1 / 0': ZeroDivisionError"),
        ("\x00", "null bytes"),
        ("(" * 5000, "too many nested|MemoryError|too deeply"),
        ("def reward(x):\n  return " + "-" * 9000 + "1\n", "too deeply|stopped"),
        ("def reward(x):\n  return " + "x+" * 9000 + "1\n", "too deeply|stopped"),
        ("#" * 20_001, "20001 characters; at most 20000"),
        ("", "there is no function"),
    ],
)
def test_what_cannot_be_read_is_said(evaluator: Evaluator, source: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        evaluator.parameters(source)
    assert evaluator.run(body("return x"), [{"x": 1}]).values.tolist() == [1]


def test_annotations_are_not_evaluated(evaluator: Evaluator) -> None:
    source = "def reward(x: ().__class__) -> open('f'):\n    y: print() = 2\n    return y\n"
    assert evaluator.run(source, [{"x": 1}]).values.tolist() == [2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("for i in range(10**15): x += 1\n    return x", "line 2: .*more than 0.2 seconds"),
        ("return sum([i for i in range(10**15)])", "line 2: .*(more than 0.2 seconds|MemoryError)|stopped"),
        ("return len([0] * 10**11)", "line 2: .*MemoryError"),
        ("return len('x' * 10**10)", "line 2: .*MemoryError"),
        ("y = 3\n    for i in range(60): y = y * y\n    return y", "more than 0.2 seconds|stopped|MemoryError"),
        ("return round(5, -10**9)", "more than 0.2 seconds|stopped|MemoryError"),
        ("return 9**9**9", "line 2: .*OverflowError: an integer power of more than 4096 bits"),
        ("x **= 10**9\n    return x", "OverflowError"),
        ("return '%999999999d' % x", "texts cannot be formatted"),
        ("return reward(x)", "line 2: .*RecursionError"),
        ("return int('9' * 5000)", "ValueError"),
    ],
)
def test_what_would_not_end_or_fill_the_memory_is_stopped(evaluator: Evaluator, text: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        evaluator.run(body(text), [{"x": 7}])
    assert evaluator.run(body("return x"), [{"x": 1}]).values.tolist() == [1]


def test_what_grows_is_stopped_by_the_memory_where_there_is_time() -> None:
    evaluator = Evaluator(seconds=10, megabytes=128)
    with pytest.raises(ProgramError, match=r"line 3: .*MemoryError"):
        evaluator.run(body("y = [x]\n    for i in range(99): y = y + y\n    return 1"), [{"x": 7}])
    evaluator.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("return 1 / x", r"line 2: 'return 1 / x': ZeroDivisionError: division by zero, in the state {\"x\": 0}"),
        ("return [1, 2][x - 9]", "IndexError"),
        ("return x['a']", "TypeError"),
        ("y = x if x else z\n    return y", "NameError: name 'z' is not defined"),
        ("return float('nan')", r"the result is nan, not a finite number, in the state {\"x\": 0}"),
        ("return 1e999", "the result is inf"),
        ("return 10**500", "OverflowError"),
        ("return 1, {'part': -math.inf}", "'part' is -inf"),
        ("return 'good'", "must be a number, not str"),
        ("return None", "must be a number, not NoneType"),
        ("return [1, 2, 3]", "a number and a dictionary"),
        ("return 1, {2: 3}", "named by a text, not by int"),
        ("return [1 for i in range(101)]", "101 numbers; at most 100"),
        ("return 1, {'a' * 101: 1}", "name has 101 characters"),
        ("return (1, {'a': 1}) if x == 5 else (1, {'b': 1})", r"the components are \['b'\] here and \['a'\] before"),
    ],
)
def test_errors_are_feedback_with_the_line_and_the_state(evaluator: Evaluator, text: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        evaluator.run(body(text), [{"x": 5}, {"x": 0}] if "components" in message else [{"x": 0}])


def test_a_state_must_have_what_the_program_reads(evaluator: Evaluator) -> None:
    with pytest.raises(ProgramError, match="a state has no x; it has y, z"):
        evaluator.run(body("return x"), [{"y": 1, "z": 2}])


def test_code_that_escaped_the_language_is_still_in_a_sandbox(evaluator: Evaluator) -> None:
    """No file, variable or process of this machine's is there, and no more memory than was given."""
    assert evaluator.run(body("return x"), [{"x": 1}]).values.tolist() == [1]
    assert evaluator._python is not None
    os.environ["PALESTRA_TEST_SECRET"] = "seen"
    try:
        probe = """
import json, os, sys
here = [name for name in ("/var", "/home", SOURCE) if os.path.exists(name) and os.listdir(name)]
print(json.dumps({"files": here, "secret": "PALESTRA_TEST_SECRET" in os.environ, "numpy": "numpy" in sys.modules,
                  "processes": len([name for name in os.listdir("/proc") if name.isdigit()]) > 20}))
bytearray(1 << 30)
"""
        result = evaluator._python.run(probe.replace("SOURCE", repr(str(Path(language.__file__).parent))))
    finally:
        del os.environ["PALESTRA_TEST_SECRET"]
    found = json.loads(result.text)
    assert found == {"files": [], "secret": False, "numpy": False, "processes": False}
    assert result.status is RunStatus.MEMORY


def test_what_is_lost_is_replaced_and_a_broken_sandbox_is_no_programs_fault(
    kill_sandbox: Callable[[Sandbox], None],
) -> None:
    evaluator = Evaluator()
    assert evaluator.run(body("return x"), [{"x": 1}]).values.tolist() == [1]
    sandbox = evaluator._sandbox
    assert isinstance(sandbox, BubblewrapSandbox)
    kill_sandbox(sandbox)
    with pytest.raises(SandboxFault, match="the sandbox of reward programs broke"):
        evaluator.run(body("return x"), [{"x": 1}])
    assert evaluator.run(body("return 2 * x"), [{"x": 1}]).values.tolist() == [2]
    evaluator.close()
    assert evaluator.run(body("return 3 * x"), [{"x": 1}]).values.tolist() == [3]


def test_a_sandbox_of_ones_own_is_used_and_left_open() -> None:
    with open_sandbox("process") as sandbox:
        evaluator = Evaluator(sandbox=sandbox)
        assert evaluator.run(body("return x"), [{"x": 1}]).values.tolist() == [1]
        evaluator.close()
        assert sandbox.run("print(1)").text == "1\n"


def test_programs_do_not_see_each_other(evaluator: Evaluator) -> None:
    evaluator.run("SEEN = [0]\ndef helper(x):\n    return 1\ndef reward(x):\n    return helper(x)\n", [{"x": 1}])
    with pytest.raises(ProgramError, match="'helper' cannot be called"):
        evaluator.run(body("return helper(x)"), [{"x": 1}])
    with pytest.raises(ProgramError, match="name 'SEEN' is not defined"):
        evaluator.run(body("return SEEN[0]"), [{"x": 1}])


def test_limits_are_checked() -> None:
    for seconds, megabytes in ((0, 256), (1, 8)):
        with pytest.raises(ValueError, match="at least 32 megabytes"):
            Evaluator(seconds, megabytes)


@given(st.integers(-50, 50), st.integers(-3, 60))
def test_powers_are_python_s_where_they_are_small(base: int, exponent: int) -> None:
    if base == 0 and exponent < 0:
        with pytest.raises(ZeroDivisionError):
            language.power(base, exponent)
    else:
        assert language.power(base, exponent) == base**exponent


@given(st.text(alphabet="defrwa()[]{}x_.:=+*,'\"\\ \n01@%~#", max_size=60))
def test_no_text_gets_past_with_an_attribute_or_an_underscore(text: str) -> None:
    source = f"def reward(x):\n    return {text}\n"
    try:
        functions = language.compile_program(source)
    except (language.Rejected, ArithmeticError, LookupError, TypeError, ValueError, NameError, MemoryError):
        return
    for function in functions.values():
        code = function.__code__  # type: ignore[attr-defined]
        assert not [name for name in (*code.co_names, *code.co_varnames) if name.startswith("_")]
