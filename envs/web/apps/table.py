"""A table of cells in the manner of a spreadsheet: values, formulas, sorting, and rows to add and remove."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from .app import App, NotFound, Redirect, Request, get, positive, post
from .content import TOWNS, draw, people
from .formula import shown, written
from .html import Html, choice, form, h, line, link
from .task import Assignment, Change, Step, Template, View, complete, listing, one, seen, some

COLUMNS = "ABCDE"
HEADINGS = ("Name", "Town", "Hours", "Rate", "Paid")
LONGEST_CELL = 100


@dataclass
class Sheet:
    """The cells' texts by name, such as ``"B3"``; row 1 has the headings."""

    title: str
    rows: int
    cells: dict[str, str] = field(default_factory=dict)

    def facts(self) -> Any:
        """The title, and every cell that is not empty."""
        return self.title, {name: text for name, text in self.cells.items() if text}

    def names(self) -> list[str]:
        """The names in the first column below the heading."""
        return [self.cells.get(f"A{row}", "") for row in range(2, self.rows + 1)]

    def sort(self, column: str) -> None:
        """Put the rows below the headings that have a name into rising order of a column: numbers, then texts."""
        filled = [row for row in range(2, self.rows + 1) if self.cells.get(f"A{row}")]
        contents = [[self.cells.get(f"{c}{row}", "") for c in COLUMNS] for row in filled]
        place = COLUMNS.index(column)
        keys = {row: _sort_key(shown(self.cells, f"{column}{row}")) for row in filled}
        order = sorted(range(len(filled)), key=lambda i: (keys[filled[i]], contents[i][place], i))
        for row, index in zip(filled, order, strict=True):
            for c, text in zip(COLUMNS, contents[index], strict=True):
                self.cells[f"{c}{row}"] = text

    def remove(self, row: int) -> None:
        """Take a row out; those below move up."""
        for below in range(row, self.rows):
            for c in COLUMNS:
                self.cells[f"{c}{below}"] = self.cells.get(f"{c}{below + 1}", "")
        for c in COLUMNS:
            self.cells.pop(f"{c}{self.rows}", None)
        self.rows -= 1


def _sort_key(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), ""
    except ValueError:
        return 1, 0.0, text.casefold()


class TableApp(App[Sheet]):
    """The pages."""

    name, title, accent = "table", "Table", "#2c7a3f"
    menu = (("sheet", "Sheet", "/"), ("settings", "Rename", "/rename"))

    @get("/")
    def sheet(self, request: Request) -> Html:
        """The grid, with the chosen cell in the bar above it."""
        chosen = request.query.get("cell", "A1")
        if not self._known(chosen):
            raise NotFound
        rows = [
            h.tr(h.th(row, scope="row"), [h.td(self._cell(f"{c}{row}", chosen)) for c in COLUMNS])
            for row in range(1, self.state.rows + 1)
        ]
        return self.page(
            self.state.title,
            form(
                "/set",
                h.input(type="hidden", name="cell", value=chosen),
                line("text", f"Cell {chosen}", self.state.cells.get(chosen, ""), autocomplete="off"),
                submit="Enter",
                id_="enter",
            ),
            h.table(
                h.thead(h.tr(h.th(""), [h.th(c, scope="col") for c in COLUMNS])), h.tbody(rows), aria_label="Cells"
            ),
            h.div(
                form("/sort", choice("column", "Sort by column", COLUMNS), submit="Sort", id_="sort"),
                form("/remove", line("row", "Row to delete"), submit="Delete row", id_="remove"),
                form("/append", submit="Add row", id_="append"),
                class_="actions",
            ),
        )

    def _cell(self, name: str, chosen: str) -> Html:
        text = shown(self.state.cells, name)
        class_ = "button" if name == chosen else None
        return link(f"cell-{name}", text or "\u00b7", f"/?cell={name}", class_, aria_label=f"{name} {text or 'empty'}")

    @post("/set")
    def set(self, request: Request) -> Redirect:
        """Write into a cell."""
        name, text = request.form.get("cell", ""), request.form.get("text", "").strip()
        if not self._known(name):
            raise NotFound
        if len(text) > LONGEST_CELL:
            self.note = f"A cell holds at most {LONGEST_CELL} characters."
        else:
            self.state.cells[name] = text
        return Redirect(f"/?cell={name}")

    @post("/sort")
    def sort(self, request: Request) -> Redirect:
        """Sort the rows."""
        column = request.form.get("column", "")
        if column not in tuple(COLUMNS):
            raise NotFound
        self.state.sort(column)
        self.note = f"Sorted by column {column}."
        return Redirect("/")

    @post("/remove")
    def remove(self, request: Request) -> Redirect:
        """Delete a row, but not the headings."""
        row = positive(request.form.get("row", ""))
        if 2 <= row <= self.state.rows:
            self.state.remove(row)
            self.note = f"Deleted row {row}."
        else:
            self.note = f"Write the number of a row, from 2 to {self.state.rows}."
        return Redirect("/")

    @post("/append")
    def append(self, request: Request) -> Redirect:
        """Add an empty row at the end."""
        if self.state.rows < 60:
            self.state.rows += 1
        return Redirect("/")

    @get("/rename")
    def rename(self, request: Request) -> Html:
        """The form with the title."""
        return self.page("Rename", form("/rename", line("title", "Title", self.state.title), submit="Save", id_="save"))

    @post("/rename")
    def retitle(self, request: Request) -> Redirect:
        """Give the table another title."""
        self.state.title = request.form.get("title", "").strip() or self.state.title
        return Redirect("/")

    def _known(self, name: str) -> bool:
        row = name[1:]
        return name[:1] in tuple(COLUMNS) and row.isascii() and row.isdigit() and 1 <= int(row[:4]) <= self.state.rows


