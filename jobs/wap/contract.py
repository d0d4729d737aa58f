"""What the parts of write-audit-publish agree on: the event, its types, and where the tables are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

TYPES = ("view", "click", "purchase")
#: a type that the site's own instruments emit; it is left out, and any other unknown type is a finding
NOISE = "scroll"

#: the event, as Spark's schema says it
FIELDS = (
    "event_id string, user_id string, session_id string, event_type string, revenue decimal(12,2), timestamp timestamp"
)


@dataclass(frozen=True)
class Layout:
    """Where the tables are. Args: root: `s3a://bucket`, or a local folder."""

    root: str

    @property
    def staging(self) -> str:
        """Written before anybody has looked at it, and read by the audits alone."""
        return f"{self.root}/wap/staging/events"

    @property
    def published(self) -> str:
        return f"{self.root}/wap/events_published"

    @property
    def quarantine(self) -> str:
        return f"{self.root}/wap/quarantine/events"


def landing_key(day: date) -> str:
    """Return where the site leaves a day's events, in the landing bucket."""
    return f"wap/events/{day.isoformat()}.jsonl"


def told_key(day: date) -> str:
    """Return where it says which complaint about a day was sent, in the lake bucket."""
    return f"wap/told/{day.isoformat()}.json"
