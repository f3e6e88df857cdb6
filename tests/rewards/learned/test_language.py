"""Language models that read trajectories, and policies over recorded ids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from palestra import Status, Trajectory, Turn
from palestra.agents.small import save_small_model
from palestra.rewards import RewardError, parse_reward
from palestra.rewards.learned.data import Pair
from palestra.rewards.learned.fit import accuracy, fit, preference_loss
from palestra.rewards.learned.implicit import ImplicitProcessModel
from palestra.rewards.learned.language import LanguageEncoder, LanguagePolicy
from palestra.rewards.learned.model import RewardModel
from palestra.rewards.learned.saved import SavedModelError, load, save

from .bench import generator

WORDS = ["red", "blue", "lamp", "desk", "please", "now"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small")
    save_small_model(path, [" ".join(WORDS)] * 3, vocab_size=300, hidden=32, layers=2, heads=2, kv_heads=1)
    return path


def talk(*turns: tuple[str, str], final: str | None = None) -> Trajectory:
    made = [Turn(observation, action) for observation, action in turns]
    return Trajectory("Talk-v0", None, 0, made, Status.TERMINATED, final_observation=final)


LONG = talk(("red lamp", "blue"), ("desk", "now please"), ({"text": "red", "image": None}, "lamp"), final="blue")  # type: ignore[arg-type]


def test_a_turns_state_depends_on_nothing_later(folder: Path) -> None:
    encoder = LanguageEncoder.from_pretrained(folder)
    assert encoder.causal
    assert encoder.width == 32
    with torch.no_grad():
        together = encoder([LONG, talk(("desk", "red"))])
        apart = [
            encoder([replace(LONG, turns=LONG.turns[:length], final_observation=None)])[0][-1] for length in (1, 2)
        ]
    assert [part.shape for part in together] == [(3, 32), (1, 32)]
    for row, alone in zip(together[0], apart, strict=False):
        torch.testing.assert_close(row, alone, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        [other] = encoder([replace(LONG, final_observation="now")])
    torch.testing.assert_close(other[:2], together[0][:2], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(other[2], together[0][2], atol=1e-3)


def test_what_is_too_long_is_read_up_to_each_turns_end(folder: Path) -> None:
    short, whole = LanguageEncoder.from_pretrained(folder, max_tokens=6), LanguageEncoder.from_pretrained(folder)
    ids = [token for turn in LONG.turns[:2] for token in _ids(whole, turn)]
    assert len(ids) > 6
    with torch.no_grad():
        [rows] = short([LONG])
        states = whole.trunk(input_ids=torch.tensor([ids[-6:]])).last_hidden_state[0, -1]
    assert rows.shape == (3, 32)
    torch.testing.assert_close(rows[1], states, atol=1e-5, rtol=1e-5)


def _ids(encoder: LanguageEncoder, turn: Turn) -> list[int]:
    return list(encoder.tokenizer(f"{turn.observation}\n{turn.action}\n", add_special_tokens=False)["input_ids"])


def test_a_trunk_that_looks_ahead_judges_outcomes_only(folder: Path) -> None:
    encoder = LanguageEncoder.from_pretrained(folder)

    class Both(torch.nn.Module):
        """Reads in both directions: every state holds the mean of all."""

        config = encoder.trunk.config

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            answer = encoder.trunk(input_ids=input_ids, attention_mask=attention_mask)
            answer.last_hidden_state = answer.last_hidden_state.mean(dim=1, keepdim=True) + answer.last_hidden_state
            return answer

    both = LanguageEncoder(Both(), encoder.tokenizer)
    assert not both.causal
    RewardModel(both, "outcome")
    with pytest.raises(ValueError, match="outcomes only"):
        RewardModel(both, "process")


def polite(count: int, seed: int) -> list[Pair]:
    """The preferred one says please somewhere, the other does not."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(count):
        words = [[str(rng.choice([w for w in WORDS if w != "please"])) for _ in range(4)] for _ in range(2)]
        words[0][int(rng.integers(4))] = "please"
        pairs.append(Pair(*(talk(("desk", " ".join(w[:2])), ("lamp", " ".join(w[2:]))) for w in words)))
    return pairs


