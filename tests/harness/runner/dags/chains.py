"""DAGs that wait for each other's runs by ExternalTaskSensor."""

import time
from datetime import datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import DAG

DAILY = {"schedule": "@daily", "start_date": datetime(2025, 1, 1), "catchup": False}

with DAG("ingest", **DAILY):
    EmptyOperator(task_id="load")

with DAG("report_of_the_day_before", **DAILY):
    ExternalTaskSensor(
        task_id="wait",
        external_dag_id="ingest",
        external_task_id="load",
        execution_delta=timedelta(days=1),
        poke_interval=30,
        timeout=120,
        mode="reschedule",
    )

with DAG("report", **DAILY):
    ExternalTaskSensor(task_id="wait", external_dag_id="ingest", poke_interval=30, timeout=120) >> EmptyOperator(
        task_id="publish"
    )

with DAG("busy", **DAILY):

    def work():
        time.sleep(60)

    for number in range(3):
        PythonOperator(task_id=f"slow_{number}", python_callable=work)
