"""The report of a run: ``report.md`` with its results side by side, and ``learning_curves.png``."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..trajectory import Observation, Trajectory
from ..trajectory_io import read_trajectories
from . import metrics, recipe, self_play_report
from .config import Config
from .evaluation import solved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EVALUATIONS = "evaluations.jsonl"
"""One :class:`~palestra.training.evaluation.Result` a line."""
EPISODES = "evaluation_episodes.jsonl"
"""The trajectories of the policy's last evaluation; the report shows two of them."""
REPORT, CURVES = "report.md", "learning_curves.png"

BLUE, GREY, GREEN, ORANGE = "#2563a8", "#8a8f98", "#2e8b57", "#d1762a"
_LONGEST_TEXT = 600
_FEW_TURNS = 6
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Results:
    """The evaluations of a run: one of each agent, and the policy's in the order of their steps."""

    random: Row | None
    start: Row | None
    trained: Row | None
    oracle: Row | None
    policy: Sequence[Row]
    start_name: str
    """What the policy was before the first step: ``warm start`` or ``untrained``."""

    def table(self) -> list[tuple[str, Row]]:
        """The agents that were evaluated, side by side."""
        trained = f"trained, step {self.trained['step']}" if self.trained else ""
        named = [("random", self.random), (self.start_name, self.start), (trained, self.trained)]
        return [(name, row) for name, row in [*named, ("oracle", self.oracle)] if row]


def write_report(run: str | Path) -> Path:
    """Write ``report.md`` and ``learning_curves.png`` into a run's folder, from what is there; the report's path.

    Reads ``recipe.toml``, and as far as they exist ``metrics.jsonl``, :data:`EVALUATIONS` and :data:`EPISODES`.
    """
    folder = Path(run)
    config = recipe.load_as(Config, folder / recipe.FILE)
    rows = metrics.read(folder)
    results = read_results(folder, "warm start" if config.warm_start.demonstrations else "untrained")
    draw(folder / CURVES, rows, results)
    parts = [
        f"# {config.env}, {_model(config)}",
        _headline(results),
        _table(results),
        _turns_needed(results),
        f"![Learning curves]({CURVES})",
        _effort(rows, config),
        self_play_report.section(folder, rows),
        settings(config),
        _examples(folder / EPISODES),
    ]
    report = folder / REPORT
    report.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return report


def draw(path: Path, rows: Sequence[Row], results: Results) -> None:
    """Draw the learning curves: success on held-out tasks, training reward, entropy and episode length over steps."""
    curves = [
        ("train/reward", "Reward per training episode", BLUE),
        ("train/entropy", "Entropy per sampled token (nats)", ORANGE),
        ("train/turns", "Turns per training episode", GREEN),
    ]
    draw_panels(path, lambda axis: _draw_success(axis, results), rows, curves)


def draw_panels(
    path: Path, draw_first: Callable[[Axes], None], rows: Sequence[Row], curves: Sequence[tuple[str, str, str]]
) -> None:
    """Draw a figure of four panels: the first by ``draw_first``, then metrics by their name, title and colour."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.2), dpi=130, layout="constrained")
    first, *others = figure.subplots(2, 2).flat
    draw_first(first)
    for axis, (name, title, colour) in zip(others, curves, strict=True):
        draw_curve(axis, rows, name, title, colour)
    for axis in (first, *others):
        axis.set_xlabel("step")
        axis.grid(alpha=0.25, linewidth=0.7)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def read_results(folder: Path, start_name: str) -> Results:
    """The evaluations in a run's folder."""
    # A resumed run may have repeated an evaluation: the last one counts.
    last = {(row["agent"], row["step"]): row for row in metrics.read_lines(folder / EVALUATIONS)}
    policy = [row for (agent, _), row in sorted(last.items(), key=lambda item: item[0][1]) if agent == "policy"]
    alone = {agent: row for (agent, _), row in last.items()}
    return Results(
        random=alone.get("random"),
        start=next((row for row in policy if row["step"] == 0), None),
        trained=policy[-1] if policy and policy[-1]["step"] > 0 else None,
        oracle=alone.get("oracle"),
        policy=policy,
        start_name=start_name,
    )


def _draw_success(axis: Axes, results: Results) -> None:
    split = next((row["split"] for _, row in results.table()), "held-out")
    axis.set_title(f"Success on {split} tasks, with 95% interval", loc="left", fontsize=11, pad=24)
    axis.set_ylim(-0.02, 1.05)
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    if results.policy:
        steps = [row["step"] for row in results.policy]
        success, low, high = ([row[f"success{end}"] for row in results.policy] for end in ("", "_low", "_high"))
        axis.fill_between(steps, low, high, color=BLUE, alpha=0.18, linewidth=0)
        axis.plot(steps, success, color=BLUE, marker="o", markersize=4, linewidth=2, label="policy")
    lines = [(results.oracle, "oracle", GREEN, "-."), (results.start, results.start_name, ORANGE, "--")]
    for row, name, colour, style in [*lines, (results.random, "random", GREY, ":")]:
        if row:
            label = f"{name} {row['success']:.1%}"
            axis.axhline(row["success"], color=colour, linestyle=style, linewidth=1.5, label=label)
    if not results.table():
        say_empty(axis)
        return
    # Above the axes, where it hides no line.
    axis.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4, columnspacing=1)


