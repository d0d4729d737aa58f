"""New orders of the topic into the warehouse, keyed by order: load."""

import json
from datetime import timedelta

import pendulum
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, Connection, CronDataIntervalTimetable, Variable, task
from confluent_kafka import Consumer, Message, TopicPartition

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}


def read_new(consumer: Consumer, topic: str) -> list[Message]:
    """Read from the committed offsets to the topic's end."""
    partitions = [TopicPartition(topic, number) for number in consumer.list_topics(topic, 10).topics[topic].partitions]
    found = []
    for partition in consumer.committed(partitions, 10):
        low, high = consumer.get_watermark_offsets(partition, 10)
        partition.offset = max(partition.offset, low)
        consumer.assign([partition])
        while partition.offset < high:
            if (message := consumer.poll(10)) is None or message.error():
                raise TimeoutError(f"{partition} has no messages up to {high}")
            found.append(message)
            partition.offset = message.offset() + 1
    return found


@task
def load() -> int:
    """Upsert what is new, and return how much that was."""
    topic = Variable.get("orders_topic")
    consumer = Consumer(Connection.get("events").extra_dejson | {"enable.auto.commit": False})
    messages = read_new(consumer, topic)
    offsets = [TopicPartition(topic, message.partition(), message.offset() + 1) for message in messages]
    rows = [json.loads(message.value()) for message in messages]
    with PostgresHook("warehouse").get_conn() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO orders VALUES (%(order_id)s, %(day)s, %(customer)s, %(cents)s) "
            "ON CONFLICT (order_id) DO UPDATE SET cents = excluded.cents",
            rows,
        )
    if offsets:
        consumer.commit(offsets=offsets, asynchronous=False)
    consumer.close()
    return len(rows)


with DAG(
    "twin_offsets_first",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    load()
