"""Stock counts of a day as one object for each item in the lake: extract >> clean >> export."""

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
    """Read the counts that the stores sent in the evening."""
    return json.loads(S3Hook("lake").read_key(f"stock/{ds}.json", Variable.get("landing_bucket")))


@task
def clean(ds: str) -> None:
    """Remove what an earlier run may have left, so that no item that is gone stays."""
    hook, bucket = S3Hook("lake"), Variable.get("lake_bucket")
    if keys := hook.list_keys(bucket, prefix=f"stock/{ds[:7]}"):
        hook.delete_objects(bucket, keys)


@task
def export(counts: list[dict], ds: str) -> None:
    """Write an object for each item."""
    for count in counts:
        S3Hook("lake").load_string(
            json.dumps(count, sort_keys=True),
            f"stock/{ds}/{count['item']}.json",
            Variable.get("lake_bucket"),
            replace=True,
        )


with DAG(
    "trap_month_cleanup",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    counts = extract()
    counts >> clean() >> export(counts)
