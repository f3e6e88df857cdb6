"""What a run is made of.  Every field is a flag of ``train.py`` and a key of a recipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Clip:
    """The trust region of a ratio: it may grow to ``1 + high`` and shrink to ``1 - low``.

    PPO uses 0.2 for both; a larger ``high`` keeps exploration alive (clip-higher, DAPO, arXiv:2503.14476).
    """

    low: float = 0.2
    """How far a ratio may fall below 1."""
    high: float = 0.28
    """How far it may rise above 1."""


@dataclass(frozen=True)
class Optimizer:
    """AdamW with a linear warm-up, then constant or decaying linearly to ``final`` of the rate over the run."""

    learning_rate: float = 1e-6
    """Of the steps after the warm-up."""
    weight_decay: float = 0.0
    """Decoupled decay of every weight."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Decay of the running means of the gradient and of its square."""
    warmup_steps: int = 0
    """Optimiser steps over which the learning rate rises from 0."""
    final: float = 1.0
    """Share of the learning rate that is left at the end, after a linear decay."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this norm."""


@dataclass(frozen=True)
class Objective:
    """What one batch is trained on."""

    loss: str = "clipped"
    """Policy loss: one of palestra.training.losses.LOSSES."""
    clip: Clip = field(default_factory=Clip)
    weighting: Literal["token", "turn", "trajectory"] = "token"
    """What weighs the same in the loss: each sampled token of a batch, or each turn or trajectory whatever its length.

    Where failing makes episodes long, weighing tokens pushes all that is done in long episodes down.  Where some turns
    are long whose words hardly matter, such as queries, weighing turns lets the others be heard.
    """
    epochs: int = 1
    """Passes over each batch."""
    minibatches: int = 1
    """Optimiser steps per pass."""
    kl: float = 0.0
    """Weight of the divergence from the reference model (the weights that training began with)."""
    entropy: float = 0.0
    """Weight of an entropy bonus."""
    anneal: float = 1.0
    """Share of the weights kl and entropy that is left at the end, after a decay by the same factor at each step."""
    max_batch_tokens: int = 8192
    """Most ids in one forward, which bounds memory and changes nothing else."""


@dataclass(frozen=True)
class SmallModel:
    """A model made on the spot, with a tokenizer trained on the environment's own text."""

    architecture: Literal["qwen3", "llama", "gemma2", "gemma3"] = "qwen3"
    """Whose layers it has."""
    hidden: int = 128
    """Width of the residual stream."""
    layers: int = 4
    """How many."""
    heads: int = 4
    """Attention heads."""
    kv_heads: int = 2
    """Heads that have keys and values of their own."""
    vocabulary: int = 2048
    """Size of the tokenizer's vocabulary."""
    lowercase: bool = True
    """Read and write small letters only, which is easier to learn; not for code."""
    max_context: int = 2048
    """Longest context in tokens."""
    episodes: int = 600
    """Episodes by the oracle, or by chance, whose texts the tokenizer is made of."""
    induction: bool = False
    """Begin with weights that copy what stood before; Qwen3's alone.  It then says words that it has never seen, which
    few demonstrations do not teach."""
    copying_steps: int = 0
    """Steps on random ids that repeat, before it reads anything: it then copies words that it has never seen, which few
    demonstrations do not teach."""


@dataclass(frozen=True)
class WarmStart:
    """Behaviour cloning on the oracle's demonstrations before reinforcement learning."""

    demonstrations: int = 0
    """Episodes that the oracle shows, on training tasks; 0 starts from the model as it is."""
    teacher: str = "optimal"
    """In self-play, whose games are shown: a player that the game brings along, random or optimal."""
    distinct: bool = False
    """In self-play where a context is a turn, learn each answer to an observation once, however often it was shown: in
    a small game most of what is shown are its openings."""
    excerpt_epochs: int = 0
    """Passes over excerpts before: a first turn with as many of the last ones as make few tokens.  A short context
    teaches to copy from it at small cost."""
    excerpt_tokens: int = 128
    """Most tokens of an excerpt, unless its first turn alone has more."""
    epochs: int = 1
    """Passes over them whole."""
    batch_tokens: int = 8192
    """Most tokens per optimiser step, but at least one demonstration; a small model learns most from small batches."""
    disturbance: float = 0.0
    """How often a random action takes the place of the oracle's, so that it shows how to recover; what was drawn is not
    imitated (DART, arXiv:1703.09327)."""
    context_weight: float = 0.0
    """Weight of predicting the observations too, which teaches a small model to read; 0 clones actions only."""
    optimizer: Optimizer = field(default_factory=Optimizer)


