from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from palestra.agents.engine import Completion, Request, Sampling, generate
from palestra.agents.packed import hidden_states, load_model, logits
from palestra.agents.transformers_engine import TransformersEngine, distribution
from palestra.training.learner import pack_rows
from palestra.training.rows import Row

from .models import ARCHITECTURES, small_model_path


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request: Any) -> str:
    return request.param


def make_engine(architecture: str = "qwen3", **kwargs: Any) -> TransformersEngine:
    path = str(small_model_path(architecture))
    return TransformersEngine(load_model(path), AutoTokenizer.from_pretrained(path), **kwargs)


def eager_model(architecture: str) -> Any:
    path = small_model_path(architecture)
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


@torch.no_grad()
def eager_logprobs(model: Any, ids: np.ndarray) -> torch.Tensor:
    """Log-probabilities [n, vocabulary] of what follows each id: transformers' own forward of one sequence."""
    return model(input_ids=torch.from_numpy(ids.astype(np.int64))[None]).logits[0].log_softmax(-1)


def random_ids(length: int, *seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(3, 300, length).astype(np.int32)


def episodes(engine: TransformersEngine, turns: dict[int, list[int]], version: int = 0) -> dict[int, Row]:
    """Ragged episodes: session s has a context of ``turns[s][t]`` ids before turn t; each goes on when it can."""
    parts: dict[int, list[np.ndarray]] = {session: [] for session in turns}
    logprobs: dict[int, list[np.ndarray]] = {session: [] for session in turns}
    live = set(turns)

    def begin(session: int) -> None:
        turn = len(parts[session]) // 2
        ids = random_ids(turns[session][turn], session, turn)
        parts[session].append(ids)
        logprobs[session].append(np.zeros(len(ids), np.float32))
        engine.submit(Request(session, ids, Sampling(3 + 5 * (session % 3), stop_ids=(7, 8)), (session, turn)))

    for session in turns:
        begin(session)
    while live:
        for done in engine.step():
            session: Any = done.session
            assert done.version == version
            parts[session].append(done.ids)
            logprobs[session].append(done.logprobs)
            if len(parts[session]) == 2 * len(turns[session]):
                live.remove(session)
                engine.release(session)
            else:
                begin(session)
    return {
        session: Row(
            np.concatenate(parts[session]),
            np.concatenate([np.full(len(part), index % 2 == 1) for index, part in enumerate(parts[session])]),
            np.concatenate(logprobs[session]),
            np.zeros(sum(map(len, parts[session])), np.float32),
        )
        for session in turns
    }


def ragged(count: int = 12) -> dict[int, list[int]]:
    rng = np.random.default_rng(0)
    return {session: rng.integers(1, 50, rng.integers(1, 7)).tolist() for session in range(count)}


def test_sampled_and_trained_and_independent_logprobs_agree(architecture: str) -> None:
    engine = make_engine(architecture, slots=5, max_batch_tokens=90)
    rows = list(episodes(engine, ragged()).values())
    assert max(map(len, rows)) > 100  # beyond a Gemma's window of 24
    assert sum(row.count for row in rows) > 150
    sampled = np.concatenate([row.logprobs[row.sampled] for row in rows])

    ids, packing, predicts, targets = pack_rows(rows, torch.device("cpu"))
    scores = logits(engine.model, hidden_states(engine.model, ids, packing)[predicts])
    trained = scores.log_softmax(-1).gather(1, targets[:, None])[:, 0].detach().numpy()
    assert np.abs(sampled - trained).max() <= 1e-5

    model = eager_model(architecture)
    for row in rows:
        places = np.flatnonzero(row.sampled)
        independent = eager_logprobs(model, row.ids)[places - 1, row.ids[places]].numpy()
        assert np.abs(row.logprobs[places] - independent).max() <= 1e-5


def test_greedy_output_is_that_of_transformers(architecture: str) -> None:
    model, engine = eager_model(architecture), make_engine(architecture)
    prompts = [random_ids(length, length) for length in (3, 30, 64)]
    requests = [Request(number, ids, Sampling(40, 0.0, stop_ids=(2,))) for number, ids in enumerate(prompts)]
    for ids, got in zip(prompts, generate(engine, requests), strict=True):
        wanted = model.generate(
            torch.from_numpy(ids.astype(np.int64))[None], max_new_tokens=40, do_sample=False, eos_token_id=2
        )
        assert got.ids.tolist() == wanted[0, len(ids) :].tolist()


@pytest.mark.parametrize("max_batch_tokens", [8192, 40])
def test_draws_do_not_depend_on_the_company(architecture: str, max_batch_tokens: int) -> None:
    def run(order: list[int], **kwargs: Any) -> dict[Any, Completion]:
        engine = make_engine(architecture, **kwargs)
        requests = [
            Request(number, random_ids(5 + 3 * number, number % 4), Sampling(20), (number,)) for number in order
        ]
        return {done.session: done for done in generate(engine, requests)}

    together = run(list(range(20)), max_batch_tokens=max_batch_tokens)
    backwards = run(list(range(20))[::-1], slots=20)
    for number in (0, 7, 19):
        alone = run([number])[number]
        for other in (together[number], backwards[number]):
            assert other.ids.tolist() == alone.ids.tolist()
            assert np.abs(other.logprobs - alone.logprobs).max() <= 1e-5
    assert together[0].ids.tolist() != run([4])[4].ids.tolist()


def test_seeds_and_turns_give_other_draws() -> None:
    engine = make_engine()
    ids = random_ids(20, 0)
    draws = generate(engine, [Request(number, ids, Sampling(20), (number,)) for number in range(4)])
    assert len({tuple(done.ids.tolist()) for done in draws}) == 4


@pytest.mark.parametrize("length", [16, 100])
def test_a_groups_prompt_is_prefilled_once(architecture: str, length: int) -> None:
    engine = make_engine(architecture)
    requests = [
        Request((group, n), random_ids(length, group), Sampling(6), (group, n)) for group in (0, 1, 2) for n in range(5)
    ]
    forked = generate(engine, requests)
    # A fork computes the last token of its prompt again, because its hidden state gives the next.
    assert engine.prefilled == 3 * (length + 4)
    plain = make_engine(architecture)
    for request, ours in zip(requests, forked, strict=True):
        (wanted,) = generate(plain, [request])
        plain.release(request.session)
        assert ours.ids.tolist() == wanted.ids.tolist()
        assert np.abs(ours.logprobs - wanted.logprobs).max() <= 1e-5
    assert plain.prefilled == 15 * length


def test_groups_that_begin_alike_are_prefilled_once_each() -> None:
    engine = make_engine()
    guide = random_ids(50, 99)
    prompts = [np.concatenate([guide, [group], random_ids(29, group)]).astype(np.int32) for group in (11, 12, 13)]
    generate(engine, [Request((g, n), prompts[g], Sampling(4), (n,)) for g in range(3) for n in range(4)])
    assert engine.prefilled == 50 + 3 * (30 + 3)


def test_forked_sessions_go_their_own_ways(architecture: str) -> None:
    """Later turns after a shared beginning; and a late comer forks from a session that has gone on."""
    engine, model = make_engine(architecture), eager_model(architecture)
    contexts: dict[str, np.ndarray] = {}
    for turn, names in enumerate(("ab", "abc", "abc")):
        new = {n: random_ids(5, ord(n), turn) if n in contexts else random_ids(40, 0) for n in names}
        requests = [Request(name, new[name], Sampling(5), (ord(name), turn)) for name in names]
        for done in generate(engine, requests):
            name = str(done.session)
            context = np.concatenate([contexts.get(name, new[name][:0]), new[name]])
            contexts[name] = np.concatenate([context, done.ids])
            places = np.arange(len(context), len(contexts[name]))
            wanted = eager_logprobs(model, contexts[name])[places - 1, done.ids].numpy()
            assert np.abs(done.logprobs - wanted).max() <= 1e-5
    assert len({tuple(context.tolist()) for context in contexts.values()}) == 3
    # A later turn computes its new ids and the last one that was sampled.
    assert engine.prefilled == (40 + 1) + (6 + 6 + 1) + (6 + 6 + 6)


def test_short_beginnings_are_not_shared() -> None:
    engine = make_engine()
    generate(engine, [Request(n, random_ids(15, 0), Sampling(2), (n,)) for n in range(3)])
    assert engine.prefilled == 3 * 15


def first_ids(engine: TransformersEngine, count: int = 12) -> list[int]:
    (done,) = generate(engine, [Request("probe", random_ids(20, 0), Sampling(count), (3,))])
    engine.release("probe")
    return done.ids.tolist()


def test_stop_ids_end_a_turn() -> None:
    engine = make_engine()
    ids = first_ids(engine)
    (done,) = generate(engine, [Request(0, random_ids(20, 0), Sampling(12, stop_ids=(ids[4], 1)), (3,))])
    assert done.ids.tolist() == ids[: ids.index(ids[4]) + 1]
    assert done.finish == "stop"
    assert len(done.logprobs) == len(done.ids)


def test_stop_strings_end_a_turn_also_across_tokens() -> None:
    engine = make_engine()
    ids = first_ids(engine)
    tokenizer = engine.tokenizer
    assert tokenizer is not None
    text = tokenizer.decode(ids[:6])
    stop = text[-4:]
    (done,) = generate(engine, [Request(0, random_ids(20, 0), Sampling(12, stop=("never said", stop)), (3,))])
    wanted = next(n for n in range(1, 13) if stop in tokenizer.decode(ids[:n]))
    assert done.ids.tolist() == ids[:wanted]
    assert done.finish == "stop"
    # What is in the prompt does not count.
    page = np.array(tokenizer.encode("search for a lamp [sep] and buy it [sep]"), np.int32)
    (done,) = generate(engine, [Request(1, page, Sampling(3, stop=("buy it",)))])
    assert len(done.ids) == 3
    with pytest.raises(ValueError, match="with a tokenizer"):
        TransformersEngine(engine.model).submit(Request(0, page, Sampling(stop=("x",))))


def test_max_tokens_and_the_context_limit() -> None:
    engine = make_engine(max_context=30)
    assert engine.capabilities.max_context == 30
    (done,) = generate(engine, [Request(0, random_ids(20, 0), Sampling(7))])
    assert (len(done.ids), done.finish) == (7, "length")
    (done,) = generate(engine, [Request(0, random_ids(1, 1), Sampling(7))])
    assert (len(done.ids), done.finish) == (2, "context")
    (done,) = generate(engine, [Request(0, random_ids(1, 2), Sampling(7))])
    assert (done.ids.tolist(), done.logprobs.tolist(), done.finish) == ([], [], "context")
    full, fits = generate(engine, [Request(1, random_ids(50, 0)), Request(2, random_ids(29, 0), Sampling(1))])
    assert (len(full.ids), full.finish) == (0, "context")
    assert (len(fits.ids), fits.finish) == (1, "length")
    assert make_engine(max_context=10**6).max_context == 1024


def test_contexts_grow_past_the_first_cache(architecture: str) -> None:
    engine, model = make_engine(architecture, slots=2), eager_model(architecture)
    contexts = [random_ids(250, 0), random_ids(10, 1)]
    done = generate(engine, [Request(n, ids, Sampling(30), (n,)) for n, ids in enumerate(contexts)])
    contexts = [np.concatenate([ids, d.ids, random_ids(300, 2)]) for ids, d in zip(contexts, done, strict=True)]
    done = generate(engine, [Request(n, random_ids(300, 2), Sampling(5), (n, 1)) for n in range(2)])
    for ids, d in zip(contexts, done, strict=True):
        whole = np.concatenate([ids, d.ids])
        wanted = eager_logprobs(model, whole)[np.arange(len(ids), len(whole)) - 1, d.ids].numpy()
        assert np.abs(d.logprobs - wanted).max() <= 1e-5


def test_sessions_wait_for_slots() -> None:
    engine = make_engine(slots=2)
    for number in range(3):
        engine.submit(Request(number, random_ids(20, number), Sampling(4)))
    assert engine.busy
    done = [completion for _ in range(4) for completion in engine.step()]
    assert sorted(completion.session for completion in done) == [0, 1]
    with pytest.raises(RuntimeError, match="all 2 slots hold live sessions"):
        engine.step()
    engine.release(0)
    assert [completion.session for _ in range(4) for completion in engine.step()] == [2]
    assert not engine.busy
    assert engine.step() == []


def test_a_session_has_one_request_at_a_time() -> None:
    engine = make_engine()
    ids = random_ids(5, 0)
    engine.submit(Request("a", ids))
    with pytest.raises(ValueError, match="'a' already has a request"):
        engine.submit(Request("a", ids))
    engine.step()
    with pytest.raises(ValueError, match="'a' already has a request"):
        engine.submit(Request("a", ids))
    with pytest.raises(ValueError, match="at least one id"):
        engine.submit(Request("b", ids[:0]))


def test_release_ends_what_is_under_way() -> None:
    engine = make_engine(slots=2)
    alone = generate(make_engine(), [Request("b", random_ids(20, 1), Sampling(8), (1,))])[0]
    engine.submit(Request("a", random_ids(20, 0), Sampling(8)))
    engine.submit(Request("b", random_ids(20, 1), Sampling(8), (1,)))
    engine.submit(Request("queued", random_ids(20, 2), Sampling(8)))
    engine.step()
    engine.release("a")
    engine.release("queued")
    engine.release("unknown")
    engine.submit(Request("a", random_ids(40, 3), Sampling(2)))  # forgotten: a new session in the freed slot
    done = {}
    while engine.busy:
        done |= {completion.session: completion for completion in engine.step()}
    assert done.keys() == {"a", "b"}
    assert done["b"].ids.tolist() == alone.ids.tolist()
    (fresh,) = generate(make_engine(), [Request("a", random_ids(40, 3), Sampling(2))])
    assert done["a"].ids.tolist() == fresh.ids.tolist()


def test_new_weights_leave_nothing_of_the_old(architecture: str) -> None:
    engine, model = make_engine(architecture), eager_model(architecture)
    prompt = random_ids(30, 0)
    before = generate(engine, [Request(n, prompt, Sampling(6), (n,)) for n in range(3)])
    assert [done.version for done in before] == [0, 0, 0]
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)))
    engine.load(model.state_dict().items(), 5)
    assert engine.version == 5
    prefilled = engine.prefilled
    contexts = [np.concatenate([prompt, done.ids, random_ids(4, 1)]) for done in before]
    after = generate(engine, [Request(n, random_ids(4, 1), Sampling(6), (n, 1)) for n in range(3)])
    assert engine.prefilled - prefilled == 40 + 10 + 10  # the shared prompt again, once
    for ids, done in zip(contexts, after, strict=True):
        whole = np.concatenate([ids, done.ids])
        wanted = eager_logprobs(model, whole)[np.arange(len(ids), len(whole)) - 1, done.ids].numpy()
        assert done.version == 5
        assert np.abs(done.logprobs - wanted).max() <= 1e-5


