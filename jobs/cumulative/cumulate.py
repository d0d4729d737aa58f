"""A day's state of all users: yesterday's, full outer joined with who was active today.

A day that is worked off again, because its events were corrected, takes all later days with it: each of them was built
on it. They are replaced in one Delta commit, so nobody sees a day that contradicts the next.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: of what type an event must be for its user to count as active
TYPES = ("view", "click", "purchase")

STATE = "user_id STRING, ds DATE, first_active DATE, last_active DATE, days_active BIGINT"
EVENT = "user_id STRING, event_type STRING, timestamp STRING"


class YesterdayMissing(LookupError):
    """The state that a day is built on is not there: this day cannot be worked off before the one before it."""


@dataclass(frozen=True)
class Layout:
    """Where things are.

    Args:
        landing: `s3a://bucket`, or a local folder.
        lake: the same.
        start: the first day there is; before it nobody was active. It never moves: history begins there.
    """

    landing: str
    lake: str
    start: date

    @property
    def table(self) -> str:
        return f"{self.lake}/cumulative/users_cumulated"

    def events(self, day: date) -> str:
        return f"{self.landing}/{events_key(day)}"


def events_key(day: date) -> str:
    """Return where the site leaves a day's events, in the landing bucket."""
    return f"clicks/{day.isoformat()}.jsonl"


def cumulate(spark: SparkSession, *, day: date, layout: Layout, storage: Mapping[str, str]) -> list[date]:
    """Make the state of a day, and of all days that were built on it, and return these days.

    Args:
        storage: delta-rs options, with which the table's days are looked up.

    Raises:
        YesterdayMissing: the day before was not worked off.
        AnalysisException: there is no file of events for one of the days.
    """
    held = days_held(layout, storage)
    require_yesterday(day, held, layout.start)
    days = [day, *sorted(one for one in held if one > day)]
    events = spark.read.schema(EVENT).json([layout.events(one) for one in days])
    rebuilt = states(yesterday(spark, day, layout), active(events, days), days)
    (
        rebuilt.write.format("delta")
        .mode("overwrite")
        .option("replaceWhere", f"ds >= '{days[0]}' AND ds <= '{days[-1]}'")
        .partitionBy("ds")
        .save(layout.table)
    )
    return days


def days_held(layout: Layout, storage: Mapping[str, str]) -> set[date]:
    """Return the days that the table has a state of."""
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(layout.table, dict(storage)):
        return set()
    table = DeltaTable(layout.table, storage_options=dict(storage))
    return {date.fromisoformat(str(part["ds"])) for part in table.partitions()}


def require_yesterday(day: date, held: Collection[date], start: date) -> None:
    """Raise unless the state of the day before is there; the first day needs none."""
    before = day - timedelta(days=1)
    if day < start:
        raise YesterdayMissing(f"{day} is before {start}, when history begins")
    if day > start and before not in held:
        raise YesterdayMissing(f"there is no state of {before}, on which that of {day} is built: run {before} first")


def yesterday(spark: SparkSession, day: date, layout: Layout) -> DataFrame:
    """Return the state of the day before; nobody's on the first day."""
    from pyspark.sql import functions as F

    if day == layout.start:
        return spark.createDataFrame([], STATE)
    return spark.read.format("delta").load(layout.table).where(F.col("ds") == day - timedelta(days=1))


def active(events: DataFrame, days: Collection[date]) -> DataFrame:
    """Return (user_id, day): who did something that counts, on which of the days, once each."""
    from pyspark.sql import functions as F

    # the text is UTC; a cast to a timestamp and back would bring in the session's time zone
    day = F.to_date(F.substring("timestamp", 1, 10)).alias("day")
    counts = F.col("user_id").isNotNull() & F.col("event_type").isin(*TYPES)
    found = events.where(counts).select("user_id", day)
    return found.where(F.col("day").between(min(days), max(days))).distinct()


def states(before: DataFrame, active: DataFrame, days: Collection[date]) -> DataFrame:
    """Return the state of each of the days.

    Args:
        before: the state of the day before the first of them.
        active: (user_id, day) of these days.
    """
    from pyspark.sql import functions as F

    spark = before.sparkSession
    wanted = spark.range(1).select(F.explode(F.array(*[F.lit(day) for day in days])).alias("ds"))
    old = before.drop("ds").crossJoin(wanted).alias("old")
    new = (
        wanted.join(active, F.col("day") <= F.col("ds"))
        .groupBy("user_id", "ds")
        .agg(F.min("day").alias("first"), F.max("day").alias("last"), F.count("day").alias("days"))
        .alias("new")
    )
    return old.join(new, ["user_id", "ds"], "full_outer").select(
        "user_id",
        "ds",
        # least and greatest leave out nulls
        F.least("first_active", "first").alias("first_active"),
        F.greatest("last_active", "last").alias("last_active"),
        (F.coalesce("days_active", F.lit(0)) + F.coalesce("days", F.lit(0))).alias("days_active"),
    )
