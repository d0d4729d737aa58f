from __future__ import annotations

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from harness.unit import run_operator


def count(**options):
    sql = "select count(*) from orders where day = '{{ ds }}'"
    return SQLExecuteQueryOperator(task_id="count", conn_id="postgres_default", sql=sql, **options)


def test_statement_is_rendered_for_the_logical_date_and_its_rows_are_handed_on(mock_hook, task_context):
    hook = mock_hook("postgres_default", rows=[(42,)])
    operator = count()
    run = run_operator(operator, task_context(operator, "2026-01-02"))
    assert run.result == [(42,)]
    assert run.xcoms == {"return_value": [(42,)]}
    assert hook.run.call_args.kwargs["sql"] == "select count(*) from orders where day = '2026-01-02'"
