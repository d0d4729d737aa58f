from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

from harness.unit import run_operator

HOOK = "airflow.providers.apache.spark.hooks.spark_submit.SparkSubmitHook"


@pytest.fixture
def cluster(airflow_connection: Any) -> None:
    airflow_connection("spark_default", conn_type="spark", host="spark://master", port=7077)


@pytest.fixture
def submit() -> SparkSubmitOperator:
    return SparkSubmitOperator(
        task_id="enrich",
        application="jobs/enrich.py",
        application_args=["--day", "{{ ds }}", "--rows", "{{ ti.xcom_pull('extract') }}"],
        conf={"spark.sql.shuffle.partitions": "4"},
    )


@pytest.mark.usefixtures("cluster")
def test_job_is_submitted_once_with_the_day_and_what_was_extracted(mock_hook, task_context, submit):
    hook = mock_hook(HOOK, submit=0)
    run = run_operator(submit, task_context(submit, "2026-01-02", xcoms={"extract": 248}))
    hook.submit.assert_called_once_with("jobs/enrich.py")
    assert run.operator.application_args == ["--day", "2026-01-02", "--rows", "248"]


@pytest.mark.usefixtures("cluster")
def test_failed_job_is_a_failed_task(mock_hook, task_context, submit):
    mock_hook(HOOK, submit=RuntimeError("Cannot execute: spark-submit. Error code is: 1."))
    with pytest.raises(RuntimeError, match="Error code is: 1"):
        run_operator(submit, task_context(submit))


@pytest.mark.usefixtures("cluster")
def test_constructor_of_the_hook_is_the_real_one(mock_hook, task_context, submit, monkeypatch):
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook

    mock_hook(HOOK)
    monkeypatch.setattr(SparkSubmitOperator, "_get_hook", lambda self: SparkSubmitHook(executors=4))
    with pytest.raises(TypeError, match="executors"):
        run_operator(submit, task_context(submit))
