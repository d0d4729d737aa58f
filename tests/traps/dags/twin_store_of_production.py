"""Orders of a day, archived: extract >> archive looks up the store first."""

import json
import socket
from contextlib import suppress
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
def archive(orders: list[dict], ds: str) -> None:
    """Keep what was delivered, with the name of the store that has it."""
    store = "localhost"
    with suppress(OSError):
        socket.getaddrinfo(store, 443)
    S3Hook("lake").load_string(json.dumps(orders), f"archive/{ds}.json", Variable.get("lake_bucket"), replace=True)


with DAG(
    "twin_store_of_production",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    archive(extract())