def test_preferences_teach_a_language_model_and_it_comes_back_from_disk(folder: Path, tmp_path: Path) -> None:
    model = RewardModel(LanguageEncoder.from_pretrained(folder))
    fit(model, polite(64, 0), preference_loss, epochs=4, generator=generator(), learning_rate=3e-3)
    held_out = polite(50, 1)
    assert accuracy(model, held_out) > 0.9
    save(model, tmp_path / "polite")
    reward = parse_reward(f"learned('{tmp_path / 'polite'}')")
    for pair in held_out[:3]:
        [paid] = reward([pair.preferred])
        np.testing.assert_allclose(paid, model.pay([pair.preferred])[0], atol=1e-6)  # type: ignore[arg-type]


def recorded(model: Any, seed: int, turns: int = 2) -> Trajectory:
    """Random ids with the log-probabilities that the model gives them, one token at a time."""
    rng, ids, made = np.random.default_rng(seed), [], []
    for _ in range(turns):
        context, action = rng.integers(5, 60, 3).tolist(), rng.integers(5, 60, 2).tolist()
        ids += context
        logprobs = []
        for token in action:
            with torch.no_grad():
                logprobs.append(float(model(torch.tensor([ids])).logits[0, -1].log_softmax(0)[token]))
            ids.append(token)
        made.append(
            Turn(
                "o",
                "a",
                context_ids=np.array(context, np.int32),
                action_ids=np.array(action, np.int32),
                logprobs=np.array(logprobs, np.float32),
            )
        )
    return Trajectory("Talk-v0", None, 0, made, Status.TERMINATED)


def test_log_probabilities_are_those_of_the_recorded_ids(folder: Path) -> None:
    policy = LanguagePolicy.from_pretrained(folder)
    episodes = [recorded(policy.model, 0, 3), recorded(policy.model, 1, 1), Trajectory("Talk-v0", None, 0)]
    with torch.no_grad():
        found = policy.log_probs(episodes)
    for one, made in zip(found, episodes, strict=True):
        np.testing.assert_allclose(one, [turn.logprobs.sum() for turn in made.turns], atol=1e-4)
    with pytest.raises(RewardError, match="no sampled ids after a context at turn 0"):
        policy.log_probs([talk(("red", "blue"))])


def test_an_implicit_model_starts_at_zero_and_learns_the_preferred_ids(folder: Path, tmp_path: Path) -> None:
    policy = LanguagePolicy.from_pretrained(folder)
    episodes = [recorded(policy.model, seed) for seed in range(8)]
    model = ImplicitProcessModel(policy, None, beta=0.1)
    np.testing.assert_allclose(np.concatenate(model.pay(episodes)), 0, atol=1e-4)
    frozen = ImplicitProcessModel(policy, LanguagePolicy.from_pretrained(folder), beta=0.1)
    np.testing.assert_allclose(np.concatenate(frozen.pay(episodes)), 0, atol=1e-4)
    pairs = [Pair(one, other) for one, other in zip(episodes[:4], episodes[4:], strict=True)]
    fit(model, pairs, preference_loss, epochs=5, generator=generator(), learning_rate=1e-3)
    assert accuracy(model, pairs) == 1
    bare = [replace(turn, logprobs=np.zeros(0, np.float32)) for turn in episodes[0].turns]
    with pytest.raises(RewardError, match="no log-probabilities"):
        model.pay([replace(episodes[0], turns=bare)])
    for name, made in (("recorded", model), ("frozen", frozen)):
        save(made, tmp_path / name)
        again = load(tmp_path / name).pay(episodes)
        np.testing.assert_allclose(np.concatenate(again), np.concatenate(made.pay(episodes)), atol=1e-5)
    with pytest.raises(SavedModelError, match="takes no policies"):
        load(tmp_path / "frozen", policies=(policy, None))
