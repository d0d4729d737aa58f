"""Orders of a day into the lake: copy."""

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
def copy(ds: str) -> None:
    """Copy the day's file."""
    hook = S3Hook("lake")
    body = hook.read_key(f"orders/{ds}.json", Variable.get("landing_bucket"))
    hook.load_string(body, f"orders/{ds}.json", bucket_name=Variable.get("lake_bucket"), replace=True)


with DAG(
    "twin_bucket_of_one_stage",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    copy()
