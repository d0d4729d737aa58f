"""Decides whether every message is accounted for, exactly once, and whether the warehouse shows what the lake holds.

Conservation: each coordinate of the topic is in bronze, and each coordinate of bronze is either the version that
silver holds of its order, or in quarantine, or superseded by a later version that silver does hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

from jobs.medallion.contract import NO_RATE, VERSION, Layout
from jobs.medallion.parse import parsed
from jobs.medallion.produce import Produced
from jobs.medallion.publish import Revenue, read_gold, read_published, stale_dates
from jobs.medallion.rates import Rates, read_rates

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession


class AuditFailed(ValueError):
    """The layers do not add up. A second try would count the same rows, so none is worth it."""


@dataclass(frozen=True)
class Census:
    """What became of the distinct coordinates of bronze.

    Args:
        bronze: how many there are; the next three add up to it when all is well.
        in_topic: those among the offsets that the topic held when this run had produced.
        silver, superseded, quarantined: as the module says.
        waiting: those in quarantine for want of a rate.
        twice: in silver and in quarantine.
        lost: in none of the three.
        silver_rows: rows of the silver table.
        revenue_eur: their sum.
    """

    bronze: int
    in_topic: int
    silver: int
    superseded: int
    quarantined: int
    waiting: int
    twice: int
    lost: int
    silver_rows: int
    revenue_eur: Decimal


@dataclass(frozen=True)
class Stores:
    """Where the layers are.

    Args:
        layout: the tables of the lake.
        storage: delta-rs options for it; empty for a local folder.
        dsn: the warehouse.
    """

    layout: Layout
    storage: Mapping[str, str]
    dsn: str


def audit(spark: SparkSession, *, produced: Produced, stores: Stores) -> dict[str, int | str]:
    """Return the numbers of the census when all of them add up.

    Args:
        produced: what `produce` found in the topic after it had sent.

    Raises:
        AuditFailed: with every number that does not, and what to do.
    """
    import psycopg

    census = take_census(spark, layout=stores.layout, ranges=produced.ranges)
    with psycopg.connect(stores.dsn) as connection:
        published = read_published(connection)
    complaints = [
        *rate_complaints(census, read_rates(stores.dsn)),
        *census_complaints(census, produced.records),
        *revenue_complaints(census, read_gold(stores.layout, stores.storage), published),
    ]
    if complaints:
        raise AuditFailed("; ".join(complaints))
    return {name: value if isinstance(value, int) else str(value) for name, value in asdict(census).items()}


def take_census(spark: SparkSession, *, layout: Layout, ranges: Mapping[str, list[int]]) -> Census:
    """Count what became of each coordinate, in one pass over bronze joined with silver and quarantine.

    Args:
        ranges: partition to its first offset and the one after its last, in the topic.
    """
    from pyspark.sql import functions as F

    place = ["kafka_partition", "kafka_offset"]
    # without any rate, a sound record is one that lacks nothing but a rate
    records = parsed(_table(spark, layout.bronze).dropDuplicates(place), {})
    bronze = records.select(*place, "order_id", "event_time", (F.col("reason") == NO_RATE).alias("is_sound"))
    silver = _table(spark, layout.silver)
    held = silver.select("order_id", F.struct(*VERSION).alias("held"))
    aside = _table(spark, layout.quarantine).select(*place, "reason")
    rows = bronze.join(held, "order_id", "left").join(aside, place, "left")

    own, put_aside = F.struct(*VERSION), F.col("reason").isNotNull()
    is_silver = F.coalesce(F.col("held") == own, F.lit(False))
    is_older = F.coalesce(F.col("is_sound") & (F.col("held") > own), F.lit(False))
    counts = {
        "bronze": F.lit(True),
        "in_topic": _within(ranges),
        "silver": is_silver,
        "superseded": is_older & ~put_aside,
        "quarantined": put_aside,
        "waiting": F.col("reason") == NO_RATE,
        "twice": is_silver & put_aside,
        "lost": ~is_silver & ~is_older & ~put_aside,
    }
    found = rows.agg(*(F.count_if(counted).alias(name) for name, counted in counts.items())).crossJoin(
        silver.agg(F.count("*").alias("silver_rows"), F.sum("amount_eur").alias("revenue_eur"))
    )
    row: dict[str, Any] = found.collect()[0].asDict()
    return Census(**row | {"revenue_eur": row["revenue_eur"] or Decimal(0)})


def rate_complaints(census: Census, rates: Rates) -> Iterator[str]:
    """Complain about broken rates and about the orders that wait for one."""
    if rates.problems:
        broken = ", ".join(f"{currency}: {problem}" for currency, problem in sorted(rates.problems.items()))
        yield (
            f"currency table broken ({broken}), {census.waiting} orders wait in quarantine; "
            "correct public.currency_rates and clear from silver"
        )
    elif census.waiting:
        yield f"{census.waiting} orders wait for a rate that is there now; clear from silver"


def census_complaints(census: Census, records: int) -> Iterator[str]:
    """Complain about messages that are missing, lost or counted twice."""
    if census.in_topic != records:
        yield f"the topic holds {records} messages, bronze {census.in_topic} of them"
    total = census.silver + census.superseded + census.quarantined
    if total != census.bronze or census.twice or census.lost:
        yield (
            f"{census.bronze} coordinates in bronze, but {census.silver} in silver + {census.superseded} superseded + "
            f"{census.quarantined} quarantined = {total} ({census.lost} lost, {census.twice} in silver and quarantine)"
        )
    if census.silver_rows != census.silver:
        yield f"silver has {census.silver_rows} rows, of which {census.silver} come from bronze"


def revenue_complaints(census: Census, gold: Revenue, published: Revenue) -> Iterator[str]:
    """Complain about sums that differ between silver, gold and the warehouse."""
    orders, euros = _sums(gold)
    if (orders, euros) != (census.silver_rows, census.revenue_eur):
        yield f"gold has {orders} orders worth {euros} EUR, silver {census.silver_rows} worth {census.revenue_eur} EUR"
    if stale := stale_dates(gold, published):
        there, sold = _sums(published)
        yield (
            f"gold has {orders} orders worth {euros} EUR, public.daily_revenue {there} worth {sold} EUR; "
            f"they differ on {', '.join(day.isoformat() for day in sorted(stale)[:5])}"
        )


def _sums(revenue: Revenue) -> tuple[int, Decimal]:
    return sum(orders for orders, _ in revenue.values()), sum((eur for _, eur in revenue.values()), Decimal(0))


def _within(ranges: Mapping[str, list[int]]) -> Column:
    from pyspark.sql import functions as F

    parts = [
        (F.col("kafka_partition") == int(part)) & F.col("kafka_offset").between(first, end - 1)
        for part, (first, end) in ranges.items()
    ]
    return reduce(lambda some, other: some | other, parts, F.lit(False))


def _table(spark: SparkSession, path: str) -> DataFrame:
    return spark.read.format("delta").load(path)
