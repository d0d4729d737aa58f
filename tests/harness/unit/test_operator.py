from __future__ import annotations

import os
import signal

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Asset, BaseOperator, task

from harness.unit import run_operator


def test_hooks_around_execute_are_called_in_order(task_context):
    called = []

    class Steps(BaseOperator):
        def pre_execute(self, context):
            called.append("pre_execute")

        def execute(self, context):
            called.append(f"execute {context['ds']}")

        def post_execute(self, context, result=None):
            called.append("post_execute")

    operator = Steps(task_id="steps")
    run_operator(operator, task_context(operator, "2026-01-02"))
    assert called == ["pre_execute", "execute 2026-01-02", "post_execute"]


def test_branch_names_what_it_skips(task_context):
    with DAG("branches", schedule=None):

        @task.branch
        def choose():
            return "left"

        chosen = choose()
        chosen >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]
    run = run_operator(chosen, task_context(chosen))
    assert (run.state, run.skipped) == ("success", ("right",))


def test_triggered_run_is_told(task_context):
    operator = TriggerDagRunOperator(task_id="start", trigger_dag_id="child", conf={"day": "{{ ds }}"})
    (triggered,) = run_operator(operator, task_context(operator, "2026-01-02")).triggered
    assert (triggered.dag_id, triggered.conf) == ("child", {"day": "2026-01-02"})


def test_assets_that_are_updated_are_told(task_context):
    @task(outlets=[Asset(name="orders", uri="s3://lake/orders")])
    def write():
        return 1

    operator = write()
    assert run_operator(operator, task_context(operator)).outlets == (("orders", "s3://lake/orders"),)


def test_nothing_of_the_run_stays_in_the_process(task_context):
    handler, environ = signal.getsignal(signal.SIGTERM), dict(os.environ)

    @task
    def sees():
        return os.environ["AIRFLOW_CTX_DAG_ID"]

    operator = sees()
    assert run_operator(operator, task_context(operator)).result == "unit_test"
    assert signal.getsignal(signal.SIGTERM) is handler
    assert dict(os.environ) == environ


def test_exit_of_the_task_is_raised_as_such(task_context):
    @task
    def leaves():
        raise SystemExit(3)

    operator = leaves()
    with pytest.raises(SystemExit):
        run_operator(operator, task_context(operator))


def test_all_that_is_logged_is_captured_with_its_level(task_context):
    @task
    def tells():
        import logging

        import structlog

        logging.getLogger("jobs.load").warning("%d rows are late", 3)
        structlog.get_logger("jobs.load").error("load failed", table="orders")

    operator = tells()
    logs = run_operator(operator, task_context(operator)).logs
    assert logs.at("warning") == ["3 rows are late"]
    (failed,) = [entry for entry in logs if entry.level == "error"]
    assert (failed.event, failed.logger, failed.values["table"]) == ("load failed", "jobs.load", "orders")
