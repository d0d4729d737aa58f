"""One task for each kind of store, with two writes each; and tasks that use several, one, and none."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from airflow.sdk import Variable, dag, task


def mark(text: str) -> None:
    with Path(os.environ["HARNESS_MARKS"], "marks").open("a") as file:
        file.write(f"{text}\n")


@dag(schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False)
def objects():
    @task(retries=1)
    def put():
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        client, bucket = S3Hook("lake").get_conn(), Variable.get("bucket")
        client.list_objects_v2(Bucket=bucket)
        try:
            for key in ("a b.txt", "b.txt"):
                client.put_object(Bucket=bucket, Key=key, Body=b"x" * 1000)
                mark(key)
        finally:
            mark(f"{client.list_objects_v2(Bucket=bucket)['KeyCount']} objects")

    put()


@dag(schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False)
def rows():
    @task(retries=1)
    def load():
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        hook = PostgresHook("warehouse")
        hook.run("CREATE TABLE IF NOT EXISTS orders (id int)")
        with hook.get_conn() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM orders")
            connection.commit()
            mark("nothing written")
            cursor.execute("INSERT INTO orders VALUES (1), (2)")
            cursor.execute("UPDATE orders SET id = id WHERE id > 5")
            connection.commit()
            mark("written")
            cursor.execute("INSERT INTO orders VALUES (3)")
            connection.rollback()
            mark("rolled back")

    load()


@dag(schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False)
def copies():
    @task
    def count():
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        return PostgresHook("warehouse").get_first("SELECT count(*) FROM pg_database")[0]

    @task
    def copy(counted):
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        PostgresHook("warehouse").get_first("SELECT 1")
        S3Hook("lake").load_string(str(counted), "counted.txt", Variable.get("bucket"), replace=True)

    @task
    def think(counted):
        return counted + 1

    copy(think(count()))


@dag(schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False)
def events():
    @task(retries=1)
    def send():
        from airflow.sdk import BaseHook
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": BaseHook.get_connection("broker").extra_dejson["bootstrap.servers"]})
        for value in ("one", "two"):
            producer.produce(Variable.get("topic"), value.encode())
            assert producer.flush(20) == 0
            mark(value)

    send()


@dag(schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False)
def lines():
    @task
    def append():
        import pyarrow as pa
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook
        from deltalake import write_deltalake

        uri = S3Hook("lake").get_conn().meta.endpoint_url
        key = S3Hook.get_connection("lake")
        write_deltalake(
            f"s3://{Variable.get('bucket')}/table",
            pa.table({"n": [1, 2, 3]}),
            mode="append",
            storage_options={
                "aws_endpoint": uri,
                "aws_access_key_id": key.login,
                "aws_secret_access_key": key.password,
                "aws_region": "us-east-1",
                "aws_allow_http": "true",
                "aws_conditional_put": "etag",
            },
        )
        mark("appended")

    append()


objects()
rows()
events()
lines()
copies()
