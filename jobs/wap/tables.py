"""Writes the staging and the published table with Spark, a day at a time, and reads a version of them without."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from jobs.wap.contract import FIELDS, NOISE

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from pyspark.sql import DataFrame, SparkSession


def stage(spark: SparkSession, source: str, *, staging: str, day: date) -> None:
    """Put a day's cleaned events in the place of what the staging table holds for it.

    Copies of a row are one row; rows of nobody and noise are left out. Two rows of one id that differ both stay: which
    one is right is not ours to say, so an audit will.

    Raises:
        Py4JJavaError: a line of the source is no JSON (FAILFAST); a line that is lost must not go unnoticed.
    """
    from pyspark.sql import functions as f

    events = spark.read.schema(FIELDS).option("mode", "FAILFAST").json(source)
    kept = events.where(f.col("user_id").isNotNull() & ~f.col("event_type").eqNullSafe(NOISE)).distinct()
    replace_day(kept.withColumn("event_date", f.lit(day)), staging, day)


def publish(spark: SparkSession, *, staging: str, version: int, published: str, day: date) -> None:
    """Put a day of one version of staging, the one that was audited, in the place of the published day."""
    from pyspark.sql import functions as f

    audited = spark.read.format("delta").option("versionAsOf", version).load(staging)
    replace_day(audited.where(f.col("event_date") == f.lit(day)), published, day)


def replace_day(rows: DataFrame, path: str, day: date) -> None:
    """Overwrite one partition in one commit: a reader sees the old day or the new one."""
    writer = rows.coalesce(1).write.format("delta").partitionBy("event_date").mode("overwrite")
    writer.option("replaceWhere", f"event_date = '{day.isoformat()}'").save(path)


def open_table(path: str, storage: Mapping[str, str], version: int | None = None) -> DeltaTable:
    """Open a table with delta-rs: a Spark job costs more than all that an audit does."""
    from deltalake import DeltaTable

    return DeltaTable(path.replace("s3a://", "s3://", 1), version=version, storage_options=dict(storage))


def of_day(table: DeltaTable, day: date) -> pa.Table:
    """Return a day's rows."""
    import pyarrow.compute as pc

    return table.to_pyarrow_dataset().to_table(filter=pc.field("event_date") == day)
