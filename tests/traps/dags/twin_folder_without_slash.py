"""Stock of a day in a folder of its own: extract >> publish replaces it."""

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
def publish(orders: list[dict], logical_date: pendulum.DateTime) -> None:
    """Replace the folder of the day."""
    folder = f"stock/{logical_date.year}/{logical_date.month}/{logical_date.day}"
    hook, bucket = S3Hook("lake"), Variable.get("lake_bucket")
    hook.delete_objects(bucket, hook.list_keys(bucket, prefix=f"{folder}/") or [])
    hook.load_string(json.dumps(orders), key=f"{folder}/orders.json", bucket_name=bucket, replace=True)


with DAG(
    "twin_folder_without_slash",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    publish(extract())