def test_weights_loaded_in_the_middle_of_a_turn_hold_for_its_rest() -> None:
    engine, model = make_engine(), eager_model("qwen3")
    prompt = random_ids(30, 0)
    engine.submit(Request(0, prompt, Sampling(8)))
    for _ in range(4):
        assert not engine.step()
    with torch.no_grad():
        model.model.norm.weight.mul_(0.5)
    engine.load([("model.norm.weight", model.model.norm.weight)], 1)
    done = next(completion for _ in range(4) for completion in engine.step())
    whole = np.concatenate([prompt, done.ids])
    wanted = eager_logprobs(model, whole)[np.arange(30, 38) - 1, done.ids].numpy()
    assert done.version == 1
    assert np.abs(done.logprobs - wanted)[4:].max() <= 1e-5
    assert np.abs(done.logprobs - wanted)[:4].min() > 1e-3
    with pytest.raises(KeyError, match="nothing"):
        engine.load([("nothing", torch.zeros(1))], 2)


def reference_distribution(scores: np.ndarray, sampling: Sampling) -> np.ndarray:
    """By the definitions, one row at a time, in double precision."""
    scores = scores.astype(np.float64) / (sampling.temperature or 1.0)
    probabilities = np.exp(scores - scores.max())
    probabilities /= probabilities.sum()
    order = np.argsort(-probabilities, kind="stable")
    keep, mass = [], 0.0
    for index in order:
        if mass >= sampling.top_p or (sampling.top_k and len(keep) == sampling.top_k):
            break
        keep.append(index)
        mass += probabilities[index]
    kept = np.zeros_like(probabilities)
    kept[keep] = probabilities[keep] / probabilities[keep].sum()
    return kept


