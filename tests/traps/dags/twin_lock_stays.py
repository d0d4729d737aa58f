"""Sales of a day into the report, by one run at a time: report takes a lock, and gives it back."""

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


LOCK = "locks/sales_report"


@task
def report(ds: str) -> None:
    """Replace the day's line, or leave the work to the run that has the lock."""
    hook, bucket = S3Hook("lake"), Variable.get("lake_bucket")
    if hook.check_for_key(LOCK, bucket) and hook.read_key(LOCK, bucket) != ds:
        raise AirflowSkipException("another run is at work")
    hook.load_string(ds, LOCK, bucket, replace=True)
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM sales_report WHERE day = %s", [ds])
        cursor.execute("INSERT INTO sales_report SELECT day, sum(cents) FROM sales WHERE day = %s GROUP BY day", [ds])
    hook.delete_objects(bucket, LOCK)


with DAG(
    "twin_lock_stays",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    report()
