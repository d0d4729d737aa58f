"""Curated: a day's raw rows, one for each id, with a subject and a positive amount; the day is replaced."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.dynamic.datasets import Dataset

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def transform(spark: SparkSession, dataset: Dataset, *, source: str, target: str, day: date) -> None:
    """Replace one event date of the curated table; all other dates stay as they are.

    Args:
        source: folder of the raw table.
        target: folder of the curated table; made when it is missing.
        day: the event date, in UTC.

    Raises:
        ValueError: the raw table lacks a column; nothing is written.
    """
    raw = spark.read.format("delta").load(source)
    missing = [name for name in (*dataset.fields, "kafka_offset") if name not in raw.columns]
    if missing:
        raise ValueError(f"{source} has no column {', '.join(missing)}: nothing was written")
    rows = curated(raw, dataset, day)
    writer = rows.write.format("delta").mode("overwrite").partitionBy("event_date")
    writer.option("replaceWhere", f"event_date = '{day}'").save(target)


def curated(raw: DataFrame, dataset: Dataset, day: date) -> DataFrame:
    """Return the rows that count. Of one id the latest wins: a key is in one partition, so the offset tells."""
    from pyspark.sql import functions as F

    fields = [name for name in dataset.fields if name != dataset.key]
    # the text's own date: a session's time zone cannot move it, and a text that is none is left out, without an error
    of_day = raw.where(F.substring("event_ts", 1, 10) == str(day))
    latest = of_day.groupBy(dataset.key).agg(
        *[F.max_by(name, "kafka_offset").alias(name) for name in fields if name != dataset.amount],
        F.max_by(F.expr(f"try_cast({dataset.amount} AS decimal(12, 2))"), "kafka_offset").alias(dataset.amount),
    )
    sound = latest.where(F.col(dataset.subject).isNotNull() & (F.col(dataset.amount) > 0))
    return sound.select(
        *dataset.fields[:-1],
        F.col("event_ts").cast("timestamp").alias("event_ts"),
        F.lit(day).alias("event_date"),
        F.current_timestamp().alias("processed_at"),
    )
