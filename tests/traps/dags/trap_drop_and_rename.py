"""The product list, made anew from the day's sales beside the old one and then put in its place: rebuild."""

from datetime import timedelta

import pendulum
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, CronDataIntervalTimetable, task

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


@task
def rebuild(ds: str) -> None:
    """Build the new table, and swap it in."""
    PostgresHook("warehouse").run(
        [
            "DROP TABLE IF EXISTS products_new",
            "CREATE TABLE products_new AS SELECT DISTINCT item, %(day)s::date AS day FROM sales WHERE day <= %(day)s",
            "DROP TABLE IF EXISTS products",
            "ALTER TABLE products_new RENAME TO products",
        ],
        parameters={"day": ds},
        autocommit=True,
    )


with DAG(
    "trap_drop_and_rename",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    rebuild()
