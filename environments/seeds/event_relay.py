"""Puts in place what `event_relay` reads: each day's messages in the topic `events`, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from environments.sources.event_feed import feed
from environments.sources.events import VOLUMES, EventSource
from harness.services.kafka_clients import Message

if TYPE_CHECKING:
    from harness.environment.spec import DataSpec

TOPIC = "events"

#: which row of which day a message is: `2026-01-01/17`
LINE_HEADER = "line"


def seed(services: Mapping[str, Any], dates: Iterable[date], data: DataSpec) -> None:
    """Send the messages of each date that the topic lacks; the same content at each call.

    Args:
        services: by name; `kafka` is used.
        dates: days of the feed.
        data: volume and seed.
    """
    source = EventSource(data.seed, VOLUMES[data.volume])
    clients = services["kafka"].client
    held = {dict(message.headers)[LINE_HEADER] for message in clients.read(TOPIC)}
    for day in dates:
        clients.produce(TOPIC, [one for one in messages(source, day) if dict(one.headers)[LINE_HEADER] not in held])


def messages(source: EventSource, day: date) -> list[Message]:
    """Return the day's messages, each with the header that says which row it is."""
    return [
        Message(one.value, one.key, ((LINE_HEADER, f"{day}/{one.number}".encode()),), timestamp=one.timestamp)
        for one in feed(source, day)
    ]
