"""Formulas of a table: ``=SUM(B2:B7)*2`` over cells that hold numbers, texts and formulas."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d*)?|\.\d+)|([A-Z])([1-9]\d?)|([A-Z]+)|([-+*/():,]))")
_DEEPEST = 20


class FormulaError(ValueError):
    """The formula has no value; the message is what the cell shows."""


def _average(values: Sequence[float]) -> float:
    if not values:
        raise FormulaError("#DIV/0")
    return sum(values) / len(values)


FUNCTIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": lambda values: float(sum(values)),
    "AVERAGE": _average,
    "MIN": lambda values: min(values, default=0.0),
    "MAX": lambda values: max(values, default=0.0),
    "COUNT": lambda values: float(len(values)),
}


def shown(cells: Mapping[str, str], name: str) -> str:
    """What the cell ``name`` shows: its text, or the value of its formula with up to two decimals."""
    text = cells.get(name, "")
    if not text.startswith("="):
        return text
    try:
        return written(_Evaluation(cells, text[1:].upper(), _DEEPEST).value())
    except FormulaError as error:
        return str(error)


def written(value: float) -> str:
    """``2.50`` as ``"2.5"``."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else "#NUM"


class _Evaluation:
    """Reads a formula from left to right and works it out on the way."""

    def __init__(self, cells: Mapping[str, str], text: str, depth: int) -> None:
        if depth == 0:
            raise FormulaError("#CYCLE")
        self.cells = cells
        self.depth = depth
        self.tokens: list[tuple[str, ...]] = []
        place = 0
        while place < len(text.rstrip()):
            match = _TOKEN.match(text, place)
            if match is None:
                raise FormulaError("#ERROR")
            self.tokens.append(match.groups(""))
            place = match.end()

    def value(self) -> float:
        """The value of the whole formula."""
        # Deeper nesting than a person writes would only exhaust the stack.
        if len(self.tokens) > 200:
            raise FormulaError("#ERROR")
        value = self._sum()
        if self.tokens:
            raise FormulaError("#ERROR")
        return value

    def _next(self, *signs: str) -> str:
        """Take the next token if it is one of ``signs``."""
        if self.tokens and self.tokens[0][4] in signs and self.tokens[0][4]:
            return self.tokens.pop(0)[4]
        return ""

    def _sum(self) -> float:
        value = self._product()
        while sign := self._next("+", "-"):
            value += self._product() * (1 if sign == "+" else -1)
        return value

    def _product(self) -> float:
        value = self._factor()
        while sign := self._next("*", "/"):
            factor = self._factor()
            if sign == "/" and factor == 0:
                raise FormulaError("#DIV/0")
            value = value * factor if sign == "*" else value / factor
        return value

    def _factor(self) -> float:
        if self._next("-"):
            return -self._factor()
        if self._next("("):
            value = self._sum()
            self._expect(")")
            return value
        if not self.tokens:
            raise FormulaError("#ERROR")
        number, column, row, function, _ = self.tokens.pop(0)
        if number:
            return float(number)
        if column:
            values = self._cell(column + row)
            return values[0] if values else 0.0
        if function not in FUNCTIONS:
            raise FormulaError("#NAME")
        self._expect("(")
        values = self._argument()
        while self._next(","):
            values += self._argument()
        self._expect(")")
        return FUNCTIONS[function](values)

    def _argument(self) -> list[float]:
        if len(self.tokens) > 2 and self.tokens[0][1] and self.tokens[1][4] == ":" and self.tokens[2][1]:
            (_, left, top, *_), _, (_, right, bottom, *_) = (self.tokens.pop(0) for _ in range(3))
            columns = range(ord(left), ord(right) + 1)
            rows = range(int(top), int(bottom) + 1)
            return [value for c in columns for row in rows for value in self._cell(f"{chr(c)}{row}")]
        if self.tokens and self.tokens[0][1] and (len(self.tokens) == 1 or self.tokens[1][4] in (",", ")")):
            _, column, row, *_ = self.tokens.pop(0)
            return self._cell(column + row)
        return [self._sum()]

    def _cell(self, name: str) -> list[float]:
        """The number in a cell; nothing where there is a text or none."""
        text = self.cells.get(name, "")
        if text.startswith("="):
            return [_Evaluation(self.cells, text[1:].upper(), self.depth - 1).value()]
        try:
            return [float(text)] if text and text[0] in "-.0123456789" else []
        except ValueError:
            return []

    def _expect(self, sign: str) -> None:
        if not self._next(sign):
            raise FormulaError("#ERROR")
