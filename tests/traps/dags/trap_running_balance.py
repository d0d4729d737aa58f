"""Balance at the end of a day: that of the day before and the day's sales; opening >> close_day."""

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
def opening(ds: str) -> int:
    """Return what was there at the end of the day before, in cents."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT cents FROM balance WHERE day = %s::date - 1", [ds])
        return (cursor.fetchone() or [0])[0]


@task
def close_day(balance: int, ds: str) -> None:
    """Write the day's balance."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(cents), 0) FROM sales WHERE day = %s", [ds])
        balance += cursor.fetchone()[0]
        cursor.execute("DELETE FROM balance WHERE day = %s", [ds])
        cursor.execute("INSERT INTO balance (day, cents) VALUES (%s, %s)", [ds, balance])


with DAG(
    "trap_running_balance",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=3,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    close_day(opening())
