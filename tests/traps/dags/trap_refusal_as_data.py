"""Currency rates of a day from the bank into the warehouse: load."""

from datetime import timedelta

import pendulum
import requests
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, Connection, CronDataIntervalTimetable, task

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


@task
def load(ds: str) -> None:
    """Ask for the day's rates, and replace what the warehouse has of them."""
    bank = Connection.get("rates")
    response = requests.get(f"{bank.schema}://{bank.host}:{bank.port}/members/{ds}", timeout=30)
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM rates WHERE day = %s", [ds])
        cursor.execute("INSERT INTO rates (day, rates) VALUES (%s, %s)", [ds, response.text])


with DAG(
    "trap_refusal_as_data",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    load()
