"""Holds data against a contract: one vocabulary for a Postgres table, a Delta table and a Kafka topic. Pure."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from harness.gate.contracts import Bound, Contract

_WIDER = {("number", "integer"), ("timestamp", "date")}
"""(promised, found) that are as good: each value of the second is one of the first."""


@dataclass(frozen=True)
class Rows:
    """What a table or topic holds, column by column.

    Args:
        types: column -> logical type of the standard; `mixed` where messages disagree.
        values: column -> the values, in the rows' order.
        typed: False for messages, whose dates and times are texts.
    """

    types: Mapping[str, str]
    values: Mapping[str, Sequence[Any]]
    count: int
    typed: bool = True


def broken(contract: Contract, rows: Rows, logical_date: datetime | None = None) -> list[str]:
    """Return what of a contract the data does not keep, a sentence each, the contract's name first."""
    found = [
        *_columns(contract, rows),
        *_identity(contract, rows),
        *(one for bound in contract.bounds for one in _bound(bound, rows)),
        *_freshness(contract, rows, logical_date),
    ]
    return [f"{contract.name}: {one}" for one in found]


def _columns(contract: Contract, rows: Rows) -> Iterator[str]:
    for name, column in contract.shape.columns.items():
        if name not in rows.types:
            have = ", ".join(rows.types) or "none"
            yield f"no column `{name}`; it has {have}"
            continue
        values = rows.values[name]
        present = [value for value in values if value is not None]
        if column.type and not _fits(column.type, rows.types[name], present, typed=rows.typed):
            yield f"`{name}` is {rows.types[name]}, and promised is {column.type}"
            continue
        if column.required and len(present) < len(values):
            yield f"{len(values) - len(present)} of {len(values)} rows have no `{name}`"
        yield from _options(name, contract.options.get(name, {}), present)
        if column.values:
            others = Counter(str(value) for value in present if str(value) not in column.values)
            yield from _named(name, others, "is not among the promised values")


def _fits(promised: str, found: str, present: Sequence[Any], *, typed: bool) -> bool:
    if promised == found or (promised, found) in _WIDER or (not present and not typed):
        return True
    if not typed and promised in ("date", "timestamp", "time") and found == "string":
        return all(_time(value) is not None for value in present)
    return False


def _time(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _options(name: str, options: Mapping[str, Any], present: Sequence[Any]) -> Iterator[str]:
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "minimum": lambda value, limit: value >= _like(limit, value),
        "maximum": lambda value, limit: value <= _like(limit, value),
        "exclusiveMinimum": lambda value, limit: value > _like(limit, value),
        "exclusiveMaximum": lambda value, limit: value < _like(limit, value),
        "minLength": lambda value, limit: len(value) >= limit,
        "maxLength": lambda value, limit: len(value) <= limit,
        "pattern": lambda value, limit: re.search(limit, str(value)) is not None,
    }
    for option, limit in options.items():
        wrong = Counter(str(value) for value in present if not tests[option](value, limit))
        yield from _named(name, wrong, f"breaks {option} {limit}")


def _like(limit: Any, value: Any) -> Any:
    """Return a limit as the kind of thing that it is compared with: YAML has texts where tables have dates."""
    if isinstance(value, datetime):
        found = _time(limit)
        return found if value.tzinfo or found is None else found.replace(tzinfo=None)
    if isinstance(value, date):
        return date.fromisoformat(str(limit)[:10])
    return type(value)(str(limit)) if not isinstance(value, float | int) else float(limit)


def _named(name: str, wrong: Counter[str], words: str) -> Iterator[str]:
    if wrong:
        first = ", ".join(repr(value) for value, _ in wrong.most_common(3))
        yield f"`{name}` {words} in {wrong.total()} rows: {first}"


def _identity(contract: Contract, rows: Rows) -> Iterator[str]:
    columns = contract.shape.columns
    keys = [[name for name, column in columns.items() if column.key]]
    keys += [[name] for name, column in columns.items() if column.unique]
    for key in keys:
        if key and all(name in rows.values for name in key):
            doubles = _doubles(key, rows)
            if doubles:
                yield f"{doubles} rows repeat the {'key' if len(key) > 1 else 'value'} of `{', '.join(key)}`"


def _doubles(key: Sequence[str], rows: Rows) -> int:
    found = Counter(zip(*(map(str, rows.values[name]) for name in key), strict=True))
    return sum(number - 1 for number in found.values())


def _bound(bound: Bound, rows: Rows) -> Iterator[str]:
    if bound.column is not None and bound.column not in rows.values:
        return  # a column that is not there has been told of already
    number = _measure(bound, rows)
    if not _WITHIN[bound.operator](number, bound.value):
        of = f" of `{bound.column}`" if bound.column else ""
        yield f"{bound.metric}{of} is {number}, and {bound.operator} {bound.value}"


def _measure(bound: Bound, rows: Rows) -> int:
    if bound.metric == "rowCount":
        return rows.count
    values = rows.values[bound.column or ""]
    match bound.metric:
        case "nullValues":
            return sum(value is None for value in values)
        case "duplicateValues":
            return _doubles([bound.column or ""], rows)
        case _:
            return sum(value is not None and str(value) not in bound.valid for value in values)


_WITHIN: Mapping[str, Callable[[int, Any], bool]] = {
    "mustBe": operator.eq,
    "mustNotBe": operator.ne,
    "mustBeGreaterThan": operator.gt,
    "mustBeGreaterOrEqualTo": operator.ge,
    "mustBeLessThan": operator.lt,
    "mustBeLessOrEqualTo": operator.le,
    "mustBeBetween": lambda number, limits: bool(limits[0] <= number <= limits[1]),
    "mustNotBeBetween": lambda number, limits: not limits[0] <= number <= limits[1],
}


def _freshness(contract: Contract, rows: Rows, logical_date: datetime | None) -> Iterator[str]:
    if contract.newest is None or logical_date is None or contract.newest[0] not in rows.values:
        return
    column, seconds = contract.newest
    times = [time for value in rows.values[column] if (time := _time(value)) is not None]
    wanted = logical_date - timedelta(seconds=seconds)
    if not times:
        yield f"`{column}` has no value, so nothing is as new as promised"
    elif max(times) < wanted:
        yield f"the newest `{column}` is {max(times):%Y-%m-%d %H:%M}, and promised is {wanted:%Y-%m-%d %H:%M} or later"
