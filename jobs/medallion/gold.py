"""Gold: orders and revenue by event date and country. A date that anything moved on is made anew, and no other.

Which dates those are is read from silver's change data feed: an update that moves an order names both the date that it
left and the one that it joined. The stream's checkpoint says how far gold has followed, so a retry sees what a failed
try saw, whatever that try had done.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from jobs.common.spark import ensure_delta
from jobs.common.streams import run_available
from jobs.medallion.contract import Layout

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Gold:
    """The event dates that were made anew, as ISO dates in their order."""

    dates: list[str]


def gold(spark: SparkSession, *, layout: Layout, within: float = 540) -> Gold:
    """Make anew the event dates that silver changed on since gold last followed.

    Args:
        within: seconds.
    """
    ensure_delta(spark, layout.gold, revenue(_silver(spark, layout)), by="event_date")
    dates: set[date] = set()

    def follow(batch: DataFrame, _: int) -> None:
        touched = {row.event_date for row in batch.select("event_date").distinct().collect()}
        replace_dates(spark, touched, layout=layout)
        dates.update(touched)

    feed = spark.readStream.format("delta").option("readChangeFeed", "true").option("startingVersion", 0)
    stream = feed.load(layout.silver).writeStream.foreachBatch(follow)
    run_available(stream, checkpoint=layout.checkpoint("gold"), within=within)
    return Gold([day.isoformat() for day in sorted(dates)])


def revenue(orders: DataFrame) -> DataFrame:
    """Count orders and sum euros by event date and country; sums of decimals, so exact."""
    from pyspark.sql import functions as F

    return orders.groupBy("event_date", "country").agg(
        F.count("*").alias("orders"), F.sum("amount_eur").cast("decimal(28,2)").alias("revenue_eur")
    )


def replace_dates(spark: SparkSession, dates: Collection[date], *, layout: Layout) -> None:
    """Replace the given event dates by what silver holds for them now; a date that silver has lost becomes empty."""
    if not dates:
        return
    rows = revenue(_silver(spark, layout).where(_among(dates)))
    rows.coalesce(1).write.format("delta").mode("overwrite").option("replaceWhere", _among(dates)).save(layout.gold)


def _silver(spark: SparkSession, layout: Layout) -> DataFrame:
    return spark.read.format("delta").load(layout.silver)


def _among(dates: Collection[date]) -> str:
    literals = (f"DATE'{day.isoformat()}'" for day in sorted(dates))
    return f"event_date IN ({', '.join(literals)})"
