"""Sales of a batch into the report; a control table says which day is being worked on: open_batch >> check >> load."""

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
def open_batch(ds: str) -> None:
    """Say in the control table which day the batch is for."""
    PostgresHook("warehouse").run("UPDATE batch_control SET day = %(day)s", parameters={"day": ds})


@task
def check(ds: str) -> int:
    """Fail unless the day has sales; return how many."""
    found = PostgresHook("warehouse").get_first("SELECT count(*) FROM sales WHERE day = %(day)s", {"day": ds})[0]
    if not found:
        raise ValueError(f"no sales on {ds}")
    return found


@task
def load(ds: str) -> None:
    """Replace the batch's lines of the report."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT day FROM batch_control")
        day = cursor.fetchone()[0]
        cursor.execute("DELETE FROM sales_report WHERE day = %s", [day])
        cursor.execute("INSERT INTO sales_report SELECT day, sum(cents) FROM sales WHERE day = %s GROUP BY day", [day])


with DAG(
    "trap_control_table",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=3,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    open_batch() >> check() >> load()
