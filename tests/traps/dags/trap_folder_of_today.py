"""Orders of a day into their folder of the lake: extract >> export."""

import json
from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
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
def export(orders: list[dict], ds: str) -> None:
    """Write the day's orders."""
    day = pendulum.now("UTC").to_date_string()
    body = "\n".join(json.dumps(order, sort_keys=True) for order in orders)
    S3Hook("lake").load_string(body, f"orders/day={day}/all.jsonl", Variable.get("lake_bucket"), replace=True)


with DAG(
    "trap_folder_of_today",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    export(extract())
