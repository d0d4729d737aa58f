"""The day's orders, as soon as the shop has delivered them, into the lake: wait >> copy."""

from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.sdk import DAG, CronDataIntervalTimetable, Variable, task

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


@task
def copy(ds: str) -> None:
    """Copy the file."""
    body = S3Hook("lake").read_key(f"orders/{ds}.json", Variable.get("landing_bucket"))
    S3Hook("lake").load_string(body, f"orders/{ds}.json", Variable.get("lake_bucket"), replace=True)


with DAG(
    "twin_week_of_waiting",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    wait = S3KeySensor(
        task_id="wait",
        aws_conn_id="lake",
        bucket_name="{{ var.value.landing_bucket }}",
        bucket_key="orders/{{ ds }}.json",
        mode="reschedule",
        timeout=600,
    )
    wait >> copy()
