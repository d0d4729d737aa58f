from datetime import datetime

from airflow import DAG
from airflow.providers.amazon.aws.operators.s3 import S3ListOperator
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.standard.operators.python import PythonOperator

default_args = {"start_date": datetime(2026, 1, 1), "aws_conn_id": "local_s3", "conn_id": "local_pg"}


def load(keys, ds, **_):
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    store = S3Hook("local_s3")
    rows = [(ds, key, len(store.read_key(key, "demo-s3-input"))) for key in keys]
    PostgresHook(postgres_conn_id="local_pg", database="whirl").insert_rows(
        "files", rows, replace=True, replace_index=["day", "key"], target_fields=["day", "key", "size"]
    )


with DAG("s3_to_postgres", schedule="15 0 1,15 * *", default_args=default_args, catchup=False):
    wait = S3KeySensor(
        task_id="wait",
        bucket_name="demo-s3-input",
        bucket_key="files/{{ ds }}/_SUCCESS",
        timeout=3600,
        poke_interval=60,
    )
    listed = S3ListOperator(task_id="list", bucket="demo-s3-input", prefix="files/{{ ds }}/part")
    create = SQLExecuteQueryOperator(
        task_id="create",
        database="whirl",
        sql="CREATE TABLE IF NOT EXISTS files (day date, key text, size int, PRIMARY KEY (day, key))",
    )
    put = PythonOperator(task_id="load", python_callable=load, op_kwargs={"keys": listed.output})
    wait >> listed
    create >> put
