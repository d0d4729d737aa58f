"""What the relay must make of the feed, computed in plain Python from the bytes on the wire and the refusals."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from environments.sources.event_feed import Sent, feed, refusals
from environments.sources.events import EventSource

#: attempts that the relay makes in one run
ATTEMPTS = 3

Line = tuple[date, int]


@dataclass(frozen=True)
class Expected:
    """The exact outcome; lines are (day, number of the row).

    Args:
        clean: line to the relayed event.
        dead: line to (error type, attempts, bytes of the record).
    """

    clean: dict[Line, dict[str, Any]]
    dead: dict[Line, tuple[str, int, bytes]]


def expected(source: EventSource, days: Collection[date], *, replays: int = 0) -> Expected:
    """Return what lies where after the days were relayed, and the dead letters worked off `replays` times."""
    clean: dict[Line, dict[str, Any]] = {}
    dead: dict[Line, tuple[str, int, bytes]] = {}
    for day in sorted(set(days)):
        for sent in feed(source, day):
            event = _event(sent.value)
            line = day, sent.number
            if event is None:
                dead[line] = "InvalidRecord", 1 + replays, sent.value
            elif event["user_id"] is None and refusals(event["session_id"]) >= ATTEMPTS * (1 + replays):
                dead[line] = "TemporaryError", ATTEMPTS * (1 + replays), sent.value
            else:
                clean[line] = _relayed(sent, event)
    return Expected(clean, dead)


def _event(value: bytes) -> dict[str, Any] | None:
    try:
        event: dict[str, Any] = json.loads(value)
    except ValueError:
        return None
    is_sound = event["timestamp"].endswith("Z") and not event["revenue"].startswith("-")
    return event if is_sound else None


def _relayed(sent: Sent, event: dict[str, Any]) -> dict[str, Any]:
    kept = {name: event[name] for name in ("event_id", "session_id", "event_type", "timestamp")}
    user = event["user_id"] or sent.key.decode().split("-")[1]
    return kept | {"user_id": user, "revenue_cents": int(event["revenue"].replace(".", ""))}
