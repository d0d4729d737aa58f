"""Orders, reported four times a day: extract >> publish."""

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
def publish(orders: list[dict], logical_date: pendulum.DateTime, ds: str) -> None:
    """Publish what there is at each of the day's four runs."""
    content = json.dumps({"as_of": logical_date.isoformat(), "orders": len(orders)})
    S3Hook("lake").load_string(content, f"reports/{ds}.json", Variable.get("lake_bucket"), replace=True)


with DAG(
    "trap_six_hours_by_day",
    schedule=CronDataIntervalTimetable("0 */6 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    publish(extract())
