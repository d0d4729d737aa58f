"""Revenue of each country and day: extract >> report. A report line has an id of its own, by which it is upserted."""

import json
import uuid
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
def report(orders: list[dict], ds: str) -> None:
    """Upsert one line for each country."""
    totals: Counter[str] = Counter()
    for order in orders:
        totals[order["country"]] += order["cents"]
    lines = []
    for country, cents in sorted(totals.items()):
        line_id = uuid.uuid4()
        lines.append((str(line_id), ds, country, cents))
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO country_report (line_id, day, country, cents) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (line_id) DO UPDATE SET cents = excluded.cents",
            lines,
        )


with DAG(
    "trap_generated_key",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    report(extract())
