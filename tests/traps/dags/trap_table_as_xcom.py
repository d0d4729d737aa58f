"""The history of orders, by customer, made anew every day: history >> publish."""

from collections import Counter
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
def history(ds: str) -> list[tuple[str, int]]:
    """Return all that was ordered so far."""
    query = "SELECT item, cents FROM sales_history"
    return [tuple(row) for row in PostgresHook("warehouse").get_records(query)]


@task
def publish(rows: list[tuple[str, int]], ds: str) -> None:
    """Replace the totals."""
    totals: Counter[str] = Counter()
    for item, cents in rows:
        totals[item] += cents
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM item_totals")
        cursor.executemany("INSERT INTO item_totals VALUES (%s, %s)", sorted(totals.items()))


with DAG(
    "trap_table_as_xcom",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    publish(history())
