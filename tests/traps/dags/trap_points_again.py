"""A cent spent is a loyalty point: extract >> book adds the day's points to each customer's account."""

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
def book(orders: list[dict], ds: str) -> None:
    """Add the points of the day, for all customers or for none."""
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        for order in orders:
            cursor.execute(
                "INSERT INTO points (customer, points) VALUES (%s, %s) "
                "ON CONFLICT (customer) DO UPDATE SET points = points.points + excluded.points",
                [order["customer"], order["cents"]],
            )


with DAG(
    "trap_points_again",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    book(extract())
