"""Sales of a day into the report, with a protocol of each run in the lake: report >> protocol."""

import json
from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, CronDataIntervalTimetable, Variable, task

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


@task
def report(ds: str) -> int:
    """Replace the day's line, and return what it says."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM sales_report WHERE day = %s", [ds])
        cursor.execute(
            "INSERT INTO sales_report SELECT day, sum(cents) FROM sales WHERE day = %s GROUP BY day RETURNING cents",
            [ds],
        )
        return int((cursor.fetchone() or [0])[0])


@task
def protocol(cents: int, ds: str) -> None:
    """Write down what was done, and on which warehouse."""
    warehouse = PostgresHook.get_connection("warehouse")
    found = {"day": ds, "cents": cents, "warehouse": warehouse.get_uri()}
    key = f"protocols/{ds}.json"
    S3Hook("lake").load_string(json.dumps(found), key, Variable.get("lake_bucket"), replace=True)


with DAG(
    "trap_settings_in_store",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    protocol(report())
