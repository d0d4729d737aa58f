"""Sales of a day, compared and opened to readers: choose >> (weekday >> tidy | sunday) >> compare >> publish."""

from datetime import timedelta

import pendulum
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, CronDataIntervalTimetable, task

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


@task.branch
def choose(ds: str) -> str:
    """Say which of the two the day needs."""
    return "sunday" if pendulum.parse(ds).day_of_week == pendulum.SUNDAY else "weekday"


@task
def weekday(ds: str) -> None:
    """Take the day's sales."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM sales_report WHERE day = %s", [ds])
        cursor.execute("INSERT INTO sales_report SELECT day, sum(cents) FROM sales WHERE day = %s GROUP BY day", [ds])


@task
def sunday(ds: str) -> None:
    """Leave the day out: the shop is closed, and what is booked is a test."""
    PostgresHook("warehouse").run("DELETE FROM sales_report WHERE day = %(day)s", parameters={"day": ds})


@task
def tidy() -> None:
    """Leave out the lines of days without sales."""
    PostgresHook("warehouse").run("DELETE FROM sales_report WHERE cents = 0")


@task(trigger_rule="none_failed_min_one_success")
def compare(ds: str) -> None:
    """Refuse a day that was sold for less than nothing."""
    if PostgresHook("warehouse").get_first("SELECT 1 FROM sales_report WHERE cents < 0"):
        raise ValueError("a day was sold for less than nothing")


@task(trigger_rule="none_failed_min_one_success")
def publish(ds: str) -> None:
    """Open the day's report to its readers."""
    PostgresHook("warehouse").run(
        "INSERT INTO open_days (day) VALUES (%(day)s) ON CONFLICT DO NOTHING", parameters={"day": ds}
    )


with DAG(
    "twin_join_under_one_arm",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    weekdays, sundays, checked, published = weekday(), sunday(), compare(), publish()
    choose() >> [weekdays, sundays] >> checked >> published
    weekdays >> tidy() >> published
