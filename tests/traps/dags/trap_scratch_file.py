"""Orders of a day as a CSV file, made on the worker's disk and loaded from there: download >> load."""

import csv
import json
import tempfile
from datetime import timedelta
from pathlib import Path

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
def download(ds: str) -> str:
    """Make the CSV file, and return where it is."""
    orders = json.loads(S3Hook("lake").read_key(f"orders/{ds}.json", Variable.get("landing_bucket")))
    path = Path(tempfile.gettempdir(), "shop_orders.csv")
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([order["order_id"], order["customer"], order["cents"]] for order in orders)
    return str(path)


@task
def load(path: str, ds: str) -> None:
    """Replace the day's orders with those of the file."""
    with Path(path).open(newline="") as file:
        rows = [(order_id, ds, customer, cents) for order_id, customer, cents in csv.reader(file)]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM orders WHERE day = %s", [ds])
        cursor.executemany("INSERT INTO orders VALUES (%s, %s, %s, %s)", rows)


with DAG(
    "trap_scratch_file",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=4,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    load(download())
