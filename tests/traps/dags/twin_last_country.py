"""Totals of a day for three countries, a task for each."""

import json
from datetime import timedelta
from functools import partial

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, Variable

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


COUNTRIES = ("NL", "BE", "DE")


def total(country: str, ds: str) -> None:
    """Write the day's total of a country."""
    hook = S3Hook("lake")
    orders = json.loads(hook.read_key(f"orders/{ds}.json", Variable.get("landing_bucket")))
    cents = sum(order["cents"] for order in orders if order["country"] == country)
    hook.load_string(str(cents), f"totals/{ds}/{country}.txt", Variable.get("lake_bucket"), replace=True)


with DAG(
    "twin_last_country",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    for country in COUNTRIES:
        PythonOperator(
            task_id=f"total_{country}",
            python_callable=partial(total, country),
        )
