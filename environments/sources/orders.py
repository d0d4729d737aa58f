"""A web shop's order log: what it emits on a day, byte for byte, as a pure function of seed, orders a day, and date.

The log is what an outbox hands over: keyed records, in no order of event time. Known shares of it are defects:

======================  ===========================================================  ==================================
what                    which orders `i` of the day                                  how many of n (n a multiple of 200)
======================  ===========================================================  ==================================
late event              i % 20 == 7: one or two days before the day                  n/20
malformed JSON          i % 100 == 13: the payload is cut off                        n/100
unknown currency        i % 100 == 58: a currency that the shop never agreed on      n/100
update, the same day    i % 10 == 3: paid, another amount                            n/10
update, the day after   i % 10 == 8: shipped; the order moves to that day            n/10, of the day before
exact duplicate         i % 50 == 31 the order, i % 50 == 33 its update, once more   n/25
vanishing country       i % 200 == 8, every second day: Malta; moved the day after    n/200
======================  ===========================================================  ==================================

Two different versions of one order never share an event time: their order would depend on where the broker put them,
and so on the order in which days were produced. Exact duplicates do share it, and any of them may win.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

VOLUMES = {"dev": 200, "test": 5_000, "acc": 200_000}

#: euros for one unit, as the shop's treasury publishes them
RATES = {
    "EUR": Decimal("1"),
    "USD": Decimal("0.92131"),
    "GBP": Decimal("1.17264"),
    "SEK": Decimal("0.08793"),
    "PLN": Decimal("0.23187"),
}

_MARKETS = (("NL", "EUR"), ("DE", "EUR"), ("FR", "EUR"), ("SE", "SEK"), ("PL", "PLN"), ("US", "USD"), ("GB", "GBP"))
_DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Record:
    """One record of the log: what becomes one Kafka message."""

    key: str
    value: bytes


@dataclass(frozen=True)
class Order:
    """One version of an order; `event_time` in UTC, `cents` in the order's own currency."""

    order_id: str
    customer_id: str
    country: str
    currency: str
    cents: int
    status: str
    event_time: datetime

    def payload(self) -> bytes:
        """Return the JSON that the shop emits; the amount is text, so that nobody reads it as a float."""
        return json.dumps(
            {
                "order_id": self.order_id,
                "customer_id": self.customer_id,
                "country": self.country,
                "currency": self.currency,
                "amount": f"{self.cents // 100}.{self.cents % 100:02d}",
                "status": self.status,
                "event_time": self.event_time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            },
            separators=(",", ":"),
        ).encode()


@dataclass(frozen=True)
class OrderSource:
    """The order log of one shop.

    Args:
        seed: another seed is another shop.
        orders: new orders a day; `VOLUMES` names the usual ones.
    """

    seed: int = 42
    orders: int = VOLUMES["dev"]

    def records(self, day: date) -> list[Record]:
        """Return what the shop emits on `day`, in the order of emission, which is not the order of event times."""
        found = list(self._emitted(day))
        return [found[i] for i in sorted(range(len(found)), key=lambda i: _draw(self.seed, day, "emit", i))]

    def _emitted(self, day: date) -> Iterator[Record]:
        for i in range(self.orders):
            order = self._placed(day, i)
            whole = order.payload()
            record = Record(order.order_id, whole[: len(whole) // 2] if i % 100 == 13 else whole)
            yield record
            if i % 50 == 31:
                yield record
            if i % 10 == 3:
                update = Record(order.order_id, self._paid(day, i, order).payload())
                yield update
                if i % 50 == 33:
                    yield update
            if i % 10 == 8:
                moved = self._shipped(day, i, self._placed(day - timedelta(days=1), i))
                yield Record(moved.order_id, moved.payload())

    def _placed(self, day: date, i: int) -> Order:
        draw = _draw(self.seed, day, "order", i)
        is_maltese = i % 200 == 8 and day.toordinal() % 2 == 1
        country, currency = ("MT", "EUR") if is_maltese else _MARKETS[draw % len(_MARKETS)]
        late = timedelta(days=1 + i // 20 % 2) if i % 20 == 7 else timedelta()
        return Order(
            order_id=f"o-{day:%Y%m%d}-{i:07d}",
            customer_id=f"c-{draw // 7 % max(10, self.orders // 10):06d}",
            country=country,
            currency="XXX" if i % 100 == 58 else currency,
            cents=100 + draw // 11 % 49_900,
            status="placed",
            event_time=_at(day, i * _DAY // self.orders) - late,
        )

    def _paid(self, day: date, i: int, order: Order) -> Order:
        """Version two of an order of the same day: half of what is left of the day later."""
        start = i * _DAY // self.orders
        later = _at(day, start + (_DAY - start) // 2)
        cents = order.cents + 1 + _draw(self.seed, day, "paid", i) % 500
        return replace(order, status="paid", cents=cents, event_time=later)

    def _shipped(self, day: date, i: int, order: Order) -> Order:
        """Version two of an order of the day before: its event time, and with it its event date, moves to `day`."""
        return replace(order, status="shipped", event_time=_at(day, _draw(self.seed, day, "shipped", i) % _DAY))


def _at(day: date, microseconds: int) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _draw(*what: object) -> int:
    """Return 64 bits that depend on nothing but the arguments: no generator whose state a neighbour could move."""
    return int.from_bytes(hashlib.blake2b(repr(what).encode(), digest_size=8).digest(), "big")
