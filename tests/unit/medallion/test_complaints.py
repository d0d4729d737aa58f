from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from environments.sources.orders import RATES
from jobs.medallion.audit import Census, census_complaints, rate_complaints, revenue_complaints
from jobs.medallion.publish import stale_dates
from jobs.medallion.rates import judge

JAN_1, JAN_2 = date(2026, 1, 1), date(2026, 1, 2)
ONE, TWO = (1, Decimal("1.00")), (2, Decimal("2.00"))
GOLD = {(JAN_1, "NL"): ONE, (JAN_2, "NL"): TWO}
ALL = judge(list(RATES.items()))
NO_DOLLAR = judge([row for row in RATES.items() if row[0] != "USD"])

SOUND = Census(
    bronze=7,
    in_topic=7,
    silver=3,
    superseded=2,
    quarantined=2,
    waiting=0,
    twice=0,
    lost=0,
    silver_rows=3,
    revenue_eur=Decimal("3.00"),
)


def complaints(census=SOUND, *, records=7, rates=ALL, gold=GOLD, published=GOLD):
    return [
        *rate_complaints(census, rates),
        *census_complaints(census, records),
        *revenue_complaints(census, gold, published),
    ]


def test_layers_that_add_up_are_not_complained_about():
    assert complaints() == []


@pytest.mark.parametrize(
    ("census", "said"),
    [
        pytest.param({"in_topic": 6}, "the topic holds 7 messages, bronze 6 of them", id="missing in bronze"),
        pytest.param(
            {"silver": 2, "silver_rows": 2, "lost": 1, "revenue_eur": Decimal("3.00")},
            "7 coordinates in bronze, but 2 in silver + 2 superseded + 2 quarantined = 6 (1 lost",
            id="lost",
        ),
        pytest.param({"twice": 1, "quarantined": 3}, "= 8 (0 lost, 1 in silver and quarantine)", id="counted twice"),
        pytest.param({"silver_rows": 4}, "silver has 4 rows, of which 3 come from bronze", id="row from nowhere"),
        pytest.param(
            {"revenue_eur": Decimal("3.01")},
            "gold has 3 orders worth 3.00 EUR, silver 3 worth 3.01 EUR",
            id="gold behind silver",
        ),
    ],
)
def test_what_does_not_add_up_is_named_with_its_numbers(census, said):
    assert said in "; ".join(complaints(replace(SOUND, **census)))


def test_a_warehouse_that_differs_from_gold_is_named_with_both_sums_and_the_dates():
    (said,) = complaints(published={(JAN_1, "NL"): ONE, (JAN_2, "NL"): ONE})

    assert said == (
        "gold has 3 orders worth 3.00 EUR, public.daily_revenue 2 worth 2.00 EUR; they differ on 2026-01-02"
    )


def test_equal_sums_do_not_hide_a_difference():
    swapped = {(JAN_1, "NL"): TWO, (JAN_2, "NL"): ONE}

    assert "they differ on 2026-01-01, 2026-01-02" in complaints(published=swapped)[0]


def test_a_broken_currency_table_is_complained_about_with_what_to_do():
    assert complaints(replace(SOUND, waiting=1), rates=NO_DOLLAR) == [
        "currency table broken (USD: no rate), 1 orders wait in quarantine; "
        "correct public.currency_rates and clear from silver"
    ]


def test_an_order_that_still_waits_for_a_rate_that_is_there_is_complained_about():
    assert complaints(replace(SOUND, waiting=1)) == ["1 orders wait for a rate that is there now; clear from silver"]


def test_the_dates_to_publish_are_those_on_which_any_country_differs():
    assert stale_dates(GOLD, GOLD) == set()
    assert stale_dates(GOLD, {(JAN_1, "NL"): ONE, (JAN_2, "NL"): ONE}) == {JAN_2}
    assert stale_dates(GOLD, GOLD | {(JAN_1, "MT"): ONE}) == {JAN_1}
    assert stale_dates({}, GOLD) == {JAN_1, JAN_2}
