"""Tasks whose outcome must work: scripts and Makefiles, which are tried on other data than the agent's."""

from __future__ import annotations

import numpy as np

from .task import End, Task, one_of, some_of
from .tree import NOW, File, Tree, below, text_file
from .words import WORDS, folder, prose

_LATER = NOW + 30 * 86_400


def makefile(rng: np.random.Generator) -> Task:
    """Write a Makefile that makes a report of parts."""
    root, output = folder(rng), f"{one_of(rng, WORDS)}.out"
    parts = {name: prose(rng, 4) for name in some_of(rng, WORDS, 4)}
    tree = {f"{root}/parts/{name}.txt": text_file("\n".join(lines) + "\n") for name, lines in parts.items()}
    others = {name: prose(rng, 3) for name in some_of(rng, WORDS, 5)}

    def joined(texts: dict[str, list[str]]) -> str:
        return "".join("\n".join(texts[name]) + "\n" for name in sorted(texts))

    def check(end: End) -> dict[str, bool]:
        kept = {path: file for path, file in below(end.files, root).items() if not path.startswith("parts/")}
        kept.pop(output, None)
        other: Tree = {f"parts/{name}.txt": text_file("\n".join(lines) + "\n") for name, lines in others.items()}
        _, after = end.run(["make", "-s", output], {**kept, **other})
        again, _ = end.run(["make", "-q", output], after)
        first = sorted(others)[0]
        changed = text_file("changed\n", mtime=_LATER)
        before = File(after.get(output, File()).data, mtime=NOW)
        _, renewed = end.run(["make", "-s", output], {**after, output: before, f"parts/{first}.txt": changed})
        made, remade = after.get(output, File()).text, renewed.get(output, File()).text
        return {
            "made": made == joined(others),
            "made only when needed": again.exit_code == 0,
            "made again when a part changes": remade == joined({**others, first: ["changed"]}),
        }

    rule = f"{output}: $(sort $(wildcard parts/*.txt))\\n\\tcat $^ > $@\\n"
    return Task(
        f"Write ~/{root}/Makefile so that 'make {output}', run in ~/{root}, writes all files parts/*.txt one after "
        f"the other, "
        f"in the order of their names, to {output}. It must make {output} again when a part has changed, and do "
        f"nothing when "
        "none has. It must also work with other parts than those that are there now.",
        tree,
        (f"printf '{rule}' > ~/{root}/Makefile",),
        check,
    )


def broken_makefile(rng: np.random.Generator) -> Task:
    """Mend a Makefile."""
    root = folder(rng)
    source, target = some_of(rng, WORDS, 2)
    old, new = one_of(rng, [("a-z", "A-Z"), ("A-Z", "a-z")])
    good = (
        f"all: {target}.txt\n\n{target}.txt: {source}.txt\n\ttr {old} {new} < $< > $@\n\nclean:\n\trm -f {target}.txt\n"
    )
    bad = one_of(
        rng,
        [
            good.replace("\ttr", "        tr"),
            good.replace("> $@", "> $<.new"),
            good.replace(f"{target}.txt: {source}.txt", f"{target}.txt: {source}.text"),
            good.replace("< $<", "< $(SOURCE)"),
        ],
    )
    text, other = "\n".join(prose(rng, 4)).title() + "\n", "\n".join(prose(rng, 5)).title() + "\n"

    def check(end: End) -> dict[str, bool]:
        kept = {path: file for path, file in below(end.files, root).items() if path != f"{target}.txt"}
        _, after = end.run(["make", "-s"], {**kept, f"{source}.txt": text_file(other)})
        _, clean = end.run(["make", "-s", "clean"], after)
        wanted = other.upper() if new == "A-Z" else other.lower()
        return {
            "made": after.get(f"{target}.txt", File()).text == wanted,
            "cleaned": f"{target}.txt" in after and f"{target}.txt" not in clean,
            "the source is kept": end.files.get(f"{root}/{source}.txt", File()).text == text,
        }

    case = "upper" if new == "A-Z" else "lower"
    mended = good.replace("\n", "\\n").replace("\t", "\\t")
    return Task(
        f"'make' fails in ~/{root}, or does not do what it should: write {source}.txt in {case} case to "
        f"{target}.txt. Mend the "
        f"Makefile, so that 'make' does that and 'make clean' removes {target}.txt again.",
        {f"{root}/Makefile": text_file(bad), f"{root}/{source}.txt": text_file(text)},
        (f"printf '{mended}' > ~/{root}/Makefile",),
        check,
    )


