"""Bronze: every message of the topic, as it came, once: raw bytes and where the broker put them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.common.spark import ensure_delta
from jobs.common.streams import kafka_stream, run_available
from jobs.medallion.contract import Layout

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Bronze:
    """Rows appended: messages that came since the last run."""

    appended: int


def bronze(
    spark: SparkSession, *, topic: str, config: Mapping[str, Any], layout: Layout, within: float = 540
) -> Bronze:
    """Append what is new in the topic to the bronze table.

    Exactly once: Kafka's offsets are in the checkpoint, and Delta's sink writes a batch's number into the commit, so
    that a batch that is played again is recognised.

    Args:
        config: the broker's client settings.
        within: seconds.
    """
    rows = as_bronze(kafka_stream(spark, topic, config))
    ensure_delta(spark, layout.bronze, rows)  # a stream without a message would leave no table to read
    sink = rows.writeStream.format("delta").option("path", layout.bronze).outputMode("append")
    return Bronze(run_available(sink, checkpoint=layout.checkpoint("bronze"), within=within))


def as_bronze(messages: DataFrame) -> DataFrame:
    """Keep the raw message and its coordinates; the topic's name stays out, since every stage calls it otherwise."""
    return messages.selectExpr(
        "partition as kafka_partition",
        "offset as kafka_offset",
        "timestamp as kafka_timestamp",
        "cast(key as string) as key",
        "value as raw",
    )
