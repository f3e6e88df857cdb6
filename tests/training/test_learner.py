from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from palestra.agents.engine import Request, Sampling, generate
from palestra.agents.packed import load_model
from palestra.agents.transformers_engine import TransformersEngine
from palestra.agents.workers import Workers
from palestra.training.config import Clip, Objective, Optimizer
from palestra.training.learner import Learner
from palestra.training.rows import Row

from ..agents.models import small_model_path

PLAIN = Optimizer(learning_rate=1e-3, clip_norm=1e9)


def random_rows(count: int = 6, seed: int = 0, noise: float = 0.3) -> list[Row]:
    """Ragged episodes of several turns, sampled from a policy that was a little different."""
    rng = np.random.default_rng(seed)
    model, rows = eager_model(), []
    for _ in range(count):
        turns = int(rng.integers(1, 5))
        pieces = [(int(rng.integers(1, 20)), int(rng.integers(1, 8))) for _ in range(turns)]
        sampled = np.concatenate([[False] * context + [True] * action for context, action in pieces])
        advantages = np.concatenate([[0.0] * context + [rng.normal()] * action for context, action in pieces])
        ids = rng.integers(3, 300, len(sampled)).astype(np.int32)
        with torch.no_grad():
            scores = model(input_ids=torch.from_numpy(ids.astype(np.int64))[None]).logits[0].log_softmax(-1)
        old = np.zeros(len(ids), np.float32)
        places = np.flatnonzero(sampled)
        old[places] = scores[places - 1, ids[places]].numpy() + rng.normal(0, noise, len(places))
        rows.append(Row(ids, sampled, old, advantages.astype(np.float32)))
    return rows


def packed_model() -> Any:
    return load_model(str(small_model_path("qwen3")))


def eager_model() -> Any:
    path = small_model_path("qwen3")
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def gradients(learner: Learner) -> list[list[torch.Tensor]]:
    """Fills with the gradients that each optimiser step applies."""
    seen: list[list[torch.Tensor]] = []

    def note(optimizer: Any, *args: Any) -> None:
        seen.append([p.grad.clone() for group in optimizer.param_groups for p in group["params"]])

    learner.optimizer.register_step_pre_hook(note)
    return seen


def one_update(rows: list[Row], optimizer: Optimizer = PLAIN, **objective: Any) -> tuple[list[torch.Tensor], Any]:
    learner = Learner(packed_model(), optimizer, Objective(**objective), 10, eager_reference(objective))
    seen = gradients(learner)
    metrics = learner.update(rows, np.random.default_rng(0))
    return seen[0], metrics


def eager_reference(objective: dict[str, Any]) -> Any:
    return shifted(packed_model()) if objective.get("kl") else None


@torch.no_grad()
def shifted(model: Any) -> Any:
    for number, parameter in enumerate(model.parameters()):
        parameter.add_(0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)))
    return model


def by_hand(rows: list[Row], objective: Objective) -> tuple[list[torch.Tensor], dict[str, float]]:
    """Loss and gradient one padded sequence at a time by transformers' own forward, formulas written out."""
    model, reference = eager_model(), shifted(eager_model())
    width = max(map(len, rows)) + 5
    count = sum(int(row.sampled.sum()) for row in rows)
    policy = entropy = kl = torch.zeros(())
    for row in rows:
        ids = torch.zeros(1, width, dtype=torch.long)
        ids[0, : len(row)] = torch.from_numpy(row.ids.astype(np.int64))
        mask = (torch.arange(width) < len(row)).long()[None]
        log_probs = model(input_ids=ids, attention_mask=mask).logits[0].log_softmax(-1)
        with torch.no_grad():
            other = reference(input_ids=ids, attention_mask=mask).logits[0].log_softmax(-1)
        for place in np.flatnonzero(row.sampled):
            token, advantage = row.ids[place], float(row.advantages[place])
            ratio = torch.exp(log_probs[place - 1, token] - float(row.logprobs[place]))
            bounded = torch.clamp(ratio, 1 - objective.clip.low, 1 + objective.clip.high)
            policy = policy - torch.minimum(ratio * advantage, bounded * advantage)
            entropy = entropy - (log_probs[place - 1].exp() * log_probs[place - 1]).sum()
            delta = other[place - 1, token] - log_probs[place - 1, token]
            kl = kl + delta.exp() - delta - 1
    policy, entropy, kl = policy / count, entropy / count, kl / count
    (policy - objective.entropy * entropy + objective.kl * kl).backward()
    values = {"policy_loss": policy.item(), "entropy": entropy.item(), "kl": kl.item()}
    return [parameter.grad for parameter in model.parameters()], values


