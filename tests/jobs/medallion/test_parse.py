from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from environments.sources.orders import RATES
from jobs.medallion.parse import latest, orders, parsed, rejects
from tests.jobs.medallion.messages import order

pytestmark = [pytest.mark.slow, pytest.mark.needs("spark")]

MALFORMED = {
    "cut off": b'{"order_id": "o-1", "customer',
    "not JSON": b"order 1",
    "empty": b"",
    "tombstone": None,
    "array": b"[1, 2]",
    "text": b'"order"',
    "number": b"7",
    "null": b"null",
    "not UTF-8": b'{"order_id": "\xff\xfe"',
}

DEFECTS = {
    "missing_order_id": order(order_id=None),
    "missing_country": order(country=" "),
    "missing_currency": order(currency=None),
    "missing_status": order(status=""),
    "invalid_event_time": order(event_time="2026-01-01T12:00:00"),
    "invalid_event_time of no calendar": order(event_time="2026-02-30T12:00:00Z"),
    "invalid_event_time in words": order(event_time="yesterday"),
    "invalid_amount": order(amount="ten"),
    "invalid_amount with a third decimal": order(amount="10.005"),
    "invalid_amount below zero": order(amount="-1.00"),
    "invalid_amount of eleven digits": order(amount="12345678901.00"),
    "unknown_currency": order(currency="XXX"),
    "unknown_currency in small letters": order(currency="eur"),
}


def test_each_defect_gets_its_reason(bronze_rows):
    payloads = [*MALFORMED.values(), *DEFECTS.values(), order()]
    wanted = ["malformed_json"] * len(MALFORMED) + [name.split()[0] for name in DEFECTS] + [None]

    rows = parsed(bronze_rows((i, "k", payload) for i, payload in enumerate(payloads)), RATES)
    seen = {row.kafka_offset: row.reason for row in rows.collect()}

    assert [seen[i] for i in range(len(payloads))] == wanted


def test_an_agreed_currency_without_a_rate_waits_for_it(bronze_rows):
    rows = bronze_rows([(0, "k", order(currency="USD")), (1, "k", order(currency="EUR"))])

    assert [row.reason for row in parsed(rows, {"EUR": Decimal(1)}).orderBy("kafka_offset").collect()] == [
        "no_rate",
        None,
    ]
    assert {row.reason for row in parsed(rows, {}).collect()} == {"no_rate"}


def test_a_sound_order_is_typed_and_in_euros(bronze_rows):
    payload = order("o-7", currency="USD", amount="19.99", event_time="2026-01-01T23:59:59.999999Z")
    row = orders(parsed(bronze_rows([(3, "o-7", payload)]), RATES)).first()

    assert row.amount == Decimal("19.99")
    assert row.amount_eur == Decimal("18.42")
    assert row.event_time.astimezone(UTC) == datetime(2026, 1, 1, 23, 59, 59, 999999, tzinfo=UTC)
    assert row.event_date == date(2026, 1, 1)
    assert (row.kafka_partition, row.kafka_offset) == (0, 3)


def test_half_a_cent_is_rounded_up(bronze_rows):
    rows = bronze_rows(
        [(0, "a", order("a", currency="USD", amount="0.01")), (1, "b", order("b", currency="USD", amount="0.03"))]
    )
    euros = [row.amount_eur for row in orders(parsed(rows, {"USD": Decimal("0.5")})).orderBy("order_id").collect()]

    assert euros == [Decimal("0.01"), Decimal("0.02")]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_the_event_date_is_the_utc_date_whatever_the_session_thinks(spark, bronze_rows, zone):
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        times = {0: "2026-01-01T00:00:00Z", 1: "2026-01-01T23:59:59.9Z", 2: "2026-01-02T00:30:00+01:00"}
        rows = bronze_rows((i, "k", order(event_time=time)) for i, time in times.items())
        seen = [row.event_date for row in parsed(rows, RATES).select("event_date").collect()]
    finally:
        spark.conf.set("spark.sql.session.timeZone", before)

    assert seen == [date(2026, 1, 1)] * 3


def test_the_latest_version_wins_by_event_time_then_by_place(bronze_rows):
    rows = bronze_rows(
        [
            (0, "a", order("a", event_time="2026-01-01T12:00:00Z", status="new")),
            (1, "a", order("a", event_time="2026-01-01T11:00:00Z", status="old")),
            (2, "b", order("b", status="first")),
            (3, "b", order("b", status="second")),
        ]
    )
    kept = latest(orders(parsed(rows, RATES))).orderBy("order_id").collect()

    assert [(row.order_id, row.status, row.kafka_offset) for row in kept] == [("a", "new", 0), ("b", "second", 3)]


def test_a_reject_keeps_its_bytes_and_its_place_once(bronze_rows):
    rows = bronze_rows([(5, "o-9", b"{oops"), (5, "o-9", b"{oops"), (6, "o-1", order())])
    kept = rejects(parsed(rows, RATES)).collect()

    assert [(row.kafka_offset, row.key, bytes(row.raw), row.reason) for row in kept] == [
        (5, "o-9", b"{oops", "malformed_json")
    ]
