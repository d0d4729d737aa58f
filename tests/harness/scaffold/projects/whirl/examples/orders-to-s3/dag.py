from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import Variable

dag = DAG(
    dag_id="orders_to_s3",
    start_date=datetime(2026, 1, 1),
    schedule=timedelta(hours=12),
    catchup=False,
    dagrun_timeout=timedelta(minutes=30),
)

BUCKET = "demo-s3-output"
SQL = "SELECT id, amount FROM orders WHERE ordered_at >= %s AND ordered_at < %s ORDER BY id"


def export(data_interval_start, data_interval_end, ts_nodash, **_):
    rows = PostgresHook("local_pg").get_records(SQL, parameters=(data_interval_start, data_interval_end))
    text = "".join(f'{{"id": {number}, "amount": {amount}}}\n' for number, amount in rows)
    suffix = Variable.get("export_format")
    S3Hook("local_s3").load_string(text, key=f"orders/{ts_nodash}.{suffix}", bucket_name=BUCKET, replace=True)


start = EmptyOperator(task_id="start", dag=dag)
copy = PythonOperator(task_id="export", python_callable=export, dag=dag)
start >> copy
