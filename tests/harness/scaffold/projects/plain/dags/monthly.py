"""Two reports of each month, in one file."""

from datetime import datetime
from pathlib import Path

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

SQL = str(Path(__file__).parents[1] / "sql")
PG = "pg_main"

with DAG("monthly_average", schedule="@monthly", start_date=datetime(2026, 1, 1), template_searchpath=SQL):
    SQLExecuteQueryOperator(task_id="fill", conn_id=PG, sql="monthly.sql", params={"table": "monthly"})

with DAG("monthly_reminder", schedule="0 9 L * *", start_date=datetime(2026, 1, 1)) as reminder:
    BashOperator(task_id="remind", bash_command="echo closing {{ ds }} for {{ var.value.get('office', 'Utrecht') }}")
