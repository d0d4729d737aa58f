"""What each customer spent on a day: extract >> load updates a customer's line, or inserts it."""

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
def load(orders: list[dict], ds: str) -> None:
    """Put one line for each customer of the day in place."""
    spent: Counter[str] = Counter()
    for order in orders:
        spent[order["customer"]] += order["cents"]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        for customer, cents in spent.items():
            line = {"day": ds, "customer": customer, "cents": cents}
            cursor.execute(
                "UPDATE spent SET day = %(day)s, cents = %(cents)s WHERE customer = %(customer)s AND day = %(day)s",
                line,
            )
            if cursor.rowcount == 0:
                cursor.execute("INSERT INTO spent VALUES (%(day)s, %(customer)s, %(cents)s)", line)


with DAG(
    "twin_customer_without_day",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    load(extract())
