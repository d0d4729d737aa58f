"""Orders of the web shop and of the stores, of one day, into one table: (web, stores) >> merge."""

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


def copy(source: str, ds: str) -> None:
    """Replace what the warehouse has of a source and day."""
    orders = json.loads(S3Hook("lake").read_key(f"{source}/{ds}.json", Variable.get("landing_bucket")))
    rows = [(order["order_id"], ds, source, order["cents"]) for order in orders]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM raw_orders WHERE day = %s AND source = %s", [ds, source])
        cursor.executemany("INSERT INTO raw_orders VALUES (%s, %s, %s, %s)", rows)


@task
def web(ds: str) -> None:
    """Take the web shop's orders."""
    copy("orders", ds)


@task
def stores(ds: str) -> None:
    """Take the stores' orders."""
    copy("stores", ds)


@task
def merge(ds: str) -> None:
    """Replace the day's total."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM totals WHERE day = %s", [ds])
        cursor.execute("INSERT INTO totals SELECT day, sum(cents) FROM raw_orders WHERE day = %s GROUP BY day", [ds])


with DAG(
    "twin_one_of_two_sources",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    [web(), stores()] >> merge()
