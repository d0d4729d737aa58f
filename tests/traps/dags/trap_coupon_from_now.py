"""A coupon for each large order of a day, good for ninety days: extract >> grant."""

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
    """Read the file that the shop delivered for the day."""
    return json.loads(S3Hook("lake").read_key(f"orders/{ds}.json", Variable.get("landing_bucket")))


@task
def grant(orders: list[dict], ds: str) -> None:
    """Replace the day's coupons."""
    until = pendulum.today("UTC").add(days=90).date()
    rows = [(order["order_id"], ds, until) for order in orders if order["cents"] > 5000]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM coupons WHERE day = %s", [ds])
        cursor.executemany("INSERT INTO coupons (order_id, day, good_until) VALUES (%s, %s, %s)", rows)


with DAG(
    "trap_coupon_from_now",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    grant(extract())
