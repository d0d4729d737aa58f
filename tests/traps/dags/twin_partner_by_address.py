"""Orders of a day, told to a partner's gateway: extract >> tell."""

import json
import socket
from contextlib import suppress
from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import DAG, Connection, CronDataIntervalTimetable, Variable, task

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
def tell(orders: list[dict]) -> None:
    """Tell the partner's old gateway how many orders there are; it need not hear it."""
    bank = Connection.get("rates")
    gateway_at = (bank.host, bank.port)
    with suppress(OSError), socket.create_connection(gateway_at, timeout=1) as gateway:
        gateway.sendall(f"{len(orders)}\n".encode())


with DAG(
    "twin_partner_by_address",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    tell(extract())
