from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from harness import expect_objects, expect_table, expect_topic
from harness.errors import ConfigError, ServiceError
from harness.services.kafka_clients import Message

SALES = """
CREATE TABLE sales (
    day date, shop text, eur numeric(10, 2) NOT NULL, seen timestamptz DEFAULT now(), PRIMARY KEY (day, shop)
);
INSERT INTO sales VALUES ('2026-01-01', 'a', 1.50, '2026-01-02T00:00Z'), ('2026-01-01', 'b', 2, '2026-01-02T00:00Z')
"""


@pytest.fixture
def warehouse(postgres: Any) -> Any:
    postgres.client_for("audit").execute(SALES)
    return postgres


def test_a_table_that_holds_what_is_expected_passes(warehouse: Any) -> None:
    seen = datetime(2026, 1, 2, tzinfo=UTC)
    rows = [(date(2026, 1, 1), "b", 2, seen), ("2026-01-01", "a", Decimal("1.5"), seen)]

    expect_table(warehouse, "audit.public.sales", rows)
    expect_table(warehouse, "audit.public.sales", [row[:3] for row in rows], ignore=["seen"])
    expect_table(warehouse, "audit.public.sales", [("b",), ("a",)], columns=["shop"])
    expect_table(warehouse, "audit.public.sales", [{"shop": "a"}, {"shop": "b"}], columns=["shop"])


def test_a_changed_cell_is_told_by_the_tables_own_key(warehouse: Any) -> None:
    rows = [("2026-01-01", "a", "1.50"), ("2026-01-01", "b", "2.01"), ("2026-01-02", "a", 3)]

    with pytest.raises(AssertionError) as told:
        expect_table(warehouse, "audit.public.sales", rows, ignore=["seen"])

    assert str(told.value).splitlines() == [
        "audit.public.sales: 1 missing, 1 changed; found 2 rows, expected 3",
        "  missing     day=2026-01-02, shop='a', eur=3",
        "  changed     day=2026-01-01, shop='b': eur is 2.00, expected 2.01",
    ]


def test_a_table_that_is_not_there_is_told_with_those_that_are(warehouse: Any) -> None:
    with pytest.raises(AssertionError, match=r"no table audit\.public\.sale; there are: public\.sales"):
        expect_table(warehouse, "audit.public.sale", [])
    with pytest.raises(AssertionError, match=r"no table sales; there are: none"):
        expect_table(warehouse, "sales", [])


def test_an_empty_table_is_no_table_full_of_rows(postgres: Any) -> None:
    postgres.client.execute("CREATE TABLE void (id int)")

    expect_table(postgres, "void", [])
    with pytest.raises(AssertionError, match="1 missing; found 0 rows, expected 1"):
        expect_table(postgres, "warehouse.public.void", [(1,)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"columns": ["shop", "total"]}, "has no column total; it has day, shop, eur, seen", id="column"),
        pytest.param({"rows": [(1, 2)]}, "a row of 2 values for 4 columns", id="values"),
        pytest.param({"key": "id"}, "has no column id", id="key"),
    ],
)
def test_a_mistake_is_told_as_one(options: dict[str, Any], said: str, warehouse: Any) -> None:
    with pytest.raises(ConfigError, match=said):
        expect_table(warehouse, "audit.public.sales", **{"rows": [], **options})


def test_a_delta_table_is_compared_by_its_content(s3: Any) -> None:
    import pyarrow as pa
    from deltalake import write_deltalake

    where, options = f"s3://{s3.physical('lake')}/gold/sales", s3.storage_options()
    for shop, eur in (("a", "1.50"), ("b", "2.00")):
        content = {"shop": [shop], "eur": pa.array([Decimal(eur)], pa.decimal128(10, 2))}
        write_deltalake(where, pa.table(content), mode="append", storage_options=options)

    expect_table(s3, "lake/gold/sales", [("b", 2), ("a", "1.5")])
    with pytest.raises(AssertionError, match=r"shop='b': eur is 2\.00, expected 3"):
        expect_table(s3, "lake/gold/sales/", [("b", 3), ("a", "1.5")], key="shop")
    with pytest.raises(AssertionError, match="no Delta table lake/gold/sale"):
        expect_table(s3, "lake/gold/sale", [])


def test_objects_are_compared_by_key_and_content(s3: Any) -> None:
    for key, body in {"d/a.json": b'{"n": 1, "m": [2]}', "d/b.txt": b"two", "d/c.bin": b"\xff\x00", "e": b""}.items():
        s3.client.put_object(Bucket=s3.physical("lake"), Key=key, Body=body)

    expect_objects(s3, "lake/d/", {"a.json": {"m": [2], "n": 1}, "b.txt": "two", "c.bin": b"\xff\x00"})
    expect_objects(s3, "lake/d/", {"a.json": '{"n": 1, "m": [2]}', "b.txt": None, "c.bin": None})
    expect_objects(s3, "landing/", {})
    with pytest.raises(AssertionError) as told:
        expect_objects(s3, "lake/d/", {"a.json": {"n": 2}, "b.txt": b"two", "c.bin": b"\xff\x01", "x": None})

    text = str(told.value)
    assert "lake/d/: 1 missing, 2 changed; found 3 objects, expected 4" in text
    assert "key='x'" in text
    assert "key='a.json': content is {'n': 1, 'm': [2]}, expected {'n': 2}" in text
    assert "key='c.bin': content is '2 bytes, sha256" in text


def test_messages_are_compared_as_text_or_as_json(kafka: Any) -> None:
    kafka.client.produce("orders", [("a", '{"n": 1, "m": 2}'), ("b", None), ("a", "{broken")])

    expect_topic(kafka, "orders", [("a", {"m": 2, "n": 1}), ("a", "{broken"), ("b", None)])
    expect_topic(kafka, "orders", [(b"a", b'{"n": 1, "m": 2}'), ("b", None), ("a", "{broken")], in_order=True)
    with pytest.raises(AssertionError, match="1 missing, 1 unexpected; found 3 messages, expected 3"):
        expect_topic(kafka, "orders", [("a", {"m": 3}), ("a", "{broken"), ("b", None)])
    with pytest.raises(AssertionError, match="place=1: value is"):
        expect_topic(kafka, "orders", [("a", "{broken"), ("a", '{"n": 1, "m": 2}'), ("b", None)], in_order=True)


def test_headers_and_partitions_count_where_they_are_named(kafka: Any) -> None:
    kafka.client.produce("orders", [Message(b"v", b"k", (("source", b"shop"),), partition=2)])

    expect_topic(kafka, "orders", [("k", "v")])
    expect_topic(kafka, "orders", [{"key": "k", "value": "v", "headers": {"source": "shop"}, "partition": 2}])
    with pytest.raises(AssertionError, match="1 missing"):
        expect_topic(kafka, "orders", [{"key": "k", "value": "v", "headers": {}, "partition": 2}])


def test_a_topic_that_is_not_there_is_no_empty_topic(kafka: Any) -> None:
    expect_topic(kafka, "events", [])
    with pytest.raises(ServiceError, match="topic"):
        expect_topic(kafka, "nothing", [])
