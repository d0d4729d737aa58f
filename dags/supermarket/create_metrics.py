"""What one supermarket's promotions of one day are worth: create_metrics.

It has no schedule: `ingest_supermarket_data` triggers it as soon as a supermarket is processed, and anyone may run it
by hand, with `{"supermarket": 1, "day": "2026-01-01"}`. Both are needed; a run without them is refused.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import Param, dag, task

from jobs.supermarket.contract import SUPERMARKETS

DEFAULTS = {
    "owner": "promotions",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


@task
def create_metrics(params: dict | None = None) -> dict:
    """Replace the metrics of the supermarket's day."""
    from jobs.common.connections import postgres_dsn
    from jobs.supermarket import metrics

    return metrics.create_metrics(postgres_dsn("warehouse"), supermarket=params["supermarket"], day=params["day"])


@dag(
    "create_metrics",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "supermarket": Param(type="integer", enum=list(SUPERMARKETS)),
        "day": Param(type="string", format="date"),
    },
    default_args=DEFAULTS,
    tags=["supermarket", "postgres"],
    doc_md=__doc__,
)
def create_metrics_of_a_day():
    """Wire the one task."""
    create_metrics()


create_metrics_of_a_day()
