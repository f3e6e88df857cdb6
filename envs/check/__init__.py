"""Does an environment keep its promises?  ``palestra.check("WebShop-v0")`` plays it and says what is broken.

Each check is a function of a :class:`Subject` that returns a remark, or raises :class:`Failed` or :class:`Skipped`; its
docstring says what it demands.  The modules hold one family of checks each.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from typing import Any

import gymnasium

from . import determinism, forking, hostile, interface, multi, solving, tasks, values, vector
from .interface import describe
from .maker import Maker, find_spec
from .report import Failed, Outcome, Report, Skipped, Verdict
from .subject import Settings, Subject
from .table import TableMaker, has_table

__all__ = [
    "CHECKS",
    "MULTI_CHECKS",
    "Failed",
    "Outcome",
    "Report",
    "Settings",
    "Skipped",
    "Subject",
    "Verdict",
    "check",
    "find_spec",
]

Check = Callable[[Subject], str]

FAMILIES = (interface, values, determinism, hostile, vector, forking, solving, tasks)
CHECKS: dict[str, Check] = {function.__name__: function for family in FAMILIES for function in family.CHECKS}
"""Every check by its name, in the order in which they run."""

MULTI_CHECKS: dict[str, Check] = {f"multi_{function.__name__}": function for function in (*multi.PLAYED, *multi.CHECKS)}
"""The checks of the PettingZoo form, which run on environments for several agents."""


def check(
    env_id: str,
    *,
    kwargs: dict[str, Any] | None = None,
    words: bool = False,
    only: Collection[str] = (),
    settings: Settings | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Report:
    """Check the environment ``env_id`` (``"EnvId"`` or ``"module:EnvId"``), in every form that it has.

    One that is registered with Gymnasium is checked by :data:`CHECKS`; one that :func:`palestra.make_multi` makes is
    checked by :data:`MULTI_CHECKS`, after that.

    ``kwargs`` go to its constructor.  With ``words`` it is checked as a language model meets it, wrapped by
    :func:`palestra.envs.words.as_text`.  ``only`` names the checks to run, all by default.  ``on_outcome`` is called
    after each check.

    Whatever the environment raises is the outcome of a check.  Raises :class:`ValueError` for an unknown environment or
    check, naming the nearest one.
    """
    for name in only:
        if name not in CHECKS and name not in MULTI_CHECKS:
            nearest = difflib.get_close_matches(name, [*CHECKS, *MULTI_CHECKS], n=1, cutoff=0.0)
            raise ValueError(f"there is no check {name!r}; the nearest one is {nearest[0]!r}")
    report = Report(env_id)
    for checks, maker in _forms(env_id, kwargs or {}, words):
        subject = Subject(maker, settings or Settings())
        for name, function in checks.items():
            if not only or name in only:
                report.outcomes.append(_run(name, function, subject))
                if on_outcome is not None:
                    on_outcome(report.outcomes[-1])
    return report


def _forms(env_id: str, kwargs: dict[str, Any], words: bool) -> list[tuple[dict[str, Check], Maker | TableMaker]]:
    """The checks of each form that the environment has, and what makes it."""
    tables: list[tuple[dict[str, Check], Maker | TableMaker]] = []
    if has_table(env_id):
        tables.append((MULTI_CHECKS, TableMaker(env_id, kwargs)))
        if env_id.rpartition(":")[2] not in gymnasium.registry:
            return tables
    return [(CHECKS, Maker(find_spec(env_id), kwargs, words)), *tables]


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
