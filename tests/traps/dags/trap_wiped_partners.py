"""The list of partners, which is delivered in full on each working day: extract >> replace."""

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
    """Read the list, when there is one."""
    hook, bucket, key = S3Hook("lake"), Variable.get("landing_bucket"), f"partners/{ds}.json"
    found = json.loads(hook.read_key(key, bucket)) if hook.check_for_key(key, bucket) else []
    return found


@task
def replace(partners: list[dict], ds: str) -> None:
    """Replace the list by a newer one."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM partners WHERE listed_on > %s", [ds])
        if cursor.fetchone()[0]:
            raise AirflowSkipException(f"there is a newer list than that of {ds}")
        cursor.execute("DELETE FROM partners")
        rows = [(partner["name"], partner["city"], ds) for partner in partners]
        cursor.executemany("INSERT INTO partners (name, city, listed_on) VALUES (%s, %s, %s)", rows)


with DAG(
    "trap_wiped_partners",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    replace(extract())
