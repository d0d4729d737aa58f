"""Visits of a day in Amsterdam, summed up: count."""

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


@task
def count(logical_date: pendulum.DateTime) -> None:
    """Replace the day's sum of what was visited on it."""
    begin = logical_date.in_timezone("Europe/Amsterdam").start_of("day")
    end = begin.add(days=1)
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM visits_by_day WHERE day = %s", [begin.date()])
        cursor.execute(
            "INSERT INTO visits_by_day SELECT %s, coalesce(sum(cents), 0) FROM visits "
            "WHERE visited_at >= %s AND visited_at < %s",
            [begin.date(), begin, end],
        )


with DAG(
    "twin_day_of_24_hours",
    schedule=CronDataIntervalTimetable("@daily", timezone="Europe/Amsterdam"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Amsterdam"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    count()
