"""Whether a run's result depends on when it happens to run, or on chance."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from harness.checks.model import Severity
from harness.checks.registry import Hit, at, rule
from harness.checks.rules.templates import arguments
from harness.checks.rules.words import UNIQUE, is_clock, is_moving, is_random
from harness.checks.source.file import Call, SourceFile
from harness.checks.source.flow import origin
from harness.checks.source.names import words
from harness.checks.source.templates import is_template, read_template

FAMILY = "idempotency"
_LOGGING = words("print info debug warning error exception log critical")
_CLOCK_CHAINS = re.compile(r"^macros\.(datetime\.(now|utcnow|today)|time(\.time)?|uuid(\.uuid[14])?|random)(\(\))?$")
_SHELL_CLOCK = re.compile(r"\$\(\s*date\b(?![^)]*(-d|--date)\b)[^)]*\)|`\s*date\b(?![^`]*(-d|--date)\b)[^`]*`")


@rule("DAG301", "clock-in-task", family=FAMILY, severity="warning")
def clock_in_task(file: SourceFile) -> Iterator[Hit]:
    """A task asks what time it is.

    A re-run or a backfill then works on another day than the run is for.

    Bad:
        @task
        def load():
            day = datetime.now().date()  # <-
            print("loading", day)
    Good:
        @task
        def load(data_interval_start=None):
            day = data_interval_start.date()
            print("loading", day)
    Tricky:
        from datetime import date as d
        def today():
            return f"{d.today():%Y-%m-%d}"  # <-
        with DAG("orders", schedule=None):
            PythonOperator(task_id="load", python_callable=lambda: print(today()))
    Limits: a time that is only logged, or subtracted to measure a duration, is left out.
    Source: "Data Pipelines with Apache Airflow", chapter 3: a run's date is never "now".
    """
    for call in file.calls:
        if is_clock(call.name) and call.in_task and not _only_observed(call):
            yield at(call, f"{_short(call)} in a task: a re-run works on another day", "use data_interval_start")


def _short(call: Call) -> str:
    return ast.unparse(call.node.func) + "()"


def _only_observed(call: Call) -> bool:
    """Whether the time is only logged, or subtracted to measure a duration."""
    for parent in call.file.names.ancestors(call.node):
        if isinstance(parent, ast.Call):
            func = parent.func
            name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
            if name in _LOGGING:
                return True
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Sub):
            return isinstance(parent.right, ast.Name | ast.Attribute)
        if isinstance(parent, ast.Assign):
            names = [t.id for t in parent.targets if isinstance(t, ast.Name)]
            return bool(names) and parent.value is call.node and _only_measured(call, names)
        if isinstance(parent, ast.stmt):
            return False
    return False


def _only_measured(call: Call, names: list[str]) -> bool:
    function = call.function
    if function is None:
        return False
    uses = [
        n
        for n in call.file.code.within(function)
        if isinstance(n, ast.Name) and n.id in names and isinstance(n.ctx, ast.Load)
    ]
    return bool(uses) and all(
        isinstance(p := call.file.names.parents.get(n), ast.BinOp) and isinstance(p.op, ast.Sub) for n in uses
    )


@rule("DAG302", "clock-in-template", family=FAMILY, severity="error")
def clock_in_template(file: SourceFile) -> Iterator[Hit]:
    """A template or a shell command asks what time it is.

    It is rendered when the task runs: a re-run or a backfill works on another day than the run is for.

    Bad:
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command="load {{ macros.datetime.now() }}")  # <-
    Good:
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command="load {{ ds }}")
    Tricky:
        OPTIONS = ["--day", "{{ macros.datetime.utcnow().date() }}"]
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command=f"load {' '.join(OPTIONS)}")  # <-
    Limits: `$(date)` in a shell command is a warning, since it may only label a log.
    Source: "Data Pipelines with Apache Airflow", chapter 4.
    """
    for task in file.tasks:
        for name, _, text in arguments(task):
            chains = (
                sorted(c for c in read_template(text).chains if _CLOCK_CHAINS.match(c)) if is_template(text) else []
            )
            if chains:
                yield at(
                    task,
                    f"{name}: {{{{ {chains[0]} }}}} is another value in each run",
                    "{{ ds }} or {{ data_interval_start }}",
                )
                break
            if name == "bash_command" and (match := _SHELL_CLOCK.search(text)):
                yield at(task, f"{match[0]} is the time of running, not of the run", "{{ ds }}", severity="warning")
                break


@rule("DAG303", "clock-at-parse", family=FAMILY, severity="error")
def clock_at_parse(file: SourceFile) -> Iterator[Hit]:
    """A task's argument is computed from the clock or by chance while the file is parsed.

    It is another value at each parse: not the run's date, and Airflow stores a new version of the DAG each time.

    Bad:
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command=f"load {datetime.now():%Y-%m-%d}")  # <-
    Good:
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command="load {{ ds }}")
    Tricky:
        TODAY = pendulum.today("UTC").to_date_string()
        @task
        def load(day=TODAY):  # <-
            print(day)
    Limits: start_date, ids and `random` seeds have rules of their own; values from other modules are not followed.
    Source: Airflow documentation, Best practices, "Top level Python code"; ruff AIR304.
    """
    own = ("start_date", "end_date", "task_id", "dag_id", "group_id", "default_args", "dag", "python_callable")
    for call in file.makers:
        for name, node in call.keywords.items():
            if name not in (*own, "**") and origin(file, node, is_moving):
                hint = "{{ ds }}, or compute it in the task"
                # the default of a form's field is only a proposal to whoever triggers the run
                certain: Severity = "warning" if name == "params" else "error"
                yield at(call, f"{name} is another value each time the file is parsed", hint, severity=certain)
                break
        else:
            arguments_ = getattr(call, "arguments", [])
            if any(origin(file, argument, is_moving) for argument in arguments_):
                yield at(call, "an argument is another value each time the file is parsed", "compute it in the task")
    for function in file.functions("task"):
        defaults = [*function.node.args.defaults, *(d for d in function.node.args.kw_defaults if d)]
        if any(origin(file, default, is_moving) for default in defaults):
            yield at(
                function.node,
                f"a default of {function.short}() is computed when the file is parsed",
                "compute it in the body",
            )


@rule("DAG306", "unseeded-random", family=FAMILY, severity="warning")
def unseeded_random(file: SourceFile) -> Iterator[Hit]:
    """A task's result is a matter of chance.

    A re-run gives other data; a failure cannot be reproduced.

    Bad:
        import random
        @task
        def sample(rows):
            return random.sample(rows, 10)  # <-
    Good:
        import random
        @task
        def sample(rows, ds=None):
            return random.Random(ds).sample(rows, 10)
    Tricky:
        from numpy import random as chance
        def noise(n):
            return chance.normal(size=n)  # <-
        with DAG("train", schedule=None):
            PythonOperator(task_id="train", python_callable=noise, op_args=[10])
    Limits: a seed anywhere in the file counts; a UUID is reported only when it names or keys something.
    Source: "Data Pipelines with Apache Airflow", chapter 11: deterministic tasks.
    """
    seeded = any(call.last in ("seed", "default_rng") for call in file.calls)
    for call in file.calls:
        if call.in_task and is_random(call.name) and not (seeded and call.name not in UNIQUE):
            yield at(call, f"{_short(call)} gives another value in each run", "seed it with the run's date")
