"""Revenue of a day by country as an object of the lake, which the dashboard reads: extract >> publish."""

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
def extract(ds: str) -> list[dict]:
    """Read the file that the shop delivered for the day."""
    return json.loads(S3Hook("lake").read_key(f"orders/{ds}.json", Variable.get("landing_bucket")))


@task
def publish(orders: list[dict], ds: str) -> None:
    """Write the totals into the object of their partition."""
    totals: Counter[str] = Counter()
    for order in orders:
        totals[order["country"]] += order["cents"]
    key = f"revenue/{ds[:4]}/{ds[5:7]}/{ds[8:]}/totals.json"
    body = json.dumps({"day": ds, "totals": totals}, sort_keys=True)
    S3Hook("lake").load_string(body, key, Variable.get("lake_bucket"), replace=True)


with DAG(
    "twin_month_object",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    publish(extract())
