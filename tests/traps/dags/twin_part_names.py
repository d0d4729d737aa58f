"""Orders of a day as one file for each country below the day's folder of the lake: extract >> export."""

import json
from collections import defaultdict
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
    """Write the day's part files; readers take all files of the folder."""
    parts = defaultdict(list)
    for order in orders:
        parts[order["country"]].append(json.dumps(order, sort_keys=True))
    hook = S3Hook("lake")
    for country, lines in sorted(parts.items()):
        key = f"orders/day={ds}/{country}.jsonl"
        hook.load_string("\n".join(lines), key, Variable.get("lake_bucket"), replace=True)


with DAG(
    "twin_part_names",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    export(extract())