def populate(rng: np.random.Generator, size: int, now: datetime) -> Sheet:
    """A table of 4, 8 or 14 people, and three empty rows."""
    names = people(rng, {1: 4, 2: 8, 3: 14}[size])
    sheet = Sheet(f"Helpers {now:%B}", len(names) + 4)
    sheet.cells.update(zip((f"{c}1" for c in COLUMNS), HEADINGS, strict=True))
    for row, name in enumerate(names, 2):
        values = name, draw(rng, TOWNS), str(int(rng.integers(1, 41))), str(int(rng.integers(10, 40))), ""
        sheet.cells.update(zip((f"{c}{row}" for c in COLUMNS), values, strict=True))
    return sheet


@dataclass(frozen=True)
class Write:
    """Write into a cell."""

    cell: str
    text: str

    def apply(self, state: Sheet) -> None:
        """Write."""
        state.cells[self.cell] = self.text

    def done(self, state: Sheet) -> bool:
        """Whether it stands there."""
        return state.cells.get(self.cell, "") == self.text

    def step(self, view: View, state: Sheet) -> Step:
        """Choose the cell, write, press the button."""
        if view.path != "/":
            return Step("click", "sheet")
        if view.query.get("cell", "A1") != self.cell:
            return Step("click", f"cell-{self.cell}")
        return complete(view, {"text": self.text}, "enter")


@dataclass(frozen=True)
class Sort:
    """Sort by a column."""

    column: str

    def apply(self, state: Sheet) -> None:
        """Sort."""
        state.sort(self.column)

    def done(self, state: Sheet) -> bool:
        """Whether the rows are in this order."""
        filled = [row for row in range(2, state.rows + 1) if state.cells.get(f"A{row}")]
        keys = [_sort_key(shown(state.cells, f"{self.column}{row}")) for row in filled]
        return keys == sorted(keys)

    def step(self, view: View, state: Sheet) -> Step:
        """Choose the column, press the button."""
        if view.path != "/":
            return Step("click", "sheet")
        return complete(view, {"column": f"option:{self.column}"}, "sort")


@dataclass(frozen=True)
class Remove:
    """Delete the row of a person."""

    person: str

    def apply(self, state: Sheet) -> None:
        """Delete it."""
        state.remove(2 + state.names().index(self.person))

    def done(self, state: Sheet) -> bool:
        """Whether the person is gone."""
        return self.person not in state.names()

    def step(self, view: View, state: Sheet) -> Step:
        """Write the row's number, press the button."""
        if view.path != "/":
            return Step("click", "sheet")
        return complete(view, {"row": str(2 + state.names().index(self.person))}, "remove")


@dataclass(frozen=True)
class Rename:
    """Give the table another title."""

    title: str

    def apply(self, state: Sheet) -> None:
        """Rename it."""
        state.title = self.title

    def done(self, state: Sheet) -> bool:
        """Whether it has the title."""
        return state.title == self.title

    def step(self, view: View, state: Sheet) -> Step:
        """Fill in the form."""
        return complete(view, {"title": self.title}, "save") if view.path == "/rename" else Step("click", "settings")


def _people(state: Sheet, rng: np.random.Generator, level: int) -> list[tuple[int, str]]:
    """Rows and names of some people."""
    return some(rng, [(row, name) for row, name in enumerate(state.names(), 2) if name], level)


def _set(state: Sheet, rng: np.random.Generator, level: int) -> Assignment:
    writes, wishes = [], []
    for row, name in _people(state, rng, level):
        column, low, high = one(rng, (("C", 41, 80), ("D", 41, 80)))
        writes.append(Write(f"{column}{row}", str(int(rng.integers(low, high)))))
        wishes.append(f"the {HEADINGS[COLUMNS.index(column)].lower()} of {name} to {writes[-1].text}")
    return Assignment(f"Set {listing(wishes)}.", tuple(writes))


