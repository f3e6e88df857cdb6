"""What a run of continuous control is made of: one dataclass for each algorithm, whose fields are flags and keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Demonstrations:
    """What the environment's oracle shows before reinforcement learning."""

    episodes: int = 0
    """How many, on training tasks."""
    noise: float = 0.0
    """Standard deviation of what disturbs the oracle's actions, where they span -1 to 1, so that it shows how to
    recover; the action that it meant is what is imitated (DART, arXiv:1703.09327)."""


@dataclass(frozen=True)
class Cloning:
    """Behaviour cloning of the demonstrations."""

    updates: int = 0
    """Gradient steps; 0 clones nothing."""
    batch_size: int = 256
    """Transitions per gradient step."""
    learning_rate: float = 1e-3
    """Of Adam."""


@dataclass(frozen=True)
class Evaluation:
    """Episodes of the policy's most likely actions, between iterations."""

    split: Literal["train", "validation", "test"] = "test"
    """Whose tasks are played, in an environment that numbers them."""
    episodes: int = 20
    """How many."""
    every: int = 100_000
    """Environment steps between evaluations; the first is before, the last after training."""
    baselines: bool = True
    """Also play a random agent and, if there is one, the environment's oracle."""
    film: bool = True
    """Draw an episode of the trained policy for the report, where the environment can be drawn."""


@dataclass(frozen=True)
class ControlConfig:
    """What the algorithms have in common."""

    env: str = "Reach-v0"
    """Gymnasium id, or ``module:Id`` to import the module that registers it; its actions are a Box."""
    env_options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments for gymnasium.make."""
    reward: str = "env"
    """What to maximise: an expression over reward parts, or my_module:my_reward; it may not compare a group."""
    steps: int = 1_000_000
    """Environment steps, those of all environments together."""
    num_envs: int = 8
    """Environments that are stepped together."""
    horizon: int = 256
    """Steps of each environment in an iteration."""
    gamma: float = 0.99
    """Discount."""
    hidden: int = 64
    """Width of the two hidden layers of each network."""
    learning_rate: float = 3e-4
    """Of Adam."""
    normalise_observations: bool = True
    """Shift and scale observations by the mean and variance of those seen so far."""
    seed: int = 0
    """Fixes the weights, the episodes and all draws."""
    run: str = "auto"
    """Folder for checkpoints, metrics and the report; auto is the next free runs/<environment>-<n>."""
    resume: bool = False
    """Go on from the last checkpoint in the run's folder; with run auto, in the folder of the latest run."""
    checkpoint_every: int = 200_000
    """Environment steps between checkpoints.  All environments then begin new episodes, so that a resumed run, which
    cannot begin in the middle of one, is the same run."""
    demonstrations: Demonstrations = field(default_factory=Demonstrations)
    cloning: Cloning = field(default_factory=Cloning)
    evaluation: Evaluation = field(default_factory=Evaluation)


@dataclass(frozen=True)
class LearnedReward:
    """A reward that is learned beside the policy, and takes the place of the environment's."""

    kind: Literal["none", "adversarial", "preferences"] = "none"
    """Tell the oracle's demonstrations from the policy's steps (GAIL), or rank pairs of segments by preference."""
    labels: int = 50
    """Pairs of segments that are labelled in an iteration, by the sum of the environment's own reward."""
    segment: int = 25
    """Steps of a segment."""
    updates: int = 50
    """Gradient steps on the reward in an iteration."""
    batch_size: int = 256
    """Transitions, or a tenth as many pairs, per gradient step."""
    learning_rate: float = 3e-4
    """Of Adam."""


@dataclass(frozen=True)
class Skills:
    """Skills that are told apart by what they lead to, learned beside what the run maximises.

    DIAYN (arXiv:1802.06070); with a critic for each of the two rewards, SLIM (arXiv:2402.00823).
    """

    number: int = 0
    """How many; each episode follows one, in evaluations in turn.  0 learns none."""
    seen: str = ":"
    """Which entries of the observation they are told apart by, as a slice of Python: 4:7 are entries 4, 5 and 6,
    counted from 0.  Those of a Dict stand one after another, in its order."""
    weight: float = 1.0
    """Of what being told apart pays, where what the run maximises has 1: of the advantages, or with critics sum of the
    rewards."""
    critics: Literal["each", "sum"] = "each"
    """Each reward has a value function of its own, and advantages, which are normalised and then summed; or the rewards
    themselves are summed first."""
    updates: int = 50
    """Gradient steps on what tells them apart in an iteration."""
    batch_size: int = 256
    """Transitions per gradient step."""
    learning_rate: float = 1e-3
    """Of Adam."""


