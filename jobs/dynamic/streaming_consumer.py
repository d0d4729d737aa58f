"""Raw: each message of a topic once, with its fields as text and its place; what is no JSON is kept in `_corrupt`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jobs.common.spark import ensure_delta
from jobs.common.streams import kafka_stream, run_available
from jobs.dynamic.datasets import Dataset

#: seconds for all that is new in the topic
WITHIN = 540.0

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def consume(spark: SparkSession, dataset: Dataset, *, topic: str, config: Mapping[str, Any], raw: str) -> int:
    """Append what is new in the topic, and end: after a stream that never ends the next task would never start.

    Args:
        topic: to read.
        config: the broker's client settings.
        raw: the table's folder. The stream's checkpoint is beside it, so that no two sources share one.

    Returns:
        How many messages were read.
    """
    rows = as_raw(kafka_stream(spark, topic, config), dataset)
    ensure_delta(spark, raw, rows)  # a topic without a message would leave no table to read
    sink = rows.writeStream.format("delta").option("path", raw).outputMode("append")
    return run_available(sink, checkpoint=f"{raw}_checkpoint", within=WITHIN)


def as_raw(messages: DataFrame, dataset: Dataset) -> DataFrame:
    """Take the fields out of the payload; all are text, because a cast of our own can tell which one is wrong."""
    from pyspark.sql import functions as F

    schema = ", ".join(f"{name} STRING" for name in (*dataset.fields, "_corrupt"))
    parsed = F.from_json(F.col("value").cast("string"), schema, {"columnNameOfCorruptRecord": "_corrupt"})
    return messages.select(
        parsed.alias("row"),
        F.col("partition").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        F.current_timestamp().alias("ingested_at"),
    ).select("row.*", "kafka_partition", "kafka_offset", "ingested_at")
