"""DAGs that publish every day, and what else becomes of a day."""

import os
from datetime import datetime
from pathlib import Path

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator as Sql
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

DAILY = {"schedule": "@daily", "start_date": datetime(2026, 1, 1), "catchup": False}


def replace(table):
    return Sql(
        task_id=f"load_{table}",
        conn_id="warehouse",
        sql=[
            f"create table if not exists {table} (d date)",
            f"delete from {table} where d = '{{{{ ds }}}}'",
            f"insert into {table} values ('{{{{ ds }}}}')",
        ],
    )


def notify():
    if not Path(os.environ["HARNESS_FLAG"]).exists():
        raise ConnectionError("the chat does not answer")


with DAG("replaces_a_day", **DAILY):
    replace("days")

with DAG("tells_afterwards", **DAILY):
    replace("told") >> PythonOperator(task_id="notify", python_callable=notify)

with DAG("one_of_two", **DAILY):
    replace("first")

with DAG("only_checks", **DAILY):
    Sql(task_id="check", conn_id="warehouse", sql="select 1")

with DAG("starts_weekly", **DAILY):
    TriggerDagRunOperator(
        task_id="start",
        trigger_dag_id="weekly_child",
        logical_date="{{ ds }}",
        wait_for_completion=True,
        poke_interval=1,
    )

with DAG("removes_its_cluster", **DAILY):
    (
        (create := BashOperator(task_id="create", bash_command="echo up"))
        >> replace("worked")
        >> BashOperator(task_id="delete", bash_command="echo no such cluster; exit 1").as_teardown(setups=create)
    )
