"""Reward models: what they pay, what they learn, what they refuse, and that they come back from disk."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from palestra import Status, Trajectory
from palestra.rewards import RewardError, RewardParseError, gate, parse_reward, score, success, worst_of
from palestra.rewards.learned.data import Labelled, Pair, ranked_pairs
from palestra.rewards.learned.encoders import Encoder, FeatureEncoder
from palestra.rewards.learned.fit import (
    accuracy,
    bradley_terry,
    ensemble_loss,
    fit,
    label_loss,
    preference_loss,
    resampled,
)
from palestra.rewards.learned.model import RewardModel
from palestra.rewards.learned.reward import learned
from palestra.rewards.learned.saved import SavedModelError, load, save

from .bench import episode, generator


def linear(
    weights: Sequence[Any], kind: str = "outcome", link: str = "identity", nominal: float = 1.0, bias: float = 0.0
) -> RewardModel:
    """A model that scores a turn with these weights [inputs] (or [heads, inputs]) of its features."""
    table = torch.tensor(weights, dtype=torch.float32)
    table = table[None] if table.dim() == 1 else table
    encoder = FeatureEncoder("features", table.shape[1], hidden=())
    model = RewardModel(encoder, kind, link, heads=len(table), nominal=nominal)
    model.head.weight.data, model.head.bias.data = table, torch.full((len(table),), bias)
    return model


TWO = episode([[1, 2], [3, -1]], success=[False, True])
ONE = episode([[0, 1]], success=[False])


def values(model: RewardModel, *episodes: Trajectory) -> list[list[float]]:
    return [value.tolist() for value in model.pay(episodes)]


def test_an_outcome_model_pays_at_the_end_and_a_process_model_on_every_turn() -> None:
    assert values(linear([1, 10]), TWO, ONE) == [[0, -7], [10]]
    assert values(linear([1, 10], "process"), TWO, ONE) == [[21, -7], [10]]
    totals = linear([1, 10], "process").totals([TWO, ONE])
    assert totals.tolist() == [14, 10]
    assert linear([1, 10]).totals([TWO, ONE]).tolist() == [-7, 10]


def test_links() -> None:
    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    np.testing.assert_allclose(values(linear([1, 1], link="logistic"), TWO), [[0, sigmoid(2)]], rtol=1e-6)
    np.testing.assert_allclose(
        values(linear([1, 1], "process", "softplus"), TWO),
        [[-math.log(1 - sigmoid(3)), -math.log(1 - sigmoid(2))]],
        rtol=1e-5,
    )


def test_an_ensemble_pays_between_its_mean_and_its_least() -> None:
    heads = [[1, 0], [0, 1], [2, 2]]
    turn = episode([[3, 1]])  # the heads say 3, 1, 8
    assert values(linear(heads), turn) == [[4]]
    assert values(linear(heads, nominal=0.0), turn) == [[1]]
    assert values(linear(heads, nominal=0.25), turn) == [[0.25 * 4 + 0.75 * 1]]


def test_as_a_reward_it_is_recorded_and_composes() -> None:
    model = linear([1, 10], "process")
    helpful = learned(model).named("helpful")
    group = [TWO, ONE, episode([[5, 5]], Status.FAULT)]
    assert [None if v is None else v.tolist() for v in score(gate(helpful, by=success) + success, group)] == [
        [21, -6],
        [0],
        None,
    ]
    assert TWO.rewards["helpful"].tolist() == [21, -7]
    assert "helpful" not in group[2].rewards
    both = worst_of(learned(linear([1, 0], "process")), learned(linear([0, 1], "process")))
    assert [value.tolist() for value in both([TWO]) if value is not None] == [[1, -1]]


def test_scoring_changes_nothing() -> None:
    model = RewardModel(FeatureEncoder("features", 2), "process")
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.random.get_rng_state()
    first, again, swapped = (learned(model)(group) for group in ([TWO, ONE], [TWO, ONE], [ONE, TWO]))
    for one, same, other in zip(first, again, swapped[::-1], strict=True):
        np.testing.assert_array_equal(one, same)  # type: ignore[arg-type]
        np.testing.assert_allclose(one, other, rtol=1e-5)  # type: ignore[arg-type]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(random, torch.random.get_rng_state())
    assert model.training


def test_the_weights_are_seeded_and_leave_torchs_generator_alone() -> None:
    random = torch.random.get_rng_state()
    one, same, other = (RewardModel(FeatureEncoder("features", 2, seed=s), seed=s) for s in (1, 1, 2))
    assert torch.equal(random, torch.random.get_rng_state())
    assert one.pay([TWO])[0].tolist() == same.pay([TWO])[0].tolist() != other.pay([TWO])[0].tolist()


def test_what_cannot_be_read_is_an_error() -> None:
    words, bare = episode([[1, 2]]), episode([[1, 2]])
    words.turns[0].info["features"] = "words"
    del bare.turns[0].info["features"]
    for made, message in (
        (episode([[1, 2, 3]]), r"shape \(1, 3\), not \(1, 2\)"),
        (episode([[1, 2], [math.nan, 1]]), "not finite at turn 1"),
        (bare, r"no info\['features'\] at turn 0 of .*Toy-v0"),
        (words, "not numbers"),
    ):
        with pytest.raises(RewardError, match=message):
            learned(linear([1, 1]))([made])


def test_an_episode_without_turns_pays_nothing_and_teaches_nothing() -> None:
    empty = Trajectory("Toy-v0", None, 0, [], Status.TERMINATED)
    assert [value.tolist() for value in linear([1, 1]).pay([empty, ONE])] == [[], [1]]
    assert linear([1, 1]).pay([]) == []
    with pytest.raises(RewardError, match="no turns to judge"):
        preference_loss(linear([1, 1]), [Pair(empty, ONE)])


def test_settings_are_checked() -> None:
    encoder = FeatureEncoder("features", 2)
    for build in (
        lambda: RewardModel(encoder, "steps"),
        lambda: RewardModel(encoder, link="exp"),
        lambda: RewardModel(encoder, heads=0),
        lambda: RewardModel(encoder, nominal=1.5),
    ):
        with pytest.raises(ValueError, match="must be"):
            build()
    with pytest.raises(TypeError, match="needs the folder of a model"):
        learned(3)
    with pytest.raises(TypeError, match="has its features already"):
        learned(linear([1, 1]), features=len)


def test_the_losses_by_hand() -> None:
    assert bradley_terry(torch.tensor(1.0), torch.tensor(1.0)).item() == pytest.approx(math.log(2))
    pair = Pair(TWO, ONE)  # outcome scores -7 and 10, sums 14 and 10
    assert preference_loss(linear([1, 10]), [pair]).item() == pytest.approx(17, rel=1e-6)
    assert preference_loss(linear([1, 10], "process"), [pair]).item() == pytest.approx(math.log1p(math.exp(-4)))
    np.testing.assert_allclose(label_loss(linear([1, 0]), [Labelled(TWO, 1.0), Labelled(ONE, 2.0)]).item(), (4 + 4) / 2)
    steps = Labelled(TWO, np.array([1.0, math.nan]))
    loss = label_loss(linear([1, 0], "process", "logistic"), [steps])
    assert loss.item() == pytest.approx(math.log1p(math.exp(-1)))
    unknown = Labelled(TWO, np.array([math.nan, math.nan]))
    assert label_loss(linear([1, 0], "process"), [unknown]).item() == 0


def test_labels_are_checked() -> None:
    with pytest.raises(RewardError, match="a label of shape"):
        label_loss(linear([1, 0], "process"), [Labelled(TWO, np.zeros(3))])
    with pytest.raises(RewardError, match="outside 0 to 1"):
        label_loss(linear([1, 0], link="logistic"), [Labelled(TWO, 2.0)])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.floats(0, 2))
def test_ranked_pairs_are_all_that_differ(scores: list[int], margin: float) -> None:
    episodes = [episode([[score, 0]]) for score in scores]
    pairs = ranked_pairs(episodes, scores, margin)
    gaps = [pair.preferred.turns[0].info["features"][0] - pair.rejected.turns[0].info["features"][0] for pair in pairs]
    assert all(gap > margin for gap in gaps)
    assert len(pairs) == sum(high - low > margin for high in scores for low in scores)


def test_ranked_pairs_leave_faults_out_and_check_their_scores() -> None:
    assert ranked_pairs([ONE, episode([[0, 0]], Status.FAULT)], [0, 1]) == []
    with pytest.raises(ValueError, match="1 trajectories and 2 scores"):
        ranked_pairs([ONE], [0, 1])
    with pytest.raises(ValueError, match="not finite"):
        ranked_pairs([ONE], [math.inf])


def linear_task(count: int, seed: int, turns: int = 1) -> list[Pair]:
    """Preferences for the higher sum of x - 2y over the turns."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(count):
        one, other = rng.normal(size=(2, turns, 2))
        worth = (one - other).sum(axis=0) @ [1, -2]
        pairs.append(Pair(episode(one), episode(other)) if worth > 0 else Pair(episode(other), episode(one)))
    return pairs


