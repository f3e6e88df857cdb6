"""Judges that follow principles, which may be swapped without training anything again, and a policy that is its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .judge import Ask, Judge, TextJudge
from .prompt import Case
from .verdict import Verdict


@dataclass(frozen=True, repr=False)
class Principled(Judge):
    """The judge inside, told to follow a list of principles beside its criteria: r(x, y | principles).

    ``dataclasses.replace(judge, principles=...)`` is the same judge with other preferences; nothing in the model behind
    it changes.  A principle against what a policy has learned to fake works at once.

    Source: SALMON (arXiv:2310.05910), where the reward model is trained to follow the principles that it is shown; here
    that is up to the judge inside.
    """

    inner: Judge
    principles: tuple[str, ...]

    def __post_init__(self) -> None:
        if isinstance(self.principles, str) or not self.principles or not all(self.principles):
            raise ValueError(f"Principled needs a tuple of principles, not {self.principles!r}")

    def judge_all(self, cases: Sequence[Case]) -> list[Verdict]:
        """One verdict per case, with the principles after its criteria."""
        return self.inner.judge_all([replace(case, criteria=self._told(case.criteria)) for case in cases])

    def check_criteria(self, criteria: str) -> None:
        """As the judge inside, of what it is told: so a rubric goes around this judge and not into it."""
        self.inner.check_criteria(self._told(criteria))

    def _told(self, criteria: str) -> str:
        lines = "\n".join(f"{number}. {principle}" for number, principle in enumerate(self.principles, 1))
        return f"{criteria}\n\nFollow these principles, and no others:\n{lines}"


@dataclass(frozen=True, repr=False)
class SelfJudge(Judge):
    """The policy judges its own work: a :class:`TextJudge` whose text generation is the policy's.

    ``policy`` is the policy's own ``Ask``; over a live engine it judges with the weights of the moment.  Scores are
    asked for from 0 to 100, with 0 for what is beside the task.  A reply that is no score abstains, which a reward
    takes as neutral.  An external metric is added as any reward:
    ``judged(SelfJudge(my_module:policy), criteria=...) + my_module:metric``.

    Source: SSR-Zero (arXiv:2505.16637); the sum with a metric is its SSR-X.  The words are ours.
    """

    policy: Ask

    def judge_all(self, cases: Sequence[Case]) -> list[Verdict]:
        """One verdict per case."""
        beside = "What does not do what was asked, or says more than was asked, is the worst there is."
        judge = TextJudge(self.policy, scale=100)
        return judge.judge_all([replace(case, criteria=f"{case.criteria}\n\n{beside}") for case in cases])
