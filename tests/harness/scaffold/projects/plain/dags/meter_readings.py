"""Readings of the meters: wait for the day's file, average it, archive it."""

import datetime as dt

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator
from airflow.sdk import DAG, Variable
from common.connections import CONNECTIONS

from jobs import readings

THRESHOLD = float(Variable.get("meter_threshold", default="10.5"))


def client():
    return S3Hook(CONNECTIONS["lake"]).get_conn()


def store(ds):
    value = readings.average(client(), ds)
    hook = PostgresHook(CONNECTIONS["warehouse"])
    hook.run("CREATE TABLE IF NOT EXISTS public.averages (day date PRIMARY KEY, value numeric)")
    hook.run(
        "INSERT INTO averages VALUES (%s, %s) ON CONFLICT (day) DO UPDATE SET value = excluded.value",
        parameters=(ds, value),
    )
    return value


def choose(ti):
    return "alert" if ti.xcom_pull(task_ids="store") > THRESHOLD else "calm"


def alert(ds):
    S3Hook(CONNECTIONS["lake"]).load_string(
        "too high", key=f"alerts/{ds}.txt", bucket_name=Variable.get("alert_bucket"), replace=True
    )


with DAG(
    "meter_readings",
    schedule="0 3 * * *",
    start_date=dt.datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 2, "depends_on_past": False},
) as dag:
    stored = PythonOperator(task_id="store", python_callable=store)
    branch = BranchPythonOperator(task_id="choose", python_callable=choose)
    loud = PythonOperator(task_id="alert", python_callable=alert)
    quiet = EmptyOperator(task_id="calm")
    kept = PythonOperator(
        task_id="archive",
        python_callable=lambda ds: readings.archive(client(), ds),
        trigger_rule="none_failed_min_one_success",
    )
    stored >> branch >> [loud, quiet] >> kept
