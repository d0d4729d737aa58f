"""Revenue of a day beside that of the day before, from the table of sales: report."""

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
def report(ds: str) -> None:
    """Replace the day's line."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(cents), 0) FROM sales WHERE day = %s", [ds])
        revenue = cursor.fetchone()[0]
        cursor.execute("SELECT cents FROM revenue WHERE day <> %s ORDER BY day DESC LIMIT 1", [ds])
        before = (cursor.fetchone() or [0])[0]
        cursor.execute("DELETE FROM revenue WHERE day = %s", [ds])
        cursor.execute("INSERT INTO revenue (day, cents, growth) VALUES (%s, %s, %s)", [ds, revenue, revenue - before])


with DAG(
    "trap_latest_as_yesterday",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    report()
