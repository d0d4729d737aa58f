"""Puts in place what `wap_events` reads: a file of events for each day, and the users that the warehouse knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from environments.sources.events import VOLUMES, EventSource
from jobs.wap.contract import landing_key

if TYPE_CHECKING:
    from harness.environment.spec import DataSpec

_USERS = "CREATE TABLE IF NOT EXISTS public.users (user_id text PRIMARY KEY)"


def seed(services: Mapping[str, Any], dates: Iterable[date], data: DataSpec) -> None:
    """Write the events of each date to the landing bucket, and the users to the warehouse.

    Args:
        services: by name; `s3` and `postgres` are used.
        dates: days of the click stream.
        data: volume and seed.
    """
    source = EventSource(data.seed, VOLUMES[data.volume])
    for day in dates:
        put_day(services["s3"], day, as_file(source, day))
        put_users(services["postgres"].client_for("warehouse"), source, day)


def as_file(source: EventSource, day: date) -> bytes:
    """Return a day's events as the site delivers them: a line of JSON for each, in the order of emission."""
    return b"".join(event.payload() + b"\n" for _, event in source.emitted(day))


def put_day(s3: Any, day: date, content: bytes) -> None:
    """Deliver a day's file."""
    s3.client.put_object(Bucket=s3.physical("landing"), Key=landing_key(day), Body=content)


def put_users(connection: Any, source: EventSource, day: date) -> None:
    """Make the users of a day known to the warehouse."""
    connection.execute(_USERS)
    users = sorted({(event.user_id,) for event in source.rows(day) if event.user_id})
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO public.users VALUES (%s) ON CONFLICT DO NOTHING", users)
