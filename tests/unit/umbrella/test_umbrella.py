from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import httpx
import pytest
import time_machine

from environments.sources.umbrella import SWITCH, UmbrellaSource, app, new_item, old_export
from environments.sources.umbrella_oracle import expected
from harness._compat.dagbag import load_dag_bag
from jobs.umbrella import clean, fetch
from jobs.umbrella.contract import ERP_SWITCH_DATE, uses_old_erp
from jobs.umbrella.demand import join
from jobs.umbrella.model import fit

SOURCE = UmbrellaSource(stores=60)
DAY = date(2026, 1, 2)


@pytest.mark.parametrize(("day", "old"), [(1, True), (2, False), (3, False)], ids=["before", "at", "after"])
def test_the_switch_date_itself_belongs_to_the_new_erp(day, old):
    assert uses_old_erp(date(2026, 1, day)) is old
    assert ERP_SWITCH_DATE == SWITCH


def test_both_erps_end_in_the_same_rows():
    rows = list(SOURCE.sales(DAY))
    old = clean.clean_sales_old(old_export(iter(rows)).encode())
    new = clean.clean_sales_new(json.dumps([new_item(row) for row in rows]).encode())

    assert old == new
    assert len(old) == 57  # of 60 stores, 3 told no units; 3 were told twice


def test_fahrenheit_is_rounded_half_up_and_a_broken_thermometer_is_left_out():
    raw = b'[{"city": "a", "temp_f": 50.0, "rain_mm": 1.5}, {"city": "b", "temp_f": null, "rain_mm": 0.0},'
    raw += b' {"city": "c", "temp_f": 32.9, "rain_mm": 0.0}]'

    found = {row.city: (row.temp_c, row.rain_mm) for row in clean.clean_weather(raw)}

    assert found == {"a": (Decimal("10.00"), Decimal("1.5")), "c": (Decimal("0.50"), Decimal("0.0"))}


def test_rows_survive_the_store():
    sales = clean.clean_sales_old(old_export(SOURCE.sales(DAY)).encode())

    assert clean.sales_of(clean.to_json(sales)) == sales


def test_the_fit_is_the_oracles():
    day = expected(SOURCE, DAY)
    model = fit([(units, temp, rain) for units, _, temp, rain in day.demand.values()], DAY)

    assert (model.intercept, model.per_degree, model.per_mm) == pytest.approx(day.coefficients, abs=1e-6)


def test_a_sale_without_weather_is_not_joined():
    sales = clean.clean_sales_old(b"filiale;ort;stueck;umsatz\n1;here;2;25,90\n2;there;1;12,95\n")
    weather = clean.clean_weather(b'[{"city": "here", "temp_f": 50.0, "rain_mm": 1.5}]')

    assert join(sales, weather) == [(1, 2, Decimal("25.90"), Decimal("10.00"), Decimal("1.5"))]


@pytest.fixture
def company():
    """A client of the real application, in this process."""
    from starlette.testclient import TestClient

    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize(
    ("ask", "day", "other"),
    [
        (fetch.fetch_sales_old, SWITCH - timedelta(days=1), SWITCH),
        (fetch.fetch_sales_new, SWITCH, SWITCH - timedelta(days=1)),
    ],
    ids=["old", "new"],
)
def test_each_erp_answers_for_its_own_days_alone(company, ask, day, other):
    assert ask(company, day)

    with pytest.raises(httpx.HTTPStatusError, match=r"404|410"):
        ask(company, other)


@pytest.fixture(scope="module")
def latest_only():
    return load_dag_bag("dags/umbrella").dags["umbrella_sales"].get_task("latest_only")


@pytest.mark.parametrize(
    ("now", "goes_on"),
    [
        ("2026-01-01T00:00:00", False),
        ("2026-01-02T00:00:00", True),
        ("2026-01-03T00:00:00", True),
        ("2026-01-03T00:00:01", False),
    ],
    ids=["at its start", "at its end", "at the next one's end", "after that"],
)
def test_an_interval_is_the_newest_until_the_next_one_ends(latest_only, now, goes_on):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    run = SimpleNamespace(
        run_type="scheduled",
        logical_date=start,
        data_interval_start=start,
        data_interval_end=start + timedelta(days=1),
        run_after=start,
    )
    with time_machine.travel(datetime.fromisoformat(now).replace(tzinfo=UTC), tick=False):
        assert latest_only.choose_branch({"dag_run": run}) == (["deploy_model"] if goes_on else [])
