"""What a run is made of.  Every field is a flag of ``train.py`` and a key of a recipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .learner import Objective, Optimizer


@dataclass(frozen=True)
class SmallModel:
    """A model made on the spot, with a tokenizer trained on the environment's own text."""

    architecture: Literal["qwen3", "llama", "gemma2", "gemma3"] = "qwen3"
    hidden: int = 128
    """Width of the residual stream."""
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    vocabulary: int = 2048
    """Size of the tokenizer's vocabulary."""
    max_context: int = 2048
    """Longest context in tokens."""


@dataclass(frozen=True)
class WarmStart:
    """Behaviour cloning on the oracle's demonstrations before reinforcement learning."""

    demonstrations: int = 0
    """Episodes that the oracle shows, on training tasks; 0 starts from the model as it is."""
    epochs: int = 1
    """Passes over them."""
    batch: int = 16
    """Demonstrations per optimiser step."""
    optimizer: Optimizer = field(default_factory=Optimizer)


@dataclass(frozen=True)
class RolloutSettings:
    """How episodes are played."""

    groups: int = 16
    """Tasks per step."""
    group_size: int = 8
    """Episodes per task."""
    concurrency: int = 64
    """Episodes alive at once."""
    max_turns: int = 15
    """An episode that has not ended after so many turns is truncated."""
    max_tokens: int = 64
    """Most tokens per turn."""
    temperature: float = 1.0
    timeout: float = 60.0
    """Seconds that an environment may take for one reset or step."""
    lockstep: bool = True
    """Wait for every environment before the next forward; needed for bit-identical runs."""


@dataclass(frozen=True)
class Evaluation:
    """Held-out tasks, played between steps."""

    split: Literal["train", "validation", "test"] = "test"
    tasks: int = 200
    """How many, from the first of the split."""
    every: int = 20
    """Steps between evaluations; the first is before, the last after training."""
    temperature: float = 0.0
    baselines: bool = True
    """Also play a random agent and the environment's oracle, for the report."""


@dataclass(frozen=True)
class Config:
    """A run of ``train.py``."""

    env: str = "WebShop-v0"
    """Gymnasium id, or ``module:Id`` to import the module that registers it."""
    env_options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments for gymnasium.make."""
    model: str | None = None
    """Folder or hub name of a causal language model; without it a small one is made on the spot."""
    small: SmallModel = field(default_factory=SmallModel)
    reward: str = "success"
    """What to maximise: an expression over reward parts, or my_module:my_reward."""
    advantage: str = "grpo"
    """Estimator: one of palestra.training.advantages.ADVANTAGES."""
    system: Literal["guide", "none"] = "guide"
    """The system message: the environment's guide, or none."""
    parser: Literal["text", "tagged"] = "text"
    """The action is the whole reply, or what it puts between <action> and </action>."""
    steps: int = 100
    """Reinforcement-learning steps."""
    seed: int = 0
    run: str = "runs/latest"
    """Folder for checkpoints, metrics and the report."""
    resume: bool = False
    """Go on from the last checkpoint in the run's folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["float32", "bfloat16"] = "float32"
    checkpoint_every: int = 20
    """Steps between checkpoints."""
    keep_trajectories: int = 1
    """Write the training episodes of every n-th step beside the metrics; 0 writes none."""
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    warm_start: WarmStart = field(default_factory=WarmStart)
    objective: Objective = field(default_factory=Objective)
    optimizer: Optimizer = field(default_factory=Optimizer)
    evaluation: Evaluation = field(default_factory=Evaluation)
