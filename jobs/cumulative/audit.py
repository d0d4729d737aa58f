"""Decides whether days of the cumulative table may stand beside each other: nobody who was there ever goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from jobs.cumulative.cumulate import Layout

#: day to user to (first active, last active, days active)
States = dict[date, dict[str, tuple[date, date, int]]]


class AuditFailed(ValueError):
    """States contradict each other. A second try would read the same ones."""


def audit(*, day: date, layout: Layout, storage: Mapping[str, str]) -> dict[str, int]:
    """Return the users of the day and of all later ones, after comparing each day with the one before it.

    Raises:
        AuditFailed: users are there twice, or went, or were active after the day.
    """
    rows = read_rows(layout, storage, since=day - timedelta(days=1))
    if complaints := list(complaints_about(rows, day, layout.start)):
        raise AuditFailed("; ".join(complaints))
    return {str(ds): len(users) for ds, users in sorted(as_states(rows).items()) if ds >= day}


def read_rows(layout: Layout, storage: Mapping[str, str], *, since: date) -> list[dict[str, Any]]:
    """Return the table's rows from a day on."""
    from deltalake import DeltaTable

    table = DeltaTable(layout.table, storage_options=dict(storage))
    rows: list[dict[str, Any]] = table.to_pyarrow_table(filters=[("ds", ">=", since)]).to_pylist()
    return rows


def as_states(rows: list[dict[str, Any]]) -> States:
    """Return rows by day and user."""
    found: States = {}
    for row in rows:
        state = row["first_active"], row["last_active"], row["days_active"]
        found.setdefault(row["ds"], {})[row["user_id"]] = state
    return found


def complaints_about(rows: list[dict[str, Any]], day: date, start: date) -> Iterator[str]:
    """Complain about days that cannot be true together."""
    twice = [key for key, count in Counter((row["user_id"], row["ds"]) for row in rows).items() if count > 1]
    if twice:
        yield f"{len(twice)} users are there more than once on a day, {twice[0][0]} on {twice[0][1]}"
    found = as_states(rows)
    if day not in found:
        yield f"nobody was active up to {day}: a history that begins with nobody is not begun"
        return
    for ds in sorted(found):
        before = found.get(ds - timedelta(days=1), {})
        if gone := before.keys() - found[ds].keys():
            yield f"{len(gone)} users of the day before {ds} are gone, {min(gone)} for one"
        elif ds > max(day, start) and not before:
            yield f"there is no state of the day before {ds}"
        wrong = [user for user, state in found[ds].items() if not _is_sound(state, ds, start)]
        if wrong:
            yield f"{len(wrong)} users of {ds} were active when they cannot have been, {min(wrong)} for one"


def _is_sound(state: tuple[date, date, int], ds: date, start: date) -> bool:
    first, last, days = state
    return start <= first <= last <= ds and 1 <= days <= (last - first).days + 1