def close(one: list[torch.Tensor], other: list[torch.Tensor], tolerance: float) -> bool:
    scale = max(tensor.abs().max().item() for tensor in other)
    return all((a - b).abs().max().item() <= tolerance * scale for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "extra", [{}, {"kl": 0.3}, {"entropy": 0.5}, {"kl": 0.1, "entropy": 0.2, "clip": Clip(0.1, 1)}]
)
def test_loss_and_gradient_are_those_of_the_formulas(extra: dict[str, Any]) -> None:
    rows = random_rows()
    wanted, values = by_hand(rows, Objective(**extra))
    got, metrics = one_update(rows, **extra)
    assert close(got, wanted, 1e-4)
    assert metrics["policy_loss"] == pytest.approx(values["policy_loss"], abs=1e-5)
    assert metrics["entropy"] == pytest.approx(values["entropy"], rel=1e-5)
    assert metrics.get("kl", values["kl"]) == pytest.approx(values["kl"], rel=1e-4)
    norm = float(torch.cat([tensor.flatten() for tensor in wanted]).norm())
    assert metrics["grad_norm"] == pytest.approx(norm, rel=1e-4)


@pytest.mark.parametrize("limit", [1, 40, 90])
def test_splitting_a_batch_changes_nothing(limit: int) -> None:
    rows = random_rows(8)
    extra = {"kl": 0.1, "entropy": 0.1}
    whole, metrics = one_update(rows, **extra)
    split, others = one_update(rows, max_batch_tokens=limit, **extra)
    assert close(split, whole, 1e-5)
    assert others == pytest.approx(metrics, rel=1e-5, abs=1e-6)


def test_each_sampled_token_weighs_the_same() -> None:
    """A long and a short episode: the denominator is that of all their tokens, not of each."""
    short, long = random_rows(2, seed=4)
    apart = [one_update([row])[0] for row in (short, long)]
    together, _ = one_update([short, long])
    total = short.count + long.count
    assert short.count != long.count
    mixed = [(a * short.count + b * long.count) / total for a, b in zip(*apart, strict=True)]
    assert close(together, mixed, 1e-4)


def test_each_trajectory_weighs_the_same_where_that_is_asked_for() -> None:
    short, long = random_rows(2, seed=4)
    apart = [one_update([row])[0] for row in (short, long)]
    together, _ = one_update([short, long], weighting="trajectory")
    assert short.count != long.count
    assert close(together, [(a + b) / 2 for a, b in zip(*apart, strict=True)], 1e-4)


def test_gradients_are_clipped_to_a_norm() -> None:
    rows = random_rows()
    free, metrics = one_update(rows)
    bounded, others = one_update(rows, replace(PLAIN, clip_norm=0.01))
    assert metrics["grad_norm"] == pytest.approx(others["grad_norm"])
    assert float(torch.cat([tensor.flatten() for tensor in bounded]).norm()) == pytest.approx(0.01, rel=1e-3)
    assert close(bounded, [tensor * 0.01 / metrics["grad_norm"] for tensor in free], 1e-3)


def test_divergence_is_zero_at_first_and_grows_while_the_reference_stays() -> None:
    reference = packed_model().requires_grad_(False)
    before = [parameter.clone() for parameter in reference.parameters()]
    learner = Learner(packed_model(), PLAIN, Objective(kl=0.01), 10, reference)
    divergences = [learner.update(random_rows(), np.random.default_rng(0))["kl"] for _ in range(3)]
    assert abs(divergences[0]) <= 1e-9
    assert 1e-6 < divergences[1] < divergences[2]
    assert all(torch.equal(a, b) for a, b in zip(before, reference.parameters(), strict=True))
    with pytest.raises(ValueError, match="needs a reference model"):
        Learner(packed_model(), PLAIN, Objective(kl=0.1), 10)


