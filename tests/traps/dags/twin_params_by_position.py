"""Sales of a day into the table that is asked for: report."""

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
def report(target: dict[str, str], ds: str | None = None) -> None:
    """Replace the day's line in the table that is asked for."""
    table = target["table"]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE day = %s", [ds])
        cursor.execute(f"INSERT INTO {table} SELECT day, sum(cents) FROM sales WHERE day = %s GROUP BY day", [ds])


with DAG(
    "twin_params_by_position",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    report({"table": "sales_report"})
