"""Tasks about files as wholes: finding, moving, packing, permissions, links."""

from __future__ import annotations

import datetime
import hashlib
import io
import tarfile
from pathlib import PurePosixPath

import numpy as np

from .task import End, Task, answers, lists, one_of, some_of
from .tree import DAY, NOW, File, Tree, below, contents, pack, text_file
from .words import WORDS, folder, mixed_files, moment, prose


def find_size(rng: np.random.Generator) -> Task:
    """Which files are larger than a bound."""
    root, bound = folder(rng), int(rng.integers(20, 60)) * 100
    tree = mixed_files(rng, root, 14, (".txt", ".dat"))
    large = some_of(rng, sorted(tree), int(rng.integers(2, 6)))
    for path in large:
        tree[path] = File(
            rng.bytes(bound + int(rng.integers(1, 3000))).hex()[: bound + 1 + int(rng.integers(2000))].encode()
        )
    names = sorted(path.removeprefix(f"{root}/") for path in large)
    return Task(
        f"Write the paths of all files below ~/{root} that are larger than {bound} bytes to ~/answer.txt, one a "
        f"line and "
        f"relative to ~/{root}.",
        tree,
        (f"cd ~/{root} && find . -type f -size +{bound}c | sed 's|^./||' | sort > ~/answer.txt",),
        lists(names),
    )


def find_age(rng: np.random.Generator) -> Task:
    """Remove what has not been changed for long."""
    root, days = folder(rng), int(rng.integers(20, 200))
    tree = mixed_files(rng, root, 14, (".log", ".txt", ".tmp"))
    for path in tree:
        age = int(rng.integers(2, days - 2)) if rng.random() < 0.6 else int(rng.integers(days + 2, days + 300))
        tree[path] = text_file(tree[path].text, mtime=NOW - age * DAY)
    kept = {path for path, file in tree.items() if file.mtime > NOW - days * DAY}
    day = datetime.datetime.fromtimestamp(NOW - days * DAY, datetime.UTC).strftime("%Y-%m-%d")
    return Task(
        f"Delete every file below ~/{root} that was last changed before {day}, and no other.",
        tree,
        (f"find ~/{root} -type f ! -newermt {day} -delete",),
        lambda end: {
            "old are gone": not (
                below(end.files, root).keys() & {p.removeprefix(f"{root}/") for p in tree.keys() - kept}
            ),
            "others are there": contents({p: end.files[p] for p in kept & end.files.keys()})
            == contents({p: tree[p] for p in kept}),
        },
    )


def rename(rng: np.random.Generator) -> Task:
    """Another ending."""
    root = folder(rng)
    old, new = some_of(rng, [".txt", ".text", ".md", ".bak", ".htm", ".jpeg"], 2)
    tree = mixed_files(rng, root, 12, (old, ".keep"))

    def moved(path: str) -> str:
        return path.removesuffix(old) + new if path.endswith(old) else path

    wanted = contents({moved(path): file for path, file in tree.items()})
    return Task(
        f"Rename all files below ~/{root}, in its folders too, that end in {old}: they shall end in {new} instead. "
        f"Leave the "
        "others alone.",
        tree,
        (f'find ~/{root} -name \'*{old}\' | while read -r f; do mv "$f" "${{f%{old}}}{new}"; done',),
        lambda end: {
            "files": contents(below(end.files, root)) == {p.removeprefix(f"{root}/"): d for p, d in wanted.items()}
        },
    )


def organise(rng: np.random.Generator) -> Task:
    """Into folders by ending."""
    root, endings = folder(rng), some_of(rng, ["txt", "csv", "log", "md", "json"], 3)
    names = some_of(rng, WORDS, 12)
    tree = {
        f"{root}/{name}.{endings[i % 3]}": text_file("\n".join(prose(rng, 3)) + "\n", mtime=moment(rng))
        for i, name in enumerate(names)
    }
    wanted = {f"{PurePosixPath(path).suffix[1:]}/{PurePosixPath(path).name}": file.data for path, file in tree.items()}
    return Task(
        f"Sort the files in ~/{root} into folders: every file goes to a folder in ~/{root} that is called as the "
        f"file's "
        f"ending without the dot ({', '.join(sorted(endings))}).",
        tree,
        (f'cd ~/{root} && for f in *.*; do mkdir -p "${{f##*.}}" && mv "$f" "${{f##*.}}/"; done; cd',),
        lambda end: {"files": contents(below(end.files, root)) == wanted},
    )


