"""DAGs whose runs depend on dates, parameters, earlier runs and each other."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronDataIntervalTimetable, Param, dag, get_current_context, task

START = {"start_date": datetime(2025, 1, 1), "catchup": False}


@task
def note():
    context = get_current_context()
    return {
        "ds": context.get("ds"),
        "start": str(context.get("data_interval_start")),
        "end": str(context.get("data_interval_end")),
        "conf": context["dag_run"].conf,
        "params": dict(context["params"]),
    }


@dag(schedule="@daily", **START)
def daily():
    note()


@dag(schedule=CronDataIntervalTimetable("0 5 * * *", timezone="Europe/Amsterdam"), **START)
def daily_interval():
    note()


@dag(schedule="0 */6 * * *", **START)
def four_a_day():
    note()


@dag(schedule="0 * * * *", start_date=datetime(2025, 1, 1), catchup=False)
def hourly_utc():
    note()


@dag(schedule=CronDataIntervalTimetable("0 * * * *", timezone="Europe/Amsterdam"), **START)
def hourly_amsterdam():
    note()


@dag(schedule="0 0 * * 1", **START)
def mondays():
    note()


@dag(schedule=None, params={"limit": Param(10, type="integer")}, **START)
def by_hand():
    note()


@dag(schedule=timedelta(days=1), **START)
def remembers():
    """Succeeds on the first date only."""

    @task(depends_on_past=True)
    def step(ds=None):
        if ds == "2026-01-02":
            raise ValueError("the second day is bad")

    step()


@dag(schedule=None, **START)
def parent():
    TriggerDagRunOperator(
        task_id="start", trigger_dag_id="child", conf={"from": "parent"}, wait_for_completion=True, poke_interval=6
    )


@dag(schedule=None, **START)
def parent_of_broken():
    TriggerDagRunOperator(task_id="start", trigger_dag_id="child_{{ 'broken' }}")


@dag(schedule=None, **START)
def child():
    note()


@dag(schedule=None, **START)
def child_broken():
    @task
    def fail():
        raise ValueError("the child is ill")

    fail()


def mark(name):
    def callback(context):
        with (Path(os.environ["HARNESS_MARKS"]) / name).open("a") as file:
            file.write(f"{context['run_id']}\n")

    return callback


@dag(schedule=None, on_success_callback=mark("dag_success"), on_failure_callback=mark("dag_failure"), **START)
def calls_back():
    @task(on_success_callback=mark("task_success"))
    def good():
        pass

    @task(on_failure_callback=mark("task_failure"))
    def bad():
        raise ValueError("ring the bell")

    good() >> bad()


for build in (
    daily,
    daily_interval,
    four_a_day,
    hourly_utc,
    hourly_amsterdam,
    mondays,
    by_hand,
    remembers,
    parent,
    parent_of_broken,
    child,
    child_broken,
    calls_back,
):
    build()