@dataclass(frozen=True)
class SelfImitation:
    """Behaviour cloning, now and then, on the run's own episodes that solved their task."""

    every: int = 0
    """Steps between passes; 0: never."""
    over: Literal["recent", "all"] = "recent"
    """Which episodes a pass takes: those since the last one, or all of the run, which keeps what was learned."""
    epochs: int = 1
    """Times that a pass goes through them."""
    turns: Literal["accepted", "last"] = "accepted"
    """What is cloned of an episode: every action that the environment accepted, or the last one alone, where those
    before it were attempts that failed."""
    distinct: bool = False
    """Clone episodes that read the same once, so that easy tasks do not crowd out those that are seldom solved."""
    weighting: Literal["equal", "advantage"] = "equal"
    """What an episode counts: all the same, or the share of the attempts at its task that failed, so that what always
    succeeds, and is known, is left out."""
    batch_tokens: int = 8192
    """Most tokens per optimiser step, but at least one episode."""
    context_weight: float = 0.0
    """Weight of predicting the observations too."""
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
    """Of the sampling, and of the distribution that is trained."""
    timeout: float = 60.0
    """Seconds that an environment may take for one reset or step."""
    lockstep: bool = True
    """Wait for every environment before the next forward; needed for bit-identical runs."""
    context: Literal["episode", "turn"] = "episode"
    """What the model reads: the episode so far, or each turn's observation alone."""
    actions: Literal["any", "legal"] = "any"
    """Whether the model may write anything, or chooses among the legal actions that the environment names."""


@dataclass(frozen=True)
class Evaluation:
    """Held-out tasks, played between steps."""

    split: Literal["train", "validation", "test"] = "test"
    """Whose tasks are played."""
    tasks: int = 200
    """How many, from the first of the split."""
    every: int = 20
    """Steps between evaluations; the first is before, the last after training."""
    temperature: float = 0.0
    """Of the sampling, also in matches against the run; 0 takes the most likely token."""
    baselines: bool = True
    """Also play a random agent and the environment's oracle, for the report."""
    opponent: str = "random"
    """In self-play, who takes the other roles: a player that the game brings along, random or optimal."""
    exploitability: bool = False
    """In self-play of a small game, measure exactly what a best response gains."""


@dataclass(frozen=True)
class Opponents:
    """Whom the policy meets in self-play."""

    matching: Literal["latest", "past", "prioritised", "league"] = "latest"
    """Itself; or, in the rest of the games, a member of the pool: any, one that it loses to, or that and an exploiter,
    which learns to beat it."""
    share: float = 0.5
    """Share of the games, of those that are not against an exploiter, that the policy plays against itself."""
    snapshot_every: int = 20
    """Steps after which the policy, as it is then, joins the pool."""
    pool: int = 8
    """How many of its past selves may be met: the last ones."""
    scripts: list[str] = field(default_factory=list)
    """Players that are in the pool from the start: those that the game brings along, random, optimal."""
    roles: dict[str, Any] = field(default_factory=dict)
    """Who always takes a role, which then is not trained: a script, or start, the policy that training began with."""
    policies: Literal["shared", "per_role"] = "shared"
    """One policy for all roles, or one for each."""
    rating_games: int = 32
    """Games of each new member of the pool against each other one, for the payoff matrix and the ratings."""


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
    advantage_options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments for the estimator, such as the gamma of gigpo."""
    system: Literal["guide", "none"] = "guide"
    """The system message: the environment's guide, or none."""
    parser: Literal["text", "tagged"] = "text"
    """The action is the whole reply, or what it puts between <action> and </action>."""
    self_play: bool = False
    """The environment is one for several agents, and the policy takes all roles, or meets opponents in them."""
    opponents: Opponents = field(default_factory=Opponents)
    curriculum: Literal["shuffle", "uniform", "evolving", "learning_progress", "proposed"] = "shuffle"
    """Which training tasks are played: all in turn, or those that a source of palestra.training.curriculum draws."""
    curriculum_options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments for that source, such as the explore of evolving."""
    steps: int = 100
    """Reinforcement-learning steps."""
    seed: int = 0
    """Fixes the tasks, the draws, the demonstrations and the weights of a small model."""
    run: str = "auto"
    """Folder for checkpoints, metrics and the report; auto is the next free runs/<environment>-<n>."""
    resume: bool = False
    """Go on from the last checkpoint in the run's folder; with run auto, in the folder of the latest run."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model is; auto takes a GPU if there is one."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the weights."""
    workers: int = 1
    """On a CPU, threads that each compute a share of every batch, in place of PyTorch's own threads, which share every
    operation: faster for small models."""
    checkpoint_every: int = 20
    """Steps between checkpoints."""
    keep_trajectories: int = 1
    """Write the training episodes of every n-th step beside the metrics; 0 writes none."""
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    warm_start: WarmStart = field(default_factory=WarmStart)
    objective: Objective = field(default_factory=Objective)
    optimizer: Optimizer = field(default_factory=Optimizer)
    self_imitation: SelfImitation = field(default_factory=SelfImitation)
    evaluation: Evaluation = field(default_factory=Evaluation)
