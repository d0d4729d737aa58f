"""Puts in place what `users_cumulated` reads: a file of events for each day, in the landing bucket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from environments.sources.events import VOLUMES, Event, EventSource
from jobs.cumulative.cumulate import events_key

if TYPE_CHECKING:
    from harness.environment.spec import DataSpec


def source_of(data: DataSpec) -> EventSource:
    """Return the site's click stream; each day a tenth of its users is new, so that a state differs from the next."""
    events = VOLUMES[data.volume]
    return EventSource(data.seed, events, churn=events // 200)


def seed(services: Mapping[str, Any], dates: Iterable[date], data: DataSpec) -> None:
    """Write each date's file; the same content at each call.

    A file that is there stays, so that a test can correct one between two runs.

    Args:
        services: by name; `s3` is used.
        dates: days of the click stream.
        data: volume and seed.
    """
    s3, source = services["s3"], source_of(data)
    there = {one["Key"] for one in s3.client.list_objects_v2(Bucket=s3.physical("landing")).get("Contents", ())}
    for day in dates:
        if events_key(day) not in there:
            put_events(s3, day, [event for _, event in source.emitted(day)])


def put_events(s3: Any, day: date, events: Iterable[Event]) -> None:
    """Write a day's file, in the place of the one that may be there."""
    body = b"".join(event.payload() + b"\n" for event in events)
    s3.client.put_object(Bucket=s3.physical("landing"), Key=events_key(day), Body=body)