SAMPLINGS = [
    Sampling(),
    Sampling(temperature=0.5),
    Sampling(temperature=2.0, top_k=5),
    Sampling(top_p=0.6),
    Sampling(top_k=3, top_p=0.5),
    Sampling(temperature=0.7, top_k=20, top_p=0.9),
    Sampling(top_p=1e-6),
]


def test_distributions_are_those_of_the_definitions() -> None:
    scores = np.random.default_rng(0).normal(size=(len(SAMPLINGS), 50)).astype(np.float32) * 2
    got = distribution(torch.from_numpy(scores), SAMPLINGS).exp().numpy()
    for row, sampling in enumerate(SAMPLINGS):
        wanted = reference_distribution(scores[row], sampling)
        assert np.array_equal(got[row] > 0, wanted > 0)
        assert np.allclose(got[row], wanted, atol=1e-6)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_frequencies_and_logprobs_are_those_of_the_distribution(sampling: Sampling) -> None:
    engine = make_engine(slots=512)
    ids, count = random_ids(30, 5), 2000
    scores = eager_logprobs(eager_model("qwen3"), ids)[-1].numpy()
    wanted = reference_distribution(scores, sampling)
    one = Sampling(1, sampling.temperature, sampling.top_k, sampling.top_p)
    seen = np.zeros(len(wanted))
    for start in range(0, count, 500):
        for done in generate(engine, [Request(n, ids, one, (n,)) for n in range(start, start + 500)]):
            seen[done.ids[0]] += 1
            assert abs(done.logprobs[0] - np.log(wanted[done.ids[0]])) <= 2e-5
            engine.release(done.session)
    assert not seen[wanted == 0].any()
    common = wanted * count >= 5
    expected = np.append(wanted[common], wanted[~common].sum()) * count
    observed = np.append(seen[common], seen[~common].sum())
    bins = int((expected > 0).sum())
    chi_square = ((observed - expected)[expected > 0] ** 2 / expected[expected > 0]).sum()
    assert chi_square <= bins - 1 + 4 * np.sqrt(2 * max(bins - 1, 1))


def test_impossible_samplings() -> None:
    for wrong in ({"max_tokens": 0}, {"temperature": -1.0}, {"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.5}):
        with pytest.raises(ValueError, match="must"):
            Sampling(**wrong)
