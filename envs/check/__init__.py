"""Does an environment keep its promises?  ``palestra.check("WebShop-v0")`` plays it and says what is broken.

Each check is a function of a :class:`Subject` that returns a remark, or raises :class:`Failed` or :class:`Skipped`; its
docstring says what it demands.  The modules hold one family of checks each.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from typing import Any

from . import determinism, forking, hostile, interface, solving, tasks, values, vector
from .interface import describe
from .maker import Maker, find_spec
from .report import Failed, Outcome, Report, Skipped, Verdict
from .subject import Settings, Subject

__all__ = ["CHECKS", "Failed", "Outcome", "Report", "Settings", "Skipped", "Subject", "Verdict", "check", "find_spec"]

Check = Callable[[Subject], str]

FAMILIES = (interface, values, determinism, hostile, vector, forking, solving, tasks)
CHECKS: dict[str, Check] = {function.__name__: function for family in FAMILIES for function in family.CHECKS}
"""Every check by its name, in the order in which they run."""


def check(
    env_id: str,
    *,
    kwargs: dict[str, Any] | None = None,
    words: bool = False,
    only: Collection[str] = (),
    settings: Settings | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Report:
    """Check the environment ``env_id`` (``"EnvId"`` or ``"module:EnvId"``).

    ``kwargs`` go to its constructor.  With ``words`` it is checked as a language model meets it, wrapped by
    :func:`palestra.envs.words.as_text`.  ``only`` names the checks to run, all by default.  ``on_outcome`` is called
    after each check.

    Whatever the environment raises is the outcome of a check.  Raises :class:`ValueError` for an unknown environment or
    check, naming the nearest one.
    """
    for name in only:
        if name not in CHECKS:
            nearest = difflib.get_close_matches(name, CHECKS, n=1, cutoff=0.0)
            raise ValueError(f"there is no check {name!r}; the nearest one is {nearest[0]!r}")
    subject = Subject(Maker(find_spec(env_id), kwargs or {}, words), settings or Settings())
    report = Report(env_id)
    for name, function in CHECKS.items():
        if not only or name in only:
            report.outcomes.append(_run(name, function, subject))
            if on_outcome is not None:
                on_outcome(report.outcomes[-1])
    return report


def _run(name: str, function: Check, subject: Subject) -> Outcome:
    try:
        if function is not interface.can_be_played:
            subject.probe  # noqa: B018 - skips if it cannot even be made
        return Outcome(name, Verdict.PASSED, function(subject))
    except Skipped as skipped:
        return Outcome(name, Verdict.SKIPPED, str(skipped))
    except Failed as failed:
        return Outcome(name, Verdict.FAILED, str(failed))
    except Exception as error:  # noqa: BLE001 - whatever the environment raises is the finding
        return Outcome(name, Verdict.FAILED, f"it raised {describe(error)}")
