from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from harness.errors import ConfigError
from harness.runner.dates import Plan, local, plan
from harness.runner.request import Dates

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def scheduled():
    """Make the scheduler's form of a DAG with a schedule."""
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    def make(schedule, start=datetime(2025, 1, 1, tzinfo=UTC)):
        return DagSerialization.deserialize_dag(
            DagSerialization.serialize_dag(DAG("one", schedule=schedule, start_date=start))
        )

    return make


def hours(plans: list[Plan]) -> list[str]:
    return [one.logical_date.astimezone(UTC).strftime("%d %H:%M") for one in plans if one.logical_date]


@pytest.mark.parametrize(("day", "count"), [("2026-03-29", 23), ("2026-03-30", 24), ("2025-10-26", 25)])
def test_day_has_as_many_hours_as_its_time_zone_gives_it(scheduled, day: str, count: int):
    import pendulum
    from airflow.sdk import CronDataIntervalTimetable

    zone = pendulum.timezone("Europe/Amsterdam")
    dag = scheduled(CronDataIntervalTimetable("0 * * * *", timezone=zone), datetime(2025, 1, 1, tzinfo=zone))
    assert len(plan(dag, Dates(date=day), None, NOW)) == count


def test_date_is_read_in_the_time_zone_of_the_dag(scheduled):
    import pendulum

    zone = pendulum.timezone("America/New_York")
    dag = scheduled("0 */12 * * *", datetime(2025, 1, 1, tzinfo=zone))
    assert hours(plan(dag, Dates(date="2026-01-02"), None, NOW)) == ["02 05:00", "02 17:00"]


def test_timedelta_keeps_the_timetables_own_answer(scheduled):
    from datetime import timedelta

    (one,) = plan(scheduled(timedelta(days=1)), Dates(date="2026-01-02"), None, NOW)
    assert one.data_interval is not None
    assert one.data_interval[0] == one.data_interval[1]


def test_timestamp_that_the_timetable_does_not_have_is_a_manual_run(scheduled):
    (one,) = plan(scheduled("@daily"), Dates(date="2026-01-02T07:30:00+00:00"), None, NOW)
    assert (one.manual, hours([one])) == (True, ["02 07:30"])


def test_without_a_date_the_last_run_that_was_due_is_meant(scheduled):
    assert hours(plan(scheduled("0 6 * * *"), Dates(), None, NOW)) == ["01 06:00"]


def test_range_of_a_dag_without_schedule_is_a_manual_run_a_day(scheduled):
    plans = plan(scheduled(None), Dates(from_=date(2026, 1, 1), to=date(2026, 1, 2)), None, NOW)
    assert [(one.manual, one.logical_date) for one in plans] == [
        (True, datetime(2026, 1, 1, tzinfo=UTC)),
        (True, datetime(2026, 1, 2, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (Dates(date="yesterday"), "is not a date"),
        (Dates(date="2026-02-30"), "is not a date"),
        (Dates(from_=date(2026, 1, 2), to=date(2026, 1, 1)), "is after the last"),
        (Dates(date="2026-06-02"), "is not due"),
    ],
)
def test_dates_that_make_no_run_are_refused(scheduled, dates: Dates, words: str):
    with pytest.raises(ConfigError, match=words):
        plan(scheduled("@daily"), dates, None, NOW)


def test_dates_for_seeds_are_those_of_the_dags_own_time_zone(scheduled):
    import pendulum

    zone = pendulum.timezone("Europe/Amsterdam")
    dag = scheduled("@daily", datetime(2025, 1, 1, tzinfo=zone))
    plans = plan(dag, Dates(date="2026-03-30"), None, NOW)
    assert hours(plans) == ["29 22:00"]
    assert [f"{one:%d %H:%M}" for one in local(dag, plans) if one] == ["30 00:00"]


def test_dag_that_assets_start_can_be_run_for_any_day(scheduled):
    from airflow.sdk import Asset

    days = Dates.model_validate({"from": "2026-01-02", "to": "2026-01-03"})
    assert hours(plan(scheduled([Asset("orders")]), days, None, NOW)) == ["02 00:00", "03 00:00"]
