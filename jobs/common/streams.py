"""How a task runs a stream: until all that is available is done, and never beyond a deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql.streaming import DataStreamWriter


class StreamDeadline(TimeoutError):
    """A stream had not worked off what was available when its time was up."""


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
