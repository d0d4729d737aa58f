"""The shops' share of a day, paid out: extract >> pay >> note, without a key where the bank wants none."""

import json
from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.http.hooks.http import HttpHook
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
def pay(orders: list[dict], ds: str) -> int:
    """Have the bank pay the shops their share of the day."""
    cents = sum(order["cents"] for order in orders)
    HttpHook("POST", http_conn_id="rates").run("payouts", json={"day": ds, "cents": cents})
    return cents


@task
def note(cents: int, ds: str) -> None:
    """Replace what was paid for the day."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM payouts WHERE day = %s", [ds])
        cursor.execute("INSERT INTO payouts (day, cents) VALUES (%s, %s)", [ds, cents])


with DAG(
    "trap_payout_cleared",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    note(pay(extract()))
