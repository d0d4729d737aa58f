"""The day's orders, as soon as the shop has delivered them, into the lake: wait >> copy."""

import time
from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import DAG, CronDataIntervalTimetable, Variable, task

DEFAULTS = {
    "owner": "sales",
    "retries": 0,
}


@task
def wait(ds: str) -> str:
    """Return the key of the day's file when it is there."""
    hook, bucket, key = S3Hook("lake"), Variable.get("landing_bucket"), f"orders/{ds}.json"
    while not hook.check_for_key(key, bucket):
        time.sleep(2)
    return key


@task(execution_timeout=timedelta(minutes=5))
def copy(key: str) -> None:
    """Copy the file."""
    body = S3Hook("lake").read_key(key, Variable.get("landing_bucket"))
    S3Hook("lake").load_string(body, key, Variable.get("lake_bucket"), replace=True)


with DAG(
    "trap_poke_without_end",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    copy(wait())
