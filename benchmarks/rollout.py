"""Multi-turn rollouts and whole training steps, here and in TRL's ``GRPOTrainer`` with an ``environment_factory``.

    pip install 'palestra[bench]'
    python benchmarks/rollout.py                               # 16 episodes of 8 turns, then 8 of 20
    python benchmarks/rollout.py --turns 8 --episodes 16 --repeats 1
    python benchmarks/rollout.py --side palestra               # without TRL

**The same on both sides**: a Qwen3 of 2.4 million parameters in float32, read from one folder; one thread; the texts
of the environment; batches of the same tasks, in groups of at most 8; sampling at temperature 1 without truncation,
at most 64 tokens a turn; GRPO with one AdamW step per batch over all its episodes, without gradient checkpointing.

In TRL an episode goes on only while the model calls a tool, and random weights call none.  So the model's output
layer is written to sample one call, always (:func:`make_model`); everything else is random, and costs what it always
costs.  Both sides then sample the same replies, and the benchmark raises an error unless they play the same number of
turns and end with the same contexts, id for id.

**Not the same**: TRL renders Qwen3's chat template with a tool; here the plain ChatML template renders the same text.
TRL does not carry out the last call of an episode.  TRL's rollout is what its ``_generate`` takes, without resets,
and gives no log-probabilities; here it is all of ``Rollout.collect``, which gives them.  TRL generates with
``transformers`` in this process, its default; with vLLM, which wants a GPU or a server, it would be another
comparison.

The sides take turns, a step each; their first steps are not counted.  Seconds are CPU seconds of this process.
*Rollout tokens* are those of the final contexts, read or sampled, each counted once however often it was computed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import torch
from transformers import AutoTokenizer
from transformers.utils import get_json_schema
from transformers.utils.logging import disable_progress_bar

from palestra.agents.engine import Sampling
from palestra.agents.packed import load_model
from palestra.agents.parser import TextParser
from palestra.agents.players import Speaker
from palestra.agents.renderer import Renderer
from palestra.agents.small import build_model, train_tokenizer
from palestra.agents.transformers_engine import TransformersEngine
from palestra.rewards import parse_reward
from palestra.training.advantages import ADVANTAGES
from palestra.training.config import Objective, Optimizer
from palestra.training.credit import assign, group
from palestra.training.learner import Learner
from palestra.training.rollout import Job, Rollout

MAX_TOKENS = 64
LEARNING_RATE = 1e-6
LONGEST = 8192

SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]
WORDS = ["".join(pair) for pair in itertools.product(SYLLABLES, repeat=2)][::2][:1500]

CALL = (
    '<tool_call>{"name":"act","arguments":{"command": "'
    "take small brass key from wooden box then open north door with it and walk through slowly until evening comes"
    '"}}</tool_call>'
)


def describe(task: int, member: int, turn: int) -> str:
    """What an episode shows: 40 to 80 words, about as many tokens.  Members of a group share the first observation."""
    rng = np.random.default_rng((task, member if turn else 0, turn))
    return "You see " + " ".join(rng.choice(WORDS, rng.integers(38, 78))) + "."


class Walk(gym.Env[str, str]):
    """Takes any action and never ends; on its last turn, members of odd number are paid 1, so that groups are mixed."""

    observation_space = gym.spaces.Text(1000)
    action_space = gym.spaces.Text(1000)

    def __init__(self, turns: int) -> None:
        self.turns = turns

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        assert seed is not None
        assert options is not None
        self.task, self.member, self.turn = options["task"], seed, 0
        return describe(self.task, self.member, 0), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.turn += 1
        over = self.turn == self.turns
        reward = float(self.member % 2) if over else 0.0
        # The words that TRL's template puts around what a tool answers.
        observation = f"<tool_response>\n{describe(self.task, self.member, self.turn)}\n</tool_response>"
        return observation, reward, over, False, {}


class ToolWalk:
    """The same environment as TRL wants it: its public methods are tools."""

    def __init__(self, member: int) -> None:
        self._member = member

    def reset(self, **row: Any) -> str:
        self._task, self._turn = row["task"], 0
        return describe(self._task, self._member, 0)

    def act(self, command: str) -> str:
        """
        Do something.

        Args:
            command: What to do, in words.

        Returns:
            What happens.
        """
        self._turn += 1
        return describe(self._task, self._member, self._turn)

    def get_reward(self) -> float:
        return float(self._member % 2)


def system_message() -> str:
    """What Qwen3's chat template writes for a model that has the tool."""
    tool = json.dumps(get_json_schema(ToolWalk(0).act))
    return (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
        f"{tool}\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments within "
        "<tool_call></tool_call> XML tags:\n<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
    )


