from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal

import pytest
from deltalake import DeltaTable

from environments.sources.orders import RATES
from jobs.medallion.audit import census_complaints, rate_complaints, take_census
from jobs.medallion.gold import gold, replace_dates
from jobs.medallion.parse import orders, parsed
from jobs.medallion.publish import read_gold, stale_dates
from jobs.medallion.rates import judge
from jobs.medallion.silver import Silver, release, silver, upsert
from tests.unit.medallion.messages import order

ALL = judge(list(RATES.items()))
NO_DOLLAR = judge([row for row in RATES.items() if row[0] != "USD"])
JAN_1, JAN_2 = date(2026, 1, 1), date(2026, 1, 2)


@pytest.fixture
def table(layout):
    """Reads a table as a list of dictionaries, with the reader that the harness uses too."""
    return lambda path, *columns: DeltaTable(path).to_pyarrow_table(columns=list(columns) or None).to_pylist()


@pytest.fixture
def statuses(layout, table):
    """Silver as {order id: status}."""
    return lambda: {row["order_id"]: row["status"] for row in table(layout.silver, "order_id", "status")}


def test_silver_takes_later_versions_only_and_counts_what_it_did(spark, layout, append, statuses, table):
    append([(0, "a", order("a", status="paid", event_time="2026-01-01T12:00:00Z")), (1, "x", b"{")])
    assert silver(spark, layout=layout, rates=ALL) == Silver(inserted=1, quarantined=1)

    append([(2, "a", order("a", status="placed", event_time="2026-01-01T09:00:00Z"))])
    assert silver(spark, layout=layout, rates=ALL) == Silver()

    append([(3, "a", order("a", status="shipped", event_time="2026-01-02T09:00:00Z"))])
    assert silver(spark, layout=layout, rates=ALL) == Silver(updated=1)
    assert statuses() == {"a": "shipped"}
    assert [row["reason"] for row in table(layout.quarantine)] == ["malformed_json"]


def test_silver_may_lose_its_checkpoint_and_ends_the_same(spark, layout, append, table):
    append(
        [(0, "a", order("a")), (1, "a", order("a", amount="11.00", event_time="2026-01-01T13:00:00Z")), (2, "x", b"{")]
    )
    silver(spark, layout=layout, rates=ALL)
    before = table(layout.silver), table(layout.quarantine)
    shutil.rmtree(layout.checkpoint("silver"))

    assert silver(spark, layout=layout, rates=ALL) == Silver()
    assert (table(layout.silver), table(layout.quarantine)) == before


def test_an_order_that_waits_for_a_rate_gets_into_silver_when_there_is_one(spark, layout, append, statuses, table):
    append([(0, "a", order("a", currency="USD")), (1, "b", order("b"))])
    assert silver(spark, layout=layout, rates=NO_DOLLAR) == Silver(inserted=1, quarantined=1)

    assert silver(spark, layout=layout, rates=ALL) == Silver(inserted=1, released=1)
    assert statuses() == {"a": "placed", "b": "placed"}
    assert table(layout.quarantine) == []


def test_a_crash_between_release_and_its_bookkeeping_is_repaired(spark, layout, append, bronze_rows, statuses):
    messages = [(0, "a", order("a", currency="USD"))]
    append(messages)
    silver(spark, layout=layout, rates=NO_DOLLAR)
    upsert(orders(parsed(bronze_rows(messages), RATES)), layout=layout)
    assert take_census(spark, layout=layout, ranges={"0": [0, 1]}).twice == 1

    assert release(spark, layout=layout, rates=ALL) == Silver(released=1)
    assert statuses() == {"a": "placed"}
    assert take_census(spark, layout=layout, ranges={"0": [0, 1]}).twice == 0


