"""The same job submitted in three ways, and one that fails."""

from __future__ import annotations

from pathlib import Path

import pendulum
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

JOBS = Path(__file__).parents[1] / "jobs"
TABLE = "s3a://{{ var.value.lake_bucket }}/"

with DAG("submits", schedule="@daily", start_date=pendulum.datetime(2026, 1, 1), catchup=False):
    BashOperator(
        task_id="on_path",
        bash_command=f"spark-submit --py-files {JOBS}/rates.py {JOBS}/load.py {TABLE}on_path {{{{ ds }}}} 3",
    )
    BashOperator(
        task_id="in_home",
        bash_command=f'"$SPARK_HOME/bin/spark-submit" --py-files {JOBS}/rates.py {JOBS}/load.py {TABLE}in_home 2026 4',
    )
    SparkSubmitOperator(
        task_id="by_operator",
        application=f"{JOBS}/load.py",
        application_args=[f"{TABLE}by_operator", "{{ ds }}", "5"],
        py_files=f"{JOBS}/rates.py",
        conf={"spark.executor.memory": "4g"},
        driver_memory="8g",
    )

with DAG("submits_in_vain", schedule="@daily", start_date=pendulum.datetime(2026, 1, 1), catchup=False):
    BashOperator(task_id="on_path", bash_command=f"spark-submit {JOBS}/fail.py 3")
    SparkSubmitOperator(task_id="by_operator", application=f"{JOBS}/fail.py", application_args=["raise"])
