"""The shops' share of a day, paid out: extract >> pay, with a key by which the bank knows the payment."""

import json
import uuid
from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.http.hooks.http import HttpHook
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
def pay(orders: list[dict], ds: str) -> None:
    """Have the bank pay the shops their share of the day."""
    headers = {"Idempotency-Key": str(uuid.uuid5(uuid.NAMESPACE_URL, ds))}
    order = {"day": ds, "cents": sum(order["cents"] for order in orders)}
    HttpHook("POST", http_conn_id="rates").run("payouts", json=order, headers=headers)


with DAG(
    "twin_payout_with_new_key",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    pay(extract())
