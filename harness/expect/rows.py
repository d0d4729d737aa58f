"""How two sets of rows differ: rows that are missing, rows that nobody expected, and cells that changed."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

Row = Mapping[str, Any]

#: what a text stands for in a column of this type; a file, and many a test, can only write text
_FROM_TEXT: Mapping[type, Any] = {
    Decimal: Decimal,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
    UUID: UUID,
    bytes: bytes.fromhex,
}


@dataclass(frozen=True)
class Change:
    """One row that is there with other values.

    Args:
        key: by which the two rows are the same one.
        cells: column -> (found, expected), for the columns that differ.
    """

    key: Row
    cells: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class RowDiff:
    """How found rows differ from expected ones; empty when they do not."""

    missing: Sequence[Row] = ()
    unexpected: Sequence[Row] = ()
    changed: Sequence[Change] = ()
    repeated: Sequence[Row] = ()
    expected: int = 0
    found: int = 0

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.changed or self.repeated)


def compare(expected: Iterable[Row], found: Iterable[Row], key: Sequence[str] = ()) -> RowDiff:
    """Compare two sets of rows, in which a row may occur more than once and the order does not matter.

    Values are compared as values: 12.1 and Decimal("12.10") are equal, and so are two names of one instant. A text that
    is expected in a column of dates, times, decimals, bytes (hex) or UUIDs is read as one.

    Args:
        expected: rows with the columns that are compared.
        found: rows with the same columns.
        key: columns that name a row; with them a row with other values is a change, else it is one missing and one
            unexpected. Rows that share a key are reported as repeated.
    """
    actual = [dict(row) for row in found]
    kinds = _kinds(actual)
    wanted = [{name: _as(value, kinds.get(name)) for name, value in row.items()} for row in expected]
    missing, unexpected = _surplus(wanted, actual), _surplus(actual, wanted)
    changed: list[Change] = []
    if key:
        missing, unexpected, changed = _pair(missing, unexpected, key)
    repeated = _repeated(actual, key) if key else []
    return RowDiff(missing, unexpected, changed, repeated, len(wanted), len(actual))


def canonical(value: Any) -> Hashable:
    """Return something hashable that is equal for equal values."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, sort_keys=True, default=str)
    if isinstance(value, bool):
        return ("bool", value)  # else True would be 1
    return value if isinstance(value, Hashable) else repr(value)


def _kinds(rows: Iterable[Row]) -> dict[str, type]:
    """Return the type of each column, by its first value."""
    kinds: dict[str, type] = {}
    for row in rows:
        for name, value in row.items():
            if value is not None:
                kinds.setdefault(name, type(value))
    return kinds


def _as(value: Any, kind: type | None) -> Any:
    if not isinstance(value, str) or kind is None or kind not in _FROM_TEXT:
        return value
    try:
        return _FROM_TEXT[kind](value)
    except (ValueError, InvalidOperation):
        return value


def _identity(row: Row, names: Sequence[str] | None = None) -> Hashable:
    return tuple((name, canonical(row.get(name))) for name in (names or sorted(row)))


def _surplus(of: Sequence[Row], over: Sequence[Row]) -> list[Row]:
    """Return the rows that one has more often than the other, in their order."""
    left = Counter(map(_identity, over))
    surplus = []
    for row in of:
        identity = _identity(row)
        if left[identity] > 0:
            left[identity] -= 1
        else:
            surplus.append(row)
    return surplus


def _pair(missing: list[Row], unexpected: list[Row], key: Sequence[str]) -> tuple[list[Row], list[Row], list[Change]]:
    """Take for changed what is missing under a key under which something else was found."""
    by_key: dict[Hashable, list[Row]] = {}
    for row in unexpected:
        by_key.setdefault(_identity(row, key), []).append(row)
    gone, changed = [], []
    for row in missing:
        others = by_key.get(_identity(row, key))
        if not others:
            gone.append(row)
            continue
        other = others.pop(0)
        cells = {
            name: (other.get(name), value)
            for name, value in row.items()
            if canonical(other.get(name)) != canonical(value)
        }
        changed.append(Change({name: row.get(name) for name in key}, cells))
    left = {id(row) for rows in by_key.values() for row in rows}
    return gone, [row for row in unexpected if id(row) in left], changed


def _repeated(rows: Sequence[Row], key: Sequence[str]) -> list[Row]:
    counts = Counter(_identity(row, key) for row in rows)
    twice: dict[Hashable, Row] = {}
    for row in rows:
        identity = _identity(row, key)
        if counts[identity] > 1:
            twice.setdefault(identity, {name: row.get(name) for name in key})
    return list(twice.values())


def columns_of(rows: Collection[Row]) -> list[str]:
    """Return the columns of all rows, in the order in which they are first named."""
    return list(dict.fromkeys(name for row in rows for name in row))
