"""Orders of a day from the topic, up to the message that ends the day, into the warehouse: load."""

import json
import time

import pendulum
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, Connection, CronDataIntervalTimetable, Variable, task
from confluent_kafka import Consumer, Message, TopicPartition

DEFAULTS = {
    "owner": "sales",
    "retries": 0,
}


def messages_of(consumer: Consumer, topic: str, ds: str) -> list[Message]:
    """Read the topic from its start to the end of the day."""
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found = []
    until = time.monotonic() + 20
    while time.monotonic() < until:
        message = consumer.poll(1)
        if message is None or message.error():
            continue
        if message.key() == f"end of {ds}".encode():
            return found
        if message.key() == ds.encode():
            found.append(message)
    raise TimeoutError(f"{ds} has not ended")


@task
def load(ds: str) -> None:
    """Replace the day's orders."""
    consumer = Consumer(Connection.get("events").extra_dejson | {"enable.auto.commit": False})
    rows = [json.loads(message.value()) for message in messages_of(consumer, Variable.get("orders_topic"), ds)]
    consumer.close()
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM orders WHERE day = %s", [ds])
        cursor.executemany("INSERT INTO orders VALUES (%(order_id)s, %(day)s, %(customer)s, %(cents)s)", rows)


with DAG(
    "twin_end_of_day_marker",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    load()
