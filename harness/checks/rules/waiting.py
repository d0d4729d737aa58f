"""Whether every wait ends, and costs no more than it must."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.checks.graph import Dag, Task
from harness.checks.registry import Hit, at, rule
from harness.checks.rules.words import PROCESS
from harness.checks.source.file import Call, SourceFile

FAMILY = "reliability"
WEEK = 7 * 24 * 3600.0
_TIMED = ("TimeDeltaSensor", "TimeSensor", "DateTimeSensor", "DayOfWeekSensor")
"""Sensors that wait for a moment: they need no timeout to end."""


def _hit(task: Task, dag: Dag, message: str, hint: str) -> Hit:
    return Hit(task.line or dag.line, message, hint, task.column, dag.dag_id)


@rule("DAG203", "sensor-without-timeout", family=FAMILY, severity="warning")
def sensor_without_timeout(dag: Dag, task: Task) -> Iterator[Hit]:
    """A sensor may wait for a week.

    That is Airflow's default timeout. Meanwhile the day's data is missing, and nobody is told.

    Bad:
        with DAG("orders", schedule=None):
            S3KeySensor(task_id="wait", bucket_key="s3://lake/orders", mode="reschedule")  # <-
    Good:
        with DAG("orders", schedule=None):
            S3KeySensor(task_id="wait", bucket_key="s3://lake/orders", mode="reschedule", timeout=3600)
    Tricky:
        with DAG("orders", schedule=None, default_args={"execution_timeout": None}):
            @task.sensor(poke_interval=30, mode="reschedule")
            def wait():
                return True
            wait()  # <-
    Limits: sensors that wait for a moment in time are left out; an execution_timeout is accepted instead.
    Source: Airflow documentation, Sensors; "Data Pipelines with Apache Airflow", chapter 6.
    """
    waits = task.kind == "sensor" and not task.operator.startswith(_TIMED)
    endless = task.timeout in (None, WEEK) and task.execution_timeout is None
    if waits and endless and task.knows("timeout", "execution_timeout"):
        yield _hit(task, dag, f"the sensor {task.task_id!r} waits for up to 7 days", "timeout=3600, in seconds")


@rule("DAG204", "sensor-keeps-slot", family=FAMILY, severity="warning")
def sensor_keeps_slot(dag: Dag, task: Task) -> Iterator[Hit]:
    """A sensor keeps a worker slot while it waits for long.

    In the default mode `poke` it holds its slot between two looks. Enough of them, and nothing else can run, not even
    what they wait for: a deadlock.

    Bad:
        with DAG("orders", schedule=None):
            S3KeySensor(task_id="wait", bucket_key="s3://lake/orders", timeout=7200)  # <-
    Good:
        with DAG("orders", schedule=None):
            S3KeySensor(task_id="wait", bucket_key="s3://lake/orders", timeout=7200, mode="reschedule")
    Tricky:
        WAIT = {"timeout": 60 * 60 * 6, "poke_interval": timedelta(minutes=5)}
        with DAG("orders", schedule=None):
            ExternalTaskSensor(task_id="wait", external_dag_id="orders", **WAIT)  # <-
    Limits: waits of ten minutes or less are left out; so are deferrable sensors, and those that wait for a
        moment in time.
    Source: "Data Pipelines with Apache Airflow", chapter 6, "sensor deadlock"; Airflow documentation, Sensors.
    """
    known = task.knows("mode", "timeout", "deferrable") and not task.operator.endswith("Async")
    if task.kind == "sensor" and known and not task.operator.startswith(_TIMED):
        limit = task.timeout if task.timeout is not None else task.execution_timeout or WEEK
        if task.mode in (None, "poke") and not task.deferrable and limit > 600:
            message = f"the sensor {task.task_id!r} keeps a worker slot for up to {_spoken(limit)}"
            yield _hit(task, dag, message, 'mode="reschedule", or deferrable=True')


def _spoken(seconds: float) -> str:
    if seconds >= 2 * 86400:
        return f"{seconds / 86400:.0f} days"
    return f"{seconds / 3600:.0f} hours" if seconds >= 7200 else f"{seconds / 60:.0f} minutes"


@rule("DAG210", "unchecked-process", family=FAMILY, severity="warning")
def unchecked_process(file: SourceFile) -> Iterator[Hit]:
    """A task starts another program and does not look at how it ended.

    The program fails, and the task is green. The same holds for `curl` without `-f`, which accepts an error page.

    Bad:
        import subprocess
        @task
        def load():
            subprocess.run(["load-orders"])  # <-
    Good:
        import subprocess
        @task
        def load():
            subprocess.run(["load-orders"], check=True)
    Tricky:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="curl -o /data/orders.json https://example.com/orders")  # <-
    Limits: a result that is assigned or compared is taken to be looked at.
    Source: "Data Pipelines with Apache Airflow", chapter 2; ruff PLW1510.
    """
    for call in file.calls:
        if call.in_task and call.name in ("subprocess.run", "os.system", "subprocess.call"):
            alone = isinstance(file.names.parents.get(call.node), ast.Expr)
            if alone and not call.states("check"):
                yield at(call, f"nobody looks at how {call.method}(...) ended", "subprocess.run(..., check=True)")
    for task in file.tasks:
        command = file.value(task.keywords.get("bash_command"))
        if isinstance(command, str) and _careless_curl(command):
            yield at(task, "curl takes an error page for data", "curl --fail")


def _careless_curl(command: str) -> bool:
    import re

    for part in re.split(r"[;\n]|&&|\|\||\|", command):
        words = part.split()
        if words and words[0] == "curl":
            flags = [w for w in words if w.startswith("-")]
            short = "".join(w[1:] for w in flags if not w.startswith("--"))
            checks = "f" in short or any(w.startswith("--fail") for w in flags) or "http_code" in part
            saves = (
                any(c in short for c in "oOT") or any(w in ("--output", "--remote-name") for w in flags) or ">" in part
            )
            if saves and not checks:
                return True
    return False


@rule("DAG211", "endless-wait", family=FAMILY, severity="warning")
def endless_wait(file: SourceFile) -> Iterator[Hit]:
    """A loop sleeps until something happens, and has no deadline.

    When it never happens the task waits for ever; and it keeps a slot meanwhile.

    Bad:
        import time
        @task
        def wait():
            while not ready():
                time.sleep(10)  # <-
    Good:
        @task.sensor(poke_interval=10, timeout=600, mode="reschedule")
        def wait():
            return ready()
    Tricky:
        from time import sleep as pause
        def wait(job):
            while True:
                if job.done():
                    return
                pause(1)  # <-
        @task
        def run():
            wait(start())
    Limits: a loop that counts, compares a clock, or raises is taken to have a deadline.
    Source: "Data Pipelines with Apache Airflow", chapter 16, where a crawler is awaited without one.
    """
    for call in file.calls:
        if call.name in ("time.sleep", "asyncio.sleep") and call.in_task:
            loop = next(
                (p for p in file.names.ancestors(call.node) if isinstance(p, ast.While | ast.For | ast.FunctionDef)),
                None,
            )
            if isinstance(loop, ast.While) and not _has_deadline(file, loop):
                yield at(
                    call, "the loop waits without a deadline", "use a sensor with a timeout, or give it a deadline"
                )


def _has_deadline(file: SourceFile, loop: ast.While) -> bool:
    for node in ast.walk(loop):
        if isinstance(node, ast.Raise | ast.AugAssign):
            return True
        if isinstance(node, ast.Call) and file.resolve(node.func).startswith(
            ("time.time", "time.monotonic", "datetime.", "pendulum.")
        ):
            return True
        if isinstance(node, ast.Compare) and any(
            isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops
        ):
            return True
    return False


@rule("DAG212", "contradicting-timeouts", family=FAMILY, severity="warning")
def contradicting_timeouts(dag: Dag, task: Task) -> Iterator[Hit]:
    """A longer timeout inside a shorter one never takes effect.

    A sensor that may wait longer than its execution_timeout fails (and is retried) instead of timing out; a task that
    may take longer than its run is cut off in the middle.

    Bad:
        with DAG("orders", schedule=None):
            limits = {"timeout": 7200, "execution_timeout": timedelta(hours=1)}
            S3KeySensor(task_id="wait", bucket_key="s3://lake/x", deferrable=True, **limits)  # <-
    Good:
        with DAG("orders", schedule=None):
            limits = {"timeout": 3600, "execution_timeout": timedelta(hours=2)}
            S3KeySensor(task_id="wait", bucket_key="s3://lake/x", deferrable=True, **limits)
    Tricky:
        LIMIT = timedelta(hours=3)
        with DAG("orders", schedule=None, dagrun_timeout=timedelta(hours=1), default_args={"execution_timeout": LIMIT}):
            BashOperator(task_id="load", bash_command="load", retries=1)  # <-
    Limits: retries and the sum of several tasks are not added up. Mode reschedule counts each look on its own.
    Source: Airflow documentation, Sensors, "Timeouts".
    """
    limit = task.execution_timeout
    if limit is None or not task.knows("execution_timeout", "timeout", "mode"):
        return
    if task.kind == "sensor" and task.timeout and task.timeout > limit and task.mode != "reschedule":
        message = f"{task.task_id!r}: its timeout of {_spoken(task.timeout)} is longer than its execution_timeout"
        yield _hit(task, dag, message, "make the execution_timeout the longer one")
    if dag.run_timeout is not None and dag.knows("run_timeout") and limit > dag.run_timeout:
        message = f"{task.task_id!r} may take {_spoken(limit)}, the whole run only {_spoken(dag.run_timeout)}"
        yield _hit(task, dag, message, "make the dagrun_timeout the longest")


@rule("DAG215", "retry-after-the-end", family=FAMILY, severity="error")
def retry_after_the_end(dag: Dag) -> Iterator[Hit]:
    """A run ends before its first retry.

    The dagrun_timeout is shorter than one retry_delay (five minutes when none is stated): a task that fails is never
    tried again, whatever its retries say.

    Bad:
        with DAG("orders", schedule=None, dagrun_timeout=timedelta(minutes=3)):
            BashOperator(task_id="load", bash_command="load", retries=2)  # <-
    Good:
        with DAG("orders", schedule=None, dagrun_timeout=timedelta(hours=1)):
            BashOperator(task_id="load", bash_command="load", retries=2)
    Tricky:
        DEFAULTS = {"retries": 1, "retry_delay": timedelta(hours=1)}
        with DAG("orders", schedule=None, dagrun_timeout=timedelta(minutes=60), default_args=DEFAULTS):
            BashOperator(task_id="load", bash_command="load")  # <-
    Limits: what the tasks before it take, and the growth of delays, are not added up.
    Source: Airflow documentation, Dags, `dagrun_timeout`; Tasks, `retry_delay`.
    """
    limit = dag.run_timeout
    if limit is None or not dag.knows("run_timeout"):
        return
    for task in dag.tasks:
        delay = task.retry_delay
        if task.retries and delay is not None and task.knows("retries", "retry_delay") and delay >= limit:
            message = f"{task.task_id!r} is tried again after {_spoken(delay)}, and the run ends after {_spoken(limit)}"
            yield _hit(task, dag, message, "a longer dagrun_timeout, or a shorter retry_delay")


def starts_process(call: Call) -> bool:
    """Say whether a call starts another program."""
    return call.name in PROCESS
