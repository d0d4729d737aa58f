"""What is made of one event: checked, with the user's name filled in, and money in cents."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from jobs.relay.contract import InvalidRecord, ServiceAway, TemporaryError

if TYPE_CHECKING:
    import httpx

_TEXTS = ("event_id", "session_id", "event_type", "timestamp")

#: says who a session belongs to; the number is the attempt
Resolve = Callable[[str, int], str]


def handle(value: bytes, attempt: int, *, resolve: Resolve) -> bytes:
    """Return the event as it is relayed.

    Args:
        value: JSON of the click stream.
        attempt: how often this record has been tried, this time included.
        resolve: asked for an event whose user is not known.

    Raises:
        InvalidRecord: it is not an event.
        TemporaryError: `resolve` could not say.
    """
    event = _parsed(value)
    user = event["user_id"] or resolve(event["session_id"], attempt)
    cents = int(_amount(event["revenue"]) * 100)
    relayed = {name: event[name] for name in _TEXTS} | {"user_id": user, "revenue_cents": cents}
    return json.dumps(relayed, separators=(",", ":"), sort_keys=True).encode()


def _parsed(value: bytes) -> dict[str, Any]:
    try:
        event = json.loads(value)
    except ValueError as error:  # not UTF-8, or not JSON
        raise InvalidRecord(f"not JSON: {error}") from error
    if not isinstance(event, dict):
        raise InvalidRecord(f"not an object: {type(event).__name__}")
    if wrong := [name for name in _TEXTS if not isinstance(event.get(name), str)]:
        raise InvalidRecord(f"no text: {', '.join(wrong)}")
    if not isinstance(event.get("user_id"), str | None):
        raise InvalidRecord(f"user_id is neither text nor null: {event['user_id']!r}")
    _check_instant(event["timestamp"])
    return event


def _check_instant(text: str) -> None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRecord(f"timestamp: {error}") from error
    if instant.tzinfo is None:
        raise InvalidRecord(f"timestamp without a zone: {text}")


def _amount(text: Any) -> Decimal:
    try:
        amount = Decimal(text)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise InvalidRecord(f"revenue is no number: {text!r}") from error
    if not amount.is_finite() or amount < 0:
        raise InvalidRecord(f"revenue below zero: {text}")
    return amount


def user_of(client: httpx.Client, session_id: str, attempt: int) -> str:
    """Ask the identity service which user a session belongs to.

    Args:
        client: its addresses start at the service.
        attempt: which one it is; the service serves those first that have asked before.

    Raises:
        ServiceAway: it cannot be reached.
        TemporaryError: it is overloaded.
        InvalidRecord: it does not know the session.
    """
    import httpx

    try:
        answer = client.get(f"/sessions/{session_id}", headers={"attempt": str(attempt)})
    except httpx.TransportError as error:
        raise ServiceAway(f"identity service: {error}") from error
    if answer.status_code == 404:
        raise InvalidRecord(f"nobody knows session {session_id}")
    if answer.status_code != 200:
        raise TemporaryError(f"identity service answered {answer.status_code}")
    return str(answer.json()["user_id"])
