"""What must be true of a day's events before anybody sees them: one function for each property."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from jobs.wap.contract import TYPES

if TYPE_CHECKING:
    import pyarrow as pa

#: so many offenders are named in a finding
_NAMED = 3


@dataclass(frozen=True)
class Agreed:
    """What the audits measure a day by.

    Args:
        day: the day.
        low: fewest rows of a day; never 0, since a day without a row passes every other audit.
        high: most rows.
        users: users that the warehouse knows.
    """

    day: date
    low: int
    high: int
    users: Collection[str]


def row_count(rows: pa.Table, agreed: Agreed) -> str | None:
    """Complain about too few or too many rows."""
    if agreed.low <= rows.num_rows <= agreed.high:
        return None
    return f"{rows.num_rows} rows, agreed are {agreed.low} to {agreed.high}"


def unique_key(rows: pa.Table, agreed: Agreed) -> str | None:
    """Complain about an event id that two rows have."""
    counts = Counter(_column(rows, "event_id"))
    return _offenders("event ids twice", [one for one, count in counts.items() if count > 1])


def no_nulls(rows: pa.Table, agreed: Agreed) -> str | None:
    """Complain about a column that lacks a value."""
    lacking = {name: rows.column(name).null_count for name in rows.column_names}
    told = [f"{name} {count}" for name, count in lacking.items() if count]
    return f"nulls: {', '.join(told)}" if told else None


def allowed_values(rows: pa.Table, agreed: Agreed) -> str | None:
    """Complain about a type that nobody agreed on, and about an event of another day."""
    types = _offenders("types", {one for one in _column(rows, "event_type") if one is not None and one not in TYPES})
    days = {one.date().isoformat() for one in _column(rows, "timestamp") if one is not None}
    return types or _offenders("other days", days - {agreed.day.isoformat()})


def references(rows: pa.Table, agreed: Agreed) -> str | None:
    """Complain about a user that the warehouse does not know."""
    return _offenders("unknown users", {one for one in _column(rows, "user_id") if one is not None} - set(agreed.users))


AUDITS: Mapping[str, Callable[[pa.Table, Agreed], str | None]] = {
    "row_count": row_count,
    "unique_key": unique_key,
    "no_nulls": no_nulls,
    "allowed_values": allowed_values,
    "references": references,
}


def read_users(dsn: str) -> list[str]:
    """Return the ids of `public.users`."""
    import psycopg

    with psycopg.connect(dsn) as connection:
        return [user for (user,) in connection.execute("SELECT user_id FROM public.users")]


def _column(rows: pa.Table, name: str) -> list:
    return rows.column(name).to_pylist()


def _offenders(what: str, found: Collection[str]) -> str | None:
    named = sorted(found)
    if not named:
        return None
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"{len(named)} {what}: {', '.join(named[:_NAMED])}{more}"
