"""Drawings: the renderer on shapes with known areas, what it refuses, and a policy that learns to draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Status, Trajectory, Turn
from palestra.envs.svg import MAX_DEPTH, MAX_ELEMENTS, SvgError
from palestra.rewards import RewardError, parse_reward
from palestra.rewards.render_match import pixel_similarity, render_svg, svg_match


def draw(body: str, box: str = "0 0 32 32", size: int = 32) -> np.ndarray:
    return render_svg(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{body}</svg>', size, size)


def area(image: np.ndarray) -> float:
    """How many pixels of black there are on white."""
    return float((255 - image.astype(float)).mean(axis=2).sum() / 255)


def drawn(text: Any, target: Any) -> float:
    trajectory = Trajectory("Draw-v0", None, 0, [Turn("o", text, info={"target": target})], Status.TERMINATED)
    [values] = svg_match(width=32, height=32)([trajectory])
    assert values is not None
    return float(values[0])


def test_a_rectangle_covers_exactly_its_pixels() -> None:
    image = draw('<rect x="4" y="8" width="16" height="8" fill="#f00"/>')
    expected = np.full((32, 32, 3), 255, np.uint8)
    expected[8:16, 4:20] = (255, 0, 0)
    np.testing.assert_array_equal(image, expected)
    half = draw('<rect x="4.5" y="8" width="1" height="1"/>')
    assert half[8, 4:6].tolist() == [[127] * 3, [127] * 3] or half[8, 4:6].tolist() == [[128] * 3, [128] * 3]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<circle cx="16" cy="16" r="10"/>', np.pi * 100),
        ('<ellipse cx="16" cy="16" rx="5" ry="12"/>', np.pi * 60),
        ('<polygon points="2,2 22,2 2,22"/>', 200),
        ('<polyline points="2,2 22,2 2,22"/>', 200),
        ('<line x1="4" y1="16" x2="24" y2="16" stroke="black" stroke-width="2"/>', 40),
        ('<line x1="4" y1="4" x2="20" y2="16" stroke="black" stroke-width="3"/>', 60),
        ('<rect x="8" y="8" width="10" height="10" fill="none" stroke="black" stroke-width="2"/>', 80 - 4 + np.pi),
        ('<path d="M2 2h20v20H2Z"/>', 400),
        ('<path d="M2,2 22 2 l0 20 l-20,0 z m5,5 v10 h10 v-10 z"/>', 300),  # a hole winds the other way
        ('<path d="M2 2h20v20h-20z M7 7h10v10h-10z"/>', 400),  # the same way: nonzero fills it
        ('<path d="M4 28 Q16 4 28 28"/>', 2 / 3 * 24 * 12),
        ('<path d="M4 4 C 4 20 20 20 20 4 Z"/>', 0.6 * 16 * 16),
        ('<g fill="none"><rect width="9" height="9"/></g>', 0),
        ('<rect width="10" height="10" fill-opacity="0.5"/>', 50),
        ('<g opacity="0.5"><rect width="10" height="10" style="fill:black; opacity:50%"/></g>', None),
        ('<g opacity="0.5"><rect width="10" height="10" style="fill:black; opacity:.5"/></g>', 25),
        ('<rect x="-100" y="-100" width="1e5" height="1e5"/>', 1024),
        ('<circle r="0"/><title>nothing</title>', 0),
    ],
)  # fmt: skip
def test_areas(body: str, expected: float | None) -> None:
    if expected is None:
        with pytest.raises(SvgError):
            draw(body)
    else:
        assert area(draw(body)) == pytest.approx(expected, rel=0.03, abs=0.3)


def test_the_view_box_fills_the_canvas() -> None:
    wide = render_svg('<svg viewBox="-1 -1 2 2"><rect width="1" height="1"/></svg>', 20, 10)
    assert wide.shape == (10, 20, 3)
    assert (wide[5:, 10:] == 0).all()
    assert area(wide) == 50
    assert area(render_svg('<svg width="4px" height="4"><rect width="2" height="4"/></svg>', 8, 8)) == 32
    assert area(render_svg('<svg><rect width="2" height="4"/></svg>', 8, 8)) == 8
    assert draw('<rect width="9" height="9" fill="rgb(300, 0, 5)"/>')[0, 0].tolist() == [255, 0, 5]


BOMB = '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not well-formed"),
        ("<svg>", "not well-formed"),
        ("<svg><rect></svg>", "not well-formed"),
        ("<svg>\x00</svg>", "not well-formed"),
        ("<svg>\ud800</svg>", "not well-formed"),
        (BOMB + "<svg><title>&b;</title></svg>", "document type"),
        ('<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg><title>&x;</title></svg>', "document type"),
        ('<!DOCTYPE svg SYSTEM "http://127.0.0.1/x.dtd"><svg/>', "document type"),
        ("<svg><title>&x;</title></svg>", "not well-formed"),
        ("<rect/>", "begins a drawing"),
        ("<svg><svg/></svg>", "inside"),
        ("<svg><text>hi</text></svg>", "<text> is not supported"),
        ('<svg><image href="file:///etc/passwd"/></svg>', "<image> is not supported"),
        ("<svg><script>1</script></svg>", "<script> is not supported"),
        ('<svg><rect transform="scale(2)"/></svg>', "transform"),
        ('<svg><rect style="filter: blur(5px)"/></svg>', "filter"),
        ('<svg><rect style="fill"/></svg>', "style"),
        ('<svg><rect fill="url(#a)"/></svg>', "unknown colour"),
        ('<svg><rect fill="#11223344"/></svg>', "alpha"),
        ('<svg><rect width="1e400"/></svg>', "not a number"),
        ('<svg><rect width="nan"/></svg>', "not a number"),
        ('<svg><rect width="5em"/></svg>', "not a number"),
        ('<svg><rect width="-1"/></svg>', "negative"),
        ('<svg><rect width="1" height="1" rx="1"/></svg>', "round corners"),
        ('<svg viewBox="0 0 0 1"/>', "not a box"),
        ('<svg><polygon points="1 2 3"/></svg>', "odd"),
        ('<svg><path d="L 1 1"/></svg>', "begins with M"),
        ('<svg><path d="M 1"/></svg>', "lacks arguments"),
        ('<svg><path d="M 1 L 2 3"/></svg>', "cannot read the path"),
        ('<svg><path d="M 1 1 A 5 5 0 0 1 9 9"/></svg>', "cannot read the path"),
        ('<svg><path d="M 1 1 Z 5"/></svg>', "cannot read the path"),
        ("<svg>" + "<g>" * MAX_DEPTH + "</g>" * MAX_DEPTH + "</svg>", "nested deeper"),
        ("<svg>" + "<g/>" * MAX_ELEMENTS + "</svg>", "more than"),
        ('<svg><path d="M0 0' + " L1 1" * 3000 + '"/></svg>', "points"),
        ("<svg>" + " " * 60_000 + "</svg>", "characters"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(SvgError, match=why):
        render_svg(text, 8, 8)
    assert drawn(text, np.zeros((32, 32, 3), np.uint8)) == 0


NUMBER = st.sampled_from(["0", "5", "-3.5", "1e6", "-1e6", ".5", "1e-9", "x", ""])
SHAPE = st.sampled_from(["rect", "circle", "ellipse", "line", "polygon", "path", "g", "use"])
KEY = st.sampled_from(
    ["x", "y", "width", "height", "r", "rx", "cx", "x1", "y2", "points", "d", "fill", "stroke", "stroke-width", "style"]
)
VALUE = NUMBER | st.sampled_from(["red", "M0 0L5 5H1e6V-1e6Z", "m1 1c1 1 2 2 3 3z", "0,0 1e6,5 3,1e6", "fill:none"])
ELEMENT = st.builds(
    lambda name, pairs: f"<{name} " + " ".join(f'{key}="{value}"' for key, value in pairs.items()) + "/>",
    SHAPE,
    st.dictionaries(KEY, VALUE, max_size=8),
)


@settings(max_examples=50)
@given(st.lists(ELEMENT, max_size=5) | st.lists(st.text(max_size=20), max_size=3))
def test_any_text_is_drawn_or_refused(pieces: list[str]) -> None:
    try:
        image = draw("".join(pieces), size=8)
    except SvgError:
        return
    assert image.shape == (8, 8, 3)
    assert image.dtype == np.uint8


def test_similarity_by_hand() -> None:
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    half = black.copy()
    half[0] = 255
    assert [pixel_similarity(black, other) for other in (black, white, half)] == [1, 0, 0.5]
    with pytest.raises(RewardError, match="shape"):
        pixel_similarity(black, np.zeros((3, 2, 3), np.uint8))


def test_the_gate_and_the_first_drawing() -> None:
    target = draw('<circle cx="16" cy="16" r="9" fill="red"/>')
    same = '<svg viewBox="0 0 32 32"><circle cx="16" cy="16" r="9" fill="red"/></svg>'
    assert drawn(same, target) == 1
    assert drawn(f"Here: ```svg\n{same}\n``` and <svg/>", target) == 1
    assert drawn("<svg/>", target) == pixel_similarity(np.full((32, 32, 3), 255, np.uint8), target) < 1
    assert drawn("no drawing", target) == drawn(same[:-3], target) == drawn(7, target) == 0
    untargeted = Trajectory("Draw-v0", None, 0, [Turn("o", same)], Status.TERMINATED)
    assert svg_match()([untargeted])[0] == [0]
    with pytest.raises(ValueError, match="canvas"):
        svg_match(width=0)


def says_red(image: np.ndarray, target: str) -> float:
    return float(target == "red" and (image[..., 0] > image[..., 1]).any())


def test_a_similarity_of_ones_own() -> None:
    trajectory = Trajectory("Draw-v0", None, 0, [Turn("o", "<svg><rect width='9' height='9' fill='red'/></svg>")])
    trajectory.turns[0].info["target"] = "red"
    assert svg_match(says_red)([trajectory])[0] == [1]
    with pytest.raises(RewardError, match="similarity is 2"):
        svg_match(lambda image, target: 2.0)([trajectory])
    assert str(parse_reward("svg_match(width=32)")) == "svg_match(width=32)"


MATCH = svg_match(width=32, height=32)
CHOICES: dict[str, list[Any]] = {
    "kind": ["circle", "square"],
    "colour": ["red", "green", "blue", "orange"],
    "x": [6, 11, 16, 21, 26],
    "y": [6, 11, 16, 21, 26],
    "size": [3, 5, 7, 9],
}


def program(kind: str, colour: str, x: int, y: int, size: int) -> str:
    shape = (
        f'<circle cx="{x}" cy="{y}" r="{size}" fill="{colour}"/>'
        if kind == "circle"
        else f'<rect x="{x - size}" y="{y - size}" width="{2 * size}" height="{2 * size}" fill="{colour}"/>'
    )
    return f'<svg viewBox="0 0 32 32">{shape}</svg>'


def learnt_drawings(seed: int, steps: int = 25, size: int = 16) -> tuple[float, float]:
    """The mean similarity of a policy's last group and of as many random drawings, after steps * size renderings."""
    rng = np.random.default_rng(seed)
    target = render_svg(program(**{key: rng.choice(values) for key, values in CHOICES.items()}), 32, 32)
    logits = {key: np.zeros(len(values)) for key, values in CHOICES.items()}
    rewards = np.zeros(size)
    first = 0.0
    for step in range(steps):
        policy = {key: np.exp(values) / np.exp(values).sum() for key, values in logits.items()}
        chosen = {key: rng.choice(len(p), size=size, p=p) for key, p in policy.items()}
        texts = [program(**{key: CHOICES[key][index[i]] for key, index in chosen.items()}) for i in range(size)]
        group = [Trajectory("Draw-v0", 0, 0, [Turn("o", t, info={"target": target})], Status.TERMINATED) for t in texts]
        rewards = np.concatenate([values for values in MATCH(group) if values is not None])
        first = float(rewards.mean()) if step == 0 else first
        advantage = (rewards - rewards.mean()) / (rewards.std() + 1e-8)
        for key, index in chosen.items():
            logits[key] += 0.5 * (np.eye(len(logits[key]))[index] - policy[key]).T @ advantage / np.sqrt(size)
    return float(rewards.mean()), first


def test_works_sgp() -> None:
    learnt, random = np.mean([learnt_drawings(seed) for seed in range(3)], axis=0)
    # The distance from the target falls by more than half.
    assert 1 - learnt < 0.5 * (1 - random)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw('<rect width="9" height="9"/>')
    assert list(tmp_path.iterdir()) == []
