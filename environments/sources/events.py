"""A web site's click stream: what visitors did on a day, as a pure function of seed, events a day, and date.

Row `i` of the day's `n` is made by integer arithmetic alone, so its figures can be checked by hand:

========================================  ==========================================  ============================
what                                      which rows `i` of the day                   of 500 / 10,000 / 200,000
========================================  ==========================================  ============================
exact duplicate of the row before it      i % 50 == 49: row i - 1 once more           10 / 200 / 4,000
nobody is signed in                       i % 40 == 39, unless it is a duplicate      10 / 200 / 4,000
a type nobody agreed on                   i % 60 == 59, unless one of the two above   3 / 66 / 1,334
========================================  ==========================================  ============================

The seed decides in which order the rows are emitted: the site has several servers.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

VOLUMES = {"dev": 500, "test": 10_000, "acc": 200_000}

_TYPES = ("view", "click", "view", "purchase", "click")


@dataclass(frozen=True)
class Event:
    """One row of the click stream; `user_id` is None when nobody was signed in, `revenue` is in euros."""

    event_id: str
    user_id: str | None
    session_id: str
    event_type: str
    revenue: Decimal
    timestamp: datetime

    def payload(self) -> bytes:
        """Return the JSON that the site emits; revenue is text, so that nobody reads it as a float."""
        return json.dumps(
            {
                "event_id": self.event_id,
                "user_id": self.user_id,
                "session_id": self.session_id,
                "event_type": self.event_type,
                "revenue": f"{self.revenue:.2f}",
                "timestamp": f"{self.timestamp:%Y-%m-%dT%H:%M:%SZ}",
            },
            separators=(",", ":"),
        ).encode()


@dataclass(frozen=True)
class EventSource:
    """The click stream of one site.

    Args:
        seed: decides the order of emission.
        events: rows a day; `VOLUMES` names the usual numbers.
        churn: users who are not seen any more from one day to the next; as many new ones come.
    """

    seed: int = 42
    events: int = VOLUMES["dev"]
    churn: int = 0

    def rows(self, day: date) -> list[Event]:
        """Return the day's rows by their number `i`, which is the order of their timestamps."""
        return [self._row(day, i) for i in range(self.events)]

    def emitted(self, day: date) -> list[tuple[int, Event]]:
        """Return (number, row) of the day in the order of emission."""
        return sorted(enumerate(self.rows(day)), key=lambda row: _draw(self.seed, day, row[0]))

    def _row(self, day: date, i: int) -> Event:
        if i % 50 == 49:
            return self._row(day, i - 1)
        users = max(10, self.events // 20)
        user = f"u{i * 7 % users + self.churn * day.toordinal() % 100_000:05d}"
        event_type = _TYPES[(i + i // users) % 5]
        if i % 60 == 59 and i % 40 != 39:
            event_type = "scroll"
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return Event(
            event_id=f"e-{day:%Y%m%d}-{i:07d}",
            user_id=None if i % 40 == 39 else user,
            session_id=f"s-{user}-{i * 3 // self.events}",
            event_type=event_type,
            revenue=Decimal(i % 200 + 1) / 4 if event_type == "purchase" else Decimal(0),
            timestamp=start + timedelta(seconds=i * 86_400 // self.events),
        )


def _draw(*what: object) -> int:
    """Return 64 bits that depend on nothing but the arguments."""
    return int.from_bytes(hashlib.blake2b(repr(what).encode(), digest_size=8).digest(), "big")
