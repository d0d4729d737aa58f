"""One DAG for each region: the day's orders from the landing bucket into the warehouse."""

import csv
import io
from datetime import datetime, timedelta

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG
from include.settings import DWH_CONN, REGIONS, Storage

default_args = {"owner": "data-platform", "retries": 1, "retry_delay": timedelta(minutes=5)}


def load_orders(region, ds, **context):
    hook = S3Hook(aws_conn_id=Storage.CONN)
    body = hook.read_key(f"{region}/{ds}.csv", Storage.BUCKET)
    rows = [(region, ds, int(row["id"]), row["amount"]) for row in csv.DictReader(io.StringIO(body))]
    dwh = PostgresHook(DWH_CONN)
    dwh.run("DELETE FROM raw.orders WHERE region = %s AND day = %s", parameters=(region, ds))
    dwh.insert_rows("raw.orders", rows, target_fields=["region", "day", "id", "amount"])


for region, zone in REGIONS.items():
    with DAG(
        f"orders_{region}",
        schedule="30 6 * * 1-5",
        start_date=datetime(2026, 1, 1, tzinfo=pendulum.timezone(zone)),
        catchup=False,
        default_args=default_args,
        template_searchpath="include/sql",
    ) as dag:
        create = SQLExecuteQueryOperator(task_id="create", conn_id=DWH_CONN, sql="create_orders.sql", pool="dwh")
        load = PythonOperator(task_id="load", python_callable=load_orders, op_kwargs={"region": region}, pool="dwh")
        create >> load
    globals()[dag.dag_id] = dag
