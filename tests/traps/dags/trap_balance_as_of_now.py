"""The balance of a day, told to the bank: extract >> tell."""

import json
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
def tell(orders: list[dict], ds: str) -> None:
    """Tell the bank the balance of the day, which takes the place of what it was told before."""
    balance = {"cents": sum(order["cents"] for order in orders), "as_of": pendulum.now("UTC").isoformat()}
    HttpHook("PUT", http_conn_id="rates").run(f"payouts/{ds}", json=balance)


with DAG(
    "trap_balance_as_of_now",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    tell(extract())
