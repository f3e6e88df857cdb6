"""Schemas: tables of columns that know what they mean, so that questions can be asked about any of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Kind = Literal["id", "label", "category", "integer", "real", "date", "key"]
Engine = Literal["sqlite", "duckdb"]

_TYPES: dict[Engine, dict[Kind, str]] = {
    "sqlite": {"integer": "INTEGER", "real": "REAL", "date": "TEXT"},
    "duckdb": {"integer": "INTEGER", "real": "DOUBLE", "date": "DATE"},
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in SQL, what people call it, and what values it may have.

    ``values`` are a category's values, or the words that labels are made of: half of them come first, half second.
    ``low`` and ``high`` bound numbers, and years for dates.  A ``key`` refers to the ``id`` of the table whose singular
    noun is ``target``.
    """

    name: str
    phrase: str
    kind: Kind
    values: tuple[str, ...] = ()
    low: int = 0
    high: int = 0
    target: str = ""
    optional: bool = False
    """Whether a schema may go without it, and its values may be missing."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its name in SQL, the noun for one of its rows and for several, its columns and how many rows it has."""

    name: str
    singular: str
    plural: str
    columns: tuple[Column, ...]
    low: int
    high: int

    def column(self, kind: Kind) -> Column:
        """The first column of a kind; raises :class:`StopIteration` if there is none."""
        return next(column for column in self.columns if column.kind == kind)

    def of_kind(self, *kinds: Kind) -> list[Column]:
        """Every column of these kinds."""
        return [column for column in self.columns if column.kind in kinds]


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a database; a key's table comes before those that refer to it."""

    domain: str
    tables: tuple[Table, ...]

    def named(self, singular: str) -> Table:
        """The table whose rows are called ``singular``."""
        return next(table for table in self.tables if table.singular == singular)

    def links(self) -> list[tuple[Table, Column, Table]]:
        """Every reference between tables: (child, its key, parent)."""
        return [(table, key, self.named(key.target)) for table in self.tables for key in table.of_kind("key")]

    def statements(self, engine: Engine) -> list[str]:
        """The ``CREATE TABLE`` statements."""
        return [_create(table, self, engine) for table in self.tables]


def _create(table: Table, schema: Schema, engine: Engine) -> str:
    lines = []
    for column in table.columns:
        line = f"{column.name} {_TYPES[engine].get(column.kind, 'INTEGER' if column.kind in ('id', 'key') else 'TEXT')}"
        if column.kind == "id":
            line += " PRIMARY KEY"
        elif column.kind == "key":
            parent = schema.named(column.target)
            line += f" REFERENCES {parent.name}({parent.column('id').name})"
        lines.append(f"  {line}")
    return f"CREATE TABLE {table.name} (\n" + ",\n".join(lines) + "\n)"


def vary(schema: Schema, rng: np.random.Generator) -> Schema:
    """The same domain in another hand: another style of names, and some of the optional columns left out."""
    plural, camel, prefixed = (bool(flag) for flag in rng.integers(2, size=3))

    def styled(name: str) -> str:
        first, *others = name.replace(" ", "_").split("_")
        return first + "".join(map(str.capitalize, others)) if camel else "_".join([first, *others])

    tables = []
    for table in schema.tables:
        columns = []
        for column in table.columns:
            if column.optional and rng.random() < 0.3:
                continue
            if column.kind == "id":
                name = styled(f"{table.singular}_id") if prefixed else "id"
            elif column.kind == "key":
                name = styled(f"{column.target}_id")
            else:
                name = styled(column.name)
            columns.append(replace(column, name=name))
        # "order" and its like are words of SQL, so the singular is not always a name.
        name = styled(table.plural if plural else f"{table.singular}_list" if table.singular == "order" else table.name)
        tables.append(replace(table, name=name, columns=tuple(columns)))
    return Schema(schema.domain, tuple(tables))
