"""Orders of a day into the lake, with a line in the journal that says how many: copy, note >> finish."""

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
def copy(ds: str) -> int:
    """Copy the day's file, and return how many orders it has."""
    hook = S3Hook("lake")
    body = hook.read_key(f"orders/{ds}.json", Variable.get("landing_bucket"))
    hook.load_string(body, f"orders/{ds}.json", Variable.get("lake_bucket"), replace=True)
    return len(json.loads(body))


@task
def note(ds: str, ti=None) -> None:
    """Replace the day's line of the journal."""
    orders = ti.xcom_pull(task_ids="copy")
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM journal WHERE day = %s", [ds])
        cursor.execute("INSERT INTO journal (day, orders) VALUES (%s, %s)", [ds, orders])


@task
def finish(ds: str) -> None:
    """Open the day to readers."""
    S3Hook("lake").load_string(ds, f"open/{ds}", Variable.get("lake_bucket"), replace=True)


with DAG(
    "trap_count_of_a_stranger",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    [copy(), note()] >> finish()