def test_preferences_teach_an_outcome_and_a_process_model() -> None:
    for kind, turns in (("outcome", 1), ("process", 3)):
        model = RewardModel(FeatureEncoder("features", 2, hidden=()), kind)
        history = fit(
            model, linear_task(100, 0, turns), preference_loss, epochs=10, generator=generator(), learning_rate=0.2
        )
        assert history[-1] < history[0]
        assert accuracy(model, linear_task(200, 1, turns)) > 0.95
        x, y = model.head.weight[0].tolist()
        assert y / x == pytest.approx(-2, abs=0.4)


def test_labels_teach_a_classifier_and_a_regression() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(100, 3, 2))
    sums = rows @ [1, -2]
    verifier = RewardModel(FeatureEncoder("features", 2, hidden=()), "process", "logistic")
    steps = [Labelled(episode(row), (total > 0).astype(float)) for row, total in zip(rows, sums, strict=True)]
    fit(verifier, steps, label_loss, epochs=6, generator=generator(), learning_rate=0.2)
    paid = np.array(verifier.pay([example.trajectory for example in steps]))
    assert ((paid > 0.5) == (sums > 0)).mean() > 0.95
    regression = RewardModel(FeatureEncoder("features", 2, hidden=()))
    ends = [Labelled(episode(row), float(total[-1]) + 3) for row, total in zip(rows, sums, strict=True)]
    fit(regression, ends, label_loss, epochs=15, generator=generator(), learning_rate=0.2)
    np.testing.assert_allclose(regression.head.weight[0].detach(), [1, -2], atol=0.1)
    np.testing.assert_allclose(regression.head.bias.item(), 3, atol=0.1)


