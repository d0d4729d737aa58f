"""Address changes of a day into the table of current addresses: extract >> apply."""

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
    """Read the changes that customers made on the day."""
    return json.loads(S3Hook("lake").read_key(f"addresses/{ds}.json", Variable.get("landing_bucket")))


@task
def apply(changes: list[dict]) -> None:
    """Set the address of each customer who moved."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO addresses (customer, city, changed_on) VALUES (%(customer)s, %(city)s, %(changed_on)s) "
            "ON CONFLICT (customer) DO UPDATE SET city = excluded.city, changed_on = excluded.changed_on",
            changes,
        )


with DAG(
    "trap_last_run_wins",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    apply(extract())
