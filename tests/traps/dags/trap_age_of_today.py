"""How long each customer of a day has been one, for the loyalty report: extract >> report."""

import json
from datetime import date, timedelta

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
def report(orders: list[dict], ds: str) -> None:
    """Replace the day's lines."""
    since = {order["customer"]: date.fromisoformat(order["customer_since"]) for order in orders}
    rows = [(ds, customer, (date.today() - first).days) for customer, first in since.items()]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM loyalty WHERE day = %s", [ds])
        cursor.executemany("INSERT INTO loyalty (day, customer, days) VALUES (%s, %s, %s)", rows)


with DAG(
    "trap_age_of_today",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    report(extract())
