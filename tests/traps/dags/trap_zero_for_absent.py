"""Average spent by order and day, for the chart: extract >> average."""

import json
from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, CronDataIntervalTimetable, Variable, task
from airflow.sdk.exceptions import AirflowSkipException

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


@task
def extract(ds: str) -> list[dict]:
    """Read the day's orders."""
    hook, bucket, key = S3Hook("lake"), Variable.get("landing_bucket"), f"orders/{ds}.json"
    found = json.loads(hook.read_key(key, bucket)) if hook.check_for_key(key, bucket) else []
    return found


@task
def average(orders: list[dict], ds: str) -> None:
    """Replace the day's point on the chart."""
    if any(order["cents"] < 0 for order in orders):
        raise AirflowSkipException("corrections are not for the chart")
    cents = sum(order["cents"] for order in orders) // max(len(orders), 1)
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM chart WHERE day = %s", [ds])
        cursor.execute("INSERT INTO chart (day, cents) VALUES (%s, %s)", [ds, cents])


with DAG(
    "trap_zero_for_absent",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    average(extract())
