"""Orders of a day into the warehouse, counted afterwards: extract >> load >> audit, and done."""

import json
from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.operators.empty import EmptyOperator
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
def load(orders: list[dict], ds: str) -> int:
    """Replace the day's orders, and return how many there are."""
    rows = [(order["order_id"], ds, order["customer"], order["cents"]) for order in orders]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM orders WHERE day = %s", [ds])
        cursor.executemany("INSERT INTO orders (order_id, day, customer, cents) VALUES (%s, %s, %s, %s)", rows)
    return len(rows)


@task
def audit(ds: str) -> None:
    """Fail when the day has no orders, or one of them no customer."""
    found, named = PostgresHook("warehouse").get_first(
        "SELECT count(*), count(nullif(customer, '')) FROM orders WHERE day = %(day)s", {"day": ds}
    )
    if not found or named < found:
        raise ValueError(f"{found} orders on {ds}, {named} of them with a customer")


with DAG(
    "trap_audit_beside_done",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    loaded, audited = load(extract()), audit()
    loaded >> audited
    [loaded, audited] >> EmptyOperator(task_id="done", trigger_rule="one_success")
