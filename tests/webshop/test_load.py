"""Catalogues from files: what is read, what is refused and how, and the cache."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palestra.envs.webshop import CatalogueError, WebShop, json_stream
from palestra.envs.webshop.load import find_files, load_folder, load_search
from palestra.envs.webshop.product import parse_pricing
from palestra.envs.webshop.sections import DamagedFile, read_sections, write_sections

ITEMS = "items_shuffle_1000.json"
DETAILS = "items_ins_v2_1000.json"
HUMAN = "items_human_ins.json"


@pytest.fixture
def folder(tmp_path: Path, contract: Path) -> Path:
    """A copy of the contract's catalogue."""
    for name in (ITEMS, DETAILS, HUMAN):
        shutil.copy(contract / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def edit(folder: Path) -> Callable[[str, Callable[[Any], None]], Path]:
    def change(name: str, edit: Callable[[Any], None]) -> Path:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        edit(content)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
        return folder

    return change


def cache_files(cache_home: Path, suffix: str) -> set[Path]:
    return set((cache_home / "palestra" / "webshop").glob(f"*{suffix}"))


# Finding


def test_the_full_files_come_before_their_variants(folder: Path) -> None:
    assert [path.name for path in find_files(folder)] == [ITEMS, DETAILS, HUMAN]
    (folder / "items_shuffle.json").write_text("[]")
    assert find_files(folder)[0].name == "items_shuffle.json"


def test_of_two_variants_neither_is_guessed(folder: Path) -> None:
    shutil.copy(folder / ITEMS, folder / "items_shuffle_100.json")
    with pytest.raises(CatalogueError, match=r"items_shuffle_100\.json, items_shuffle_1000\.json"):
        find_files(folder)


@pytest.mark.parametrize("name", [ITEMS, DETAILS, HUMAN])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CatalogueError, match=name.removesuffix(".json").removesuffix("_1000")):
        WebShop(catalogue=folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="nowhere"):
        WebShop(catalogue=tmp_path / "nowhere")


# Broken files


def test_a_truncated_file_names_the_last_entry(folder: Path) -> None:
    content = json.loads((folder / ITEMS).read_text(encoding="utf-8"))
    text = json.dumps(content[:3])
    (folder / ITEMS).write_text(text[: len(json.dumps(content[:2])) + 30])
    with pytest.raises(CatalogueError, match=rf"{ITEMS}, entry 2 .*broken JSON"):
        load_folder(folder)


def test_a_file_that_ends_between_entries(folder: Path) -> None:
    content = json.loads((folder / ITEMS).read_text(encoding="utf-8"))
    (folder / ITEMS).write_text(json.dumps(content[:2]).rstrip("]"))
    with pytest.raises(CatalogueError, match=rf"{ITEMS}, entry 1 "):
        load_folder(folder)


@pytest.mark.parametrize("name", [ITEMS, DETAILS, HUMAN])
def test_broken_json_names_the_file_and_the_place(folder: Path, name: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    position = [found.start() for found in re.finditer('":', text)][9] + 1
    (folder / name).write_text(f"{text[:position]}@{text[position + 1 :]}", encoding="utf-8")
    with pytest.raises(CatalogueError, match=rf"{name}, entry \d+ .*character \d+: ") as caught:
        load_folder(folder)
    place = int(str(caught.value).partition("character ")[2].partition(":")[0])
    assert place == position


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends here"),
        ("{}", "starts with"),
        ("[] []", "more text after"),
        ('[{"asin": "B1"} 2]', "is missing after this entry"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "no product"),
        ("[7]", "a product is a JSON object"),
    ],
)
def test_what_is_not_a_list_of_products(folder: Path, text: str, message: str) -> None:
    (folder / ITEMS).write_text(text)
    with pytest.raises(CatalogueError, match=message):
        load_folder(folder)


def test_not_utf_8(folder: Path) -> None:
    (folder / ITEMS).write_bytes(b'[{"asin": "\xff\xfe"}]')
    with pytest.raises(CatalogueError, match=f"{ITEMS}.*UTF-8"):
        load_folder(folder)


