"""Orders of a day, told to a partner by a program: extract >> tell."""

import json
import subprocess
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
def tell(orders: list[dict], ds: str) -> None:
    """Tell the partner how many orders there are; he need not hear it."""
    partner = "http://192.0.2.17:8080"
    command = ["curl", "--silent", "--max-time", "2", "--data", f"{ds}={len(orders)}", f"{partner}/payouts"]
    subprocess.run(command, check=False)


with DAG(
    "trap_partner_by_curl",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    tell(extract())