@dataclass(frozen=True)
class PPOConfig(ControlConfig):
    """Proximal policy optimisation (arXiv:1707.06347)."""

    algorithm: Literal["ppo"] = "ppo"
    """How the policy learns."""
    epochs: int = 10
    """Passes over the transitions of an iteration."""
    minibatches: int = 32
    """Gradient steps per pass."""
    clip: float = 0.2
    """How far the ratio of the probabilities may leave 1."""
    value_clip: float | None = None
    """How far a value may leave the one before the iteration; without it, the plain squared error."""
    value_weight: float = 0.5
    """Weight of the value's loss."""
    entropy: float = 0.0
    """Weight of an entropy bonus."""
    gae_lambda: float = 0.95
    """Decay of generalised advantage estimation."""
    max_norm: float = 0.5
    """Gradients are scaled down to this norm."""
    final: float = 0.0
    """Share of the learning rate that is left at the end, after a linear decay."""
    initial_std: float = 1.0
    """Standard deviation of the first policy's actions, where the action space spans -1 to 1."""
    normalise_returns: bool = True
    """Divide rewards by the standard deviation of the discounted returns so far."""
    learned_reward: LearnedReward = field(default_factory=LearnedReward)
    skills: Skills = field(default_factory=Skills)


@dataclass(frozen=True)
class Offline:
    """Learning from the demonstrations by SAC itself, before the first step of the policy's own.

    Calibrated conservative Q-learning (Cal-QL, arXiv:2303.05479).
    """

    updates: int = 0
    """Gradient steps; 0 leaves it out."""
    conservative: float = 5.0
    """Weight of what holds the value of actions that were not shown down, though not below the returns shown."""
    share: float = 0.0
    """Share of every later batch that is drawn from the demonstrations; 0 lets them go (WSRL, arXiv:2412.07762)."""


@dataclass(frozen=True)
class SACConfig(ControlConfig):
    """Soft actor-critic (arXiv:1812.05905)."""

    algorithm: Literal["sac"] = "sac"
    """How the policy learns."""
    hidden: int = 256
    """Width of the two hidden layers of each network."""
    normalise_observations: bool = False
    """Shift and scale observations by the mean and variance of those seen so far."""
    buffer: int = 1_000_000
    """Transitions that are kept."""
    batch_size: int = 256
    """Transitions per gradient step."""
    warm_up: int = 5000
    """Environment steps before learning: of random actions, or of the policy that learned from demonstrations, which
    lets the values find out what that policy is worth before they change it (WSRL, arXiv:2412.07762)."""
    updates_per_step: float = 1.0
    """Gradient steps per environment step."""
    temperature: float = 1.0
    """Weight of the entropy at the start, which then follows by itself; rewards that are sparse want it small."""
    tau: float = 0.005
    """Share by which the slow critics move towards the others after each gradient step."""
    critics: int = 2
    """How many; the smallest of two is believed, which are drawn anew each time where there are more
    (REDQ, arXiv:2101.05982)."""
    layer_norm: bool = False
    """Normalise the hidden layers of the critics, which keeps them sane at many gradient steps per environment step."""
    residual: float = 0.0
    """Freeze the cloned policy and learn what is added to its actions, at most this much of the span from 0 to the
    bound (arXiv:2509.19301); 0 learns the actions themselves."""
    offline: Offline = field(default_factory=Offline)


CONFIGS: dict[str, type[ControlConfig]] = {"ppo": PPOConfig, "sac": SACConfig}
"""By the name of the algorithm."""
MAY_CHANGE = frozenset(["steps", "run", "resume", "evaluation.every"])
"""What a resumed run may do otherwise."""


def entries(text: str) -> slice:
    """A slice as Python writes it, such as ``4:7``; ValueError for anything else."""
    first, colon, last = text.partition(":")
    if not colon:
        raise ValueError(f"{text!r} is no slice such as 4:7")
    return slice(int(first) if first else None, int(last) if last else None)


def check(config: ControlConfig) -> str | None:
    """What in a configuration contradicts itself, if anything."""
    if min(config.steps, config.num_envs - 1, config.horizon - 1) < 0:
        return "steps may not be negative, and num_envs and horizon are at least 1"
    wants: dict[str, float] = {"cloning.updates": config.cloning.updates}
    if isinstance(config, PPOConfig):
        wants["learned_reward.kind adversarial"] = config.learned_reward.kind == "adversarial"
        if config.num_envs * config.horizon < 2 * config.minibatches:
            return f"minibatches: {config.num_envs * config.horizon} steps are too few for {config.minibatches} of them"
        if complaint := _check_skills(config):
            return complaint
    if isinstance(config, SACConfig):
        wants["offline.updates"], wants["offline.share"] = config.offline.updates, config.offline.share
        if config.critics < 2:
            return "critics: there must be at least 2"
        if config.residual and not config.cloning.updates:
            return "residual needs a cloned policy: set demonstrations.episodes and cloning.updates"
    missing = [name for name, wanted in wants.items() if wanted and not config.demonstrations.episodes]
    return f"{missing[0]} needs demonstrations.episodes" if missing else None


def _check_skills(config: PPOConfig) -> str | None:
    """What in the settings of skills contradicts itself, or others, if anything."""
    if config.skills.number == 0:
        return None
    if config.skills.number < 2 or not config.skills.weight > 0:
        return "skills.number: there are at least 2 to tell apart, and skills.weight is above 0"
    if config.demonstrations.episodes or config.learned_reward.kind != "none":
        return "skills.number does not go with demonstrations or a learned reward, which know of no skills"
    try:
        entries(config.skills.seen)
    except ValueError as error:
        return f"skills.seen: {error}"
    return None
