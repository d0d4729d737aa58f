"""What the cumulative table must hold, computed in plain Python from all events of all days, without any state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from environments.sources.events import Event

#: day to user to (first active, last active, days active)
States = dict[date, dict[str, tuple[date, date, int]]]


def cumulated(events: Mapping[date, Iterable[Event]]) -> States:
    """Return the state of every day, each from all events up to it."""
    active = {
        day: {one.user_id for one in rows if one.user_id and one.event_type in ("view", "click", "purchase")}
        for day, rows in events.items()
    }
    return {day: _state([one for one in sorted(active) if one <= day], active) for day in active}


def _state(days: list[date], active: Mapping[date, set[str]]) -> dict[str, tuple[date, date, int]]:
    seen: dict[str, list[date]] = {}
    for day in days:
        for user in active[day]:
            seen.setdefault(user, []).append(day)
    return {user: (min(found), max(found), len(found)) for user, found in seen.items()}
