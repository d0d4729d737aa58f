"""Stock of a day in a bucket that the code names: extract >> publish replaces the folder of the day."""

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
def publish(orders: list[dict], ds: str) -> None:
    """Replace what is published of the day."""
    hook = S3Hook("lake")
    hook.delete_objects("lake", hook.list_keys("lake", prefix="stock/") or [])
    hook.load_string(json.dumps(orders), key=f"stock/{ds}/orders.json", bucket_name="lake", replace=True)


with DAG(
    "trap_named_bucket_emptied",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    publish(extract())
