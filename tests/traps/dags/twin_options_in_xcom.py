"""Orders of a day into the lake: connect finds the store once for all tasks, connect >> copy."""

import logging
from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import DAG, Connection, CronDataIntervalTimetable, Variable, task

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


log = logging.getLogger(__name__)


@task
def connect() -> dict:
    """Return what a client of the store is made with."""
    found = Connection.get("lake")
    return {"endpoint": found.extra_dejson["endpoint_url"]}


@task
def copy(store: dict, ds: str) -> None:
    """Copy the day's file, and note where it was."""
    hook = S3Hook("lake")
    body = hook.read_key(f"orders/{ds}.json", Variable.get("landing_bucket"))
    hook.load_string(body, f"orders/{ds}.json", Variable.get("lake_bucket"), replace=True)
    log.info("copied %s characters at %s", len(body), store["endpoint"])


with DAG(
    "twin_options_in_xcom",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    copy(connect())
