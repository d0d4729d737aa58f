"""Puts in place what `orders_medallion` reads: a file of the order log for each day, and the currency table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from environments.sources.orders import RATES, VOLUMES, OrderSource
from jobs.medallion.contract import landing_key

if TYPE_CHECKING:
    from harness.environment.spec import DataSpec

_TABLE = "CREATE TABLE IF NOT EXISTS public.currency_rates (currency text PRIMARY KEY, eur numeric)"


def seed(services: Mapping[str, Any], dates: Iterable[date], data: DataSpec) -> None:
    """Write the log of each date to the landing bucket, and the currency table; the same content at each call.

    A currency table that has rows stays as it is, so that a test can break it between two runs.

    Args:
        services: by name; `s3` and `postgres` are used.
        dates: days of the log. A logical date of this pipeline is the first instant of its day.
        data: volume and seed.
    """
    source = OrderSource(data.seed, VOLUMES[data.volume])
    s3 = services["s3"]
    bucket = s3.physical("landing")
    for day in dates:
        s3.client.put_object(Bucket=bucket, Key=landing_key(day), Body=as_file(source, day))
    put_rates(services["postgres"].client_for("warehouse"))


def as_file(source: OrderSource, day: date) -> bytes:
    """Return a day's log as the outbox dumps it: a line `key<TAB>payload` for each record."""
    return b"".join(b"%b\t%b\n" % (record.key.encode(), record.value) for record in source.records(day))


def put_rates(connection: Any) -> None:
    """Make the currency table of `connection`'s database, and fill it when it is empty."""
    connection.execute(_TABLE)
    if connection.execute("SELECT count(*) FROM public.currency_rates").fetchone() == (0,):
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO public.currency_rates VALUES (%s, %s)", list(RATES.items()))
    connection.commit()
