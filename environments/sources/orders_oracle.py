"""What the orders pipeline must make of the order log, computed in plain Python from the bytes on the wire.

It shares no code with the jobs, and does not ask the generator which records it broke.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from environments.sources.orders import RATES, OrderSource, Record

Gold = dict[tuple[date, str], tuple[int, Decimal]]


@dataclass(frozen=True)
class Expected:
    """The exact outcome for a set of days.

    Args:
        records: messages in the topic, rows in bronze, and distinct (partition, offset).
        silver: order id to (event time, country, status, EUR).
        superseded: valid records that a later version of their order replaced, or that repeat it.
        quarantined: reason to number of records.
        gold: (event date, country) to (orders, revenue in EUR).
    """

    records: int
    silver: dict[str, tuple[datetime, str, str, Decimal]]
    superseded: int
    quarantined: dict[str, int]
    gold: Gold = field(repr=False)

    @property
    def revenue(self) -> Decimal:
        return sum((eur for _, eur in self.gold.values()), Decimal(0))


def expected(source: OrderSource, days: Collection[date], rates: dict[str, Decimal] = RATES) -> Expected:
    """Return what the pipeline must hold after it ran each of `days`, in whatever order, as often as one likes."""
    return outcome((record for day in sorted(set(days)) for record in source.records(day)), rates)


def outcome(records: Iterable[Record], rates: dict[str, Decimal]) -> Expected:
    """Return the outcome for records as they arrive.

    A currency of the shop that `rates` lacks puts its orders aside as `no_rate`; one that the shop never agreed on is
    `unknown_currency`. EUR are rounded half up, order by order.
    """
    total = valid = 0
    reasons: Counter[str] = Counter()
    latest: dict[str, dict[str, Any]] = {}
    for record in records:
        total += 1
        order = _parsed(record.value)
        reason = _complaint(order, rates)
        if order is None or reason:
            reasons[reason or "malformed_json"] += 1
            continue
        valid += 1
        held = latest.get(order["order_id"])
        if held is None or order["event_time"] >= held["event_time"]:
            latest[order["order_id"]] = order
    silver = {key: _row(order, rates) for key, order in latest.items()}
    return Expected(total, silver, valid - len(silver), dict(reasons), _gold(silver.values()))


def _parsed(value: bytes) -> dict[str, Any] | None:
    try:
        order: dict[str, Any] = json.loads(value)
    except ValueError:
        return None
    return order


def _complaint(order: dict[str, Any] | None, rates: dict[str, Decimal]) -> str | None:
    if order is None:
        return "malformed_json"
    if order["currency"] not in RATES:
        return "unknown_currency"
    return None if order["currency"] in rates else "no_rate"


def _row(order: dict[str, Any], rates: dict[str, Decimal]) -> tuple[datetime, str, str, Decimal]:
    eur = (Decimal(order["amount"]) * rates[order["currency"]]).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return datetime.fromisoformat(order["event_time"]), order["country"], order["status"], eur


def _gold(rows: Iterable[tuple[datetime, str, str, Decimal]]) -> Gold:
    gold: Gold = {}
    for event_time, country, _, eur in rows:
        orders, revenue = gold.get((event_time.date(), country), (0, Decimal(0)))
        gold[event_time.date(), country] = orders + 1, revenue + eur
    return gold
