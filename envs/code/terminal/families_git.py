"""Tasks in Git repositories: reading history, and adding to it."""

from __future__ import annotations

from collections import Counter

import numpy as np

from .git import CONFIG, Repository
from .task import End, Task, answers, one_of, some_of
from .tree import DAY, NOW, File, Tree, below
from .words import PEOPLE, WORDS, folder, prose


def _history(rng: np.random.Generator, commits: int) -> tuple[Repository, dict[str, str], list[tuple[str, str, str]]]:
    """A repository, its files, and (hash, author, message) of its commits, the oldest first."""
    repository, files = Repository(), {}
    log = []
    for name in some_of(rng, WORDS, 4):
        files[f"{one_of(rng, ['', 'src/', 'docs/'])}{name}.txt"] = "\n".join(prose(rng, 4)) + "\n"
    for number in range(commits):
        changed = one_of(rng, sorted(files))
        if number:
            lines = files[changed].splitlines()
            lines.insert(int(rng.integers(len(lines) + 1)), prose(rng, 1)[0])
            files[changed] = "\n".join(lines) + "\n"
        message = f"{one_of(rng, ['Change', 'Extend', 'Revise', 'Improve'])} {changed}" if number else "Begin"
        author = one_of(rng, PEOPLE)
        time = NOW - (commits - number) * DAY + int(rng.integers(DAY // 2))
        log.append((repository.commit(files, message, author, time), author, message))
    return repository, files, log


def ask_git(end: End, root: str, *commands: str) -> list[str | None]:
    """What Git says to each of the commands about the repository that is left; None where it fails.

    It is asked in a fresh sandbox, without the repository's settings and hooks.
    """
    files: Tree = {
        path: file
        for path, file in below(end.files, root).items()
        if not path.startswith((".git/hooks/", ".git/info/")) and path != ".git/config"
    } | {".git/config": File(CONFIG.encode())}
    script = "".join(f"git -c safe.directory='*' {command}; printf '\\0%d\\0' $?\n" for command in commands)
    result, _ = end.run(["bash", "-c", script], files)
    said = result.text.split("\0")
    if len(said) != 2 * len(commands) + 1:
        return [None] * len(commands)
    return [text.strip() if status == "0" else None for text, status in zip(said[::2], said[1::2], strict=False)]


def most_commits(rng: np.random.Generator) -> Task:
    """Who made most commits."""
    root = folder(rng)
    repository, _, log = _history(rng, 14)
    (first, many), (_, fewer) = Counter(author for _, author, _ in log).most_common(2)
    if many == fewer:
        return most_commits(rng)
    return Task(
        f"Who made the most commits in the Git repository ~/{root}? Write the author's name and the number of "
        f"commits to "
        "~/answer.txt, in one line and with one space between.",
        repository.files(root, NOW - DAY),
        (
            f"cd ~/{root} && git log --format=%an | sort | uniq -c | sort -rn | head -n 1 | "
            "sed 's/^ *\\([0-9]*\\) \\(.*\\)/\\2 \\1/' > ~/answer.txt; cd",
        ),
        answers(f"{first} {many}"),
    )


def introduced(rng: np.random.Generator) -> Task:
    """The commit that brought a line."""
    root = folder(rng)
    repository, files, _ = _history(rng, 10)
    path, number = one_of(rng, sorted(files)), int(rng.integers(2, 9))
    line = f"limit = {int(rng.integers(1000, 9999))}"
    files[path] += line + "\n"
    wanted = repository.commit(files, f"Tune {path}", one_of(rng, PEOPLE), NOW - DAY)
    for _ in range(number % 3 + 1):
        files[path] = prose(rng, 1)[0] + "\n" + files[path]
        repository.commit(files, f"Extend {path}", one_of(rng, PEOPLE), NOW - DAY // 2)
    return Task(
        f"Which commit in the Git repository ~/{root} added the line '{line}' to {path}? Write its full hash to "
        "~/answer.txt.",
        repository.files(root, NOW - DAY // 3),
        (f"cd ~/{root} && git log -S'{line}' --format=%H -- {path} | tail -n 1 > ~/answer.txt; cd",),
        answers(wanted),
    )


def deleted(rng: np.random.Generator) -> Task:
    """Bring back a file that a commit deleted."""
    root = folder(rng)
    repository, files, _ = _history(rng, 8)
    path = one_of(rng, sorted(files))
    lost = files.pop(path)
    repository.commit(files, "Tidy up", one_of(rng, PEOPLE), NOW - DAY)
    other = one_of(rng, sorted(files))
    files[other] += prose(rng, 1)[0] + "\n"
    repository.commit(files, f"Extend {other}", one_of(rng, PEOPLE), NOW - DAY // 2)
    wanted = {**files, path: lost}
    return Task(
        f"The file {path} of the Git repository ~/{root} was deleted in a commit. Bring it back into the working "
        f"folder, as "
        "it was before that commit.",
        repository.files(root, NOW - DAY // 3),
        (f'cd ~/{root} && git checkout -q "$(git rev-list -n 1 HEAD -- {path})^" -- {path}; cd',),
        lambda end: {
            "files": {p: f.text for p, f in below(end.files, root).items() if not p.startswith(".git/")} == wanted
        },
    )


def commit(rng: np.random.Generator) -> Task:
    """Commit what was changed on a new branch."""
    root, branch = folder(rng), f"{one_of(rng, WORDS)}-{int(rng.integers(100))}"
    repository, files, _ = _history(rng, 5)
    head, message = repository.head, f"{one_of(rng, ['Describe', 'Note', 'Record'])} the {one_of(rng, WORDS)}"
    tree = repository.files(root, NOW - DAY)
    changed, added = one_of(rng, sorted(files)), f"{one_of(rng, WORDS)}.md"
    work = {**files, changed: files[changed] + prose(rng, 1)[0] + "\n", added: prose(rng, 1)[0] + "\n"}
    tree |= {f"{root}/{path}": File(work[path].encode(), mtime=NOW - DAY // 2) for path in (changed, added)}

    def check(end: End) -> dict[str, bool]:
        parents, said, listed, main, first, second = ask_git(
            end,
            root,
            f"log -1 --format=%P {branch}",
            f"log -1 --format=%s {branch}",
            f"ls-tree -r --name-only {branch}",
            "rev-parse main",
            f"show {branch}:{changed}",
            f"show {branch}:{added}",
        )
        return {
            "one commit on top": parents == head,
            "message": said == message,
            "files": listed is not None
            and sorted(listed.splitlines()) == sorted(work)
            and (first, second) == (work[changed].strip(), work[added].strip()),
            "main is as it was": main == head,
        }

    return Task(
        f"In the Git repository ~/{root} some files were changed and added but not committed. Commit all of that in "
        f"one "
        f"commit with the message '{message}' on a new branch called {branch}, which begins where main is. main "
        f"must stay "
        "where it is.",
        tree,
        (
            f"cd ~/{root} && (git rev-parse -q --verify {branch} > /dev/null || (git checkout -q -b {branch} && git "
            f"add -A "
            f"&& git commit -q -m '{message}')); cd",
        ),
        check,
    )


def revert(rng: np.random.Generator) -> Task:
    """Take one commit back by another."""
    root = folder(rng)
    repository, files, _ = _history(rng, 5)
    name = f"{one_of(rng, WORDS)}.cfg"
    before = dict(files)
    files[name] = f"rate = {int(rng.integers(1, 99))}\n"
    before[name] = files[name]
    repository.commit(files, f"Add {name}", one_of(rng, PEOPLE), NOW - 2 * DAY)
    files[name] = f"rate = {int(rng.integers(100, 999))}\n"
    message = f"Raise the rate in {name}"
    bad = repository.commit(files, message, one_of(rng, PEOPLE), NOW - DAY)
    other = one_of(rng, sorted(path for path in files if path != name))
    files[other] += prose(rng, 1)[0] + "\n"
    head = repository.commit(files, f"Extend {other}", one_of(rng, PEOPLE), NOW - DAY // 2)
    wanted = {**files, name: before[name]}

    def check(end: End) -> dict[str, bool]:
        parents, rate, difference = ask_git(
            end, root, "log -1 --format=%P main", f"show main:{name}", f"diff --name-only {head} main"
        )
        return {
            "one commit on top": parents == head,
            "taken back": rate == before[name].strip(),
            "the rest": difference == name,
            "working folder": {p: f.text for p, f in below(end.files, root).items() if not p.startswith(".git/")}
            == wanted,
        }

    return Task(
        f"In the Git repository ~/{root} the commit '{message}' was a mistake. Take it back by one new commit on "
        f"main (its "
        "message is up to you), and keep everything that came after it.",
        repository.files(root, NOW - DAY // 3),
        (f'cd ~/{root} && ([ "$(git rev-parse HEAD)" != {head} ] || git revert --no-edit {bad} > /dev/null); cd',),
        check,
    )


FAMILIES = (most_commits, introduced, deleted, commit, revert)
