"""DAGs that wait: sensors, deferrals, retries; one of them for ever."""

import os
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.sensors.date_time import DateTimeSensor
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator, Variable
from airflow.triggers.base import BaseTrigger, TriggerEvent

DAILY = {"schedule": "@daily", "start_date": datetime(2025, 1, 1), "catchup": False}


class Fires(BaseTrigger):
    def __init__(self, word, fail=False):
        super().__init__()
        self.word, self.fail = word, fail

    def serialize(self):
        return ("waits.Fires", {"word": self.word, "fail": self.fail})

    async def run(self):
        if self.fail:
            raise RuntimeError("the other side hung up")
        yield TriggerEvent({"word": self.word})


class Silent(BaseTrigger):
    def serialize(self):
        return ("waits.Silent", {})

    async def run(self):
        import asyncio

        await asyncio.sleep(3600)
        yield TriggerEvent(None)


class Tells(BaseTrigger):
    """Fires with the pause and the time limit that it was made with."""

    def __init__(self, poll_interval, timeout, after=0):
        super().__init__()
        self.poll_interval, self.timeout, self.after = poll_interval, timeout, after

    def serialize(self):
        return (
            "waits.Tells",
            {"poll_interval": self.poll_interval, "timeout": self.timeout, "after": self.after},
        )

    async def run(self):
        import asyncio

        await asyncio.sleep(self.after)
        yield TriggerEvent([self.poll_interval, self.timeout])


class PatientSensor(BaseSensorOperator):
    def execute(self, context):
        self.defer(
            trigger=Tells(self.poke_interval, self.timeout),
            method_name="resumed",
            timeout=timedelta(seconds=self.timeout),
        )

    def resumed(self, context, event=None):
        return event


class JobOperator(BaseOperator):
    """Waits for a job that takes a second, for as long as it may take."""

    def __init__(self, poll_interval=600, **kwargs):
        super().__init__(**kwargs)
        self.poll_interval = poll_interval

    def execute(self, context):
        limit = self.execution_timeout
        self.defer(
            trigger=Tells(self.poll_interval, limit.total_seconds(), after=1), method_name="resumed", timeout=limit
        )

    def resumed(self, context, event=None):
        return event


class Waits(BaseOperator):
    def __init__(self, trigger, timeout=None, **kwargs):
        super().__init__(**kwargs)
        self.trigger, self.timeout = trigger, timeout

    def execute(self, context):
        self.defer(trigger=self.trigger, method_name="resumed", timeout=self.timeout)

    def resumed(self, context, event=None):
        return event


with DAG("hangs", **DAILY):
    EmptyOperator(task_id="before") >> PythonSensor(task_id="arrival", python_callable=lambda: False, poke_interval=6)

with DAG("poke_times_out", **DAILY):
    PythonSensor(task_id="arrival", python_callable=lambda: False, poke_interval=6, timeout=30)

with DAG("reschedules", **DAILY):

    def third(ti):
        count = int(Variable.get("pokes", default=0)) + 1
        Variable.set("pokes", str(count))
        return count >= 3

    PythonSensor(task_id="arrival", python_callable=third, poke_interval=60, mode="reschedule")

with DAG("defers", **DAILY):
    (
        Waits(task_id="event", trigger=Fires("hello"))
        >> Waits(task_id="time", trigger=TimeDeltaTrigger(timedelta(seconds=30)))
        >> TimeDeltaSensor(task_id="sensor", delta=timedelta(seconds=1), deferrable=True)
    )

with DAG("trigger_fails", **DAILY):
    Waits(task_id="event", trigger=Fires("hello", fail=True))

with DAG("trigger_is_silent", **DAILY):
    Waits(task_id="event", trigger=Silent(), timeout=timedelta(seconds=60))

with DAG("waits_once", **DAILY):
    PatientSensor(task_id="sensor", poke_interval=600, timeout=6000)
    JobOperator(task_id="job", execution_timeout=timedelta(seconds=60))
    DateTimeSensor(
        task_id="moment",
        target_time="{{ (ti.start_date + macros.timedelta(seconds=600)).isoformat() }}",
        poke_interval=60,
        timeout=3600,
    )

with DAG("reschedule_times_out", **DAILY):
    PythonSensor(
        task_id="arrival", python_callable=lambda: False, poke_interval=60, timeout=150, mode="reschedule", retries=1
    )

for word, deferrable in (("poke", False), ("deferred", True)):
    with DAG(f"file_{word}", **DAILY):
        FLAG = Path(tempfile.gettempdir(), f"arrival_{word}_{os.getpid()}.txt")

        def drop_later(path):
            time.sleep(1)
            Path(path).touch()

        def clean(path):
            Path(path).unlink()

        arrival = FileSensor(
            task_id="arrival", filepath=str(FLAG), deferrable=deferrable, poke_interval=30, timeout=1800
        )
        drop = PythonOperator(task_id="drop_later", python_callable=drop_later, op_args=[str(FLAG)])
        [arrival, drop] >> PythonOperator(task_id="clean", python_callable=clean, op_args=[str(FLAG)])
