from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from palestra.rewards import episode_reward
from palestra.rewards.judges import Item, Principled, SelfJudge, TextJudge, judged
from palestra.trajectory import Trajectory

from ..lab import TabularPolicy, learn
from .stubs import Choice, action_of, criteria_of, items_of, scorer, verdict

SCORERS = {
    "be brief": lambda text: 1 / len(text.split()),
    "be detailed": lambda text: min(len(text.split()) / 8, 1),
    "name a number": lambda text: float(any(word.isdigit() for word in text.split())),
}


def follow(item: str, criteria: str) -> float:
    """The mean of the scorers of the principles in the criteria."""
    text = action_of(item) if "action]" in item else item
    lines = criteria.rpartition("no others:\n")[2].splitlines()
    return float(np.mean([SCORERS[line.partition(". ")[2]](text) for line in lines]))


LONG, SHORT = "the lamp is brass and has a warm light", "brass lamp"


def test_the_principles_follow_the_criteria() -> None:
    seen: list[str] = []

    def ask(prompts: Sequence[str]) -> list[str]:
        seen.extend(map(criteria_of, prompts))
        return [verdict(prompt, 5) for prompt in prompts]

    Principled(TextJudge(ask), ("be brief", "be kind")).judge(["x"], "is it good?")
    assert seen == ["is it good?\n\nFollow these principles, and no others:\n1. be brief\n2. be kind"]


@pytest.mark.parametrize("principles", [(), "be brief", ("",)])
def test_principles_are_a_tuple_of_texts(principles: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="tuple of principles"):
        Principled(TextJudge(scorer(follow)), principles)


def test_works_salmon() -> None:
    brief = Principled(TextJudge(scorer(follow)), ("be brief",))
    detailed = replace(brief, principles=("be detailed",))
    assert detailed.inner is brief.inner  # nothing of the model behind it changes
    assert (brief.judge([LONG, SHORT], "a description").pair, detailed.judge([LONG, SHORT], "a description").pair) == (
        -1,
        1,
    )

    worth = {LONG: 0.0, SHORT: 0.0, "a lamp of 40 watts": 0.0}
    arms = list(worth)

    def favourite(policy: TabularPolicy) -> tuple[str, float]:
        chances = policy.probabilities("choose", arms)
        return arms[int(chances.argmax())], float(chances.max())

    for seed in range(2):
        policy, _ = learn(
            Choice(worth), judged(brief, criteria="a description"), steps=40, groups=1, learning_rate=1.0, seed=seed
        )
        before = favourite(policy)
        reward = judged(detailed, criteria="a description")
        learn(Choice(worth), reward, steps=120, groups=1, learning_rate=1.0, seed=seed, policy=policy)
        after = favourite(policy)
        print("favourite under 'be brief', then under 'be detailed':", before, after)
        assert before[0] == SHORT
        assert after[0] == LONG
        assert min(before[1], after[1]) > 0.8


EDITS = ("teh cat", "the cat", "the kat", "a cat", "the cat sat", "cat")
TRUTH = dict(zip(EDITS, (0.1, 1.0, 0.3, 0.5, 0.7, 0.2), strict=True))


class Editor(TabularPolicy):
    """One object in both roles: it chooses an edit, and is asked for the score of one."""

    def __init__(self, seed: int, broken: float = 0.1) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.belief = {edit: TRUTH[edit] + 0.35 * float(self.rng.standard_normal()) for edit in EDITS}
        self.broken, self.replies = broken, 0

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        return [self._judge(prompt) for prompt in prompts]

    def _judge(self, prompt: str) -> str:
        self.replies += 1
        if self.rng.random() < self.broken:
            return self.rng.choice(["Great edit! 100/100", verdict(prompt, "250"), ""])
        score = self.belief[action_of(items_of(prompt)[0])] + 0.1 * float(self.rng.standard_normal())
        return verdict(prompt, f"{100 * min(max(score, 0), 1):.1f}")


def test_a_self_judge_is_asked_for_0_to_100_and_what_is_beside_the_task_is_the_worst() -> None:
    seen: list[str] = []

    def policy(prompts: Sequence[str]) -> list[str]:
        seen.extend(prompts)
        return [verdict(prompt, 80) for prompt in prompts]

    assert SelfJudge(policy).judge([Item("x")], "is it right?").score == 0.8
    assert "a number from 0 (worst) to 100 (best)" in seen[0]
    assert "is the worst there is" in criteria_of(seen[0])
    assert SelfJudge(lambda prompts: ["100"] * len(prompts)).judge(["x"], "is it right?").abstain


def test_works_ssr_zero() -> None:
    """The external metric errs on its own; the sum of two independent errors misleads less."""
    own, both, untrained, correlations = [], [], [], []
    for seed in range(8):
        noise = np.random.default_rng(1000 + seed)
        metric = {edit: TRUTH[edit] + 0.2 * float(noise.standard_normal()) for edit in EDITS}

        @episode_reward
        def external(trajectory: Trajectory, metric: dict[str, float] = metric) -> float:
            return metric[trajectory.turns[-1].action]

        for found, added in ((own, None), (both, external)):
            editor = Editor(seed)
            reward = judged(SelfJudge(editor), criteria="the sentence without its mistakes")
            total = reward if added is None else reward + added
            policy, _ = learn(Choice(TRUTH), total, steps=25, groups=1, learning_rate=2.0, seed=seed, policy=editor)
            assert policy is editor
            assert editor.replies == 25 * 8
            found.append(float(editor.probabilities("choose", list(EDITS)) @ np.array(list(TRUTH.values()))))
        untrained.append(float(np.mean(list(TRUTH.values()))))
        correlations.append(np.corrcoef(list(editor.belief.values()), list(TRUTH.values()))[0, 1])
    print("true score untrained", np.mean(untrained), "self", np.mean(own), "self + metric", np.mean(both))
    print("mean correlation of the self-score with the truth", np.mean(correlations))
    assert np.mean(own) > np.mean(untrained) + 0.1
    assert np.mean(both) > np.mean(own) + 0.03
