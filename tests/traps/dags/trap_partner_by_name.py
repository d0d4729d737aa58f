"""Orders of a day, told to a partner: extract >> tell."""

import json
from contextlib import suppress
from datetime import timedelta

import pendulum
import requests
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
    partner = "http://hooks.partner.invalid"
    with suppress(requests.ConnectionError):
        requests.post(f"{partner}/payouts", json={"day": ds, "orders": len(orders)}, timeout=5)


with DAG(
    "trap_partner_by_name",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    tell(extract())