def duplicates(rng: np.random.Generator) -> Task:
    """One of each content."""
    root = folder(rng)
    tree = mixed_files(rng, root, 9, (".txt",))
    originals = sorted(tree)
    for path in some_of(rng, originals, 4):
        for _ in range(int(rng.integers(1, 3))):
            copy = f"{root}/{one_of(rng, WORDS)}-{int(rng.integers(100))}.txt"
            tree[copy] = tree[path]
    first: dict[bytes, str] = {}
    for path in sorted(tree):
        first.setdefault(tree[path].data, path.removeprefix(f"{root}/"))
    wanted = {path: data for data, path in first.items()}
    return Task(
        f"Some files below ~/{root} have exactly the same content. Of each such set keep the one whose path sorts "
        f"first "
        "(LC_ALL=C) and delete the others.",
        tree,
        (
            f"cd ~/{root} && find . -type f -print | LC_ALL=C sort | xargs sha256sum | awk 'seen[$1]++ {{print $2}}' | "
            "xargs -r rm; cd",
        ),
        lambda end: {"files": contents(below(end.files, root)) == wanted},
    )


def archive(rng: np.random.Generator) -> Task:
    """Pack some of the files."""
    root, ending = folder(rng), one_of(rng, [".md", ".py", ".csv"])
    tree = mixed_files(rng, root, 12, (ending, ".tmp", ".log"))
    wanted = {p.removeprefix(f"{root}/"): file.data for p, file in tree.items() if p.endswith(ending)}
    name = f"{one_of(rng, WORDS)}.tar.gz"

    def check(end: End) -> dict[str, bool]:
        file = end.files.get(name)
        return {"archive": file is not None and _packed(file.data) == wanted}

    return Task(
        f"Make the gzip-compressed tar archive ~/{name}. It shall hold all files below ~/{root} that end in "
        f"{ending} and "
        f"nothing else, under their paths relative to ~/{root}.",
        tree,
        (f"cd ~/{root} && find . -name '*{ending}' | sed 's|^./||' | tar -czf ~/{name} -T - ; cd",),
        check,
    )


