"""What the parts of the pipeline agree on: the message, the currencies, the tables, and why a record is put aside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

#: currencies that the shop sells in; each must have a rate, and any other is a defect of the record
CURRENCIES = ("EUR", "GBP", "PLN", "SEK", "USD")

#: the message; all text, because a cast of our own can tell which field is wrong
FIELDS = ("order_id", "customer_id", "country", "currency", "amount", "status", "event_time")

#: reason of a record that is sound and waits for its currency's rate; the other reasons are final
NO_RATE = "no_rate"

#: what orders versions of one order: the shop's clock first, then the broker's order, which no duplicate shares
VERSION = ("event_time", "kafka_partition", "kafka_offset")

#: silver's columns
ORDER = (
    "order_id",
    "customer_id",
    "country",
    "currency",
    "amount",
    "amount_eur",
    "status",
    "event_time",
    "event_date",
    "kafka_partition",
    "kafka_offset",
)


@dataclass(frozen=True)
class Layout:
    """Where the tables are.

    Args:
        root: `s3a://bucket`, or a local folder.
    """

    root: str

    @property
    def bronze(self) -> str:
        return f"{self.root}/bronze/orders"

    @property
    def silver(self) -> str:
        return f"{self.root}/silver/orders"

    @property
    def quarantine(self) -> str:
        return f"{self.root}/quarantine/orders"

    @property
    def gold(self) -> str:
        return f"{self.root}/gold/daily_revenue"

    def checkpoint(self, layer: str) -> str:
        """Return the checkpoint of the stream that fills `layer`."""
        return f"{self.root}/checkpoints/orders_{layer}"


def landing_key(day: date) -> str:
    """Return where the shop leaves a day's file of its log, in the landing bucket."""
    return f"orders/{day.isoformat()}.tsv"
