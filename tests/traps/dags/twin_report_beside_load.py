"""Orders of a day into the warehouse, and their total into the report: load, report."""

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
def load(ds: str) -> None:
    """Replace the day's orders with those of its file."""
    orders = json.loads(S3Hook("lake").read_key(f"orders/{ds}.json", Variable.get("landing_bucket")))
    rows = [(order["order_id"], ds, order["customer"], order["cents"]) for order in orders]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM orders WHERE day = %s", [ds])
        cursor.executemany("INSERT INTO orders VALUES (%s, %s, %s, %s)", rows)


@task
def report(ds: str) -> None:
    """Replace the day's total."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM totals WHERE day = %s", [ds])
        cursor.execute("INSERT INTO totals SELECT day, sum(cents) FROM orders WHERE day = %s GROUP BY day", [ds])


@task
def open_day(ds: str) -> None:
    """Open the day to readers."""
    PostgresHook("warehouse").run(
        "INSERT INTO open_days (day) VALUES (%(day)s) ON CONFLICT DO NOTHING", parameters={"day": ds}
    )


with DAG(
    "twin_report_beside_load",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    load() >> report() >> open_day()