@pytest.mark.parametrize("value", [None, "", 7, ...])
def test_a_product_without_an_asin_is_named(edit: Any, value: Any) -> None:
    def change(items: list[dict[str, Any]]) -> None:
        if value is ...:
            del items[17]["asin"]
        else:
            items[17]["asin"] = value

    with pytest.raises(CatalogueError, match=rf"{ITEMS}, entry 17 .*no asin"):
        load_folder(edit(ITEMS, change))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", 7, "name is int instead of text"),
        ("small_description", [1], "small_description is not a list of texts"),
        ("pricing", "cheap", "no price"),
        ("pricing", "$1.2.3", "no price"),
        ("customization_options", [1], "customization_options is list"),
        ("customization_options", {"size": [{}]}, "options of 'size'"),
    ],
)
def test_an_impossible_value_is_named(edit: Any, key: str, value: Any, message: str) -> None:
    with pytest.raises(CatalogueError, match=rf"{ITEMS}, entry 3 .*{message}"):
        load_folder(edit(ITEMS, lambda items: items[3].update({key: value})))


def test_instructions_must_have_text(edit: Any) -> None:
    def change(human: dict[str, Any]) -> None:
        human["BE41JRQX2D"] = [{"instruction_attributes": ["soft"]}]

    with pytest.raises(CatalogueError, match=rf"{HUMAN}, entry 0 .*BE41JRQX2D.*no text"):
        load_folder(edit(HUMAN, change))


def test_nothing_is_cached_of_a_file_that_is_refused(edit: Any, cache_home: Path) -> None:
    before = set(cache_home.rglob("*"))
    with pytest.raises(CatalogueError):
        load_folder(edit(ITEMS, lambda items: items[200].pop("asin")))
    assert set(cache_home.rglob("*")) - before <= {cache_home / "palestra", cache_home / "palestra" / "webshop"}


# The rules for entries


def test_which_products_are_listed(edit: Any) -> None:
    def change(items: list[dict[str, Any]]) -> None:
        first = dict(items[0])
        items[:] = [
            first,
            {**first, "asin": "B000000TOOLONG"},
            {**first, "asin": "nan"},
            {**first, "name": "again"},
            {**first, "asin": "B1"},
        ]

    catalogue = load_folder(edit(ITEMS, change))
    assert [catalogue.read(number).asin for number in range(len(catalogue))] == [first_asin := "BE41JRQX2D", "B1"]
    assert catalogue.read(0).title != "again"
    assert catalogue.find("B1") == 1
    assert catalogue.find(first_asin) == 0
    assert catalogue.find("B2") is None
    assert catalogue.find("B000000TOOLONG") is None


def test_sparse_entries(edit: Any) -> None:
    def change(items: list[dict[str, Any]]) -> None:
        options = {"Size": None, "Color": [{"value": " Red/Blue "}], "Empty": []}
        items[:] = [{"asin": "B1"}, {"asin": "B2", "small_description": "one", "customization_options": options}]

    catalogue = load_folder(edit(ITEMS, change))
    bare, other = catalogue.read(0), catalogue.read(1)
    assert (bare.title, bare.options, bare.pricing, bare.price_tag) == ("", {}, (100.0,), "$100.0")
    assert bare.attributes == ("DUMMY_ATTR",)
    assert other.bullets == ("one",)
    assert other.options == {"color": ("red | blue",), "empty": ()}


@pytest.mark.parametrize(
    ("text", "prices"),
    [
        ("", (100.0,)),
        ("$41.40", (41.4,)),
        ("$1,299.00", (1299.0,)),
        ("$14.74$21.54", (14.74, 21.54)),
        ("$1.00$2.00$3.00", (1.0, 2.0)),
        ("from $5", (5.0,)),
    ],
)
def test_pricing(text: str, prices: tuple[float, ...]) -> None:
    assert parse_pricing(text, "here") == prices


