from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.dynamic import batch_transformations
from jobs.dynamic.datasets import DATASETS

pytestmark = pytest.mark.needs("spark")

CLAIMS = DATASETS["claims"]
DAY_1, DAY_2 = date(2026, 1, 1), date(2026, 1, 2)


def row(key, day, offset, amount="10.00", subject="POL1"):
    values = (key, subject, "auto", amount, "open", f"{day}T23:59:59Z")
    return dict(zip(CLAIMS.fields, values, strict=True)) | {"kafka_offset": offset}


@pytest.fixture
def lake(tmp_path):
    """Writes a raw table, and returns folders for it and for the curated one."""

    def write(*rows, without=()):
        schema = pa.schema([(name, pa.string()) for name in CLAIMS.fields] + [("kafka_offset", pa.int64())])
        table = pa.Table.from_pylist(list(rows), schema).drop_columns(list(without))
        write_deltalake(str(tmp_path / "raw"), table, mode="overwrite", schema_mode="overwrite")
        return str(tmp_path / "raw"), str(tmp_path / "curated")

    return write


def held(folder):
    rows = DeltaTable(folder).to_pyarrow_table().to_pylist()
    return sorted((one["event_date"], one["claim_id"], one["claim_amount"]) for one in rows)


def test_a_day_is_cleaned_of_each_defect(spark, lake):
    source, target = lake(
        row("sound", DAY_1, 1),
        row("twice", DAY_1, 2, "1.00"),
        row("twice", DAY_1, 3, "2.00"),
        row("nobody's", DAY_1, 4, subject=None),
        row("negative", DAY_1, 5, "-1.00"),
        row("nothing", DAY_1, 6, "0.00"),
        row("no number", DAY_1, 7, "ten"),
        row("tomorrow's", DAY_2, 8),
    )
    batch_transformations.transform(spark, CLAIMS, source=source, target=target, day=DAY_1)

    assert held(target) == [(DAY_1, "sound", Decimal("10.00")), (DAY_1, "twice", Decimal("2.00"))]


def test_a_column_that_is_missing_is_named_before_anything_is_written(spark, lake):
    source, target = lake(row("sound", DAY_1, 1), without=["policy_id"])

    with pytest.raises(ValueError, match="no column policy_id"):
        batch_transformations.transform(spark, CLAIMS, source=source, target=target, day=DAY_1)
    assert not Path(target).exists()


def two_days_stand_side_by_side(spark, lake, transform):
    """Run two days, and one of them again; then that day without messages."""
    source, target = lake(row("one", DAY_1, 1), row("two", DAY_2, 2))
    for day in (DAY_1, DAY_2, DAY_2):
        transform(spark, CLAIMS, source=source, target=target, day=day)
    assert held(target) == [(DAY_1, "one", Decimal("10.00")), (DAY_2, "two", Decimal("10.00"))]
    lake(row("one", DAY_1, 1))
    transform(spark, CLAIMS, source=source, target=target, day=DAY_2)
    assert held(target) == [(DAY_1, "one", Decimal("10.00"))]


def test_a_day_is_replaced_and_the_others_stay(spark, lake):
    two_days_stand_side_by_side(spark, lake, batch_transformations.transform)


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_a_write_that_is_not_of_one_day_is_found_out(spark, lake, mode):
    """A plain overwrite erases the other days, and an append doubles the day."""

    def write_all(spark, dataset, *, source, target, day):
        rows = batch_transformations.curated(spark.read.format("delta").load(source), dataset, day)
        rows.write.format("delta").mode(mode).partitionBy("event_date").save(target)

    with pytest.raises(AssertionError):
        two_days_stand_side_by_side(spark, lake, write_all)
