"""Orders of a day, cleaned and by country: clean >> total. What was cleaned is handed over through the lake."""

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
    key = "scratch/cleaned_orders.json"
    kept = json.dumps([order for order in orders if order["cents"] > 0])
    hook.load_string(kept, key, Variable.get("lake_bucket"), replace=True)
    return key


@task
def total(key: str, ds: str) -> None:
    """Write the day's totals."""
    hook = S3Hook("lake")
    totals: Counter[str] = Counter()
    for order in json.loads(hook.read_key(key, Variable.get("lake_bucket"))):
        totals[order["country"]] += order["cents"]
    body = json.dumps(totals, sort_keys=True)
    hook.load_string(body, f"totals/{ds}.json", Variable.get("lake_bucket"), replace=True)


with DAG(
    "trap_scratch_object",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=4,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    total(clean())