def draw_curve(axis: Axes, rows: Sequence[Row], name: str, title: str, colour: str) -> None:
    """Draw one value of the metrics over the steps, as it is and smoothed."""
    axis.set_title(title, loc="left", fontsize=11)
    points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
    if not points:
        say_empty(axis)
        return
    steps, values = np.array(points, float).T
    window = max(1, len(points) // 10)
    smooth, counts = (np.convolve(each, np.ones(window), "same") for each in (values, np.ones_like(values)))
    axis.plot(steps, values, color=colour, alpha=0.35, linewidth=1)
    axis.plot(steps, smooth / counts, color=colour, linewidth=2, label=f"mean of {window} steps")
    if window > 1:
        axis.legend(frameon=False, fontsize=9, loc="best")


def say_empty(axis: Axes) -> None:
    """Say that there is nothing to draw."""
    axis.text(0.5, 0.5, "not measured", transform=axis.transAxes, ha="center", va="center", color=GREY)


def _model(config: Config) -> str:
    if config.model is not None:
        return config.model
    small = config.small
    return f"a {small.architecture} of {small.layers} layers and width {small.hidden}, made on the spot"


def _headline(results: Results) -> str:
    start, trained = results.start, results.trained
    if not trained:
        return "The run ended before the trained policy was evaluated."
    tasks = f"{trained['tasks']} {trained['split']} tasks"
    text = f"**{trained['success']:.1%} of {tasks} are solved after {trained['step']} steps"
    if start:
        low, high = _difference(start, trained)
        lift = 100 * (trained["success"] - start["success"])
        text += f", {lift:+.1f} points against the {results.start_name}** (95% interval {low:+.1f} to {high:+.1f})."
    else:
        text += ".**"
    return text


def _difference(before: Row, after: Row) -> tuple[float, float]:
    """The 95% interval, in points, of the difference of two rates, from their Wilson intervals (Newcombe, 1998)."""
    change = after["success"] - before["success"]
    down = np.hypot(after["success"] - after["success_low"], before["success_high"] - before["success"])
    up = np.hypot(after["success_high"] - after["success"], before["success"] - before["success_low"])
    return 100 * (change - down), 100 * (change + up)


def _table(results: Results) -> str:
    if not results.table():
        return ""
    lines = ["| agent | success | 95% interval | mean score | 95% interval | mean turns | tasks | faults |"]
    lines.append("|---|--:|:-:|--:|:-:|--:|--:|--:|")
    for name, row in results.table():
        success = f"{row['success']:.1%} | {row['success_low']:.1%} to {row['success_high']:.1%}"
        score = f"{row['score']:.3f} | {row['score_low']:.3f} to {row['score_high']:.3f}"
        lines.append(f"| {name} | {success} | {score} | {row['turns']:.1f} | {row['tasks']} | {row['faults']} |")
    return "\n".join(lines)


def _turns_needed(results: Results) -> str:
    """What each further turn adds, where episodes are short enough to tell the turns apart."""
    rows = [(name, row.get("solved_within", [])) for name, row in results.table()]
    most = max((len(shares) for _, shares in rows), default=0)
    if not 1 < most <= _FEW_TURNS:
        return ""
    within = ", ".join(str(turns) for turns in range(1, most + 1))
    said = [f"{name} {', '.join(f'{share:.1%}' for share in shares) or 'none'}" for name, shares in rows]
    return f"Solved within {within} turns: {'; '.join(said)}."


def _effort(rows: Sequence[Row], config: Config) -> str:
    if not rows:
        return ""
    minutes, seconds = divmod(round(rows[-1]["seconds"]), 60)
    parts = [f"{rows[-1]['step']} of {config.steps} steps in {minutes} min {seconds} s"]
    if tokens := sum(row.get("train/tokens") or 0 for row in rows):
        parts.append(f"{tokens:,.0f} tokens played")
    gaps = [row["train/gap_max"] for row in rows if row.get("train/gap_max") is not None]
    if gaps:
        parts.append(f"largest gap between the sampler's and the learner's log-probabilities {max(gaps):.1e}")
    return "; ".join(parts) + "."


def settings(config: recipe.Run) -> str:
    """What of the configuration is not as its defaults are."""
    plain = recipe.flat(type(config)())
    changed = {key: value for key, value in recipe.flat(config).items() if value != plain[key]}
    lines = [f"- `{key}`: {value}" for key, value in changed.items() if key not in ("run", "resume")]
    text = f"All settings are in [{recipe.FILE}]({recipe.FILE})."
    return "## Settings\n\n" + (f"Other than the defaults:\n\n{chr(10).join(lines)}\n\n{text}" if lines else text)


def _examples(path: Path) -> str:
    if not path.is_file():
        return ""
    episodes = [episode for episode in read_trajectories(path) if episode.status.scored]
    good = next((episode for episode in episodes if solved(episode)), None)
    bad = next((episode for episode in episodes if not solved(episode)), None)
    shown = [(good, "solved"), (bad, "not solved")]
    return "\n\n".join(["## Episodes", *(_episode(episode, how) for episode, how in shown if episode)])


def _episode(episode: Trajectory, how: str) -> str:
    name = f"Seed {episode.seed}" if episode.task is None else f"Task {episode.task} ({episode.split})"
    lines = []
    for number, turn in enumerate(episode.turns, 1):
        lines += [f"[{number}] {_text(turn.observation)}", f"--> {turn.action}", ""]
    lines += [_text(episode.final_observation or ""), f"score {episode.score:g}, {episode.status}"]
    # Indented, because an observation may hold whatever ends another kind of block.
    code = textwrap.indent("\n".join(lines), "    ", lambda line: True)
    return f"<details><summary>{name}: {how}, {len(episode.turns)} turns</summary>\n\n{code}\n\n</details>"


def _text(observation: Observation) -> str:
    text = observation if isinstance(observation, str) else observation["text"]
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]} ..."