def test_gold_makes_anew_the_date_that_an_order_left_and_no_other(spark, layout, append):
    append([(0, "a", order("a", country="MT")), (1, "b", order("b", event_time="2025-12-31T08:00:00Z"))])
    silver(spark, layout=layout, rates=ALL)
    assert gold(spark, layout=layout).dates == ["2025-12-31", "2026-01-01"]
    untouched = files_of(layout.gold, "2025-12-31")

    append([(2, "a", order("a", country="MT", event_time="2026-01-02T08:00:00Z"))])
    silver(spark, layout=layout, rates=ALL)

    assert gold(spark, layout=layout).dates == ["2026-01-01", "2026-01-02"]
    assert read_gold(layout, {}) == {
        (date(2025, 12, 31), "NL"): (1, Decimal("10.00")),
        (JAN_2, "MT"): (1, Decimal("10.00")),
    }
    assert files_of(layout.gold, "2025-12-31") == untouched
    assert gold(spark, layout=layout).dates == []


def test_gold_may_crash_after_its_write_and_ends_the_same(spark, layout, append):
    append([(0, "a", order("a")), (1, "b", order("b", amount="2.50"))])
    silver(spark, layout=layout, rates=ALL)
    gold(spark, layout=layout)
    replace_dates(spark, [JAN_1], layout=layout)
    shutil.rmtree(layout.checkpoint("gold"))

    assert gold(spark, layout=layout).dates == ["2026-01-01"]
    assert read_gold(layout, {}) == {(JAN_1, "NL"): (2, Decimal("12.50"))}


def test_the_census_accounts_for_each_message_once(spark, layout, append):
    append(
        [
            (0, "a", order("a")),
            (1, "a", order("a")),
            (2, "x", b"{"),
            (2, "x", b"{"),
            (3, "b", order("b", currency="USD")),
        ]
    )
    silver(spark, layout=layout, rates=NO_DOLLAR)
    census = take_census(spark, layout=layout, ranges={"0": [1, 3]})

    assert (census.bronze, census.silver, census.superseded, census.quarantined) == (4, 1, 1, 2)
    assert (census.in_topic, census.waiting, census.twice, census.lost) == (2, 1, 0, 0)
    assert (census.silver_rows, census.revenue_eur) == (1, Decimal("10.00"))
    assert list(census_complaints(census, 2)) == []


def test_the_census_finds_a_message_that_silver_dropped(spark, layout, append):
    append([(0, "a", order("a")), (1, "b", order("b"))])
    silver(spark, layout=layout, rates=ALL)
    DeltaTable(layout.silver).delete("order_id = 'b'")
    census = take_census(spark, layout=layout, ranges={"0": [0, 2]})

    assert census.lost == 1
    assert list(census_complaints(census, 3)) == [
        "the topic holds 3 messages, bronze 2 of them",
        "2 coordinates in bronze, but 1 in silver + 0 superseded + 0 quarantined = 1 "
        "(1 lost, 0 in silver and quarantine)",
    ]


def test_a_broken_currency_table_is_complained_about_with_what_to_do(spark, layout, append):
    append([(0, "a", order("a", currency="USD"))])
    silver(spark, layout=layout, rates=NO_DOLLAR)
    census = take_census(spark, layout=layout, ranges={"0": [0, 1]})

    assert list(rate_complaints(census, NO_DOLLAR)) == [
        "currency table broken (USD: no rate), 1 orders wait in quarantine; "
        "correct public.currency_rates and clear from silver"
    ]
    assert list(rate_complaints(census, ALL)) == ["1 orders wait for a rate that is there now; clear from silver"]


def test_the_dates_to_publish_are_those_on_which_any_country_differs():
    one, two = (1, Decimal("1.00")), (2, Decimal("2.00"))
    wanted = {(JAN_1, "NL"): one, (JAN_2, "NL"): two}

    assert stale_dates(wanted, wanted) == set()
    assert stale_dates(wanted, {(JAN_1, "NL"): one, (JAN_2, "NL"): one}) == {JAN_2}
    assert stale_dates(wanted, wanted | {(JAN_1, "MT"): one}) == {JAN_1}
    assert stale_dates({}, wanted) == {JAN_1, JAN_2}


def files_of(path: str, day: str) -> list[str]:
    return sorted(DeltaTable(path).file_uris([("event_date", "=", day)]))
