"""DAGs as most are: the names of buckets, topics and databases stand in the code, and every run adds something."""

import uuid
from datetime import datetime

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.apache.kafka.operators.produce import ProduceToTopicOperator
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, dag, task

BUCKET = "landing"


@dag(schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False)
def to_a_bucket():
    @task
    def put(ds=None):
        key = f"raw/{ds}/{uuid.uuid4()}.txt"
        S3Hook(aws_conn_id="aws_default").load_string("hello", key=key, bucket_name=BUCKET, replace=True)

    put()


to_a_bucket()


with DAG("to_a_database", schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False):

    @task
    def insert(ds=None):
        hook = PostgresHook("warehouse", database="warehouse")
        hook.run(["create table if not exists visits (day date)", f"insert into visits values ('{ds}')"])

    insert()


def one_order(day):
    yield ("order", day)


with DAG("to_a_topic", schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False):
    ProduceToTopicOperator(
        task_id="produce",
        kafka_config_id="kafka_default",
        topic="orders",
        producer_function=one_order,
        producer_function_args=["{{ ds }}"],
        poll_timeout=10,
    )
