"""Language models that read trajectories: as the encoder of a reward model, and as a policy with log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

from ...trajectory import Observation, Trajectory
from ..reward import RewardError, place
from .encoders import Encoder, device_of


class LanguageEncoder(Encoder):
    """The hidden states of a transformer at the end of each turn.

    A trajectory reads as its observations and actions, each followed by a line break, and the final observation after
    the last action; turns are tokenised apart, so that a turn's end is a token's end.  Where that is longer than
    ``max_tokens``, a turn is read with the ``max_tokens`` before its end.

    Args:
        trunk: what ``AutoModel`` gives, and ``tokenizer``, what ``AutoTokenizer`` gives.
        max_tokens: what the trunk can read at once.
    """

    def __init__(self, trunk: Any, tokenizer: Any, max_tokens: int = 1024) -> None:
        super().__init__()
        self.trunk: Any = trunk
        self.tokenizer, self.max_tokens = tokenizer, max_tokens
        self.width = int(self.trunk.config.hidden_size)
        self.causal = _is_causal(self.trunk)

    @classmethod
    def from_pretrained(cls, directory: str | Path, max_tokens: int = 1024) -> LanguageEncoder:
        """The trunk and tokenizer of a folder that ``AutoModel`` reads, in float32; no code of the folder's is run."""
        trunk = AutoModel.from_pretrained(str(directory), dtype=torch.float32)
        return cls(trunk, AutoTokenizer.from_pretrained(str(directory)), max_tokens)

    @classmethod
    def from_config(cls, directory: str | Path, max_tokens: int) -> LanguageEncoder:
        """The architecture and tokenizer of a folder, with weights yet to be loaded."""
        trunk = AutoModel.from_config(AutoConfig.from_pretrained(str(directory)), dtype=torch.float32)
        return cls(trunk, AutoTokenizer.from_pretrained(str(directory)), max_tokens)

    def forward(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """One tensor [turns, width] per trajectory."""
        windows: list[list[int]] = []
        wanted: list[tuple[int, int]] = []  # of each turn, the window and the place in it where the turn ends
        for trajectory in trajectories:
            self._window(trajectory, windows, wanted)
        rows = torch.zeros(0, self.width, device=device_of(self))
        if windows:
            states = self.trunk(**_padded(windows, device_of(self), self.tokenizer)).last_hidden_state
            index = torch.tensor(wanted, device=states.device)
            rows = states[index[:, 0], index[:, 1]]
        return list(rows.split([len(trajectory.turns) for trajectory in trajectories]))

    def describe(self, folder: Path) -> dict[str, Any]:
        """The trunk's configuration and the tokenizer go to files in ``folder / "trunk"``."""
        self.trunk.config.save_pretrained(folder / "trunk")
        self.tokenizer.save_pretrained(folder / "trunk")
        return {"type": "language", "max_tokens": self.max_tokens}

    def _window(self, trajectory: Trajectory, windows: list[list[int]], wanted: list[tuple[int, int]]) -> None:
        read: list[int] = []
        first = len(windows)
        last = len(trajectory.turns) - 1
        for index, turn in enumerate(trajectory.turns):
            text = f"{_text(turn.observation)}\n{turn.action}\n"
            if index == last and trajectory.final_observation is not None:
                text += f"{_text(trajectory.final_observation)}\n"
            read += self.tokenizer(text, add_special_tokens=False)["input_ids"]
            if not read:
                raise RewardError(f"the tokenizer reads nothing in turn {index} of {place(trajectory)}")
            if len(read) <= self.max_tokens and self.causal and len(windows) > first:
                windows[first] = list(read)  # the turn before it ends in the same window
                wanted.append((first, len(read) - 1))
            else:
                windows.append(read[-self.max_tokens :])
                wanted.append((len(windows) - 1, len(windows[-1]) - 1))


class LanguagePolicy(nn.Module):
    """A causal language model as a policy over the ids that trajectories record.

    Args:
        model: what ``AutoModelForCausalLM`` gives.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model: Any = model

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> LanguagePolicy:
        """The model of a folder, in float32; no code of the folder's is run."""
        return cls(AutoModelForCausalLM.from_pretrained(str(directory), dtype=torch.float32))

    @classmethod
    def from_config(cls, directory: str | Path) -> LanguagePolicy:
        """The architecture of a folder, with weights yet to be loaded."""
        config = AutoConfig.from_pretrained(str(directory))
        return cls(AutoModelForCausalLM.from_config(config, dtype=torch.float32))

    def log_probs(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """One tensor [turns] per trajectory: log pi(action | what came before), summed over the action's tokens.

        RewardError for a turn without sampled ids, or a trajectory whose first sampled id has no context.
        """
        sequences = [_recorded_ids(trajectory) for trajectory in trajectories]
        read = [ids for ids, _ in sequences if ids]
        if not read:
            return [torch.zeros(0) for _ in trajectories]
        device = device_of(self)
        logits = iter(self.model(**_padded(read, device)).logits)
        result = []
        for ids, ends in sequences:
            if not ids:
                result.append(torch.zeros(0))
                continue
            following = torch.tensor(ids[1:], device=device)
            scores = next(logits)[: len(following)].log_softmax(dim=-1).gather(1, following[:, None]).squeeze(1)
            result.append(torch.stack([scores[start - 1 : end - 1].sum() for start, end in ends]))
        return result

    def describe(self, folder: Path) -> dict[str, Any]:
        """The configuration goes to files in ``folder``."""
        self.model.config.save_pretrained(folder)
        return {"type": "language"}


def _text(observation: Observation) -> str:
    return str(observation["text"]) if isinstance(observation, dict) else str(observation)


def _recorded_ids(trajectory: Trajectory) -> tuple[list[int], list[tuple[int, int]]]:
    """All ids in order, and where each turn's sampled ones begin and end."""
    ids: list[int] = []
    ends: list[tuple[int, int]] = []
    for index, turn in enumerate(trajectory.turns):
        ids += turn.context_ids.tolist()
        if not len(turn.action_ids) or not ids:
            raise RewardError(f"no sampled ids after a context at turn {index} of {place(trajectory)}")
        ends.append((len(ids), len(ids) + len(turn.action_ids)))
        ids += turn.action_ids.tolist()
    return ids, ends


def _padded(sequences: Sequence[list[int]], device: torch.device, tokenizer: Any = None) -> dict[str, Tensor]:
    """Ids padded on the right, and the mask that hides the padding."""
    longest = max(len(ids) for ids in sequences)
    fill = 0 if tokenizer is None or tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)
    ids = [list(one) + [fill] * (longest - len(one)) for one in sequences]
    mask = [[1] * len(one) + [0] * (longest - len(one)) for one in sequences]
    return {"input_ids": torch.tensor(ids, device=device), "attention_mask": torch.tensor(mask, device=device)}


def _is_causal(trunk: nn.Module) -> bool:
    """Whether a token's state is free of what follows it, found by trying."""
    training = trunk.training
    trunk.eval()
    with torch.no_grad():
        states = trunk(**_padded([[1, 2], [1, 3]], device_of(trunk))).last_hidden_state[:, 0]
    trunk.train(training)
    return bool(torch.allclose(states[0], states[1], atol=1e-6))
