"""The part of a run's report that is about self-play: how exploitable the policy is, who beats whom."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .ratings import RATINGS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE = "self_play.png"
_EXPLOITABILITY, _SCORE, _VALUE = "evaluation/exploitability", "evaluation/score", "evaluation/value_"
_SHOWN = 12
"""Most members in the tables: the first, and the last ones."""


def section(folder: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """The section, with its picture drawn into the run's folder; empty for a run without self-play.

    ``rows`` are those of the run's metrics.
    """
    curve = _curve(rows, _EXPLOITABILITY)
    path = folder / RATINGS
    ratings = json.loads(path.read_text()) if path.is_file() else None
    if not curve and not ratings:
        return ""
    _draw(folder / PICTURE, curve, _curve(rows, _SCORE), ratings)
    parts = ["## Self-play", _exploitability(curve), _values(rows), f"![Self-play]({PICTURE})"]
    if ratings:
        parts += [_elo(ratings), _payoff(ratings)]
    return "\n\n".join(part for part in parts if part)


def _exploitability(curve: Sequence[tuple[int, float]]) -> str:
    if not curve:
        return ""
    step, last = curve[-1]
    best_step, best = min(curve, key=lambda point: point[1])
    return (
        f"Exploitability after {step} steps: **{last:.4f}**; lowest {best:.4f}, at step {best_step}. It is what a best "
        "response gains, averaged over the roles, computed from the probabilities with which the policy of that step "
        "(the last iterate, no average over steps) chooses in every situation of the game."
    )


def _curve(rows: Sequence[Mapping[str, Any]], key: str) -> list[tuple[int, float]]:
    """The steps at which something was measured, and what it was."""
    return [(row["step"], row[key]) for row in rows if row.get(key) is not None]


def _values(rows: Sequence[Mapping[str, Any]]) -> str:
    measured = [row for row in rows if any(key.startswith(_VALUE) for key in row)]
    if not measured:
        return ""
    values = {key.removeprefix(_VALUE): value for key, value in measured[-1].items() if key.startswith(_VALUE)}
    said = ", ".join(f"{role} {value:+.4f}" for role, value in values.items())
    return f"Where the policy takes every role, each can expect, computed likewise: {said}."


def _shown(ratings: Mapping[str, Any]) -> list[int]:
    count = len(ratings["members"])
    return list(range(count)) if count <= _SHOWN else [0, *range(count - _SHOWN + 1, count)]


def _elo(ratings: Mapping[str, Any]) -> str:
    lines = ["| member | Elo | 95% interval | games |", "|---|--:|:-:|--:|"]
    for number in _shown(ratings):
        value, margin = ratings["elo"][number]
        interval = f"{value - margin:+.0f} to {value + margin:+.0f}"
        lines.append(f"| {ratings['members'][number]} | {value:+.0f} | {interval} | {sum(ratings['games'][number])} |")
    return "\n".join(lines)


def _payoff(ratings: Mapping[str, Any]) -> str:
    shown = _shown(ratings)
    names = [ratings["members"][number] for number in shown]
    lines = ["Mean score of the row's member against the column's:", ""]
    lines += [f"| | {' | '.join(names)} |", "|---|" + "--:|" * len(names)]
    for name, number in zip(names, shown, strict=True):
        values = (ratings["payoff"][number][other] for other in shown)
        lines.append(f"| {name} | {' | '.join('' if value is None else f'{value:+.3f}' for value in values)} |")
    return "\n".join(lines)


def _draw(
    path: Path,
    exploitability: Sequence[tuple[int, float]],
    score: Sequence[tuple[int, float]],
    ratings: Mapping[str, Any] | None,
) -> None:
    """How exploitable the policy is, where that is measured, its mean score in evaluations, and the payoff matrix."""
    from matplotlib.figure import Figure

    curves = [("Mean score in evaluations", score)]
    if exploitability:
        curves.insert(0, ("Exploitability of the policy", exploitability))
    figure = Figure(figsize=(5.5 * (len(curves) + 1), 4.2), dpi=130, layout="constrained")
    *left, right = figure.subplots(1, len(curves) + 1)
    for axis, (title, curve) in zip(left, curves, strict=True):
        axis.set_title(title, loc="left", fontsize=11)
        axis.set_xlabel("step")
        axis.grid(alpha=0.25, linewidth=0.7)
        axis.spines[["top", "right"]].set_visible(False)
        axis.plot(*np.array(curve, float).reshape(-1, 2).T, color="#2563a8", linewidth=2)
    if exploitability:
        left[0].set_ylim(bottom=0)
    _draw_payoff(right, ratings)
    figure.savefig(path)


def _draw_payoff(axis: Axes, ratings: Mapping[str, Any] | None) -> None:
    axis.set_title("Mean score of row against column", loc="left", fontsize=11)
    if not ratings:
        axis.text(0.5, 0.5, "nobody was rated", transform=axis.transAxes, ha="center", va="center", color="#8a8f98")
        axis.set_axis_off()
        return
    payoff = np.array(ratings["payoff"], float)
    limit = max(float(np.nanmax(np.abs(payoff))), 1e-9)
    image = axis.imshow(payoff, cmap="RdBu", vmin=-limit, vmax=limit)
    axis.set_xticks(range(len(payoff)), ratings["members"], rotation=60, ha="right", fontsize=7)
    axis.set_yticks(range(len(payoff)), ratings["members"], fontsize=7)
    axis.figure.colorbar(image, ax=axis, shrink=0.8)
