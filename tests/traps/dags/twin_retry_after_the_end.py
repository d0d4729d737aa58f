"""Sales of a day into the report, within an hour: report."""

from datetime import timedelta

import pendulum
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, CronDataIntervalTimetable, task

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(minutes=5),
    "execution_timeout": timedelta(minutes=5),
}


@task
def report(ds: str) -> None:
    """Replace the day's line."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM sales_report WHERE day = %s", [ds])
        cursor.execute("INSERT INTO sales_report SELECT day, sum(cents) FROM sales WHERE day = %s GROUP BY day", [ds])


with DAG(
    "twin_retry_after_the_end",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    report()