def test_an_entropy_bonus_spreads_the_policy() -> None:
    rows = [replace(row, advantages=np.zeros_like(row.advantages)) for row in random_rows()]
    learner = Learner(packed_model(), PLAIN, Objective(entropy=1.0), 10)
    entropies = [learner.update(rows, np.random.default_rng(0))["entropy"] for _ in range(3)]
    assert entropies[0] < entropies[1] < entropies[2] <= np.log(400)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_on_policy_the_learner_agrees_with_the_sampler(temperature: float) -> None:
    model = packed_model()
    engine = TransformersEngine(model)
    prompts = [np.random.default_rng(n).integers(3, 300, 5 + 9 * n).astype(np.int32) for n in range(6)]
    sampling = Sampling(12, temperature)
    completions = generate(engine, [Request(number, ids, sampling) for number, ids in enumerate(prompts)])
    rows = [
        Row(
            np.concatenate([ids, done.ids]),
            np.arange(len(ids) + len(done.ids)) >= len(ids),
            np.concatenate([np.zeros(len(ids), np.float32), done.logprobs]),
            np.full(len(ids) + len(done.ids), 0.5, np.float32),
        )
        for ids, done in zip(prompts, completions, strict=True)
    ]
    learner = Learner(model, PLAIN, Objective(epochs=2), 10, temperature=temperature)
    metrics = learner.update(rows, np.random.default_rng(0))
    assert 0 <= metrics["gap_mean"] <= metrics["gap_max"] <= 1e-5
    assert metrics["clip_fraction"] > 0  # of the second epoch, after a large step
    assert learner.update(rows, np.random.default_rng(0))["gap_max"] > 1e-3
    other = Learner(packed_model(), PLAIN, Objective(), 10, temperature=temperature + 0.5)
    assert other.update(rows, np.random.default_rng(0))["gap_max"] > 1e-2


def test_a_gradient_that_is_not_finite_changes_nothing() -> None:
    rows = random_rows()
    learner, twin = (Learner(packed_model(), PLAIN, Objective(), 10) for _ in range(2))
    bad = replace(rows[2], advantages=np.where(rows[2].sampled, np.nan, 0).astype(np.float32))
    with pytest.raises(FloatingPointError, match="norm is nan at optimiser step 0"):
        learner.update([*rows[:2], bad], np.random.default_rng(0))
    assert learner.steps == 0
    assert equal(learner.model, packed_model())
    learner.update(rows, np.random.default_rng(0))
    twin.update(rows, np.random.default_rng(0))
    assert equal(learner.model, twin.model)