def _packed(data: bytes) -> dict[str, bytes] | None:
    """The files in a compressed archive; None if it is none."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as entries:
            files = [(entry.name.removeprefix("./"), entries.extractfile(entry)) for entry in entries if entry.isfile()]
            return {name: content.read() for name, content in files if content is not None}
    except (tarfile.TarError, EOFError, OSError):
        return None


def extract(rng: np.random.Generator) -> Task:
    """Unpack a part of an archive."""
    root, name = folder(rng), one_of(rng, WORDS)
    inside = mixed_files(rng, "x", 12, (".txt", ".dat"))
    folders = sorted({path.split("/")[1] for path in inside if path.count("/") > 1})
    if not folders:
        return extract(rng)
    part = one_of(rng, folders)
    wanted = contents(below(inside, f"x/{part}"))
    packed = pack(below(inside, "x"))
    return Task(
        f"~/{root}/{name}.tar holds several folders. Unpack only what is in its folder {part} into ~/{root}/{part}, "
        f"so that "
        "nothing else is unpacked anywhere, and leave the archive as it is.",
        {f"{root}/{name}.tar": File(packed)},
        (f"cd ~/{root} && tar -xf {name}.tar {part}; cd",),
        lambda end: {
            "files": contents(below(end.files, f"{root}/{part}")) == wanted,
            "nothing else": set(below(end.files, root)) == {f"{part}/{p}" for p in wanted} | {f"{name}.tar"},
        },
    )


def permissions(rng: np.random.Generator) -> Task:
    """Modes by ending."""
    root = folder(rng)
    tree = mixed_files(rng, root, 12, (".sh", ".txt", ".key"))
    modes = {path: int(rng.choice([0o644, 0o664, 0o755, 0o600, 0o666])) for path in tree}
    tree = {path: File(file.data, modes[path], file.mtime) for path, file in tree.items()}
    scripts, keys = one_of(rng, [0o755, 0o750, 0o700]), one_of(rng, [0o600, 0o400])
    wanted = {".sh": scripts, ".key": keys}
    return Task(
        f"Set the permissions of files below ~/{root}: those that end in .sh get {scripts:o}, those that end in "
        f".key get "
        f"{keys:o}, and all others keep what they have.",
        tree,
        (
            f"find ~/{root} -name '*.sh' -exec chmod {scripts:o} {{}} + ; "
            f"find ~/{root} -name '*.key' -exec chmod {keys:o} {{}} +",
        ),
        lambda end: {
            "files": contents(below(end.files, root)) == contents(below(tree, root)),
            "modes": all(
                path in end.files and end.files[path].mode == wanted.get(PurePosixPath(path).suffix, file.mode)
                for path, file in tree.items()
            ),
        },
    )


def links(rng: np.random.Generator) -> Task:
    """A link to the newest version, and none that lead nowhere."""
    root = folder(rng)
    versions = {f"{int(rng.integers(1, 4))}.{int(rng.integers(0, 15))}.{int(rng.integers(0, 15))}" for _ in range(7)}
    newest = max(versions, key=lambda version: tuple(map(int, version.split("."))))
    tree = {
        f"{root}/release-{v}/{one_of(rng, WORDS)}.txt": text_file("\n".join(prose(rng, 3)) + "\n") for v in versions
    }
    dead = some_of(rng, WORDS, 3)
    tree |= {f"{root}/{name}": File(mode=0o777, target=f"release-9.{i}.0") for i, name in enumerate(dead)}
    return Task(
        f"In ~/{root} there are folders of releases, release-<major>.<minor>.<patch>. Delete the symbolic links in "
        f"~/{root} "
        "that lead nowhere, and make a relative symbolic link called current there that leads to the folder of the "
        "highest "
        "version, by numbers.",
        tree,
        (
            f'cd ~/{root} && find . -maxdepth 1 -xtype l -delete; ln -sfn "$(ls -d release-* | sort -V | tail -n 1)" '
            "current; cd",
        ),
        lambda end: {
            "current": f"{root}/current" in end.files
            and end.files[f"{root}/current"].target.rstrip("/").removeprefix("./") == f"release-{newest}",
            "dead links": not any(f"{root}/{name}" in end.files for name in dead),
            "releases": contents({p: f for p, f in end.files.items() if "/release-" in p})
            == contents({p: f for p, f in tree.items() if not f.target}),
        },
    )


def checksums(rng: np.random.Generator) -> Task:
    """Which files are not what a list says."""
    root = folder(rng)
    tree = mixed_files(rng, root, 10, (".bin", ".txt"))
    listed = "".join(
        f"{hashlib.sha256(file.data).hexdigest()}  {path.removeprefix(f'{root}/')}\n"
        for path, file in sorted(tree.items())
    )
    damaged = some_of(rng, sorted(tree), int(rng.integers(1, 4)))
    for path in damaged:
        tree[path] = text_file(tree[path].text.replace("e", "a", 1) + " ")
    tree[f"{root}/SHA256SUMS"] = text_file(listed)
    return Task(
        f"~/{root}/SHA256SUMS lists the checksums that the files below ~/{root} should have. Write the paths of "
        f"those that "
        "have another one to ~/answer.txt, one a line and as they are in the list.",
        tree,
        (f"cd ~/{root} && sha256sum -c SHA256SUMS 2>/dev/null | sed -n 's/: FAILED$//p' > ~/answer.txt; cd",),
        lists([path.removeprefix(f"{root}/") for path in damaged]),
    )


def disk_use(rng: np.random.Generator) -> Task:
    """Which folder holds the most bytes."""
    root, names = folder(rng), some_of(rng, WORDS, 5)
    tree: dict[str, File] = {}
    for name in names:
        for part in some_of(rng, WORDS, int(rng.integers(2, 5))):
            tree[f"{root}/{name}/{part}.dat"] = File(rng.bytes(int(rng.integers(200, 9000))), mtime=moment(rng))
    sizes = {name: sum(len(file.data) for file in below(tree, f"{root}/{name}").values()) for name in names}
    largest = max(names, key=lambda name: sizes[name])
    return Task(
        f"Which folder in ~/{root} holds the most bytes, counting the sizes of its files? Write its name and the "
        f"number of "
        "bytes to ~/answer.txt, in one line and with one space between.",
        tree,
        (
            f'cd ~/{root} && for d in *; do echo "$d $(cat "$d"/* | wc -c)"; done | sort -k2 -n | tail -n 1 '
            "> ~/answer.txt; cd",
        ),
        answers(f"{largest} {sizes[largest]}"),
    )


def mirror(rng: np.random.Generator) -> Task:
    """Bring a copy up to date."""
    root = folder(rng)
    source = below(mixed_files(rng, "s", 10, (".txt", ".cfg")), "s")
    copy = dict(source)
    for path in some_of(rng, sorted(source), 3):
        copy[path] = text_file("\n".join(prose(rng, 2)) + "\n")
    del copy[one_of(rng, sorted(copy))]
    copy[f"{one_of(rng, WORDS)}.old"] = text_file("old\n")
    tree: Tree = {f"{root}/work/{p}": f for p, f in source.items()} | {f"{root}/copy/{p}": f for p, f in copy.items()}
    return Task(
        f"~/{root}/copy is an old copy of ~/{root}/work. Make it equal: the same files with the same content, and "
        f"none that "
        f"are not in work. Leave work as it is.",
        tree,
        (f"cd ~/{root} && rm -rf copy && cp -a work copy; cd",),
        lambda end: {
            "copy": contents(below(end.files, f"{root}/copy")) == contents(source),
            "work": contents(below(end.files, f"{root}/work")) == contents(source),
        },
    )


FAMILIES = (
    find_size, find_age, rename, organise, duplicates, archive, extract, permissions, links, checksums, disk_use,
    mirror,
)  # fmt: skip
