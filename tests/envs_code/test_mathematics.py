"""Math-v0 and the data sets of reasoning-gym."""

from __future__ import annotations

import gymnasium
import pytest

from palestra.envs.code.graders import shared_grader
from palestra.envs.code.math_problems import KINDS
from palestra.envs.code.mathematics import Math, boxed
from palestra.envs.code.reasoning import ReasoningGym
from palestra.envs.code.reasoning_names import NAMES


@pytest.fixture(scope="module")
def mathematics() -> Math:
    return Math()


def test_math_verify_accepts_every_kind_of_reference(mathematics: Math) -> None:
    for task in range(len(KINDS)):
        mathematics.reset(options={"task": task, "split": "test"})
        _, reward, terminated, _, info = mathematics.step(mathematics.oracle())
        assert (reward, terminated, info["success"]) == (1.0, True, True), info


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("\\frac{1}{2}", "0.5", True),
        ("\\frac{1}{2}", "\\dfrac{2}{4}", True),
        ("-\\frac{3}{4}", "\\frac{-3}{4}", True),
        ("\\{1, 2\\}", "\\{2,1\\}", True),
        ("(1, 2)", "(2, 1)", False),
        ("x^{2} + 2x", "2x + x^2", True),
        ("x^{2} + 2x", "x^2 - 2x", False),
        ("\\sqrt{8}", "2\\sqrt{2}", True),
        ("12", "1", False),
        ("12", "}{", False),
    ],
)
def test_what_means_the_same_is_right(gold: str, answer: str, same: bool) -> None:
    assert shared_grader("math_verify")(gold, answer) is same


@pytest.mark.parametrize("kind", ["arithmetic", "expansion", "derivative", "triangle"])
def test_the_problem_said_again_is_no_answer(kind: str, mathematics: Math) -> None:
    task = [drawn.__name__ for drawn in KINDS].index(kind)
    page, info = mathematics.reset(options={"task": task, "split": "train"})
    a_sum = f"{info['answer']} + 0" if kind in ("arithmetic", "triangle") else f"1 \\cdot ({info['answer']})"
    restated = [a_sum, "\\frac{d}{dx} x^2", "3 \\cdot 4", "\\sqrt{3^2 + 4^2}", "(x + 1)(x + 2)", "\\int_0^1 x dx"]
    for answer in restated:
        _, reward, terminated, _, info = mathematics.step(f"\\boxed{{{answer}}}")
        assert (reward, terminated, info["valid_action"]) == (0.0, False, False), answer
    assert page == mathematics.step("no answer")[0]


@pytest.mark.slow
def test_an_answer_that_takes_for_ever_is_wrong_and_the_next_one_is_graded() -> None:
    grader = shared_grader("math_verify")
    assert grader("3", "9^{9^{9^{9}}}") is None
    assert grader("3", "3") is True


def test_a_second_try_sees_the_first() -> None:
    env = Math(tries=2)
    _, info = env.reset(options={"task": 0, "split": "train"})
    page, reward, terminated, _, _ = env.step(f"\\boxed{{{int(info['answer']) + 1}}}")
    assert (reward, terminated) == (0.0, False)
    assert page.endswith(f"{int(info['answer']) + 1} is not right.")
    assert env.step(f"\\boxed{{{int(info['answer']) + 2}}}")[1:3] == (0.0, True)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so \\boxed{1}, no, \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("\\boxed {\\{1, 2\\}}", "\\{1, 2\\}"),
        ("\\boxed{1", None),
        ("\\boxed{}", None),
        ("boxed{1}", None),
    ],
)
def test_the_last_box_is_the_answer(text: str, answer: str | None) -> None:
    assert boxed(text) == answer


def test_python_helps_where_it_is_wrapped() -> None:
    env = gymnasium.make("MathPython-v0")
    page, info = env.reset(options={"task": 0, "split": "train"})
    assert "python(code: string)" in page
    observation, *_ = env.step('<tool_call>{"name": "python", "arguments": {"code": "print(6 * 7)"}}</tool_call>')
    assert observation == "python: 42"
    assert env.step(f"\\boxed{{{info['answer']}}}")[1] == 1.0
    env.close()


# reasoning-gym.


def test_every_data_set_is_registered() -> None:
    from reasoning_gym.factory import DATASETS

    assert set(NAMES) == set(DATASETS) - {"composite"}
    assert all(f"ReasoningGym/{name}-v0" in gymnasium.registry for name in NAMES)


@pytest.mark.parametrize("name", ["chain_sum", "spell_backward", "countdown", "mini_sudoku"])
def test_a_data_sets_own_answer_is_paid(name: str) -> None:
    env = gymnasium.make(f"ReasoningGym/{name}-v0")
    for split in ("train", "test"):
        env.reset(options={"task": 3, "split": split})
        assert env.step("I do not know")[-1]["valid_action"] is False
        _, reward, terminated, _, info = env.step(env.unwrapped.oracle())  # type: ignore[attr-defined]
        assert (reward, terminated, info["success"]) == (1.0, True, True)
        env.reset(options={"task": 3, "split": split})
        assert env.step("<answer>-</answer>")[1] < 0.5


def test_an_unknown_data_set_is_named() -> None:
    with pytest.raises(ValueError, match="no data set 'chain'"):
        ReasoningGym("chain")