def test_fit_is_seeded_and_stops_at_what_is_not_finite() -> None:
    pairs = linear_task(40, 0)
    runs = []
    for seed in (0, 0, 1):
        model = RewardModel(FeatureEncoder("features", 2))
        runs.append(fit(model, pairs, preference_loss, epochs=2, generator=generator(seed), batch_size=8))
    assert runs[0] == runs[1] != runs[2]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(FloatingPointError, match="the loss is nan"):
        fit(model, pairs, lambda m, b: preference_loss(m, b) * math.nan, epochs=1, generator=generator())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.training
    for data, frozen in (([], False), (pairs, True)):
        model.requires_grad_(not frozen)
        with pytest.raises(ValueError, match="fit needs"):
            fit(model, data, preference_loss, epochs=1, generator=generator())


def test_resampled_weights_are_bootstrap_counts() -> None:
    pairs = linear_task(50, 0)
    weights = torch.stack([weight for _, weight in resampled(pairs, 3, generator())])
    assert weights.shape == (50, 3)
    assert weights.sum(dim=0).tolist() == [50, 50, 50]
    assert not torch.equal(weights[:, 0], weights[:, 1])
    model = linear([[1, -2], [0, 1], [1, 1]])
    scores = model.totals([pairs[0].preferred, pairs[0].rejected])
    wanted = (torch.tensor([2.0, 0.0, 1.0]) * bradley_terry(scores[0], scores[1])).mean()
    assert ensemble_loss(model, [(pairs[0], torch.tensor([2.0, 0.0, 1.0]))]).item() == pytest.approx(wanted.item())