def equal(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_learning_rate_rises_and_falls() -> None:
    settings = Optimizer(learning_rate=0.5, warmup_steps=4, final=0.2)
    learner = Learner(packed_model(), settings, Objective(), 10)
    used: list[float] = []
    learner.optimizer.register_step_pre_hook(lambda optimizer, *_: used.append(optimizer.param_groups[0]["lr"]))
    learner.optimizer.register_step_post_hook(lambda optimizer, *_: restore_weights(learner.model))
    for _ in range(12):
        learner.update(random_rows(1), np.random.default_rng(0))
    wanted = [0.5 * min(1, (step + 1) / 4) * (1 - min(step, 10) / 10 * 0.8) for step in range(12)]
    assert used == pytest.approx(wanted)
    constant = Learner(packed_model(), Optimizer(learning_rate=0.1), Objective(), 10)
    constant.steps = 7
    assert constant.rate() == 0.1


@torch.no_grad()
def restore_weights(model: Any) -> None:
    for parameter, wanted in zip(model.parameters(), packed_model().parameters(), strict=True):
        parameter.copy_(wanted)


def test_a_restored_learner_goes_on_to_the_same_bits() -> None:
    settings = Optimizer(learning_rate=1e-3, weight_decay=0.01, warmup_steps=3, final=0.1)
    objective = Objective(epochs=2, minibatches=2, entropy=0.01)

    def steps(learner: Learner, first: int, last: int) -> None:
        for step in range(first, last):
            learner.update(random_rows(5, seed=step), np.random.default_rng(step))

    whole = Learner(packed_model(), settings, objective, 24)
    steps(whole, 0, 4)
    half = Learner(packed_model(), settings, objective, 24)
    steps(half, 0, 2)
    file = io.BytesIO()
    torch.save((half.state(), half.model.state_dict()), file)
    file.seek(0)
    state, weights = torch.load(file, weights_only=True)
    resumed = Learner(packed_model(), settings, objective, 24)
    resumed.model.load_state_dict(weights)
    resumed.restore(state)
    steps(resumed, 2, 4)
    assert resumed.steps == whole.steps == 16
    assert equal(resumed.model, whole.model)
    assert not equal(half.model, whole.model)


def test_minibatches_cover_each_epoch_once() -> None:
    rows = random_rows(6)
    learner = Learner(packed_model(), replace(PLAIN, learning_rate=0.0), Objective(epochs=2, minibatches=3), 10)
    seen = gradients(learner)
    learner.update(rows, np.random.default_rng(1))
    assert len(seen) == learner.steps == 6
    order = np.random.default_rng(1)
    for epoch in range(2):
        for number, chosen in enumerate(np.array_split(order.permutation(6), 3)):
            wanted, _ = one_update([rows[index] for index in chosen])
            assert close(seen[3 * epoch + number], wanted, 1e-4)


def test_more_minibatches_than_rows_are_as_many_as_rows() -> None:
    rows, settings = random_rows(2), replace(PLAIN, learning_rate=0.0)
    learner = Learner(packed_model(), settings, Objective(minibatches=5), 10)
    metrics = learner.update(rows, np.random.default_rng(0))
    assert learner.steps == 2
    apart = [one_update([row], settings)[1]["grad_norm"] for row in rows]
    assert metrics["grad_norm"] == pytest.approx(sum(apart) / 2, rel=1e-4)


def test_workers_compute_the_same_gradient_and_the_same_each_time() -> None:
    rows = random_rows()
    objective = Objective(kl=0.1, entropy=0.2, minibatches=2, max_batch_tokens=60)

    def gradients_of(count: int) -> list[list[torch.Tensor]]:
        workers = Workers(count)
        learner = Learner(packed_model(), PLAIN, objective, 10, shifted(packed_model()), workers=workers)
        seen = gradients(learner)
        learner.update(rows, np.random.default_rng(0))
        learner.imitate(rows, 0.3)
        workers.close()
        return seen

    alone, shared, again = gradients_of(1), gradients_of(3), gradients_of(3)
    assert len(alone) == 3
    for one, other, third in zip(alone, shared, again, strict=True):
        assert close(other, one, 1e-4)
        assert all(map(torch.equal, other, third))


def test_nothing_to_learn_from_is_no_step() -> None:
    learner = Learner(packed_model(), PLAIN, Objective(), 10)
    assert learner.update([], np.random.default_rng(0)) == {"learning_rate": 1e-3}
    assert learner.steps == 0
    assert equal(learner.model, packed_model())


@pytest.mark.parametrize("limit", [1, 10_000])
@pytest.mark.parametrize("context_weight", [0.0, 0.3])
def test_cloning_is_cross_entropy(limit: int, context_weight: float) -> None:
    rng = np.random.default_rng(0)
    rows = [replace(row, advantages=rng.integers(0, 2, len(row)).astype(np.float32)) for row in random_rows(4)]
    rows = [replace(row, advantages=row.advantages * row.sampled) for row in rows]
    model = eager_model()
    own, other, weights = [], [], []
    for row in rows:
        ids = torch.from_numpy(row.ids.astype(np.int64))
        scores = model(input_ids=ids[None]).logits[0, :-1].log_softmax(-1)
        losses = -scores.gather(1, ids[1:, None])[:, 0]
        own.append(losses[torch.from_numpy(row.sampled[1:])])
        other.append(losses[torch.from_numpy(~row.sampled[1:])])
        weights.append(torch.from_numpy(row.advantages[row.sampled]))
    shown = torch.cat(weights)
    assert 0 < shown.sum() < len(shown)
    loss = (shown * torch.cat(own)).sum() / shown.sum()
    (loss + context_weight * torch.cat(other).mean()).backward()
    learner = Learner(packed_model(), PLAIN, Objective(max_batch_tokens=limit), 10)
    seen = gradients(learner)
    assert learner.imitate(rows, context_weight) == pytest.approx(loss.item(), rel=1e-5)
    assert close(seen[0], [parameter.grad for parameter in model.parameters()], 1e-4)


def test_unknown_losses_are_named() -> None:
    with pytest.raises(ValueError, match="unknown loss 'hinge': one of clipped, reinforce"):
        Learner(packed_model(), PLAIN, Objective(loss="hinge"), 10)