def script(rng: np.random.Generator) -> Task:
    """Write a small script."""
    name = f"{folder(rng)}.sh"
    text, command, cases = one_of(
        rng,
        [
            (
                "prints the sum of its arguments, which are whole numbers (0 without any)",
                's=0; for n in "$@"; do s=$((s + n)); done; echo $s',
                [(["3", "4", "10"], "17"), ([], "0"), (["-5", "2"], "-3")],
            ),
            (
                "prints its arguments in reverse order, one a line",
                'for ((i = $#; i > 0; i--)); do echo "${!i}"; done',
                [(["a", "b c", "d"], "d\nb c\na"), (["x"], "x")],
            ),
            (
                "prints the longest of its arguments, the first of them if several are equally long",
                'b=; for a in "$@"; do [ ${#a} -gt ${#b} ] && b=$a; done; echo "$b"',
                [(["aa", "bbbb", "cc"], "bbbb"), (["xy", "zw", "q"], "xy")],
            ),
            (
                "prints how many of its arguments end in .txt",
                'n=0; for a in "$@"; do case "$a" in *.txt) n=$((n + 1));; esac; done; echo $n',
                [(["a.txt", "b.md", "c d.txt"], "2"), (["txt", "a.txtx"], "0")],
            ),
            (
                "prints its first argument as often as its second one says, in one line and without anything between",
                'printf "%0.s$1" $(seq 1 $2); echo',
                [(["ab", "3"], "ababab"), (["x", "1"], "x")],
            ),
        ],
    )

    def check(end: End) -> dict[str, bool]:
        path = f"bin/{name}"
        executable = path in end.files and bool(end.files[path].mode & 0o100)
        checks = {"executable": executable}
        for number, (arguments, output) in enumerate(cases, 1):
            result = end.run([f"./{path}", *arguments], end.files)[0] if executable else None
            checks[f"case {number}"] = result is not None and result.ok and result.text.strip() == output
        return checks

    return Task(
        f"Write an executable Bash script ~/bin/{name} that {text}.",
        {},
        (f"mkdir -p ~/bin && cat > ~/bin/{name} <<'END'\n#!/bin/bash\n{command}\nEND\nchmod +x ~/bin/{name}",),
        check,
    )


def filter_script(rng: np.random.Generator) -> Task:
    """Write a script that reads a file."""
    root, name = folder(rng), f"{one_of(rng, WORDS)}.sh"
    column = int(rng.integers(2, 4))

    def table(count: int) -> list[tuple[str, int, int]]:
        return [(one_of(rng, WORDS), int(rng.integers(1, 100)), int(rng.integers(1, 100))) for _ in range(count)]

    def text(rows: list[tuple[str, int, int]]) -> str:
        return "".join(f"{a};{b};{c}\n" for a, b, c in rows)

    shown, hidden = table(8), table(12)
    best = max(hidden, key=lambda row: (row[column - 1], -hidden.index(row)))

    def check(end: End) -> dict[str, bool]:
        script = end.files.get(f"{root}/{name}")
        if script is None or not script.mode & 0o100:
            return {"executable": False, "other data": False}
        result, _ = end.run([f"./{name}", "other.csv"], {name: script, "other.csv": text_file(text(hidden))})
        return {"executable": True, "other data": result.ok and result.text.strip() == best[0]}

    return Task(
        f"~/{root}/data.csv has lines name;number;number. Write an executable Bash script ~/{root}/{name} that "
        f"takes the path "
        f"of such a file and prints the name in the line with the largest value in column {column}, the first such "
        f"line if "
        "there are several. It must work on any such file.",
        {f"{root}/data.csv": text_file(text(shown))},
        (
            f"cat > ~/{root}/{name} <<'END'\n#!/bin/bash\n"
            f"awk -F';' '${column} > m {{m = ${column}; n = $1}} END {{print n}}' \"$1\"\nEND\nchmod +x "
            f"~/{root}/{name}",
        ),
        check,
    )


FAMILIES = (makefile, broken_makefile, script, filter_script)
