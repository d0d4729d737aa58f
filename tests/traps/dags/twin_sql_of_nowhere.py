"""Sales of a day into the report, by a statement in a file of its own: report."""

from datetime import timedelta

import pendulum
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG, CronDataIntervalTimetable

DEFAULTS = {
    "owner": "sales",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=5),
}

with DAG(
    "twin_sql_of_nowhere",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["traps"],
    doc_md=__doc__,
):
    SQLExecuteQueryOperator(task_id="report", conn_id="warehouse", sql="sql/sales_of_a_day.sql")
