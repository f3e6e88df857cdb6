from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.rewards.judges import Verdict
from palestra.rewards.judges.verdict import compare, neutral_mean


def test_values_of_each_form() -> None:
    assert Verdict(score=0.3).values().tolist() == [0.3]
    assert Verdict(pair=0.5).values().tolist() == [0.75, 0.25]
    assert Verdict(ranking=(2, 0, 1)).values().tolist() == [0.5, 0, 1]
    with pytest.raises(ValueError, match="abstained: no idea"):
        Verdict.none("no idea").values()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"score": 0.5, "pair": 0.5},
        {"score": 0.5, "abstain": True},
        {"score": 1.01},
        {"score": float("nan")},
        {"pair": -1.5},
        {"ranking": (0, 0)},
        {"ranking": (1, 2)},
        {"score": 0.5, "confidence": 1.5},
    ],
)
def test_a_verdict_is_one_thing_in_its_bounds(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"verdict|ranking"):
        Verdict(**arguments)


def test_scores_compare_to_a_pair_or_a_ranking() -> None:
    scores = [Verdict(score=score, confidence=score) for score in (0.25, 0.75, 0.25)]
    assert compare(scores[:1]) is scores[0]
    assert (compare(scores[:2]).pair, compare(scores[:2]).confidence) == (-0.5, 0.25)
    assert compare(scores).ranking == (1, 0, 2)
    assert compare([*scores, Verdict.none("?")]).abstain


def test_what_is_not_known_has_the_mean_of_what_is() -> None:
    assert neutral_mean([0.2, None, 0.6]).tolist() == pytest.approx([0.2, 0.4, 0.6])
    assert neutral_mean([None, None]).tolist() == [0, 0]


@given(st.lists(st.none() | st.floats(-1, 1), min_size=1, max_size=8))
def test_what_is_not_known_moves_no_mean(values: list[float | None]) -> None:
    known = [value for value in values if value is not None]
    filled = neutral_mean(values)
    assert filled.mean() == pytest.approx(sum(known) / len(known) if known else 0, abs=1e-9)
