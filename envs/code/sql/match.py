"""Whether two answers are the same: the rule of execution match."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import Any

from .database import Answer

_MOST_COLUMNS = 5


def same_answer(answer: Answer, wanted: Answer, ordered: bool) -> bool:
    """Whether ``answer`` has the rows of ``wanted``: in that order if ``ordered``, else in any.

    Columns may be in any order and have any names, but there must be as many.  Rows that repeat count as often as they
    do.  An integer equals a float of its value, and floats are compared to nine digits, as sums in another order
    differ beyond that.

    Source: the execution accuracy of Spider (Yu et al. 2018) by the rules of Zhong et al. 2020 (arXiv:2010.02840).
    """
    width = len(wanted.columns)
    if len(answer.columns) != width or len(answer.rows) != len(wanted.rows):
        return False
    given, target = [list(map(_rounded, row)) for row in answer.rows], [list(map(_rounded, row)) for row in wanted.rows]
    orders = permutations(range(width)) if width <= _MOST_COLUMNS else [tuple(range(width))]
    for order in orders:
        rows = [tuple(row[i] for i in order) for row in given]
        right = [tuple(row) for row in target]
        if rows == right or (not ordered and Counter(rows) == Counter(right)):
            return True
    return False


def _rounded(value: Any) -> Any:
    return float(f"{value:.9g}") if isinstance(value, int | float) else value
