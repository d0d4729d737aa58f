"""Publishes on Sundays only, and not by intent: the join hangs under one arm of the branch."""

import pendulum
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator as Sql
from airflow.sdk import DAG, task

MAKE = "create table if not exists published (d date primary key)"
PUBLISH = "insert into published values ('{{ ds }}') on conflict do nothing"


def weekly(dag_id, schedule="@daily"):
    with DAG(dag_id, schedule=schedule, start_date=pendulum.datetime(2026, 1, 1), catchup=False):

        @task.branch
        def choose(logical_date=None):
            return ["week", "day"] if logical_date.isoweekday() == 7 else "day"

        week = Sql(task_id="week", conn_id="warehouse", sql="select 1")
        day = Sql(task_id="day", conn_id="warehouse", sql=MAKE)
        tidy = Sql(task_id="tidy", conn_id="warehouse", sql="select 1")
        publish = Sql(task_id="publish", conn_id="warehouse", sql=PUBLISH)
        choose() >> [week, day]
        week >> tidy >> publish
        day >> publish


weekly("weekly_publish")
weekly("declared_weekly")  # the environment says that it is right so
weekly("holidays")  # the environment says that some dates have no input
weekly("weekly_child", schedule=None)
