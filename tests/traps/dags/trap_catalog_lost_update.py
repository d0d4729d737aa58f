"""A day's orders into the lake and into the catalog that readers start from: catalog >> export >> register."""

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
def catalog() -> list[str]:
    """Return the days that readers know of."""
    hook, bucket = S3Hook("lake"), Variable.get("lake_bucket")
    if not hook.check_for_key("catalog/days.json", bucket):
        return []
    return json.loads(hook.read_key("catalog/days.json", bucket))


@task
def export(ds: str) -> None:
    """Copy the day's file to the lake."""
    hook = S3Hook("lake")
    body = hook.read_key(f"orders/{ds}.json", Variable.get("landing_bucket"))
    hook.load_string(body, f"orders/{ds}.json", Variable.get("lake_bucket"), replace=True)


@task
def register(known: list[str], ds: str) -> None:
    """Make the day known to readers, who take every day below catalog/."""
    days = sorted({*known, ds})
    S3Hook("lake").load_string(json.dumps(days), "catalog/days.json", Variable.get("lake_bucket"), replace=True)


with DAG(
    "trap_catalog_lost_update",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=4,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    known = catalog()
    known >> export() >> register(known)
