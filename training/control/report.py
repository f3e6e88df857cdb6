"""The report of a run of continuous control: ``report.md`` and ``learning_curves.png``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import metrics, recipe
from ..report import (
    BLUE,
    CURVES,
    GREEN,
    GREY,
    ORANGE,
    REPORT,
    Results,
    Row,
    draw_panels,
    read_results,
    say_empty,
    settings,
)
from .config import ControlConfig
from .film import FILM, STRIP

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_report(run: str | Path) -> Path:
    """Write the report into a run's folder, from the recipe, the metrics and the evaluations there; its path."""
    folder = Path(run)
    config = recipe.load_as(ControlConfig, folder / recipe.FILE)
    rows = metrics.read(folder)
    results = read_results(folder, "from demonstrations" if config.demonstrations.episodes else "untrained")
    draw(folder / CURVES, rows, results)
    parts = [
        f"# {config.env}, {recipe.flat(config)['algorithm'].upper()}",
        _headline(results),
        _table(results),
        f"![Learning curves]({CURVES})",
        f"![An episode of the policy]({STRIP})\n\n[The same, moving]({FILM})" if (folder / STRIP).exists() else "",
        _effort(rows, config),
        settings(config),
    ]
    report = folder / REPORT
    report.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return report


def draw(path: Path, rows: Sequence[Row], results: Results) -> None:
    """Draw the learning curves over environment steps: evaluated and training return, entropy, the values' loss."""
    curves = [
        ("train/return", "Return per training episode", BLUE),
        ("train/entropy", "Entropy of an action (nats)", ORANGE),
        ("train/value_loss", "Loss of the values", GREEN),
    ]
    draw_panels(path, lambda axis: _draw_score(axis, results), rows, curves)


def _draw_score(axis: Axes, results: Results) -> None:
    """Success where the environment says it, else the return."""
    name, title = ("success", "Success") if _says_success(results) else ("score", "Return")
    axis.set_title(f"{title} of evaluated episodes, with 95% interval", loc="left", fontsize=11, pad=24)
    if not results.policy:
        say_empty(axis)
        return
    steps, middle, low, high = ([row[key] for row in results.policy] for key in _columns(name))
    axis.fill_between(steps, low, high, color=BLUE, alpha=0.18, linewidth=0)
    axis.plot(steps, middle, color=BLUE, marker="o", markersize=4, linewidth=2, label="policy")
    for row, agent, colour in [(results.oracle, "oracle", GREEN), (results.random, "random", GREY)]:
        if row:
            axis.axhline(row[name], color=colour, linestyle=":", linewidth=1.5, label=f"{agent} {row[name]:.3g}")
    axis.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4, columnspacing=1)


def _columns(name: str) -> tuple[str, str, str, str]:
    return "step", name, f"{name}_low", f"{name}_high"


def _says_success(results: Results) -> bool:
    return any("success" in row for _, row in results.table())


def _headline(results: Results) -> str:
    trained, start = results.trained, results.start
    if not trained:
        return "The run ended before the trained policy was evaluated."
    text = f"**Return {trained['score']:.4g} after {trained['step']:,} steps"
    if "success" in trained:
        text += f", {trained['success']:.1%} of {trained['tasks']} {trained['split']} episodes solved"
    return text + (f"; {start['score']:.4g} before.**" if start else ".**")


def _table(results: Results) -> str:
    if not results.table():
        return ""
    success = _says_success(results)
    lines = ["| agent | return | 95% interval | steps | episodes |" + " success | 95% interval |" * success]
    lines.append("|---|--:|:-:|--:|--:|" + "--:|:-:|" * success)
    for name, row in results.table():
        line = f"| {name} | {row['score']:.4g} | {row['score_low']:.4g} to {row['score_high']:.4g} "
        line += f"| {row['turns']:.1f} | {row['tasks']} |"
        if success:
            line += f" {row['success']:.1%} | {row['success_low']:.1%} to {row['success_high']:.1%} |"
        lines.append(line)
    return "\n".join(lines)


def _effort(rows: Sequence[Row], config: ControlConfig) -> str:
    if not rows:
        return ""
    minutes, seconds = divmod(round(rows[-1]["seconds"]), 60)
    rate = rows[-1]["step"] / max(1e-9, rows[-1]["seconds"])
    text = f"{rows[-1]['step']:,} of {config.steps:,} environment steps in {minutes} min {seconds} s"
    return f"{text}, evaluations included: {rate:,.0f} a second."
