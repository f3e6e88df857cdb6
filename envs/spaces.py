"""Spaces that Gymnasium does not have."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
from gymnasium import Space
from gymnasium.vector.utils import (
    create_empty_array,
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

_LENGTH_BYTES = 8


class AnyText(Space[str]):
    """Every Python string, whatever its script: what a language environment shows and what an agent may answer.

    Gymnasium's ``Text`` is limited to an enumerated character set and a length that shared memory reserves in full.
    Here every ``str`` is a member, the empty one included.

    Args:
        sample_length: the longest string, in characters, that :meth:`sample` draws.
        shared_bytes: UTF-8 bytes that each environment of an asynchronous vector environment may use for one value when
            memory is shared.  A longer value raises ``ValueError`` there; ``shared_memory=False`` has no limit.
        seed: seed or generator of :meth:`sample`.
    """

    def __init__(
        self, sample_length: int = 64, shared_bytes: int = 1 << 18, seed: int | np.random.Generator | None = None
    ) -> None:
        if sample_length < 0 or shared_bytes < 1:
            raise ValueError(
                f"AnyText needs sample_length >= 0 and shared_bytes >= 1, not {sample_length}, {shared_bytes}"
            )
        self.sample_length = sample_length
        self.shared_bytes = shared_bytes
        super().__init__(shape=(), dtype=np.str_, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Text of any length and script has no fixed array form."""
        return False

    def sample(self, mask: None = None, probability: None = None) -> str:
        """Draw a string of at most ``sample_length`` characters: mostly printable ASCII, some of every other script."""
        if mask is not None or probability is not None:
            raise ValueError("AnyText.sample takes neither a mask nor probabilities")
        length = int(self.np_random.integers(self.sample_length + 1))
        ascii_codes = self.np_random.integers(0x20, 0x7F, size=length)
        # Up to U+D7FF: the surrogates, which no encoding takes, start after it.
        other_codes = self.np_random.integers(0xA0, 0xD800, size=length)
        codes = np.where(self.np_random.random(length) < 0.9, ascii_codes, other_codes)
        return "".join(map(chr, codes.tolist()))

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a string."""
        return isinstance(x, str)

    def from_jsonable(self, sample_n: list[Any]) -> list[str]:
        """The strings of a JSON list, as a list of strings."""
        return [str(text) for text in sample_n]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, AnyText)
            and self.sample_length == other.sample_length
            and self.shared_bytes == other.shared_bytes
        )

    def __hash__(self) -> int:
        return hash((AnyText, self.sample_length, self.shared_bytes))

    def __repr__(self) -> str:
        return f"AnyText(sample_length={self.sample_length}, shared_bytes={self.shared_bytes})"


@create_empty_array.register(AnyText)
def _create_empty_array(space: AnyText, n: int = 1, fn: Callable[..., Any] = np.zeros) -> tuple[str, ...]:
    return ("",) * n


@create_shared_memory.register(AnyText)
def _create_shared_memory(space: AnyText, n: int = 1, ctx: Any = multiprocessing) -> Any:
    return ctx.Array("b", n * (_LENGTH_BYTES + space.shared_bytes))


def _rows(space: AnyText, shared_memory: Any) -> np.ndarray:
    """One row of bytes per environment: the length of its text, then the text in UTF-8."""
    return np.frombuffer(shared_memory.get_obj(), dtype=np.uint8).reshape(-1, _LENGTH_BYTES + space.shared_bytes)


class SharedTexts(Sequence[str]):
    """The texts that shared memory holds now; a deep copy is a tuple of them.

    ``AsyncVectorEnv`` asks for its observations once and expects to find every later one in them; what it hands out,
    unless it was made with ``copy=False``, is a deep copy.
    """

    def __init__(self, rows: np.ndarray) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            return tuple(self)[index]
        row = self._rows[index]
        length = int.from_bytes(row[:_LENGTH_BYTES].tobytes(), "little")
        return row[_LENGTH_BYTES : _LENGTH_BYTES + length].tobytes().decode("utf-8", "surrogatepass")

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[str, ...]:
        return tuple(self)


@read_from_shared_memory.register(AnyText)
def _read_from_shared_memory(space: AnyText, shared_memory: Any, n: int = 1) -> SharedTexts:
    return SharedTexts(_rows(space, shared_memory)[:n])


@write_to_shared_memory.register(AnyText)
def _write_to_shared_memory(space: AnyText, index: int, value: str, shared_memory: Any) -> None:
    data = value.encode("utf-8", "surrogatepass")
    if len(data) > space.shared_bytes:
        raise ValueError(
            f"a text of {len(data)} bytes does not fit the {space.shared_bytes} bytes of shared memory per environment;"
            " make the vector environment with vector_kwargs={'shared_memory': False}"
        )
    row = _rows(space, shared_memory)[index]
    row[:_LENGTH_BYTES] = np.frombuffer(len(data).to_bytes(_LENGTH_BYTES, "little"), dtype=np.uint8)
    row[_LENGTH_BYTES : _LENGTH_BYTES + len(data)] = np.frombuffer(data, dtype=np.uint8)
