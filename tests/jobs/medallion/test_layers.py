from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal

import pytest
from deltalake import DeltaTable

from environments.sources.orders import RATES
from jobs.medallion.audit import census_complaints, take_census
from jobs.medallion.gold import gold, replace_dates
from jobs.medallion.parse import orders, parsed
from jobs.medallion.publish import read_gold
from jobs.medallion.rates import judge
from jobs.medallion.silver import Silver, absorb, ensure_tables, release, silver, upsert
from tests.jobs.medallion.messages import order

pytestmark = [pytest.mark.slow, pytest.mark.needs("spark")]

ALL = judge(list(RATES.items()))
NO_DOLLAR = judge([row for row in RATES.items() if row[0] != "USD"])
JAN_1, JAN_2 = date(2026, 1, 1), date(2026, 1, 2)


@pytest.fixture
def take(spark, layout, append, bronze_rows):
    """Appends messages to bronze and merges them, as one batch of the stream does."""

    def run(*messages, rates=ALL):
        append(messages)
        ensure_tables(spark, layout)
        return absorb(bronze_rows(messages), layout=layout, rates=rates)

    return run


@pytest.fixture
def statuses(layout):
    """Silver as {order id: status}."""
    return lambda: {row["order_id"]: row["status"] for row in rows_of(layout.silver)}


def test_silver_takes_later_versions_only_and_counts_what_it_did(layout, take, statuses):
    paid = order("a", status="paid", event_time="2026-01-01T12:00:00Z")
    placed = order("a", status="placed", event_time="2026-01-01T09:00:00Z")
    shipped = order("a", status="shipped", event_time="2026-01-02T09:00:00Z")

    assert take((0, "a", paid), (1, "x", b"{")) == Silver(inserted=1, quarantined=1)
    assert take((2, "a", placed)) == Silver()
    assert statuses() == {"a": "paid"}
    assert take((3, "a", shipped)) == Silver(updated=1)
    assert statuses() == {"a": "shipped"}
    assert [row["reason"] for row in rows_of(layout.quarantine)] == ["malformed_json"]


def test_silver_may_lose_its_checkpoint_and_ends_the_same(spark, layout, append):
    append([(0, "a", order("a")), (1, "a", order("a", event_time="2026-01-01T13:00:00Z")), (2, "x", b"{")])
    assert silver(spark, layout=layout, rates=ALL) == Silver(inserted=1, quarantined=1)
    before = rows_of(layout.silver), rows_of(layout.quarantine)
    shutil.rmtree(layout.checkpoint("silver"))

    assert silver(spark, layout=layout, rates=ALL) == Silver()
    assert (rows_of(layout.silver), rows_of(layout.quarantine)) == before


def test_an_order_that_waits_for_a_rate_gets_into_silver_when_there_is_one(spark, layout, take, statuses):
    messages = (0, "a", order("a", currency="USD")), (1, "b", order("b"))
    assert take(*messages, rates=NO_DOLLAR) == Silver(inserted=1, quarantined=1)

    assert release(spark, layout=layout, rates=ALL) == Silver(inserted=1, released=1)
    assert statuses() == {"a": "placed", "b": "placed"}
    assert rows_of(layout.quarantine) == []


def test_a_crash_between_release_and_its_bookkeeping_is_repaired(spark, layout, take, bronze_rows, statuses):
    message = (0, "a", order("a", currency="USD"))
    take(message, rates=NO_DOLLAR)
    upsert(orders(parsed(bronze_rows([message]), RATES)), layout=layout)
    crashed = take_census(spark, layout=layout, ranges={"0": [0, 1]})

    assert (crashed.twice, crashed.lost) == (1, 0)
    assert release(spark, layout=layout, rates=ALL) == Silver(released=1)
    assert statuses() == {"a": "placed"}
    assert rows_of(layout.quarantine) == []


def test_gold_makes_anew_the_date_that_an_order_left_and_no_other(spark, layout, take):
    take((0, "a", order("a", country="MT")), (1, "b", order("b", event_time="2025-12-31T08:00:00Z")))
    assert gold(spark, layout=layout).dates == ["2025-12-31", "2026-01-01"]
    untouched = files_of(layout.gold, "2025-12-31")

    take((2, "a", order("a", country="MT", event_time="2026-01-02T08:00:00Z")))

    assert gold(spark, layout=layout).dates == ["2026-01-01", "2026-01-02"]
    ten = (1, Decimal("10.00"))
    assert read_gold(layout, {}) == {(date(2025, 12, 31), "NL"): ten, (JAN_2, "MT"): ten}
    assert untouched == files_of(layout.gold, "2025-12-31") != []


def test_gold_may_crash_after_its_write_and_ends_the_same(spark, layout, take):
    take((0, "a", order("a")), (1, "b", order("b", amount="2.50")))
    gold(spark, layout=layout)
    replace_dates(spark, [JAN_1], layout=layout)
    shutil.rmtree(layout.checkpoint("gold"))

    assert gold(spark, layout=layout).dates == ["2026-01-01"]
    assert read_gold(layout, {}) == {(JAN_1, "NL"): (2, Decimal("12.50"))}


def test_the_census_accounts_for_each_message_once(spark, layout, take):
    dollars = order("b", currency="USD")
    sound = (0, "a", order("a")), (1, "a", order("a"))
    take(*sound, (2, "x", b"{"), (2, "x", b"{"), (3, "b", dollars), rates=NO_DOLLAR)
    census = take_census(spark, layout=layout, ranges={"0": [1, 3]})

    assert (census.bronze, census.silver, census.superseded, census.quarantined) == (4, 1, 1, 2)
    assert (census.in_topic, census.waiting, census.twice, census.lost) == (2, 1, 0, 0)
    assert (census.silver_rows, census.revenue_eur) == (1, Decimal("10.00"))


def test_the_census_finds_a_message_that_silver_dropped(spark, layout, take):
    take((0, "a", order("a")), (1, "b", order("b")))
    DeltaTable(layout.silver).delete("order_id = 'b'")
    census = take_census(spark, layout=layout, ranges={"0": [0, 2]})

    assert list(census_complaints(census, 2)) == [
        "2 coordinates in bronze, but 1 in silver + 0 superseded + 0 quarantined = 1 "
        "(1 lost, 0 in silver and quarantine)"
    ]


def rows_of(path):
    """Read a table with the reader that the harness uses too."""
    return DeltaTable(path).to_pyarrow_table().to_pylist()


def files_of(path, day):
    return sorted(uri for uri in DeltaTable(path).file_uris() if f"event_date={day}" in uri)
