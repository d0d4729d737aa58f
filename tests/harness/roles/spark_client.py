"""Programs that the tests run in processes of their own: `python spark_client.py NAME ARGUMENTS`.

They are written as job code is: a plain getOrCreate(), and names from outside.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from harness.services.spark import install

#: seconds that one client waits for the other
PATIENCE = 120.0


def tell(answer: object) -> None:
    sys.stdout.write(f"{answer}\n")


def stream(servers: str, topic: str, path: str, mine: str, other: str) -> None:
    """Stream a topic into a Delta table, and meet the other client inside the first batch."""
    spark = SparkSession.builder.appName(topic).getOrCreate()
    source = spark.readStream.format("kafka").option("kafka.bootstrap.servers", servers)
    messages = source.option("subscribe", topic).option("startingOffsets", "earliest").load()

    def save(batch: DataFrame, _number: int) -> None:
        Path(mine).touch()
        until = time.monotonic() + PATIENCE
        while not Path(other).exists():
            if time.monotonic() > until:
                raise TimeoutError("the other client never came to its batch")
            time.sleep(0.02)
        rows = batch.selectExpr("cast(value as string) as value", f"{os.getpid()} as pid")
        rows.write.format("delta").mode("append").save(path)

    query = messages.writeStream.foreachBatch(save).option("checkpointLocation", f"{path}-checkpoint")
    query.trigger(availableNow=True).start().awaitTermination()
    tell(os.getpid())


def hang(mine: str) -> None:
    """Run a job that does not end; say so first."""
    spark = SparkSession.builder.getOrCreate()
    spark.range(1).createOrReplaceTempView("of_the_one_that_hangs")
    Path(mine).touch()
    spark.range(10**13).selectExpr("sum(id % 7)").collect()


def stop(_unused: str) -> None:
    """Do what scripts do at their end."""
    spark = SparkSession.builder.getOrCreate()
    tell(spark.range(5).count())
    spark.stop()


def views(_unused: str) -> None:
    """Tell which tables this client sees."""
    spark = SparkSession.builder.getOrCreate()
    tell(",".join(sorted(table.name for table in spark.catalog.listTables())))


PROGRAMS: dict[str, Callable[..., None]] = {"stream": stream, "hang": hang, "stop": stop, "views": views}

if __name__ == "__main__":
    install()
    PROGRAMS[sys.argv[1]](*sys.argv[2:])
