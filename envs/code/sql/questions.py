"""Questions about any schema, each with the query that answers it.

A family is a function that draws its tables, columns and values, and raises :class:`LookupError` where the schema has
none that fit.  The phrasings say the same in different words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .schema import Column, Engine, Schema, Table

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the query that answers it.

    ``keys``, for a question after the first or the order of something, gives the numbers that decide it: if the first
    ``ties + 1`` of them are not all different, the question has more than one answer.
    """

    text: str
    sql: str
    ordered: bool = False
    keys: str = ""
    ties: int = 1
    family: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What questions are asked about: ``labels`` are those of the rows of each labelled table."""

    schema: Schema
    labels: dict[str, list[str]]
    engine: Engine
    rng: np.random.Generator

    def one_of(self, things: Sequence[T]) -> T:
        """One of them; raises :class:`LookupError` if there are none."""
        if not things:
            raise LookupError("nothing of that kind")
        return things[int(self.rng.integers(len(things)))]

    def table(self, *kinds: str) -> Table:
        """A table with columns of all these kinds."""
        fitting = [t for t in self.schema.tables if all(t.of_kind(kind) for kind in kinds)]  # type: ignore[arg-type]
        return self.one_of(fitting)

    def number(self, table: Table, complete: bool = False) -> Column:
        """A column of numbers; with ``complete`` one without missing values."""
        return self.one_of([c for c in table.of_kind("integer", "real") if not (complete and c.optional)])

    def category(self, table: Table) -> tuple[Column, str]:
        """A category and one of its values."""
        column = self.one_of(table.of_kind("category"))
        return column, self.one_of(column.values)

    def threshold(self, column: Column) -> int:
        """A number that some values lie above and some below."""
        return int(column.low + (column.high - column.low) * self.rng.uniform(0.25, 0.75))

    def link(self, *, child: Sequence[str] = (), parent: Sequence[str] = ()) -> tuple[Table, Column, Table]:
        """A reference (child, its key, parent) between tables with columns of these kinds."""
        fitting = [
            link
            for link in self.schema.links()
            if all(link[0].of_kind(kind) for kind in child) and all(link[2].of_kind(kind) for kind in parent)  # type: ignore[arg-type]
        ]
        return self.one_of(fitting)

    def year(self, column: str) -> str:
        """The year of a date, in SQL."""
        return f"CAST(substr({column}, 1, 4) AS INTEGER)" if self.engine == "sqlite" else f"year({column})"


Family = Callable[[Context], tuple[list[str], Question]]
"""``family(context)``: the phrasings, and the question without its text."""


def _join(child: Table, key: Column, parent: Table) -> str:
    return f"{parent.name} p JOIN {child.name} c ON c.{key.name} = p.{parent.column('id').name}"


def lookup(context: Context) -> tuple[list[str], Question]:
    """An attribute of the one that is named."""
    table = context.table("label")
    label = table.column("label")
    column = context.one_of(table.of_kind("category", "integer", "real", "date"))
    name = context.one_of(context.labels[table.name])
    return [
        f"What is the {column.phrase} of the {table.singular} {name!r}?",
        f"Give the {column.phrase} of the {table.singular} whose {label.phrase} is {name!r}.",
        f"I need to know one thing about the {table.singular} {name!r}: its {column.phrase}.",
    ], Question("", f"SELECT {column.name} FROM {table.name} WHERE {label.name} = '{name}'")


def filtered(context: Context) -> tuple[list[str], Question]:
    """The labels of those in a category."""
    table = context.table("label", "category")
    label, (column, value) = table.column("label"), context.category(table)
    return [
        f"List the {label.phrase} of every {table.singular} whose {column.phrase} is {value}.",
        f"Which {table.plural} have {value} as their {column.phrase}? Give the {label.phrase} of each.",
        f"Show me the {label.phrase} of all {table.plural} with the {column.phrase} {value}.",
    ], Question("", f"SELECT {label.name} FROM {table.name} WHERE {column.name} = '{value}'")


def counted(context: Context) -> tuple[list[str], Question]:
    """How many are in a category and beyond a number."""
    table = context.table("category")
    (column, value), number = context.category(table), context.number(table)
    bound = context.threshold(number)
    return [
        f"How many {table.plural} have the {column.phrase} {value} and a {number.phrase} above {bound}?",
        f"Count the {table.plural} whose {column.phrase} is {value} and whose {number.phrase} is more than {bound}.",
        f"What is the number of {table.plural} with a {number.phrase} greater than {bound} and the {column.phrase} "
        f"{value}?",
    ], Question("", f"SELECT COUNT(*) FROM {table.name} WHERE {column.name} = '{value}' AND {number.name} > {bound}")


def aggregated(context: Context) -> tuple[list[str], Question]:
    """The average, largest, smallest or total number in a category."""
    table = context.table("category")
    (column, value), number = context.category(table), context.number(table)
    function, word = context.one_of([("AVG", "average"), ("MAX", "largest"), ("MIN", "smallest"), ("SUM", "total")])
    return [
        f"What is the {word} {number.phrase} of {table.plural} whose {column.phrase} is {value}?",
        f"Among the {table.plural} with the {column.phrase} {value}, what is the {word} {number.phrase}?",
        f"Compute the {word} {number.phrase} over all {table.plural} that have {value} as their {column.phrase}.",
    ], Question("", f"SELECT {function}({number.name}) FROM {table.name} WHERE {column.name} = '{value}'")


def extreme(context: Context) -> tuple[list[str], Question]:
    """The one with the most or the least."""
    table = context.table("label")
    label, number = table.column("label"), context.number(table, complete=True)
    word, order = context.one_of([("highest", "DESC"), ("lowest", "ASC")])
    source = f"FROM {table.name} ORDER BY {number.name} {order}"
    return [
        f"Which {table.singular} has the {word} {number.phrase}? Give its {label.phrase}.",
        f"Give the {label.phrase} of the {table.singular} with the {word} {number.phrase}.",
        f"Of all {table.plural}, whose {number.phrase} is the {word}? Answer with the {label.phrase}.",
    ], Question("", f"SELECT {label.name} {source} LIMIT 1", keys=f"SELECT {number.name} {source}")


def ranked(context: Context) -> tuple[list[str], Question]:
    """The first few, in order."""
    table = context.table("label")
    label, number = table.column("label"), context.number(table, complete=True)
    count = int(context.rng.integers(3, 6))
    word, down, order = context.one_of(
        [("highest", "from the highest down", "DESC"), ("lowest", "from the lowest up", "ASC")]
    )
    source = f"FROM {table.name} ORDER BY {number.name} {order}"
    return [
        f"List the {label.phrase} and {number.phrase} of the {count} {table.plural} with the {word} {number.phrase}, "
        f"{down}.",
        f"Which {count} {table.plural} have the {word} {number.phrase}? Give it with the {label.phrase}, {down}.",
        f"Rank the {table.plural} by {number.phrase} {down} and show {label.phrase} and {number.phrase} of the first "
        f"{count}.",
    ], Question(
        "",
        f"SELECT {label.name}, {number.name} {source} LIMIT {count}",
        ordered=True,
        keys=f"SELECT {number.name} {source}",
        ties=count,
    )


def in_order(context: Context) -> tuple[list[str], Question]:
    """Some of them, sorted by a date."""
    table = context.table("label", "category", "date")
    label, date, (column, value) = table.column("label"), table.column("date"), context.category(table)
    word, order = context.one_of([("earliest", "ASC"), ("latest", "DESC")])
    source = f"FROM {table.name} WHERE {column.name} = '{value}' ORDER BY {date.name} {order}"
    return [
        f"List the {label.phrase} of the {table.plural} whose {column.phrase} is {value}, the {word} {date.phrase} "
        f"first.",
        f"Sort the {table.plural} with the {column.phrase} {value} by {date.phrase}, {word} first, and give their "
        f"{label.phrase}.",
        f"Which {table.plural} have the {column.phrase} {value}? Show the {label.phrase}, ordered from the {word} "
        f"{date.phrase} on.",
    ], Question("", f"SELECT {label.name} {source}", ordered=True, keys=f"SELECT {date.name} {source}", ties=MANY)


MANY = 10**6
"""As ``ties``: every key must be different."""


def grouped(context: Context) -> tuple[list[str], Question]:
    """How many there are of each category."""
    table = context.table("category")
    column, _ = context.category(table)
    return [
        f"For each {column.phrase}, how many {table.plural} are there?",
        f"Count the {table.plural} by {column.phrase}; show the {column.phrase} and the count.",
        f"How are the {table.plural} spread over the values of {column.phrase}? Give each value with its number of "
        f"{table.plural}.",
    ], Question("", f"SELECT {column.name}, COUNT(*) FROM {table.name} GROUP BY {column.name}")


def having(context: Context) -> tuple[list[str], Question]:
    """The categories whose average is beyond a number."""
    table = context.table("category")
    (column, _), number = context.category(table), context.number(table)
    bound = int(number.low + (number.high - number.low) * context.rng.uniform(0.4, 0.6))
    return [
        f"For which values of {column.phrase} is the average {number.phrase} of the {table.plural} above {bound}?",
        f"Which {column.phrase} values have {table.plural} whose {number.phrase} is more than {bound} on average?",
        f"Group the {table.plural} by {column.phrase} and list those with an average {number.phrase} over {bound}.",
    ], Question(
        "", f"SELECT {column.name} FROM {table.name} GROUP BY {column.name} HAVING AVG({number.name}) > {bound}"
    )


def by_parent(context: Context) -> tuple[list[str], Question]:
    """The labels of those that belong to others in a category."""
    child, key, parent = context.link(child=["label"], parent=["category"])
    label, (column, value) = child.column("label"), context.category(parent)
    return [
        f"List the {label.phrase} of the {child.plural} whose {parent.singular} has the {column.phrase} {value}.",
        f"Which {child.plural} have a {parent.singular} whose {column.phrase} is {value}? Give the {label.phrase}.",
        f"Give me the {label.phrase} of every {child.singular} with a {parent.singular} that has {value} as its "
        f"{column.phrase}.",
    ], Question("", f"SELECT c.{label.name} FROM {_join(child, key, parent)} WHERE p.{column.name} = '{value}'")


def total_of_parent(context: Context) -> tuple[list[str], Question]:
    """The total or average of what belongs to the one that is named."""
    child, key, parent = context.link(child=["integer"], parent=["label"])
    number, label = context.number(child), parent.column("label")
    name = context.one_of(context.labels[parent.name])
    function, word = context.one_of([("SUM", "total"), ("AVG", "average")])
    return [
        f"What is the {word} {number.phrase} of the {child.plural} of the {parent.singular} {name!r}?",
        f"Compute the {word} {number.phrase} over all {child.plural} that belong to the {parent.singular} {name!r}.",
        f"Look at the {child.plural} of the {parent.singular} called {name!r}: what is their {word} {number.phrase}?",
    ], Question(
        "", f"SELECT {function}(c.{number.name}) FROM {_join(child, key, parent)} WHERE p.{label.name} = '{name}'"
    )


def per_parent(context: Context) -> tuple[list[str], Question]:
    """How many belong to each, those without any included."""
    child, key, parent = context.link(parent=["label"])
    label, ident = parent.column("label"), parent.column("id")
    return [
        f"For each {parent.singular}, give its {label.phrase} and its number of {child.plural}; include those without "
        f"any.",
        f"How many {child.plural} does every {parent.singular} have? Show {label.phrase} and count, zeros included.",
        f"List all {parent.plural} by {label.phrase}, each with how many {child.plural} belong to it, even if none do.",
    ], Question(
        "",
        f"SELECT p.{label.name}, COUNT(c.{key.name}) FROM {parent.name} p LEFT JOIN {child.name} c "
        f"ON c.{key.name} = p.{ident.name} GROUP BY p.{ident.name}, p.{label.name}",
    )


def busiest(context: Context) -> tuple[list[str], Question]:
    """The one that most belong to."""
    child, key, parent = context.link(parent=["label"])
    label, ident = parent.column("label"), parent.column("id")
    source = f"FROM {_join(child, key, parent)} GROUP BY p.{ident.name}, p.{label.name} ORDER BY COUNT(*) DESC"
    return [
        f"Which {parent.singular} has the most {child.plural}? Give its {label.phrase}.",
        f"Give the {label.phrase} of the {parent.singular} with the largest number of {child.plural}.",
        f"To which {parent.singular} do more {child.plural} belong than to any other? Answer with the {label.phrase}.",
    ], Question("", f"SELECT p.{label.name} {source} LIMIT 1", keys=f"SELECT COUNT(*) {source}")


def without(context: Context) -> tuple[list[str], Question]:
    """Those that none belong to."""
    child, key, parent = context.link(parent=["label"])
    label, ident = parent.column("label"), parent.column("id")
    return [
        f"Which {parent.plural} have no {child.plural} at all? Give the {label.phrase} of each.",
        f"List the {label.phrase} of every {parent.singular} without a single {child.singular}.",
        f"Find the {parent.plural} that no {child.singular} belongs to and show their {label.phrase}.",
    ], Question(
        "",
        f"SELECT {label.name} FROM {parent.name} WHERE {ident.name} NOT IN (SELECT {key.name} FROM {child.name})",
    )


def above_average(context: Context) -> tuple[list[str], Question]:
    """Those with more than the average of all."""
    table = context.table("label")
    label, number = table.column("label"), context.number(table)
    return [
        f"Which {table.plural} have a {number.phrase} above the average of all? Give the {label.phrase}.",
        f"List the {label.phrase} of every {table.singular} whose {number.phrase} is greater than average.",
        f"Find the {table.plural} that exceed the mean {number.phrase} and show their {label.phrase}.",
    ], Question(
        "",
        f"SELECT {label.name} FROM {table.name} WHERE {number.name} > (SELECT AVG({number.name}) FROM {table.name})",
    )


def in_year(context: Context) -> tuple[list[str], Question]:
    """How many have their date in a year."""
    table = context.table("date")
    date = context.one_of(table.of_kind("date"))
    year = int(context.rng.integers(date.low, date.high + 1))
    return [
        f"How many {table.plural} have their {date.phrase} in {year}?",
        f"Count the {table.plural} whose {date.phrase} falls in the year {year}.",
        f"What is the number of {table.plural} with a {date.phrase} between the first and the last day of {year}?",
    ], Question("", f"SELECT COUNT(*) FROM {table.name} WHERE {context.year(date.name)} = {year}")


def by_year(context: Context) -> tuple[list[str], Question]:
    """How many there are of each year, in order."""
    table = context.table("date")
    date = context.one_of([column for column in table.of_kind("date") if column.high - column.low < 10])
    year = context.year(date.name)
    return [
        f"For each year of the {date.phrase}, how many {table.plural} are there? Put the earliest year first.",
        f"Count the {table.plural} by the year of their {date.phrase}, years in rising order; show year and count.",
        f"Give the number of {table.plural} per year of {date.phrase}, as year and count, the first year first.",
    ], Question("", f"SELECT {year}, COUNT(*) FROM {table.name} GROUP BY {year} ORDER BY {year}", ordered=True)


def two_links(context: Context) -> tuple[list[str], Question]:
    """How many belong to those that belong to the one that is named."""
    links = context.schema.links()
    chains = [(low, high) for low in links for high in links if low[2] is high[0] and high[2].of_kind("label")]
    (child, key, middle), (_, upper, top) = context.one_of(chains)
    label, name = top.column("label"), context.one_of(context.labels[top.name])
    return [
        f"How many {child.plural} are there whose {middle.singular} belongs to the {top.singular} {name!r}?",
        f"Count the {child.plural} of all {middle.plural} of the {top.singular} called {name!r}.",
        f"The {top.singular} {name!r} has {middle.plural}; how many {child.plural} do these have in all?",
    ], Question(
        "",
        f"SELECT COUNT(*) FROM {child.name} c JOIN {middle.name} m ON c.{key.name} = m.{middle.column('id').name} "
        f"JOIN {top.name} t ON m.{upper.name} = t.{top.column('id').name} WHERE t.{label.name} = '{name}'",
    )


def both(context: Context) -> tuple[list[str], Question]:
    """Those that have one of this category and one of that."""
    child, key, parent = context.link(child=["category"], parent=["label"])
    label, column = parent.column("label"), context.one_of(child.of_kind("category"))
    first, second = (column.values[int(i)] for i in context.rng.choice(len(column.values), 2, replace=False))
    part = f"SELECT p.{label.name} FROM {_join(child, key, parent)} WHERE c.{column.name} = "
    return [
        f"Which {parent.plural} have both a {child.singular} with the {column.phrase} {first} and one with {second}? "
        f"Give each {label.phrase} once.",
        f"List, without repeats, the {label.phrase} of every {parent.singular} with {child.plural} of the "
        f"{column.phrase} {first} as well as {second}.",
        f"Find the {parent.plural} that have {child.plural} of both kinds of {column.phrase}, {first} and {second}; "
        f"show each {label.phrase} once.",
    ], Question("", f"{part}'{first}' INTERSECT {part}'{second}'")


def share(context: Context) -> tuple[list[str], Question]:
    """The percentage in a category."""
    table = context.table("category")
    column, value = context.category(table)
    return [
        f"What percentage of the {table.plural} have the {column.phrase} {value}? Do not round.",
        f"How many percent of all {table.plural} have {value} as their {column.phrase}? Leave the number unrounded.",
        f"Give the share of {table.plural} whose {column.phrase} is {value}, in percent and unrounded.",
    ], Question(
        "", f"SELECT 100.0 * SUM(CASE WHEN {column.name} = '{value}' THEN 1 ELSE 0 END) / COUNT(*) FROM {table.name}"
    )


def distinct(context: Context) -> tuple[list[str], Question]:
    """The different categories of those that have one beyond a number."""
    child, key, parent = context.link(child=["integer"], parent=["category"])
    column, number = context.one_of(parent.of_kind("category")), context.number(child)
    bound = context.threshold(number)
    return [
        f"Which different values of {column.phrase} do {parent.plural} have that own a {child.singular} with a "
        f"{number.phrase} above {bound}?",
        f"List every {column.phrase}, once, of {parent.plural} with at least one {child.singular} whose "
        f"{number.phrase} exceeds {bound}.",
        f"Take the {parent.plural} of {child.plural} whose {number.phrase} is more than {bound}: what are their "
        f"distinct values of {column.phrase}?",
    ], Question("", f"SELECT DISTINCT p.{column.name} FROM {_join(child, key, parent)} WHERE c.{number.name} > {bound}")


def best_of_each(context: Context) -> tuple[list[str], Question]:
    """The largest number of each category."""
    table = context.table("label", "category")
    label, (column, _), number = table.column("label"), context.category(table), context.number(table, complete=True)
    return [
        f"For each {column.phrase}, which {table.singular} has the highest {number.phrase}? Show the {column.phrase}, "
        f"{label.phrase} and {number.phrase}.",
        f"Give the {column.phrase}, the {label.phrase} and the {number.phrase} of the {table.singular} with the "
        f"largest {number.phrase} of every {column.phrase}.",
        f"Within each {column.phrase}, find the {table.singular} whose {number.phrase} is the greatest; list "
        f"{column.phrase}, {label.phrase} and {number.phrase}.",
    ], Question(
        "",
        f"SELECT {column.name}, {label.name}, {number.name} FROM {table.name} t WHERE {number.name} = "
        f"(SELECT MAX({number.name}) FROM {table.name} WHERE {column.name} = t.{column.name})",
        keys=f"SELECT {number.name} FROM {table.name}",
        ties=MANY,
    )


def missing(context: Context) -> tuple[list[str], Question]:
    """How many lack a number."""
    fitting = [(t, c) for t in context.schema.tables for c in t.of_kind("integer", "real") if c.optional]
    table, column = context.one_of(fitting)
    return [
        f"For how many {table.plural} is the {column.phrase} not recorded?",
        f"Count the {table.plural} whose {column.phrase} is missing.",
        f"How many {table.plural} have no value for the {column.phrase}?",
    ], Question("", f"SELECT COUNT(*) FROM {table.name} WHERE {column.name} IS NULL")


FAMILIES: tuple[Family, ...] = (
    lookup, filtered, counted, aggregated, extreme, ranked, in_order, grouped, having, by_parent, total_of_parent,
    per_parent, busiest, without, above_average, in_year, by_year, two_links, both, share, distinct, best_of_each,
    missing,
)  # fmt: skip


def ask(context: Context, family: Family) -> Question:
    """A question of the family; raises :class:`LookupError` if the schema does not have what it needs."""
    phrasings, question = family(context)
    return Question(
        context.one_of(phrasings), question.sql, question.ordered, question.keys, question.ties, family.__name__
    )
