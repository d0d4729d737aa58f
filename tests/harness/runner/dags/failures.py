"""DAGs that fail, each in its own way."""

import ctypes
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import dag, task

DAILY = {"schedule": "@daily", "start_date": datetime(2025, 1, 1), "catchup": False}


@dag(**DAILY)
def retried():
    @task(retries=2, retry_delay=timedelta(minutes=1))
    def flaky(ti=None):
        if ti.try_number < 2:
            raise ValueError("not this time")
        return ti.try_number

    flaky()


@dag(**DAILY)
def broken():
    @task
    def extract():
        return 1

    @task
    def load(rows):
        raise ValueError(f"cannot load {rows} rows")

    @task
    def publish(_):
        return "done"

    publish(load(extract()))


@dag(**DAILY)
def exhausted():
    @task(retries=1, retry_delay=timedelta(seconds=30))
    def load():
        raise RuntimeError("the store says no")

    load()


@dag(**DAILY)
def masked():
    @task
    def load():
        raise ValueError("half of the rows are missing")

    @task(trigger_rule="all_done")
    def notify():
        return "all well"

    load() >> notify()


@dag(**DAILY)
def exits():
    @task
    def leave():
        sys.exit(3)

    leave()


@dag(**DAILY)
def exits_hard():
    @task
    def leave():
        os._exit(7)

    leave()


@dag(**DAILY)
def segfault():
    @task
    def crash():
        ctypes.string_at(0)

    @task
    def after(_):
        pass

    after(crash())


@dag(**DAILY)
def recovers():
    """Fails until the file `HARNESS_FLAG` names is there."""

    @task
    def extract():
        return 1

    @task
    def load(rows):
        if not Path(os.environ["HARNESS_FLAG"]).exists():
            raise FileNotFoundError("the upstream file has not come")
        return rows

    @task
    def publish(rows):
        return rows

    publish(load(extract()))


@dag(**DAILY)
def times_out():
    @task(execution_timeout=timedelta(seconds=1))
    def slow():
        import time

        time.sleep(60)

    slow()


for build in (retried, broken, exhausted, masked, exits, exits_hard, segfault, recovers, times_out):
    build()
