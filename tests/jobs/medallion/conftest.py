from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from jobs.medallion.contract import Layout

COLUMNS = "kafka_partition INT, kafka_offset BIGINT, kafka_timestamp TIMESTAMP, key STRING, raw BINARY"

Message = tuple[int, str, bytes | None]


@pytest.fixture
def bronze_rows(spark: Any) -> Callable[[Iterable[Message]], Any]:
    """Makes a frame like bronze of (offset, key, payload), all in partition 0."""

    def make(messages: Iterable[Message]) -> Any:
        rows = [(0, offset, None, key, value) for offset, key, value in messages]
        return spark.createDataFrame(rows, COLUMNS)

    return make


@pytest.fixture
def layout(tmp_path: Any) -> Layout:
    return Layout(str(tmp_path / "lake"))


@pytest.fixture
def append(layout: Layout, bronze_rows: Any) -> Callable[[Iterable[Message]], None]:
    """Appends messages to the bronze table of this test."""

    def run(messages: Iterable[Message]) -> None:
        bronze_rows(messages).write.format("delta").mode("append").save(layout.bronze)

    return run
