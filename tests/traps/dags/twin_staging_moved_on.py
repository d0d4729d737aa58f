"""Orders of a day into the warehouse by way of a staging table: stage >> publish."""

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
def stage(ds: str) -> None:
    """Fill the day's part of the staging table from its file."""
    orders = json.loads(S3Hook("lake").read_key(f"orders/{ds}.json", Variable.get("landing_bucket")))
    rows = [(order["order_id"], ds, order["customer"], order["cents"]) for order in orders]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM stg_orders WHERE day = %s", [ds])
        cursor.executemany("INSERT INTO stg_orders VALUES (%s, %s, %s, %s)", rows)


@task
def publish(ds: str) -> None:
    """Replace the day's orders with the staged ones, which go."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM orders WHERE day = %s", [ds])
        cursor.execute("INSERT INTO orders SELECT * FROM stg_orders WHERE day = %s", [ds])


with DAG(
    "twin_staging_moved_on",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    stage() >> publish()
