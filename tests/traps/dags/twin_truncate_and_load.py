"""Stock counts of a day into the warehouse: extract >> load replaces what was counted."""

import json
from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, CronDataIntervalTimetable, Variable, task

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


@task
def extract(ds: str) -> list[dict]:
    """Read the counts that the stores sent in the evening."""
    return json.loads(S3Hook("lake").read_key(f"stock/{ds}.json", Variable.get("landing_bucket")))


@task
def load(counts: list[dict], ds: str) -> None:
    """Replace the counts in one transaction."""
    rows = [(ds, count["item"], count["pieces"]) for count in counts]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM stock WHERE day = %s", [ds])
        cursor.executemany("INSERT INTO stock (day, item, pieces) VALUES (%s, %s, %s)", rows)


with DAG(
    "twin_truncate_and_load",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    load(extract())
