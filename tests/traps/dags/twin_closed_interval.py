"""What visitors of a day spent, from the table of visits: count_visits."""

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
def count_visits(data_interval_start: pendulum.DateTime, data_interval_end: pendulum.DateTime) -> None:
    """Replace the day's line with what was spent in the data interval."""
    day = data_interval_start.date()
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM visits_by_day WHERE day = %s", [day])
        cursor.execute(
            "INSERT INTO visits_by_day (day, visits, cents) "
            "SELECT %s, count(*), coalesce(sum(cents), 0) FROM visits "
            "WHERE visited_at >= %s AND visited_at < %s",
            [day, data_interval_start, data_interval_end],
        )


with DAG(
    "twin_closed_interval",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    count_visits()