def make_model(folder: Path) -> None:
    """Write a model that answers anything with the call, and its tokenizer.

    Its weights are random but for the output layer.  The embeddings outweigh what the layers add to them, so the last
    hidden state points to the token that was read last, to which the output layer answers with the call's next token.

    Raises:
        RuntimeError: if a token occurs twice in the call, so that what follows it is not clear.
    """
    texts = [system_message(), f"<tool_response>\n{' '.join(WORDS)}\n</tool_response>", *[CALL] * 9]
    tokenizer = train_tokenizer([*texts, " ".join(WORDS)], vocab_size=2048, lowercase=False)
    tokenizer.add_tokens(["<tool_call>", "</tool_call>"])  # as Qwen3's has them
    call = tokenizer.encode("\n" + CALL + tokenizer.eos_token)  # a prompt ends with the line break
    if len(set(call)) < len(call):
        raise RuntimeError(f"the call repeats a token: {tokenizer.convert_ids_to_tokens(call)}")
    model = build_model(tokenizer, hidden=192, layers=4, heads=6, kv_heads=3, intermediate=512, max_positions=LONGEST)
    with torch.no_grad():
        embeddings = model.get_input_embeddings().weight
        embeddings *= 50
        model.config.tie_word_embeddings = False
        model.lm_head.weight = torch.nn.Parameter(embeddings / 1000)
        model.lm_head.weight[call[1:]] = 3 * torch.nn.functional.normalize(embeddings[call[:-1]], dim=-1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@dataclass(frozen=True)
class Step:
    """What one training step took, in CPU seconds, and did; ``contexts`` are the final ids of each episode."""

    rollout_seconds: float
    step_seconds: float
    turns: int
    sampled: int
    prefilled: int
    contexts: list[list[int]]

    @property
    def tokens(self) -> int:
        return sum(map(len, self.contexts))

    @property
    def rate(self) -> float:
        """Rollout tokens per CPU second."""
        return self.tokens / self.rollout_seconds


class Side(Protocol):
    """Plays a batch and trains on it."""

    def step(self, tasks: Sequence[int]) -> Step: ...


class Palestra:
    """What ``train.py`` does in a step."""

    def __init__(self, folder: Path, turns: int, group_size: int, groups: int) -> None:
        model, tokenizer = load_model(str(folder)), AutoTokenizer.from_pretrained(folder)
        renderer = Renderer(tokenizer, system_message())
        self.size = group_size
        self.sampling = Sampling(MAX_TOKENS, stop_ids=renderer.stop_ids)
        self.engine = TransformersEngine(model, tokenizer, slots=groups * group_size)
        policy = Speaker(self.engine, renderer, TextParser(tokenizer, renderer.stop_ids))
        self.rollout = Rollout(
            lambda: Walk(turns), {"policy": policy}, concurrency=groups * group_size, max_turns=turns
        )
        self.learner = Learner(model, Optimizer(learning_rate=LEARNING_RATE), Objective(), total_steps=1)

    def step(self, tasks: Sequence[int]) -> Step:
        before = self.engine.prefilled
        began = time.process_time()
        pairs = itertools.product(tasks, range(self.size))
        jobs = [Job("Walk", task, "train", number, (task, number)) for number, (task, _) in enumerate(pairs)]
        episodes = self.rollout.collect(jobs, self.sampling)
        rolled_out = time.process_time()
        rows, _ = assign(group(episodes, self.size), parse_reward("env"), ADVANTAGES["grpo"], 0)
        self.learner.update(rows, np.random.default_rng(0))
        self.engine.load([], self.engine.version + 1)
        ended = time.process_time()
        return Step(
            rollout_seconds=rolled_out - began,
            step_seconds=ended - began,
            turns=sum(len(episode.turns) for episode in episodes),
            sampled=sum(row.count for row in rows),
            prefilled=self.engine.prefilled - before,
            contexts=[row.ids.tolist() for row in rows],
        )


def make_trl(folder: Path, turns: int, group_size: int, groups: int) -> Side:
    """TRL's side.

    Raises:
        ImportError: if TRL is not installed.
    """
    missing = [name for name in ("trl", "datasets") if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"not installed: {', '.join(missing)}; pip install 'palestra[bench]', or take --side palestra"
        )
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, PrinterCallback, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer
    from trl.chat_template_utils import qwen3_chat_template

    warnings.filterwarnings("ignore", category=FutureWarning)  # about names that TRL uses, not we

    class Timer(TrainerCallback):
        """CPU seconds from before the rollout to after the optimiser's step."""

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.began = time.process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.seconds = time.process_time() - self.began

    class Trainer(GRPOTrainer):
        """Counts and times what it generates."""

        def _generate(self, prompts: list[Any]) -> Any:
            self.turns = self.prefilled = 0
            began = time.process_time()
            generated = super()._generate(prompts)
            self.rollout_seconds = time.process_time() - began
            prompt_ids, completion_ids, tool_mask = generated[:3]
            self.sampled = sum(map(sum, tool_mask))
            self.contexts = [a + b for a, b in zip(prompt_ids, completion_ids, strict=True)]
            return generated

        def _generate_single_turn(self, prompt_ids: list[list[int]], *args: Any, **kwargs: Any) -> Any:
            self.turns += len(prompt_ids)
            self.prefilled += sum(map(len, prompt_ids))
            return super()._generate_single_turn(prompt_ids, *args, **kwargs)

    def dataset(tasks: Sequence[int]) -> Any:
        prompt = [{"role": "user", "content": ""}]  # reset() gives the text
        return Dataset.from_list([{"prompt": prompt, "task": task} for task in tasks])

    class Trl:
        def __init__(self) -> None:
            tokenizer = AutoTokenizer.from_pretrained(folder)
            tokenizer.chat_template = qwen3_chat_template
            self.timer, members = Timer(), itertools.count()
            settings = GRPOConfig(
                output_dir=str(folder / "trl"),
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                per_device_train_batch_size=groups * group_size,
                num_generations=group_size,
                max_completion_length=LONGEST,
                generation_kwargs={"max_new_tokens": MAX_TOKENS},
                max_tool_calling_iterations=turns - 1,
                learning_rate=LEARNING_RATE,
                lr_scheduler_type="constant",
                max_steps=1,
                shuffle_dataset=False,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
            )
            self.trainer = Trainer(
                model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
                args=settings,
                train_dataset=dataset(range(groups)),
                processing_class=tokenizer,
                environment_factory=lambda: ToolWalk(next(members)),
                callbacks=[self.timer],
            )
            self.trainer.remove_callback(PrinterCallback)

        def step(self, tasks: Sequence[int]) -> Step:
            trainer = self.trainer
            trainer.train_dataset = dataset(tasks)
            trainer.train()
            return Step(
                rollout_seconds=trainer.rollout_seconds,
                step_seconds=self.timer.seconds,
                turns=trainer.turns,
                sampled=trainer.sampled,
                prefilled=trainer.prefilled,
                contexts=trainer.contexts,
            )

    return Trl()


MAKERS = {"palestra": Palestra, "trl": make_trl}


def compare(folder: Path, names: Sequence[str], turns: int, episodes: int, repeats: int) -> dict[str, list[Step]]:
    """``repeats`` steps of each side, in turn.

    Raises:
        RuntimeError: if two sides did not play the same episodes.
    """
    size = min(8, episodes)
    groups = episodes // size
    sides: dict[str, Side] = {name: MAKERS[name](folder, turns, size, groups) for name in names}
    steps: dict[str, list[Step]] = {name: [] for name in names}
    for repeat in range(repeats + 1):
        # New tasks each time: nothing that was encoded for one step serves another.
        tasks = range(repeat * groups, (repeat + 1) * groups)
        played = {name: side.step(tasks) for name, side in sides.items()}
        first = next(iter(played.values()))
        for name, step in played.items():
            if step.turns != turns * episodes:
                raise RuntimeError(f"{name} played {step.turns} turns instead of {turns * episodes}")
            if step.contexts != first.contexts:
                raise RuntimeError(f"{' and '.join(played)} did not play the same episodes")
            if repeat:  # the first step allocates and fills caches
                steps[name].append(step)
    return steps


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median and range."""
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def show(steps: dict[str, list[Step]]) -> None:
    for name, mine in steps.items():
        last = mine[-1]
        print(
            f"  {name}: {last.turns} turns, {last.sampled:,} tokens sampled, {last.tokens:,} in the final contexts, "
            f"{last.prefilled:,} prompt tokens prefilled"
        )
        print(f"    rollout tokens per CPU second: {spread([step.rate for step in mine], 0)}")
        print(f"    of them sampled: {spread([step.sampled / step.rollout_seconds for step in mine], 0)}")
        print(f"    CPU seconds of a rollout: {spread([step.rollout_seconds for step in mine])}")
        print(f"    CPU seconds of a whole step: {spread([step.step_seconds for step in mine])}")
    if len(steps) == 2:
        pairs = list(zip(steps["palestra"], steps["trl"], strict=True))
        print("  the same contexts on both sides, id for id")
        print(f"  rollout, times TRL's: {spread([ours.rate / theirs.rate for ours, theirs in pairs], 2)}")
        print(f"  whole step, times TRL's: {spread([b.step_seconds / a.step_seconds for a, b in pairs], 2)}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, nargs="+", default=[8, 20], help="turns of an episode, in each setting")
    parser.add_argument("--episodes", type=int, nargs="+", default=[16, 8], help="episodes of a batch, in each setting")
    parser.add_argument("--repeats", type=int, default=3, help="steps that are counted, of each side and setting")
    parser.add_argument("--side", choices=["both", *MAKERS], default="both", help="which side to run")
    options = parser.parse_args(arguments)
    names = list(MAKERS) if options.side == "both" else [options.side]
    if len(options.turns) != len(options.episodes):
        parser.error("--turns and --episodes need as many values as each other")
    if min(options.turns) < 2 or min(options.episodes) < 2 or options.repeats < 1:
        parser.error("at least 2 turns, 2 episodes and 1 repeat")
    if any(episodes > 8 and episodes % 8 for episodes in options.episodes):
        parser.error("more than 8 episodes are a multiple of 8, the size of a group")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # a model that is sure of itself has gradients next to nothing, slow to multiply
    disable_progress_bar()
    os.environ |= {"TRL_EXPERIMENTAL_SILENCE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder)
        packages = ("torch", "transformers", *(["trl"] if "trl" in names else []))
        versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}, {versions}"
        )
        for turns, episodes in zip(options.turns, options.episodes, strict=True):
            print(f"{episodes} episodes of {turns} turns:", flush=True)
            show(compare(folder, names, turns, episodes, options.repeats))


if __name__ == "__main__":
    try:
        main()
    except ImportError as error:
        sys.exit(str(error))
