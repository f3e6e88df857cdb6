"""Find and load catalogues: the three files, what is cached of them on disk, and what environments share."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .catalogue import AsinTable, Catalogue, build, from_lists
from .goals import Goals
from .json_stream import stream_array, stream_object
from .product import CatalogueError
from .search import Bm25, CachedSearch
from .sections import DamagedFile, SectionWriter, read_sections, write_sections

#: Changes whenever what is cached on disk changes.
CACHE_FORMAT = "palestra-webshop-2"

#: What the names of the three files begin with.
PREFIXES = ("items_shuffle", "items_ins_v2", "items_human_ins")


def find_files(folder: Path) -> tuple[Path, Path, Path]:
    """The three files of a catalogue: products, attributes, human instructions.

    A file has the name of its prefix, or another that begins with it (``items_shuffle_1000.json``) if that is the
    only one.

    Raises:
        CatalogueError: the folder or a file is missing, or several files could be meant.
    """
    if not folder.is_dir():
        raise CatalogueError(f"{folder} is not a folder; catalogue= takes the one with WebShop's three files")
    found = []
    for prefix in PREFIXES:
        exact = folder / f"{prefix}.json"
        candidates = [exact] if exact.is_file() else sorted(folder.glob(f"{prefix}*.json"))
        if not candidates:
            raise CatalogueError(f"{folder} has no file {prefix}.json, nor another {prefix}*.json")
        if len(candidates) > 1:
            names = ", ".join(path.name for path in candidates)
            raise CatalogueError(
                f"{folder} has several files that {prefix}.json could be: {names}; keep one of them there"
            )
        found.append(candidates[0])
    return found[0], found[1], found[2]


class _SpooledDetails:
    """``items_ins_v2.json`` by asin, in a temporary file: in memory it would be most of a full catalogue's cost."""

    def __init__(self, path: Path) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed on exit
        asins, starts = [], [0]
        for _, asin, value in stream_object(path):
            record = json.dumps(value).encode()
            self._file.write(record)
            asins.append(asin.encode("utf-8", "surrogatepass"))
            starts.append(starts[-1] + len(record))
        self._starts = np.array(starts)
        self._table = AsinTable.build(asins)

    def __enter__(self) -> _SpooledDetails:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def get(self, asin: str) -> Any:
        number = self._table.find(asin)
        if number is None:
            return None
        start, end = self._starts[number : number + 2].tolist()
        self._file.seek(start)
        return json.loads(self._file.read(end - start))


def cache_folder() -> Path:
    """Where indexes are cached: ``$XDG_CACHE_HOME/palestra/webshop``, by default under ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "palestra" / "webshop"


def _key(files: tuple[Path, ...]) -> str:
    """Names the content of files by their paths, sizes and times of change."""
    stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([CACHE_FORMAT, stats]).encode()).hexdigest()[:32]


def _cached(path: Path, write: Callable[[SectionWriter], None]) -> dict[str, np.ndarray]:
    """The arrays of a cache file, which ``write`` makes if it is missing or damaged."""
    try:
        return read_sections(path, CACHE_FORMAT)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except DamagedFile as error:
        warnings.warn(f"the cached index {path} is not usable ({error}); building it again", stacklevel=2)
    try:
        with write_sections(path, CACHE_FORMAT) as writer:
            write(writer)
        return read_sections(path, CACHE_FORMAT)
    except OSError as error:
        message = f"cannot keep the index {path}: {error}; set XDG_CACHE_HOME to a folder with room that can be written"
        raise CatalogueError(message) from error


def load_folder(folder: Path) -> Catalogue:
    """The catalogue of the three files in ``folder``: built and cached the first time, memory-mapped afterwards.

    Raises:
        CatalogueError: a file is missing or broken, or has an entry that cannot be used.
    """
    products, details, human = files = find_files(folder)

    def write(writer: SectionWriter) -> None:
        with _SpooledDetails(details) as spooled:
            arrays = build(stream_array(products), spooled, stream_object(human), writer)
        writer.close_stream("records")
        for name, values in arrays.items():
            writer.add(name, values)

    path = cache_folder() / f"{_key(files)}.catalogue"
    return Catalogue(str(folder), _cached(path, write), cache_file=path)


def load_search(catalogue: Catalogue) -> Bm25:
    """The search index of a catalogue; cached on disk if the catalogue is."""
    if catalogue.cache_file is None:
        return Bm25(Bm25.index(catalogue))

    def write(writer: SectionWriter) -> None:
        for name, values in Bm25.index(catalogue).items():
            writer.add(name, values)

    return Bm25(_cached(catalogue.cache_file.with_suffix(".search"), write))


@lru_cache(maxsize=4)
def _shared_folder(folder: Path, key: str) -> Catalogue:
    # With the files' key among its arguments, files that have changed are loaded anew.
    return load_folder(folder)


@lru_cache(maxsize=1)
def _shared_embedded() -> Catalogue:
    from .shop import generate

    return from_lists("the embedded catalogue", *generate())


def shared_catalogue(folder: str | os.PathLike[str] | None) -> Catalogue:
    """The catalogue of a folder, or the embedded one for None; one copy per process while its files do not change."""
    if folder is None:
        return _shared_embedded()
    path = Path(folder).resolve()
    return _shared_folder(path, _key(find_files(path)))


@lru_cache(maxsize=8)
def shared_goals(catalogue: Catalogue, price_seed: int, shuffle_seed: int, human: bool) -> Goals:
    """The goals of a catalogue for these seeds; one copy per process."""
    return Goals(catalogue, price_seed, shuffle_seed, human)


@lru_cache(maxsize=4)
def shared_search(catalogue: Catalogue) -> CachedSearch:
    """The default search of a catalogue, built when it is first asked for; one copy per process."""
    return CachedSearch(load_search(catalogue))
