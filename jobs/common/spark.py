"""Where a task's Spark session comes from: the platform's, when it offers one; stopped only by whoever made it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@contextmanager
def spark_session(app: str) -> Iterator[SparkSession]:
    """Lend the session of this process, or one made for the occasion and stopped afterwards.

    Args:
        app: what the session is called in Spark's own pages, when it has to be made.
    """
    from pyspark.sql import SparkSession

    found = SparkSession.getActiveSession()
    spark = found or SparkSession.builder.appName(app).getOrCreate()
    try:
        yield spark
    finally:
        if found is None:
            spark.stop()


def ensure_delta(spark: SparkSession, path: str, like: DataFrame, *, by: str | None = None, cdf: bool = False) -> None:
    """Create an empty Delta table unless it exists: a MERGE and a stream need a target and a source to be there.

    Args:
        path: the table's folder.
        like: a frame with its columns.
        by: the column that it is partitioned by.
        cdf: keep the change data feed. It must be on from the first version: what was not recorded cannot be read.
    """
    from delta.tables import DeltaTable

    if DeltaTable.isDeltaTable(spark, path):
        return
    table = DeltaTable.createIfNotExists(spark).location(path).addColumns(like.schema)
    if by:
        table = table.partitionedBy(by)
    if cdf:
        table = table.property("delta.enableChangeDataFeed", "true")
    table.execute()
