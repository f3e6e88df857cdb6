"""The rows of a generated database."""

from __future__ import annotations

import datetime

import numpy as np

from .schema import Column, Schema, Table

Rows = dict[str, list[tuple[object, ...]]]
"""The rows of each table, by its name."""

_MISSING = 0.12


def make_labels(schema: Schema, rng: np.random.Generator) -> dict[str, list[str]]:
    """As many different labels as each labelled table may have rows, by the table's name.

    All databases of a task share them, so that a question can name one.
    """
    labels = {}
    for table in schema.tables:
        for column in table.of_kind("label"):
            half = len(column.values) // 2
            pairs = [f"{first} {second}" for first in column.values[:half] for second in column.values[half:]]
            labels[table.name] = [pairs[int(i)] for i in rng.permutation(len(pairs))[: table.high]]
    return labels


def make_rows(schema: Schema, labels: dict[str, list[str]], rng: np.random.Generator) -> Rows:
    """The rows of one database: all labels appear, everything else is drawn."""
    rows: Rows = {}
    for table in schema.tables:
        names = labels.get(table.name)
        count = len(names) if names else int(rng.integers(table.low, table.high + 1))
        columns = [_values(column, count, names or [], schema, rows, rng) for column in table.columns]
        rows[table.name] = list(zip(*columns, strict=True))
    return rows


def _values(
    column: Column, count: int, names: list[str], schema: Schema, rows: Rows, rng: np.random.Generator
) -> list[object]:
    values: list[object]
    if column.kind == "id":
        return list(range(1, count + 1))
    if column.kind == "label":
        return [names[int(i)] for i in rng.permutation(count)]
    if column.kind == "key":
        # Some rows are referred to often and some never, as in life.
        parents = len(rows[_parent(column, schema).name])
        share = rng.dirichlet(np.full(parents, 0.6))
        return [int(i) + 1 for i in rng.choice(parents, size=count, p=share)]
    if column.kind == "category":
        return [column.values[int(i)] for i in rng.integers(len(column.values), size=count)]
    if column.kind == "date":
        first = datetime.date(column.low, 1, 1).toordinal()
        last = datetime.date(column.high, 12, 31).toordinal()
        return [datetime.date.fromordinal(int(day)).isoformat() for day in rng.integers(first, last + 1, size=count)]
    if column.kind == "integer":
        # Different where the range allows it, so that most superlatives have one answer.
        repeated = column.high - column.low + 1 < count
        values = [int(i) + column.low for i in rng.choice(column.high - column.low + 1, size=count, replace=repeated)]
    else:
        values = [
            float(cents) / 100 for cents in rng.choice((column.high - column.low) * 100, size=count, replace=False)
        ]
        values = [round(column.low + float(value), 2) for value in values]  # type: ignore[arg-type]
    if column.optional:
        values = [None if rng.random() < _MISSING else value for value in values]
    return values


def _parent(column: Column, schema: Schema) -> Table:
    return schema.named(column.target)
