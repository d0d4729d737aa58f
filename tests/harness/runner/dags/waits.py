"""DAGs that wait: sensors, deferrals, retries; one of them for ever."""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, BaseOperator, Variable
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
