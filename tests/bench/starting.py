"""How long it takes until services are there: all of them, one alone, and again for a second process."""

from __future__ import annotations

import tempfile
import time
from typing import Any

from tests.bench.rows import Row
from tests.bench.surroundings import SERVICES, session
from tests.bench.timing import in_turns, probe


def environment_start(rounds: int) -> list[Row]:
    """All four embedded services from nothing, against the one of them that takes longest alone."""
    together, *alone = in_turns(
        rounds, lambda: probe(start, *SERVICES), *(lambda name=name: probe(start, name) for name in SERVICES)
    )
    slowest, name = max(zip(alone, SERVICES, strict=True))
    return [Row("start of all four services, cold", together, f"start of {name} alone, cold", slowest, 1.2)]


def first_write(rounds: int) -> list[Row]:
    """From nothing to the first Delta table: four services, Spark and S3 among them, against Spark by itself."""
    ours, plain = in_turns(rounds, lambda: probe(first_write_from_nothing), lambda: probe(plain_spark))
    against = "plain SparkSession and first Delta write to disk, jars at hand"
    return [Row("four services cold, and the first Delta write to S3", ours, against, plain, 0.4)]


def attach(rounds: int) -> list[Row]:
    """A second process that wants the same services, against the first."""
    with session(SERVICES) as held:
        cold = held.attach_seconds
        (warm,) = in_turns(max(rounds, 5), lambda: probe(start, *SERVICES))
    return [
        Row("attach to running services", warm, "their cold start", cold, 0.1),
        Row("attach to running services, by itself", warm, "their cold start", cold, 1.0, "alone"),
    ]


def start(*services: str) -> float:
    """Start these services and nothing else; the seconds until all of them answered."""
    began = time.perf_counter()
    with session(services):
        return time.perf_counter() - began


def first_write_from_nothing() -> float:
    """Start all services and write a Delta table to S3; the seconds for both."""
    began = time.perf_counter()
    with session(SERVICES) as held, held.namespace() as namespace:
        bucket = namespace.services["s3"].slice.physical("bucket", "lake")
        write_delta(namespace.services["spark"].client, f"s3a://{bucket}/bench")
        return time.perf_counter() - began


def plain_spark() -> float:
    """Do what the documentation of Delta shows, in the quickest way: jars given as files, table on the disk."""
    from harness.engines.jars import jars

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.master("local[2]").config("spark.ui.showConsoleProgress", "false")
        builder = builder.config("spark.ui.enabled", "false")
        builder = builder.config("spark.jars", ",".join(map(str, jars("spark"))))
        builder = builder.config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        catalog = "org.apache.spark.sql.delta.catalog.DeltaCatalog"
        spark = builder.config("spark.sql.catalog.spark_catalog", catalog).getOrCreate()
        write_delta(spark, f"{folder}/bench")
        taken = time.perf_counter() - began
        spark.stop()
    return taken


def write_delta(spark: Any, path: str) -> None:
    """Write a small table; the first one loads most of Delta's classes."""
    spark.range(1000).write.format("delta").save(path)
