"""Invoices of a day and their lines into the warehouse: extract >> load."""

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
def extract(ds: str) -> list[dict]:
    """Read the file that the shop delivered for the day."""
    return json.loads(S3Hook("lake").read_key(f"orders/{ds}.json", Variable.get("landing_bucket")))


@task
def load(orders: list[dict], ds: str) -> None:
    """Replace the day's invoices and their lines."""
    heads = [(order["order_id"], ds, order["customer"]) for order in orders]
    lines = [(order["order_id"], ds, order["cents"]) for order in orders]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM invoices WHERE day = %s", [ds])
        cursor.executemany("INSERT INTO invoices (invoice_id, day, customer) VALUES (%s, %s, %s)", heads)
        cursor.execute("DELETE FROM invoice_lines WHERE day = %s", [ds])
        cursor.executemany("INSERT INTO invoice_lines (invoice_id, day, cents) VALUES (%s, %s, %s)", lines)


with DAG(
    "twin_invoice_in_halves",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    load(extract())
