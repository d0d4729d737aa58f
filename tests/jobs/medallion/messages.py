"""Payloads of the order log, made by hand."""

from __future__ import annotations

import json
from typing import Any


def order(order_id: str = "o-1", **changed: Any) -> bytes:
    """The payload of a sound order, with fields changed; a field set to None is left out."""
    fields = {
        "order_id": order_id,
        "customer_id": "c-1",
        "country": "NL",
        "currency": "EUR",
        "amount": "10.00",
        "status": "placed",
        "event_time": "2026-01-01T12:00:00.000000Z",
    } | changed
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()
