from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from harness.unit import run_operator


def count(**options: Any) -> SQLExecuteQueryOperator:
    sql = "select count(*) from orders where day = '{{ ds }}' and region = '{{ var.value.region }}'"
    return SQLExecuteQueryOperator(task_id="count", conn_id="postgres_default", sql=sql, **options)


@pytest.fixture(autouse=True)
def region(airflow_variable: Any) -> None:
    airflow_variable("region", "eu-west-1")


def test_statement_is_rendered_for_the_logical_date_and_its_rows_are_handed_on(mock_hook, task_context):
    hook = mock_hook("postgres_default", rows=[(42,)])
    operator = count()
    run = run_operator(operator, task_context(operator, "2026-01-02"))
    assert hook.run.call_args.kwargs["sql"] == (
        "select count(*) from orders where day = '2026-01-02' and region = 'eu-west-1'"
    )
    assert run.xcoms == {"return_value": [(42,)]}
    assert run.rendered["conn_id"] == "postgres_default"


def test_nothing_is_handed_on_when_no_handler_fetches_rows(mock_hook, task_context):
    hook = mock_hook("postgres_default", rows=[(42,)])
    operator = count(handler=None)
    run = run_operator(operator, task_context(operator))
    assert (run.state, run.result, run.xcoms) == ("success", None, {})
    hook.run.assert_called_once()


def test_hook_for_another_connection_is_refused(mock_hook, task_context, airflow_connection):
    mock_hook("postgres_default", rows=[])
    airflow_connection("replica", conn_type="postgres")
    operator = SQLExecuteQueryOperator(task_id="count", conn_id="replica", sql="select 1")
    with pytest.raises(AssertionError, match="was made for connection 'replica', and not for 'postgres_default'"):
        run_operator(operator, task_context(operator))


def test_argument_that_the_hook_does_not_know_is_refused(mock_hook, task_context, monkeypatch):
    mock_hook("postgres_default", rows=[])
    monkeypatch.setattr(
        SQLExecuteQueryOperator, "execute", lambda self, context: self.get_db_hook().run("select 1", handlr=list)
    )
    operator = count()
    with pytest.raises(TypeError, match="handlr"):
        run_operator(operator, task_context(operator))


def test_answer_that_the_test_does_not_give_is_missed_by_name(mock_hook, task_context):
    mock_hook("postgres_default")
    operator = count()
    with pytest.raises(AssertionError, match=r"says nothing about PostgresHook\.run"):
        run_operator(operator, task_context(operator))


def test_error_of_the_database_is_the_errors_of_the_task(mock_hook, task_context):
    mock_hook("postgres_default", run=ConnectionError("the server closed the connection"))
    operator = count()
    with pytest.raises(ConnectionError, match="the server closed"):
        run_operator(operator, task_context(operator))
