"""What each customer has spent so far: extract >> add; a day that is run again is taken back first."""

import json
from collections import Counter
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
    """Read the file that the shop delivered for the day."""
    return json.loads(S3Hook("lake").read_key(f"orders/{ds}.json", Variable.get("landing_bucket")))


@task
def add(orders: list[dict], ds: str) -> None:
    """Add the day to the accounts, and remember what was added."""
    spent: Counter[str] = Counter()
    for order in orders:
        spent[order["customer"]] += order["cents"]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts SET cents = accounts.cents - undo.cents FROM undo "
            "WHERE undo.customer = accounts.customer AND undo.day = %s",
            [ds],
        )
        cursor.execute("DELETE FROM undo WHERE day = %s", [ds])
        for customer, cents in spent.items():
            cursor.execute(
                "INSERT INTO accounts VALUES (%s, %s) "
                "ON CONFLICT (customer) DO UPDATE SET cents = accounts.cents + excluded.cents",
                [customer, cents],
            )
            cursor.execute("INSERT INTO undo (day, customer, cents) VALUES (%s, %s, %s)", [ds, customer, cents])


with DAG(
    "twin_undo_of_the_last",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    add(extract())
