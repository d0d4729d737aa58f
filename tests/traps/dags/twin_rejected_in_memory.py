"""Orders of a day into the warehouse; those without a customer are listed in the lake: load >> list_rejected."""

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
def load(ds: str) -> list[dict]:
    """Replace the day's orders by those that have a customer."""
    orders = json.loads(S3Hook("lake").read_key(f"orders/{ds}.json", Variable.get("landing_bucket")))
    rejected = [order for order in orders if not order["customer"]]
    rows = [(order["order_id"], ds, order["customer"], order["cents"]) for order in orders if order["customer"]]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM orders WHERE day = %s", [ds])
        cursor.executemany("INSERT INTO orders VALUES (%s, %s, %s, %s)", rows)
    return rejected


@task
def list_rejected(rejected: list[dict], ds: str) -> None:
    """Write the list that somebody looks through in the morning."""
    body = json.dumps(rejected, sort_keys=True)
    S3Hook("lake").load_string(body, f"rejected/{ds}.json", Variable.get("lake_bucket"), replace=True)


with DAG(
    "twin_rejected_in_memory",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    list_rejected(load())
