"""Sales of a day into the report, on days that have any: has_sales >> report."""

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
def has_sales(ds: str) -> bool:
    """Say whether there is anything to report."""
    return bool(PostgresHook("warehouse").get_first("SELECT 1 FROM sales WHERE day = %(day)s", parameters={"day": ds}))


@task
def report(ds: str) -> None:
    """Replace the day's line."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM sales_report WHERE day = %s", [ds])
        cursor.execute("INSERT INTO sales_report SELECT day, sum(cents) FROM sales WHERE day = %s GROUP BY day", [ds])


with DAG(
    "trap_condition_on_result",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    if has_sales():
        report()
