"""Largest order of each day: find_largest."""

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
def find_largest(ds: str) -> None:
    """Replace the day's line."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM largest WHERE day = %s", [ds])
        cursor.execute("SELECT item, cents FROM sales WHERE day = %s", [ds])
        sales = cursor.fetchall()
        item, cents = max(sales, key=lambda sale: (sale[1], sale[0]))
        cursor.execute("INSERT INTO largest (day, item, cents) VALUES (%s, %s, %s)", [ds, item, cents])


with DAG(
    "trap_largest_of_none",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    find_largest()