class Lengths(Encoder):
    """An encoder of one's own: how many turns there were so far."""

    width = 1

    def forward(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        return [torch.arange(1.0, len(one.turns) + 1)[:, None] for one in trajectories]


def count_features(trajectory: Trajectory) -> np.ndarray:
    return np.array([[index, 1] for index, _ in enumerate(trajectory.turns)])


BUILDS: list[tuple[Callable[[], RewardModel], dict[str, Any]]] = [
    (lambda: RewardModel(FeatureEncoder("features", 2), "process", "softplus", seed=3), {}),
    (lambda: RewardModel(FeatureEncoder("features", 2, (5, 4)), heads=3, nominal=0.25), {}),
    (lambda: RewardModel(FeatureEncoder(count_features, 2)), {"features": count_features}),
    (lambda: RewardModel(Lengths(), "process"), {"encoder": Lengths()}),
]


@pytest.mark.parametrize(("build", "given_again"), BUILDS)
def test_a_model_comes_back_from_disk(
    build: Callable[[], RewardModel], given_again: dict[str, Any], tmp_path: Path
) -> None:
    model = build()
    save(model, tmp_path / "rm")
    again = load(tmp_path / "rm", **given_again)
    assert [v.tolist() for v in again.pay([TWO, ONE])] == [v.tolist() for v in model.pay([TWO, ONE])]
    assert json.loads((tmp_path / "rm" / "learned.json").read_text())["version"] == 1
    if given_again:
        with pytest.raises(SavedModelError, match=r"needs (features|encoder)="):
            load(tmp_path / "rm")
    else:
        with pytest.raises(SavedModelError, match="takes no features"):
            load(tmp_path / "rm", features=count_features)


def test_an_expression_names_the_folder_and_is_read_back(tmp_path: Path) -> None:
    save(linear([1, 10], "process"), tmp_path)
    reward = parse_reward(f"success + 0.5*named(learned('{tmp_path}'), 'helpful')")
    assert parse_reward(str(reward)) == reward == pickle.loads(pickle.dumps(reward))
    assert [value.tolist() for value in reward([TWO]) if value is not None] == [[10.5, -2.5]]


def test_an_expression_names_the_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_counts.py").write_text(
        "import numpy as np\ndef counts(trajectory):\n    return np.ones((len(trajectory.turns), 2))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    save(RewardModel(FeatureEncoder(count_features, 2), "process"), tmp_path)
    reward = parse_reward(f"learned('{tmp_path}', features=my_counts:counts)")
    assert parse_reward(str(reward)) == reward
    [paid] = reward([TWO])
    assert paid is not None
    assert paid[0] == paid[1] != 0
    with pytest.raises(RewardParseError, match="needs features="):
        parse_reward(f"learned('{tmp_path}')")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "learned.json").unlink(), "has no learned.json"),
        (lambda folder: (folder / "learned.json").write_text("{"), "cannot read"),
        (lambda folder: (folder / "learned.json").write_text("[]"), "not the file of a learned model"),
        (lambda folder: edit(folder, version=2), "of version 2; this Palestra reads 1"),
        (lambda folder: edit(folder, model={"type": "reward"}), "damaged: KeyError"),
        (lambda folder: edit(folder, model={"type": "magic"}), "unknown type 'magic'"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"no"), "weights in .* do not fit"),
        (lambda folder: (folder / "model.safetensors").unlink(), "weights in .* do not fit"),
        (lambda folder: save_weights_of_another(folder), "weights in .* do not fit"),
    ],
)
def test_a_damaged_folder_is_an_error(damage: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    save(linear([1, 10]), tmp_path)
    damage(tmp_path)
    with pytest.raises(SavedModelError, match=message):
        load(tmp_path)
    with pytest.raises(RewardParseError, match=message):
        parse_reward(f"learned('{tmp_path}')")


def edit(folder: Path, **changes: Any) -> None:
    written = json.loads((folder / "learned.json").read_text())
    (folder / "learned.json").write_text(json.dumps(written | changes))


def save_weights_of_another(folder: Path) -> None:
    save(linear([1, 10, 100]), folder / "other")
    (folder / "other" / "model.safetensors").replace(folder / "model.safetensors")


def bandit(model: RewardModel, arms: int = 3) -> int:
    """The arm that a softmax policy favours after following the exact gradient of what the model pays."""
    paid = np.array([value[-1] for value in model.pay([episode(np.eye(arms)[[arm]]) for arm in range(arms)])])
    logits = np.zeros(arms)
    for _ in range(500):
        chances = np.exp(logits - logits.max())
        chances /= chances.sum()
        logits += 0.5 * chances * (paid - chances @ paid)
    return int(logits.argmax())


def test_works_reward_robust_rlhf() -> None:
    """Arm 1 is best; one head of five overrates arm 2 enough to fool the mean."""
    heads = [[0.2, 1.0, 0.5], [0.1, 0.9, 0.4], [0.3, 1.1, 0.5], [0.2, 1.0, 0.3], [0.2, 1.0, 9.0]]
    assert bandit(linear(heads, nominal=1.0)) == 2
    assert bandit(linear(heads, nominal=0.5)) == 2  # the mean's lead of 1.14 outweighs the worst case's 0.6
    assert bandit(linear(heads, nominal=0.3)) == 1
    assert bandit(linear(heads, nominal=0.0)) == 1
    arms = [episode(np.eye(3)[[arm]]) for arm in range(3)]
    paid = [value.tolist() for value in linear(heads, nominal=1.0).pay(arms)]
    np.testing.assert_array_equal(np.ravel(paid), np.float32(heads).mean(axis=0))
    # The same of five models of their own, as rewards.
    single = [learned(linear(head)) for head in heads]
    robust = worst_of(*single, nominal=0.3)(arms)
    np.testing.assert_allclose(np.ravel(robust), np.ravel(linear(heads, nominal=0.3).pay(arms)), rtol=1e-6)  # type: ignore[arg-type]


def test_bootstrapped_heads_disagree_more_where_there_was_no_data() -> None:
    model = RewardModel(FeatureEncoder("features", 2, (16,)), heads=8)
    data = resampled(linear_task(60, 0), 8, generator())
    fit(model, data, ensemble_loss, epochs=20, generator=generator(), learning_rate=0.01)
    assert accuracy(model, linear_task(100, 1)) > 0.9
    with torch.no_grad():
        near, far = (
            torch.stack([score[-1] for score in model([episode([[s * x, 0]]) for x in (-1, 1)])]) for s in (1, 4)
        )
    assert far.std(dim=1).mean() > near.std(dim=1).mean()
