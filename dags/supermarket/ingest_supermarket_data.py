"""Promotions of four supermarkets, each by itself: wait >> copy_to_raw >> process >> trigger create_metrics.

Deliveries come between 16:00 and 02:00 UTC, so the run of day D starts at D 16:00, its logical date, and its sensors
give up ten hours later. Between two looks a sensor holds no slot (`reschedule`): poking sensors of supermarkets that do
not deliver would fill all slots within days. A supermarket that is late holds up nobody but itself.
"""

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronTriggerTimetable, Variable, dag, task

from jobs.supermarket.contract import SUPERMARKETS, delivery_prefix
from jobs.supermarket.sensors import DeliverySensor

WINDOW = timedelta(hours=10)
DEFAULTS = {
    "owner": "promotions",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
}


@task(execution_timeout=timedelta(minutes=10))
def copy_to_raw(supermarket: int, ds: str | None = None) -> int:
    """Archive the delivery as it came."""
    from jobs.common.connections import s3_client
    from jobs.supermarket import ingest

    landing, lake = Variable.get("landing_bucket"), Variable.get("lake_bucket")
    return ingest.copy_to_raw(s3_client("lake"), landing=landing, lake=lake, supermarket=supermarket, day=ds)


@task(execution_timeout=timedelta(minutes=10))
def process(supermarket: int, ds: str | None = None) -> dict:
    """Replace the supermarket's promotions of the day."""
    from jobs.common.connections import postgres_dsn, s3_client
    from jobs.supermarket import ingest

    lake, dsn = Variable.get("lake_bucket"), postgres_dsn("warehouse")
    return ingest.process(s3_client("lake"), dsn, lake=lake, supermarket=supermarket, day=ds)


@dag(
    schedule=CronTriggerTimetable("0 16 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=4,
    default_args=DEFAULTS,
    tags=["supermarket", "s3", "postgres"],
    doc_md=__doc__,
)
def ingest_supermarket_data():
    """Wire one chain for each supermarket."""
    for number in SUPERMARKETS:
        wait = DeliverySensor(
            task_id=f"wait_for_supermarket_{number}",
            bucket="{{ var.value.landing_bucket }}",
            prefix=delivery_prefix(number, "{{ ds }}"),
            aws_conn_id="lake",
            mode="reschedule",
            poke_interval=60,
            timeout=WINDOW.total_seconds(),
        )
        trigger = TriggerDagRunOperator(
            task_id=f"trigger_create_metrics_dag_supermarket_{number}",
            trigger_dag_id="create_metrics",
            # a run of its own for each supermarket and day; run again it is cleared, instead of refused
            trigger_run_id=f"supermarket_{number}__" + "{{ ds }}",
            logical_date=None,
            reset_dag_run=True,
            conf={"supermarket": number, "day": "{{ ds }}"},
        )
        copied = copy_to_raw.override(task_id=f"copy_to_raw_supermarket_{number}")(number)
        processed = process.override(task_id=f"process_supermarket_{number}")(number)
        wait >> copied >> processed >> trigger


ingest_supermarket_data()