def test_a_file_is_read_in_pieces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(json_stream.stream_array(folder / ITEMS))
    pairs = list(json_stream.stream_object(folder / DETAILS))
    assert [value for _, value in whole] == json.loads((folder / ITEMS).read_text(encoding="utf-8"))
    assert {key: value for _, key, value in pairs} == json.loads((folder / DETAILS).read_text(encoding="utf-8"))
    for size in (1, 7, 1000):
        monkeypatch.setattr(json_stream, "_CHUNK", size)
        assert list(json_stream.stream_array(folder / ITEMS)) == whole
        assert list(json_stream.stream_object(folder / DETAILS)) == pairs


# The cache


def test_the_second_load_reads_the_cache(folder: Path, cache_home: Path) -> None:
    first = load_folder(folder)
    assert first.cache_file in cache_files(cache_home, ".catalogue")
    changed = first.cache_file.stat().st_mtime_ns
    second = load_folder(folder)
    assert second.cache_file == first.cache_file
    assert second.cache_file.stat().st_mtime_ns == changed
    assert [second.read(n).title for n in range(len(second))] == [first.read(n).title for n in range(len(first))]
    query = "waterproof wallet"
    assert load_search(first)(query, 50) == load_search(second)(query, 50) != []


@pytest.mark.parametrize("kind", ["catalogue", "search"])
@pytest.mark.parametrize("harm", ["truncated", "emptied", "scribbled on", "foreign", "other format"])
def test_a_damaged_cache_is_built_again_with_a_warning(folder: Path, kind: str, harm: str) -> None:
    catalogue = load_folder(folder)
    expected = load_search(catalogue)("queen rug", 50)
    titles = [catalogue.read(number).title for number in range(len(catalogue))]
    file = catalogue.cache_file.with_suffix(f".{kind}")
    data = bytearray(file.read_bytes())
    if harm == "truncated":
        data = data[: len(data) // 2]
    elif harm == "emptied":
        data = bytearray()
    elif harm == "scribbled on":
        data[len(data) // 3] ^= 0xFF
    elif harm == "foreign":
        data = bytearray(b"something else altogether" * 100)
    # Not written over: what is mapped into memory would change with it.
    file.unlink()
    if harm == "other format":
        with write_sections(file, "of some later version") as writer:
            writer.add("records", np.zeros(3))
    else:
        file.write_bytes(data)
    load = load_folder if kind == "catalogue" else lambda folder: load_search(catalogue)
    with pytest.warns(UserWarning, match=r"not usable .*building it again"):
        load(folder)
    again = load_folder(folder)
    assert load_search(again)("queen rug", 50) == expected
    assert [again.read(number).title for number in range(len(again))] == titles
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_search(load_folder(folder))


def test_changed_files_are_loaded_anew(edit: Any) -> None:
    folder = edit(ITEMS, lambda items: None)
    before = WebShop(catalogue=folder)._catalogue
    assert WebShop(catalogue=str(folder))._catalogue is before
    edit(ITEMS, lambda items: items[0].update(name="an altogether different title"))
    after = WebShop(catalogue=folder)._catalogue
    assert after is not before
    assert after.read(0).title == "an altogether different title"


def test_a_cache_folder_that_cannot_be_written_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(CatalogueError, match="XDG_CACHE_HOME"):
        load_folder(folder)


def test_sections_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with write_sections(path, "1") as writer:
        writer.write(b"abc")
        writer.write(b"de")
        writer.close_stream("text")
        writer.add("numbers", np.arange(5, dtype=np.int64))
        writer.add("nothing", np.empty(0, dtype=np.float32))
        writer.add("codes", np.array([b"x", b"yz"]))
        assert not path.exists()
    arrays = read_sections(path, "1")
    assert arrays["text"].tobytes() == b"abcde"
    assert arrays["numbers"].tolist() == [0, 1, 2, 3, 4]
    assert arrays["nothing"].tolist() == []
    assert arrays["codes"].tolist() == [b"x", b"yz"]
    with pytest.raises(DamagedFile, match="format"):
        read_sections(path, "2")


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with write_sections(path, "1") as writer:
        writer.add("numbers", np.arange(5))

    def interrupted() -> None:
        with write_sections(path, "1") as writer:
            writer.add("numbers", np.arange(6))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert read_sections(path, "1")["numbers"].tolist() == [0, 1, 2, 3, 4]
    assert list(tmp_path.iterdir()) == [path]
