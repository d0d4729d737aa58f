from __future__ import annotations

import json
import random
from datetime import date, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from environments.sources.orders import RATES, VOLUMES, OrderSource, Record
from environments.sources.orders_oracle import expected, outcome

DAY = date(2026, 1, 1)
DAYS = [DAY + timedelta(days=i) for i in range(3)]


def test_a_day_is_the_same_whoever_asks_and_whatever_was_asked_before():
    random.seed(1)
    first = OrderSource(42, 200).records(DAY)
    OrderSource(42, 200).records(DAYS[1])
    random.seed(2)

    assert OrderSource(42, 200).records(DAY) == first


def test_another_seed_is_another_shop():
    assert OrderSource(42, 200).records(DAY) != OrderSource(43, 200).records(DAY)


@pytest.mark.parametrize("orders", [VOLUMES["dev"], VOLUMES["test"]])
def test_the_defects_have_the_stated_shares(orders):
    records = OrderSource(42, orders).records(DAY)
    seen = expected(OrderSource(42, orders), [DAY])

    assert seen.records == len(records) == orders + orders // 10 * 2 + orders // 25
    assert len(records) - len(set(records)) == orders // 25
    assert seen.quarantined == {"malformed_json": orders // 100, "unknown_currency": orders // 100 * 2}
    early = [row for row in seen.silver.values() if row[0].date() < DAY]
    assert len(early) == orders // 20
    assert {row[0].date() for row in early} == {DAY - timedelta(days=1), DAY - timedelta(days=2)}


def test_two_different_versions_of_an_order_never_share_an_event_time():
    source = OrderSource(42, 1000)
    versions = {record.value for day in DAYS for record in source.records(day)}
    times = [(o["order_id"], o["event_time"]) for o in map(as_json, versions) if o]

    assert len(times) == len(set(times))


def test_no_order_of_arrival_changes_the_outcome():
    records = [record for day in DAYS for record in OrderSource(42, 200).records(day)]
    in_order = outcome(records, RATES)
    random.Random(7).shuffle(records)

    assert outcome(records, RATES) == in_order


def test_the_outcome_of_three_days_holds_for_each_order_of_the_days():
    source = OrderSource(42, 200)
    by_day = {day: source.records(day) for day in DAYS}

    outcomes = [outcome([r for day in days for r in by_day[day]], RATES) for days in permutations(DAYS)]

    assert all(other == outcomes[0] for other in outcomes)


def test_the_next_day_takes_a_country_away_from_a_date():
    source = OrderSource(42, 200)

    assert (DAY, "MT") in expected(source, [DAY]).gold
    assert (DAY, "MT") not in expected(source, DAYS[:2]).gold


def test_the_expected_outcome_of_a_few_records_is_the_one_worked_out_by_hand():
    def record(**fields):
        whole = {"order_id": "a", "country": "US", "currency": "USD", "amount": "10.00", "status": "placed"} | fields
        return Record(whole["order_id"], json.dumps(whole).encode())

    seen = outcome(
        [
            record(event_time="2026-01-01T23:59:59.000000Z"),
            record(event_time="2026-01-02T00:00:00.000000Z", amount="10.05"),
            record(event_time="2026-01-02T00:00:00.000000Z", amount="10.05"),
            record(order_id="b", event_time="2026-01-02T08:00:00.000000Z", currency="EUR"),
            record(order_id="c", event_time="2026-01-02T08:00:00.000000Z", currency="XXX"),
            record(order_id="d", event_time="2026-01-02T08:00:00.000000Z", currency="GBP"),
            Record("e", b'{"order_id": "e'),
        ],
        {"EUR": Decimal(1), "USD": Decimal("0.5")},
    )

    assert (seen.records, len(seen.silver), seen.superseded) == (7, 2, 2)
    assert seen.quarantined == {"unknown_currency": 1, "no_rate": 1, "malformed_json": 1}
    assert seen.gold == {(date(2026, 1, 2), "US"): (2, Decimal("15.03"))}


def as_json(value):
    try:
        return json.loads(value)
    except ValueError:
        return None
