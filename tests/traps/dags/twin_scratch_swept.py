"""Orders of a day, cleaned and by country: clean >> total >> sweep, handed over through the lake."""

import json
from collections import Counter
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
def clean(ds: str) -> str:
    """Leave out cancelled orders, and return where the rest is."""
    hook = S3Hook("lake")
    orders = json.loads(hook.read_key(f"orders/{ds}.json", Variable.get("landing_bucket")))
    kept = json.dumps([order for order in orders if order["cents"] > 0])
    hook.load_string(kept, f"scratch/{ds}.json", Variable.get("lake_bucket"), replace=True)
    return f"scratch/{ds}.json"


@task
def total(key: str, ds: str) -> None:
    """Write the day's totals."""
    hook = S3Hook("lake")
    totals: Counter[str] = Counter()
    for order in json.loads(hook.read_key(key, Variable.get("lake_bucket"))):
        totals[order["country"]] += order["cents"]
    body = json.dumps(totals, sort_keys=True)
    hook.load_string(body, f"totals/{ds}.json", Variable.get("lake_bucket"), replace=True)


@task
def sweep(ds: str) -> None:
    """Remove what nobody needs any more."""
    hook, bucket = S3Hook("lake"), Variable.get("lake_bucket")
    week_ago = pendulum.parse(ds).subtract(days=7).to_date_string()
    keys = [key for key in hook.list_keys(bucket, "scratch/") if key < f"scratch/{week_ago}"]
    if keys:
        hook.delete_objects(bucket, keys)


with DAG(
    "twin_scratch_swept",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    total(clean()) >> sweep()
