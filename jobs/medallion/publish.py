"""Publishes gold to `public.daily_revenue`: the event dates that differ are deleted and inserted in one transaction.

What differs is found by comparing the two tables, which are small (a row for each date and country). The list that
`gold` returned would miss the dates of a run that ended between writing gold and publishing it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from jobs.medallion.contract import Layout

if TYPE_CHECKING:
    import psycopg

#: (event date, country) to (orders, revenue in EUR)
Revenue = dict[tuple[date, str], tuple[int, Decimal]]

_TABLE = """
CREATE TABLE IF NOT EXISTS public.daily_revenue (
    event_date date NOT NULL,
    country text NOT NULL,
    orders bigint NOT NULL,
    revenue_eur numeric(28, 2) NOT NULL,
    PRIMARY KEY (event_date, country)
)
"""


@dataclass(frozen=True)
class Published:
    """The event dates that were replaced, as ISO dates in their order, and the rows that stand there now."""

    dates: list[str]
    rows: int


def publish(*, dsn: str, layout: Layout, storage: Mapping[str, str]) -> Published:
    """Make the published table equal to gold.

    Args:
        dsn: the warehouse.
        storage: delta-rs options for the lake; empty for a local folder.
    """
    import psycopg

    wanted = read_gold(layout, storage)
    with psycopg.connect(dsn) as connection:
        connection.execute(_TABLE)
        # readers go on; a second publisher would compare with what this one is about to replace, so it waits
        connection.execute("LOCK TABLE public.daily_revenue IN SHARE ROW EXCLUSIVE MODE")
        dates = stale_dates(wanted, read_published(connection))
        rows = [(*key, *value) for key, value in sorted(wanted.items()) if key[0] in dates]
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM public.daily_revenue WHERE event_date = ANY(%s)", [sorted(dates)])
            cursor.executemany("INSERT INTO public.daily_revenue VALUES (%s, %s, %s, %s)", rows)
    return Published([day.isoformat() for day in sorted(dates)], len(rows))


def stale_dates(wanted: Revenue, published: Revenue) -> set[date]:
    """Return the event dates on which the two differ in any country, those that only one of them has included."""
    return {day for day, _ in dict(wanted.items() ^ published.items())}


def read_gold(layout: Layout, storage: Mapping[str, str]) -> Revenue:
    """Read the gold table; delta-rs, since a Spark job costs more than all the rest of this task."""
    from deltalake import DeltaTable

    table = DeltaTable(layout.gold.replace("s3a://", "s3://", 1), storage_options=dict(storage))
    rows = table.to_pyarrow_table(columns=["event_date", "country", "orders", "revenue_eur"]).to_pylist()
    return {(row["event_date"], row["country"]): (row["orders"], row["revenue_eur"]) for row in rows}


def read_published(connection: psycopg.Connection) -> Revenue:
    """Read the published table."""
    rows = connection.execute("SELECT event_date, country, orders, revenue_eur FROM public.daily_revenue").fetchall()
    return {(day, country): (orders, revenue) for day, country, orders, revenue in rows}
