"""Price changes of a day from the outbox table to a topic that the code names: announce."""

from datetime import timedelta

import pendulum
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, Connection, CronDataIntervalTimetable, task
from confluent_kafka import Producer

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


@task
def announce(ds: str) -> int:
    """Send the day's changes, and return how many there were."""
    producer = Producer(Connection.get("events").extra_dejson)
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, payload FROM price_outbox WHERE day = %s ORDER BY id", [ds])
        changes = cursor.fetchall()
        for number, payload in changes:
            producer.produce("prices", key=number, value=payload)
        if producer.flush(30):
            raise TimeoutError("the broker has not acknowledged all price changes")
    return len(changes)


with DAG(
    "trap_named_topic",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    announce()
