from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from palestra.agents.packed import load_model, pack
from palestra.agents.small import build_model, train_tokenizer
from palestra.training import checkpoint
from palestra.training.learner import Learner, Objective, Optimizer
from palestra.training.rows import Row

TEXTS = ["search[red shoe] click[buy now]\nprice 12.50", "You are on a page."] * 5
TOKENIZER = train_tokenizer(TEXTS, 300)


def make(architecture: str = "qwen3", dtype: torch.dtype = torch.float32) -> Any:
    model = build_model(TOKENIZER, architecture, hidden=32, layers=2, seed=3).to(dtype)
    model.set_attn_implementation("eager")
    return pack(model)


def make_learner(model: Any) -> Learner:
    return Learner(model, Optimizer(learning_rate=1e-3, warmup_steps=4), Objective(), total_steps=10)


def rows(seed: int) -> list[Row]:
    generator = np.random.default_rng(seed)
    made = []
    for length in (9, 14):
        sampled = np.arange(length) > 4
        ids = generator.integers(len(TOKENIZER), size=length).astype(np.int32)
        zeros = np.zeros(length, np.float32)
        made.append(Row(ids, sampled, zeros, generator.normal(size=length).astype(np.float32) * sampled))
    return made


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


@pytest.mark.parametrize("architecture", ["qwen3", "gemma3"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_weights_come_back_bit_for_bit(architecture: str, dtype: torch.dtype, tmp_path: Path) -> None:
    model = make(architecture, dtype)
    path = checkpoint.save(tmp_path, 20, [model, TOKENIZER], {}, {})
    loaded = load_model(str(path), dtype=dtype)
    assert same(weights(loaded), weights(model))
    assert loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight


def test_untied_weights_come_back_too(tmp_path: Path) -> None:
    model = build_model(TOKENIZER, hidden=32, layers=2)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach() + 1)
    path = checkpoint.save(tmp_path, 1, [model, TOKENIZER], {}, {})
    assert same(weights(load_model(str(path))), weights(model))


def test_a_checkpoint_is_a_model_for_anybody(tmp_path: Path) -> None:
    model = make()
    path = checkpoint.save(tmp_path, 20, [model, TOKENIZER], {}, {})
    assert "palestra" not in (path / "config.json").read_text()
    plain = AutoModelForCausalLM.from_pretrained(path)
    tokenizer = AutoTokenizer.from_pretrained(path)
    assert plain.dtype == torch.float32
    messages = [{"role": "user", "content": TEXTS[0]}]
    for each in (tokenizer, TOKENIZER):
        text = each.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert text == f"<|im_start|>user\n{TEXTS[0]}<|im_end|>\n<|im_start|>assistant\n"
    ids = tokenizer(TEXTS[0], return_tensors="pt").input_ids
    assert ids.tolist() == TOKENIZER(TEXTS[0], return_tensors="pt").input_ids.tolist()
    model.set_attn_implementation("sdpa")
    with torch.no_grad():
        assert torch.equal(plain(ids).logits, model(ids).logits)


def test_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    through = make_learner(make())
    generator = np.random.default_rng(0)
    for seed in range(3):
        through.update(rows(seed), generator)
    path = checkpoint.save(tmp_path, 3, [through.model, TOKENIZER], through.state(), {"reward": 0.5, "words": ["a"]})
    resumed = make_learner(load_model(str(path)))
    trainer, state = checkpoint.load(path)
    resumed.restore(trainer)
    assert state == {"step": 3, "reward": 0.5, "words": ["a"]}
    assert resumed.rate() == through.rate()
    for learner in (through, resumed):
        for seed in range(3, 5):
            learner.update(rows(seed), np.random.default_rng(seed))
    assert same(weights(resumed.model), weights(through.model))
    assert not same(weights(resumed.model), weights(load_model(str(path))))


def test_state_keeps_large_integers(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    path = checkpoint.save(tmp_path, 0, [make(), TOKENIZER], {}, {"generator": generator.bit_generator.state})
    again = np.random.default_rng()
    again.bit_generator.state = checkpoint.load(path)[1]["generator"]
    assert again.integers(1 << 60) == generator.integers(1 << 60)


def test_only_the_last_are_kept(tmp_path: Path) -> None:
    model = make()
    assert checkpoint.latest(tmp_path) is None
    for step in (0, 20, 999_999, 1_000_000):
        saved = checkpoint.save(tmp_path, step, [model, TOKENIZER], {}, {}, keep=2)
        assert checkpoint.latest(tmp_path) == saved
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step-1000000", "step-999999"]


def test_a_step_is_saved_once(tmp_path: Path) -> None:
    model = make()
    checkpoint.save(tmp_path, 5, [model, TOKENIZER], {}, {"first": True})
    path = checkpoint.save(tmp_path, 5, [model, TOKENIZER], {}, {"first": False})
    assert checkpoint.load(path)[1]["first"] is True


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    copy = tmp_path / "checkpoints" / "step-000007-copy"
    copy.mkdir(parents=True)
    saved = checkpoint.save(tmp_path, 3, [make(), TOKENIZER], {}, {}, keep=1)
    assert copy.exists()
    assert checkpoint.latest(tmp_path) == saved


@pytest.mark.parametrize("name", ["trainer.pt", "model.safetensors", "state.json", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "empty"])
def test_damage_is_named(name: str, damage: str, tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 20, [make(), TOKENIZER], {"x": torch.zeros(9)}, {"a": 1})
    file = path / name
    content = file.read_bytes()
    file.unlink()
    if damage != "gone":
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(checkpoint.CheckpointError) as raised:
        checkpoint.load(path)
    assert str(file) in str(raised.value)


@pytest.mark.parametrize("state", ["[]", '{"step": 3}', '{"files": 3, "step": 3}'])
def test_a_foreign_state_is_named(state: str, tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 20, [make(), TOKENIZER], {}, {})
    (path / "state.json").write_text(state)
    with pytest.raises(checkpoint.CheckpointError, match=r"state\.json"):
        checkpoint.load(path)


def test_bytes_of_something_else_are_not_run(tmp_path: Path) -> None:
    """A pickle that would call something on loading is refused."""
    path = checkpoint.save(tmp_path, 20, [make(), TOKENIZER], {}, {})
    trap = tmp_path / "trapped"
    hostile = b"cpathlib\nPath.touch\n(cpathlib\nPath\n(V" + str(trap).encode() + b"\ntRtR."
    (path / "trainer.pt").write_bytes(hostile)
    state = json.loads((path / "state.json").read_text())
    state["files"]["trainer.pt"] = len(hostile)
    (path / "state.json").write_text(json.dumps(state))
    with pytest.raises(checkpoint.CheckpointError, match=r"trainer\.pt"):
        checkpoint.load(path)
    assert not trap.exists()


KILLS = """
    import os, shutil, sys
    from pathlib import Path

    import torch
    from palestra.agents.small import build_model, train_tokenizer
    from palestra.training import checkpoint

    torch.set_num_threads(1)
    run = Path(sys.argv[1])
    tokenizer = train_tokenizer(["some text"] * 3, 300)
    model = build_model(tokenizer, hidden=16, layers=1, heads=2)
    EVENTS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.scandir", "os.listdir", "shutil.rmtree"}

    def save(step):
        trainer = {"step": step, "moment": torch.full((500,), float(step))}
        checkpoint.save(run, step, [model, tokenizer], trainer, {"step": step}, keep=1)

    def child(step, fatal):
        '''Save, and die without a trace before the file operation of number fatal.'''
        seen = 0

        def audit(event, arguments):
            nonlocal seen
            if event in EVENTS and str(run) in str(arguments[:1]) or event == "os.rmdir" or event == "os.remove":
                if seen == fatal:
                    os._exit(9)
                seen += 1

        sys.addaudithook(audit)
        save(step)
        os._exit(0)

    save(0)
    saved, kills = 0, 0
    while True:
        pid = os.fork()
        if not pid:
            child(saved + 1, kills)
        died = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
        path = checkpoint.latest(run)
        trainer, state = checkpoint.load(path)
        step = state["step"]
        assert step in (saved, saved + 1), (step, saved)
        assert trainer["step"] == step and (trainer["moment"] == step).all()
        assert path.name == f"step-{step:06d}"
        saved = step
        if not died:
            break
        kills += 1
    assert [path.name for path in path.parent.iterdir()] == [path.name], "something is left behind"
    print(kills)
"""


def test_a_kill_at_any_moment_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    """Every file operation of a save is cut off once, each time by the death of a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(KILLS), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 15
