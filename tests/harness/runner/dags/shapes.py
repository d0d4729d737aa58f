"""DAGs of every shape: branches, maps, groups, setup and teardown, pools."""

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.sdk import Asset, dag, task, task_group

DAILY = {"schedule": "@daily", "start_date": datetime(2025, 1, 1), "catchup": False}


@dag(**DAILY)
def branches():
    @task.branch
    def choose():
        return "left"

    join = EmptyOperator(task_id="join", trigger_rule="none_failed_min_one_success")
    choose() >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")] >> join


@dag(**DAILY)
def short_circuits():
    ShortCircuitOperator(task_id="gate", python_callable=lambda: False) >> EmptyOperator(task_id="work")


@dag(**DAILY)
def all_skipped():
    from airflow.sdk.exceptions import AirflowSkipException

    @task
    def only():
        raise AirflowSkipException("nothing to do")

    only()


@dag(**DAILY)
def maps():
    @task
    def numbers():
        return [1, 2, 3]

    @task
    def double(n):
        return n * 2

    @task
    def total(values):
        return sum(values)

    total(double.expand(n=numbers()))


@dag(**DAILY)
def maps_badly():
    @task
    def numbers():
        return [1, 0, 2]

    @task
    def divide(n):
        return 2 // n

    @task
    def total(values):
        return sum(values)

    total(divide.expand(n=numbers()))


@dag(**DAILY)
def maps_nothing():
    @task
    def numbers():
        raise ValueError("no numbers today")

    @task
    def double(n):
        return n * 2

    double.expand(n=numbers())


@dag(**DAILY)
def groups():
    @task
    def source():
        return 2

    @task_group
    def staging(n):
        @task
        def clean(n):
            return n + 1

        @task
        def check(n):
            return n

        return check(clean(n))

    @task
    def sink(n):
        return n

    sink(staging(source()))


@dag(**DAILY)
def tears_down():
    @task
    def create():
        return "cluster"

    @task
    def work():
        raise ValueError("the job failed")

    @task
    def delete():
        return "gone"

    (start := create()) >> work() >> delete().as_teardown(setups=start)


@dag(**DAILY)
def must_tear_down():
    @task
    def create():
        return "cluster"

    @task
    def delete():
        raise ConnectionError("the cluster still runs")

    create() >> delete().as_teardown(on_failure_fail_dagrun=True)


@dag(**DAILY)
def maps_widely():
    """Twelve instances of a task with a name that comes late, so that only their order in the graph puts them first."""

    @task
    def zero():
        return list(range(12))

    @task
    def widen(n):
        return n

    @task
    def add(values):
        return sum(values)

    add(widen.expand(n=zero()))


@dag(**DAILY)
def pooled():
    """Three tasks of one pool, each of which must be alone in the folder `HARNESS_MARKS`."""

    @task(pool="narrow")
    def alone(n):
        room = Path(os.environ["HARNESS_MARKS"]) / "room"
        room.mkdir()
        time.sleep(0.1)
        room.rmdir()

    alone.expand(n=[1, 2, 3])


@dag(**DAILY)
def meets():
    """Three tasks, each of which waits until all are there."""

    @task(pool="narrow", execution_timeout=timedelta(seconds=60))
    def meet(n):
        marks = Path(os.environ["HARNESS_MARKS"])
        (marks / f"met-{n}").touch()
        while len(list(marks.glob("met-*"))) < 3:
            time.sleep(0.02)

    meet.expand(n=[1, 2, 3])


@dag(**DAILY)
def too_wide():
    @task(pool="narrow", pool_slots=5)
    def take():
        pass

    take()


@dag(**DAILY)
def publishes():
    @task(outlets=[Asset("s3://lake/orders")])
    def write():
        return 1

    write()


for build in (
    branches,
    short_circuits,
    all_skipped,
    maps,
    maps_badly,
    maps_nothing,
    groups,
    tears_down,
    must_tear_down,
    maps_widely,
    pooled,
    meets,
    too_wide,
    publishes,
):
    build()