def _paid(state: Sheet, rng: np.random.Generator, level: int) -> Assignment:
    chosen = _people(state, rng, level)
    wishes = [f"{name} (row {row})" for row, name in chosen]
    goal = f'Write "yes" into the column Paid for {listing(wishes)}.'
    return Assignment(goal, tuple(Write(f"E{row}", "yes") for row, _ in chosen))


def _pay(state: Sheet, rng: np.random.Generator, level: int) -> Assignment:
    chosen = _people(state, rng, level)
    writes = tuple(Write(f"E{row}", f"=C{row}*D{row}") for row, _ in chosen)
    wishes = [f"{write.text} into {write.cell}" for write in writes]
    return Assignment(f"Enter the formula{'s' * (level > 1)} {listing(wishes)}.", writes)


def _total(state: Sheet, rng: np.random.Generator, level: int) -> Assignment:
    last = 1 + sum(map(bool, state.names()))
    column = one(rng, "CD")
    writes, wishes = [], []
    for row, word in enumerate(some(rng, ("SUM", "AVERAGE", "MAX"), min(level, 3)), last + 1):
        writes.append(Write(f"{column}{row}", f"={word}({column}2:{column}{last})"))
        wishes.append(f"the formula {writes[-1].text} into {writes[-1].cell}")
    if level == 4:
        writes.append(Write(f"A{last + 1}", "Total"))
        wishes.append(f'the word "Total" into A{last + 1}')
    return Assignment(f"Write {listing(wishes)}.", tuple(writes))


def _add(state: Sheet, rng: np.random.Generator, level: int) -> Assignment:
    row = 2 + sum(map(bool, state.names()))
    name = one(rng, (name for name in people(rng, 20) if name not in state.names()))
    values = (name, draw(rng, TOWNS), str(int(rng.integers(1, 41))), str(int(rng.integers(10, 40))))[:level]
    wishes = [f"{heading.lower()} {value}" for heading, value in zip(HEADINGS, values, strict=False)]
    writes = tuple(Write(f"{c}{row}", value) for c, value in zip(COLUMNS, values, strict=False))
    return Assignment(f"Add a person in the first empty row: {listing(wishes)}.", writes)


def _sort(state: Sheet, rng: np.random.Generator, level: int) -> Assignment:
    column = one(rng, (column for column in "ABCD" if not Sort(column).done(state)))
    changes: list[Change] = [Sort(column)]
    after = copy.deepcopy(state)
    after.sort(column)
    names = some(rng, filter(None, state.names()), level - 1)
    changes += [Write(f"E{2 + after.names().index(name)}", "yes") for name in names]
    goal = f"Sort the rows by the column {HEADINGS[COLUMNS.index(column)]}"
    if names:
        goal += f', and write "yes" into the column Paid for {listing(names)}'
    return Assignment(f"{goal}.", tuple(changes))


def _remove(state: Sheet, rng: np.random.Generator, level: int) -> Assignment:
    chosen = [name for _, name in _people(state, rng, min(level, 3))]
    goal = f"Delete the row{'s' * (len(chosen) > 1)} of {listing(chosen)}."
    return Assignment(goal, tuple(Remove(name) for name in chosen))


def _sum(state: Sheet, rng: np.random.Generator, level: int) -> Assignment:
    chosen = _people(state, rng, level)
    total = sum(float(state.cells[f"C{row}"]) for row, _ in chosen)
    names = listing(name for _, name in chosen)
    question = f"How many hours do {names} have together" if level > 1 else f"How many hours does {names} have"
    goal = f"{question}? Answer with the number."
    return Assignment(goal, answer=written(total), look=seen("cell-A1", "sheet"))


def _most(state: Sheet, rng: np.random.Generator, level: int) -> Assignment:
    column, word = one(rng, (("C", "hours"), ("D", "rate")))
    rows = [row for row, name in enumerate(state.names(), 2) if name]
    for place, row in enumerate(rng.permutation(rows).tolist()):
        state.cells[f"{column}{row}"] = str(50 - 3 * place)
    ranked = sorted(rows, key=lambda row: -float(state.cells[f"{column}{row}"]))
    rank = ("", "second-", "third-", "fourth-")[level - 1]
    goal = f"Who has the {rank}highest {word}? Answer with the name."
    return Assignment(goal, answer=state.cells[f"A{ranked[level - 1]}"], look=seen("cell-A1", "sheet"))


TEMPLATES = (
    Template("table-set", TableApp, populate, _set),
    Template("table-paid", TableApp, populate, _paid),
    Template("table-pay", TableApp, populate, _pay),
    Template("table-total", TableApp, populate, _total),
    Template("table-add", TableApp, populate, _add),
    Template("table-sort", TableApp, populate, _sort),
    Template("table-remove", TableApp, populate, _remove),
    Template("table-sum", TableApp, populate, _sum),
    Template("table-most", TableApp, populate, _most),
)
