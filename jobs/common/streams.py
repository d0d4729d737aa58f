"""How a task runs a stream: until all that is available is done, and never beyond a deadline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import DataStreamWriter


class StreamDeadline(TimeoutError):
    """A stream had not worked off what was available when its time was up."""


def kafka_stream(spark: SparkSession, topic: str, config: Mapping[str, Any]) -> DataFrame:
    """Return a stream of a topic's committed messages, from its beginning.

    Offsets that the broker no longer has stop the stream (failOnDataLoss): a gap is an accident, never a quiet skip.

    Args:
        config: the broker's client settings; those that Spark's reader knows are handed on.
    """
    options = {f"kafka.{name}": str(value) for name, value in config.items() if _is_known(name)}
    return (
        spark.readStream.format("kafka")
        .options(**options)
        .option("kafka.isolation.level", "read_committed")
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("failOnDataLoss", "true")
        .load()
    )


def _is_known(setting: str) -> bool:
    """Tell whether a setting of librdkafka's means the same to the Java client that Spark's reader is."""
    return setting == "bootstrap.servers" or setting.startswith("security.")


def run_available(writer: DataStreamWriter, *, checkpoint: str, within: float) -> int:
    """Run a stream once over all that is new since its checkpoint, and return how many rows it read.

    The query lives in the driver, not in this process, so whatever ends the wait (an error, a deadline, Airflow's
    execution timeout) ends the query too: else the next try would meet it on the same checkpoint.

    Args:
        writer: a stream with its sink set, and no trigger.
        checkpoint: the folder that remembers what was done; one for each stream, and never another's.
        within: seconds.

    Raises:
        StreamDeadline: it was still running then.
        StreamingQueryException: it failed.
    """
    query = writer.option("checkpointLocation", checkpoint).trigger(availableNow=True).start()
    try:
        if not query.awaitTermination(within):
            raise StreamDeadline(f"stream on {checkpoint} still had work after {within:.0f} s: {query.status}")
        return sum(progress["numInputRows"] for progress in query.recentProgress)
    finally:
        query.stop()
