"""Tasks about what is in files: counting, editing, tables and logs."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np

from .task import End, Task, answers, lists, one_of, some_of
from .tree import File, below, contents, text_file
from .words import WORDS, folder, mixed_files, moment, prose

SERVICES = ("auth", "billing", "cache", "mailer", "search", "worker")


def count_lines(rng: np.random.Generator) -> Task:
    """In how many lines a word appears."""
    root = folder(rng)
    tree = mixed_files(rng, root, 10, (".txt", ".log"))
    word = one_of(rng, [word for path in sorted(tree) for word in tree[path].text.split()])
    ending = one_of(rng, [".txt", ".log"])
    lines = [line for path, file in tree.items() if path.endswith(ending) for line in file.text.splitlines()]
    total = sum(word in line for line in lines)
    return Task(
        f"Count the lines that contain {word} in all files below ~/{root} that end in {ending}, and write the "
        f"number to "
        "~/answer.txt.",
        tree,
        (f"find ~/{root} -name '*{ending}' -exec cat {{}} + | grep -c {word} > ~/answer.txt || true",),
        answers(str(total)),
    )


def frequent_word(rng: np.random.Generator) -> Task:
    """The word that appears most often."""
    root = folder(rng)
    words = [one_of(rng, WORDS[:12]) for _ in range(240)]
    counted = Counter(words).most_common(2)
    if counted[0][1] == counted[1][1]:
        return frequent_word(rng)
    lines = [" ".join(words[i : i + 8]) for i in range(0, len(words), 8)]
    return Task(
        f"Which word appears most often in ~/{root}/text.txt? Write it and how often it does to ~/answer.txt, in "
        f"one line "
        "and with one space between.",
        {f"{root}/text.txt": text_file("\n".join(lines) + "\n")},
        (
            f"tr -s ' ' '\\n' < ~/{root}/text.txt | sort | uniq -c | sort -rn | head -n 1 | awk '{{print $2, $1}}' "
            "> ~/answer.txt",
        ),
        answers(f"{counted[0][0]} {counted[0][1]}"),
    )


def edit_setting(rng: np.random.Generator) -> Task:
    """A setting in every file that has it."""
    root = folder(rng)
    keys = some_of(rng, ["timeout", "port", "retries", "level", "workers", "cache"], 4)
    key, value = keys[0], int(rng.integers(10, 9999))
    tree: dict[str, File] = {}
    for name in some_of(rng, WORDS, 8):
        chosen = [k for k in keys if rng.random() < 0.7] or [key]
        lines = [f"# settings of {name}", *(f"{k} = {int(rng.integers(10, 9999))}" for k in chosen)]
        lines.append(f"max_{key} = {int(rng.integers(10, 99))}")
        ending = one_of(rng, [".conf", ".conf", ".ini"])
        tree[f"{root}/{one_of(rng, ['', 'a/', 'b/'])}{name}{ending}"] = text_file(
            "\n".join(lines) + "\n", mtime=moment(rng)
        )

    def edited(path: str, file: File) -> bytes:
        if not path.endswith(".conf"):
            return file.data
        lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in file.text.splitlines()]
        return ("\n".join(lines) + "\n").encode()

    wanted = {path.removeprefix(f"{root}/"): edited(path, file) for path, file in tree.items()}
    return Task(
        f"In all files below ~/{root} that end in .conf, set {key} to {value} where it is set: a line '{key} = ...' "
        f"becomes "
        f"'{key} = {value}'. Change nothing else.",
        tree,
        (f"find ~/{root} -name '*.conf' -exec sed -i 's/^{key} = .*/{key} = {value}/' {{}} +",),
        lambda end: {"files": contents(below(end.files, root)) == wanted},
    )


def edit_lines(rng: np.random.Generator) -> Task:
    """Drop, sort or change the lines of a file, in place."""
    root, name = folder(rng), one_of(rng, WORDS)
    lines = prose(rng, 14)
    for _ in range(5):
        lines.insert(int(rng.integers(len(lines))), one_of(rng, ["", "# " + one_of(rng, WORDS), one_of(rng, lines)]))
    path = f"~/{root}/{name}.txt"
    plain = [line for line in lines if line and not line.startswith("#")]
    old, new = plain[0].split()[0], "replaced"
    text, wanted, command = one_of(
        rng,
        [
            (
                "remove the empty lines and those that begin with #",
                plain,
                f"sed -i '/^$/d;/^#/d' {path}",
            ),
            (
                "sort its lines (LC_ALL=C) and keep each only once",
                sorted(set(lines)),
                f"LC_ALL=C sort -u -o {path} {path}",
            ),
            (
                f"write {new} for {old} wherever that is a whole word",
                [" ".join(new if word == old else word for word in line.split(" ")) for line in lines],
                f"sed -i 's/\\b{old}\\b/{new}/g' {path}",
            ),
        ],
    )
    return Task(
        f"Edit {path}: {text}.",
        {f"{root}/{name}.txt": text_file("\n".join(lines) + "\n")},
        (command,),
        lambda end: {"file": _text(end, f"{root}/{name}.txt") == "\n".join(wanted) + "\n"},
    )


def _text(end: End, path: str) -> str | None:
    return end.files[path].text if path in end.files else None


def table_sum(rng: np.random.Generator) -> Task:
    """A sum for each key of a table."""
    root, keys = folder(rng), some_of(rng, WORDS, 4)
    rows = [(one_of(rng, keys), int(rng.integers(1, 500)), int(rng.integers(1, 90))) for _ in range(40)]
    column = one_of(rng, ["amount", "weight"])
    place = ["amount", "weight"].index(column) + 1
    sums = Counter[str]()
    for row in rows:
        sums[row[0]] += int(row[place])
    table = "\n".join(["item,amount,weight", *(f"{item},{amount},{weight}" for item, amount, weight in rows)]) + "\n"
    return Task(
        f"~/{root}/table.csv has a header and the columns item, amount and weight. Write the sum of {column} for "
        f"each item "
        "to ~/answer.txt, as lines item,sum in alphabetical order and without a header.",
        {f"{root}/table.csv": text_file(table)},
        (
            f"awk -F, 'NR > 1 {{s[$1] += ${place + 1}}} END {{for (k in s) print k \",\" s[k]}}' ~/{root}/table.csv | "
            "LC_ALL=C sort > ~/answer.txt",
        ),
        lists([f"{item},{sums[item]}" for item in sorted(sums)], in_order=True),
    )


def table_join(rng: np.random.Generator) -> Task:
    """Rows of two tables that belong together."""
    root, names = folder(rng), some_of(rng, WORDS, 9)
    people = {int(number): name for number, name in zip(rng.choice(900, 9, replace=False) + 100, names, strict=True)}
    orders = [(int(one_of(rng, sorted(people))), int(rng.integers(5, 200))) for _ in range(15)]
    bound = int(rng.integers(60, 140))
    wanted = sorted({people[number] for number, total in orders if total > bound})
    users = "\n".join(f"{number}\t{name}" for number, name in people.items()) + "\n"
    bought = "\n".join(f"{number}\t{total}" for number, total in orders) + "\n"
    return Task(
        f"~/{root}/users.tsv has lines of a number and a name, ~/{root}/orders.tsv of a user's number and a total; "
        f"both are "
        f"separated by tabs. Write the names of all users who have an order with a total above {bound} to "
        f"~/answer.txt, each "
        "once and in alphabetical order.",
        {f"{root}/users.tsv": text_file(users), f"{root}/orders.tsv": text_file(bought)},
        (
            f"awk 'NR == FNR {{name[$1] = $2; next}} $2 > {bound} {{print name[$1]}}' ~/{root}/users.tsv "
            f"~/{root}/orders.tsv | sort -u > ~/answer.txt",
        ),
        lists(wanted, in_order=True),
    )


def _log(rng: np.random.Generator, count: int) -> list[tuple[str, str, str, str]]:
    """Entries of a log: time, level, service and message."""
    second = int(rng.integers(3600))
    entries = []
    for _ in range(count):
        second += int(rng.integers(1, 900))
        time = f"2024-03-12T{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
        level = str(rng.choice(["INFO", "WARN", "ERROR"], p=[0.6, 0.2, 0.2]))
        entries.append((time, level, one_of(rng, SERVICES), " ".join(some_of(rng, WORDS, 3))))
    return entries


def log_errors(rng: np.random.Generator) -> Task:
    """Which service failed most."""
    root = folder(rng)
    files = {f"{root}/day{i}.log": _log(rng, 40) for i in range(3)}
    counts = Counter(service for entries in files.values() for _, level, service, _ in entries if level == "ERROR")
    first, second = counts.most_common(2)
    if first[1] == second[1]:
        return log_errors(rng)
    tree = {path: text_file("".join(" ".join(entry) + "\n" for entry in entries)) for path, entries in files.items()}
    return Task(
        f"The logs in ~/{root} have lines of a time, a level, a service and a message. Which service has the most "
        f"lines of "
        "level ERROR in all of them? Write its name and that number to ~/answer.txt, in one line and with one space "
        "between.",
        tree,
        (
            f"cat ~/{root}/*.log | awk '$2 == \"ERROR\" {{n[$3]++}} END {{for (k in n) print k, n[k]}}' | sort -k2 "
            f"-rn | "
            "head -n 1 > ~/answer.txt",
        ),
        answers(f"{first[0]} {first[1]}"),
    )


def log_window(rng: np.random.Generator) -> Task:
    """What one service logged within some hours."""
    root, service = folder(rng), one_of(rng, SERVICES)
    entries = _log(rng, 80)
    first = int(rng.integers(0, 9))
    last = first + int(rng.integers(3, 8))
    lines = [" ".join(entry) for entry in entries]
    wanted = [
        line
        for line, entry in zip(lines, entries, strict=True)
        if entry[2] == service and first <= int(entry[0][11:13]) < last
    ]
    if not wanted:
        return log_window(rng)
    return Task(
        f"The lines of ~/{root}/app.log begin with a time, a level and a service. Copy the lines of the service "
        f"{service} "
        f"from {first:02d}:00:00 to before {last:02d}:00:00 to ~/{root}/{service}.log, unchanged and in their order.",
        {f"{root}/app.log": text_file("\n".join(lines) + "\n")},
        (
            f"awk '$3 == \"{service}\" {{h = substr($1, 12, 2) + 0; if (h >= {first} && h < {last}) print}}' "
            f"~/{root}/app.log > ~/{root}/{service}.log",
        ),
        lists(wanted, f"{root}/{service}.log", in_order=True),
    )


def access_log(rng: np.random.Generator) -> Task:
    """Addresses that got a status."""
    root, status = folder(rng), int(rng.choice([403, 404, 500]))
    addresses = [f"10.{int(rng.integers(4))}.{int(rng.integers(9))}.{int(rng.integers(2, 250))}" for _ in range(12)]
    codes = [200, 200, 200, 301, 403, 404, 500]
    requests = [(one_of(rng, addresses), f"/{one_of(rng, WORDS)}", int(one_of(rng, codes))) for _ in range(90)]
    wanted = {address for address, _, code in requests if code == status}
    if not wanted:
        return access_log(rng)
    lines = [f'{a} - - [12/Mar/2024:08:00:00 +0000] "GET {p} HTTP/1.1" {c} {len(p) * 97}' for a, p, c in requests]
    return Task(
        f"~/{root}/access.log is a web server's log. Write every address that got the status {status} to "
        f"~/answer.txt, each "
        "once, one a line.",
        {f"{root}/access.log": text_file("\n".join(lines) + "\n")},
        (f"awk '$9 == {status} {{print $1}}' ~/{root}/access.log | sort -u > ~/answer.txt",),
        lists(sorted(wanted)),
    )


def json_lines(rng: np.random.Generator) -> Task:
    """Fields of JSON records, as a table."""
    root, names = folder(rng), some_of(rng, WORDS, 12)
    records = [{"name": name, "stock": int(rng.integers(0, 40)), "tags": some_of(rng, WORDS, 2)} for name in names]
    bound = int(rng.integers(8, 25))
    wanted = [f"{r['name']},{r['stock']}" for r in records if int(str(r["stock"])) < bound]
    if not wanted:
        return json_lines(rng)
    program = (
        "import json\nfor line in open('items.jsonl'):\n    r = json.loads(line)\n"
        f"    if r['stock'] < {bound}: print(r['name'], r['stock'], sep=',')"
    )
    return Task(
        f"Every line of ~/{root}/items.jsonl is a JSON object with a name and a stock. Write the items with a stock "
        f"below "
        f"{bound} to ~/{root}/low.csv, as lines name,stock in the order of the file and without a header.",
        {f"{root}/items.jsonl": text_file("".join(json.dumps(record) + "\n" for record in records))},
        (f'cd ~/{root} && python3 -c "import json\n{program}" > low.csv; cd',),
        lists(wanted, f"{root}/low.csv", in_order=True),
    )


FAMILIES = (
    count_lines, frequent_word, edit_setting, edit_lines, table_sum, table_join, log_errors, log_window, access_log,
    json_lines,
)  # fmt: skip
