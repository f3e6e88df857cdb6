"""Texts scored in packed batches have the log-probabilities that the model alone gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from palestra import Group, Status, Trajectory, Turn
from palestra.agents.packed import pack
from palestra.agents.scoring import ModelScorer
from palestra.rewards import RewardError, score
from palestra.rewards.likelihood import ema_update, self_aligned, self_certainty

from .models import small_model, small_model_path

PAIRS = [
    ("find me a desk lamp\n", "search[desk lamp]"),
    ("", "search[desk lamp]"),
    ("find me a desk lamp\n", ""),
    ("Page 1 (Total results: 12)\nB07XYZ1234\n", "click[b07xyz1234]"),
    ("find me a desk lamp\n", "click[buy now]"),
]


def alone(model: Any, tokenizer: Any, context: str, target: str) -> np.ndarray:
    """The target's log-probabilities by the model's own attention, one sequence at a time."""
    begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    head = [begin, *tokenizer.encode(context, add_special_tokens=False)]
    tail = tokenizer.encode(target, add_special_tokens=False)
    with torch.no_grad():
        scores = model(input_ids=torch.tensor([head + tail])).logits[0].log_softmax(-1)
    rows = scores[len(head) - 1 : len(head) + len(tail) - 1]
    return np.array([float(row[index]) for row, index in zip(rows, tail, strict=True)])


@pytest.fixture(scope="module", params=["qwen3", "gemma2"])
def scorer_and_model(request: pytest.FixtureRequest) -> tuple[ModelScorer, Any]:
    return ModelScorer.load(str(small_model_path(request.param))), small_model(request.param)[0]


@pytest.mark.parametrize("max_batch_tokens", [1, 30, 8192])
def test_log_probabilities_are_those_of_the_model_alone(
    scorer_and_model: tuple[ModelScorer, Any], max_batch_tokens: int
) -> None:
    scorer, model = scorer_and_model
    scorer = ModelScorer(scorer.model, scorer.tokenizer, max_batch_tokens)
    answers = scorer.logprobs(PAIRS)
    assert [len(answer) for answer in answers] == [len(scorer.tokenizer.encode(target)) for _, target in PAIRS]
    for answer, pair in zip(answers, PAIRS, strict=True):
        np.testing.assert_allclose(answer, alone(model, scorer.tokenizer, *pair), atol=5e-4)
    assert answers[2].shape == (0,)
    assert scorer.logprobs([]) == []
    assert not np.allclose(answers[0], answers[1], atol=0.01)  # the context matters


def test_it_serves_the_rewards(scorer_and_model: tuple[ModelScorer, Any]) -> None:
    scorer, model = scorer_and_model
    group = Group([Trajectory("X-v0", 0, 0, [Turn("find a lamp", text)], Status.TERMINATED) for text in ("a", "b c")])
    values = score(self_aligned(scorer), group)
    for trajectory, value in zip(group, values, strict=True):
        assert value is not None
        action = trajectory.turns[0].action
        informed, plain = (alone(model, scorer.tokenizer, text, action).mean() for text in ("find a lamp\n", ""))
        assert value[-1] == pytest.approx(np.clip(1 - np.exp(plain - informed), -1, 1), abs=2e-3)


def test_what_it_cannot_score_is_an_error(scorer_and_model: tuple[ModelScorer, Any]) -> None:
    scorer, _ = scorer_and_model
    with pytest.raises(ValueError, match="tokens, the limit is 1024"):
        scorer.logprobs([("lamp " * 2000, "search")])
    with pytest.raises(ValueError, match="reads texts only"):
        scorer.logprobs([({"text": "page", "image": np.zeros((2, 2, 3), np.uint8)}, "click")])


def test_a_reference_follows_the_policy() -> None:
    reference, policy = (pack(small_model("qwen3")[0]) for _ in range(2))
    tokenizer = small_model("qwen3")[1]
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    wanted = ema_update(
        {name: weights.clone() for name, weights in reference.named_parameters()},
        dict(policy.named_parameters()),
        decay=0.75,
    )
    scorer = ModelScorer(reference, tokenizer)
    before = scorer.logprobs(PAIRS)[0]
    scorer.follow(policy, decay=0.75)
    for name, weights in reference.named_parameters():
        torch.testing.assert_close(weights, wanted[name].detach())
    assert not np.allclose(scorer.logprobs(PAIRS)[0], before)


def test_certainty_is_the_divergence_of_the_uniform_distribution_from_the_models(
    scorer_and_model: tuple[ModelScorer, Any],
) -> None:
    scorer, model = scorer_and_model
    context, target = PAIRS[0]
    begin = scorer.tokenizer.bos_token_id
    head = [scorer.tokenizer.eos_token_id if begin is None else begin, *scorer.tokenizer.encode(context)]
    tail = scorer.tokenizer.encode(target)
    with torch.no_grad():
        scores = model(input_ids=torch.tensor([head + tail])).logits[0].double().log_softmax(-1)
    rows = scores[len(head) - 1 : len(head) + len(tail) - 1]
    uniform = torch.full_like(rows, 1 / rows.shape[1])
    wanted = (uniform * (uniform.log() - rows)).sum(-1).numpy()
    answers = scorer.certainty(PAIRS)
    np.testing.assert_allclose(answers[0], wanted, atol=5e-4)
    assert answers[2].shape == (0,)
    assert all((answer >= 0).all() for answer in answers)


def test_certainty_serves_its_reward(scorer_and_model: tuple[ModelScorer, Any]) -> None:
    scorer, _ = scorer_and_model
    episode = Trajectory("Shop-v0", 0, 0, [Turn("find me a desk lamp", "search[desk lamp]"), Turn("Page", "")])
    episode.status = Status.TERMINATED
    (values,) = score(self_certainty(scorer), Group([episode]))
    (wanted,) = scorer.certainty([("find me a desk lamp\n", "search[desk lamp]")])
    assert values is not None
    assert values.tolist() == pytest.approx([wanted.mean(), 0.0])


class Broken:
    def certainty(self, pairs: Any) -> list[np.ndarray]:
        return [np.array([-1.0]) for _ in pairs]


def test_what_is_no_certainty_is_refused() -> None:
    episode = Trajectory("Shop-v0", 0, 0, [Turn("page", "act")], status=Status.TERMINATED)
    with pytest.raises(RewardError, match="no certainties for 1 actions"):
        self_certainty(Broken())([episode])
