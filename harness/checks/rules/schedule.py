"""Whether a DAG runs when its author thinks, and whether its runs know their time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from harness.checks.graph import Dag
from harness.checks.model import Severity
from harness.checks.registry import Hit, at, rule
from harness.checks.rules.words import is_clock
from harness.checks.source.declared import DagCall
from harness.checks.source.file import SourceFile
from harness.checks.source.flow import origin
from harness.checks.source.names import words
from harness.checks.source.templates import read_template

FAMILY = "schedule"
_PRESETS = words("@once @continuous @hourly @daily @weekly @monthly @quarterly @yearly")


def _hit(dag: Dag, message: str, hint: str, **more: object) -> Hit:
    return Hit(dag.line, message, hint, dag.column, dag.dag_id, **more)  # type: ignore[arg-type]


def _timed(dag: Dag) -> bool:
    """Whether time starts its runs."""
    return dag.trigger in ("cron", "delta", "timetable")


def _dated(dag: Dag) -> bool:
    """Whether time starts its runs, and its author could say from when on: `@asset` takes no dates."""
    return _timed(dag) and not dag.of_asset


@rule("DAG101", "no-start-date", family=FAMILY, severity="warning")
def no_start_date(dag: Dag) -> Iterator[Hit]:
    """A scheduled DAG has no start date.

    With catchup or an interval timetable it is then never scheduled; otherwise its first run depends on when it is
    switched on, and it cannot be backfilled to a known beginning.

    Bad:
        with DAG("orders", schedule="@daily"):  # <-
            EmptyOperator(task_id="load")
    Good:
        with DAG("orders", schedule="@daily", start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
            EmptyOperator(task_id="load")
    Tricky:
        ARGUMENTS = {"schedule": timedelta(hours=1)}
        @dag(**ARGUMENTS)  # <-
        def orders():
            EmptyOperator(task_id="load")
        orders()
    Limits: a DAG that `@asset` makes is left out: it takes no start date, and never catches up.
    Source: Airflow, `CronTriggerTimetable.next_dagrun_info`: without an earliest date and with catchup, no run.
    """
    if _dated(dag) and dag.knows("start_date") and dag.start_date is None:
        never = dag.catchup and dag.knows("catchup")
        message = "no start_date: with catchup it is never scheduled" if never else "a scheduled DAG has no start_date"
        yield _hit(
            dag, message, 'start_date=pendulum.datetime(2026, 1, 1, tz="UTC")', severity="error" if never else None
        )


@rule("DAG102", "naive-start-date", family=FAMILY, severity="warning")
def naive_start_date(dag: Dag) -> Iterator[Hit]:
    """A scheduled DAG's start date has no time zone.

    It is then read in the deployment's default time zone, which may differ between stages.

    Bad:
        with DAG("orders", schedule="@daily", start_date=datetime(2026, 1, 1)):  # <-
            EmptyOperator(task_id="load")
    Good:
        with DAG("orders", schedule="@daily", start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Amsterdam")):
            EmptyOperator(task_id="load")
    Tricky:
        import datetime as dt
        FIRST = dt.datetime(2026, 1, 1)
        with DAG("orders", schedule="@daily", default_args={"start_date": FIRST}):  # <-
            EmptyOperator(task_id="load")
    Source: Airflow documentation, "Time zones".
    """
    if _dated(dag) and dag.start_date and dag.timezone is None and dag.knows("start_date", "timezone"):
        yield _hit(dag, "the start_date has no time zone", 'pendulum.datetime(..., tz="UTC") has one')


@rule("DAG103", "moving-start-date", family=FAMILY, severity="error")
def moving_start_date(file: SourceFile) -> Iterator[Hit]:
    """A start or end date is computed from the wall clock.

    It moves on with each parse: the first interval may never end, and history cannot be reproduced.

    Bad:
        with DAG("orders", schedule="@daily", start_date=datetime.now() - timedelta(days=1)):  # <-
            EmptyOperator(task_id="load")
    Good:
        with DAG("orders", schedule="@daily", start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
            EmptyOperator(task_id="load")
    Tricky:
        from pendulum import today as midnight
        def first():
            return midnight("UTC").subtract(days=7)
        ARGUMENTS = {"start_date": first()}  # <-
        with DAG("orders", schedule="@daily", default_args=ARGUMENTS):
            EmptyOperator(task_id="load")
    Limits: values from other modules are not followed.
    Source: Airflow documentation, FAQ, "What's the deal with start_date?".
    """
    seen = set()
    for call in file.makers:
        defaults = call.defaults if isinstance(call, DagCall) else {}
        for name in ("start_date", "end_date"):
            node = call.keywords.get(name) or defaults.get(name)
            if node is not None and node not in seen and origin(file, node, is_clock):
                seen.add(node)
                yield at(node, f"the {name} moves with the wall clock", "use a constant date", dag_id=_id(call))


def _id(call: object) -> str | None:
    return call.name if isinstance(call, DagCall) else None


@rule("DAG104", "catchup-unstated", family=FAMILY, severity="info")
def catchup_unstated(dag: Dag) -> Iterator[Hit]:
    """A scheduled DAG does not say whether it catches up.

    The default was True in Airflow 2 and is False in Airflow 3, and a deployment may set either.

    Bad:
        with DAG("orders", schedule="@daily", start_date=START):  # <-
            EmptyOperator(task_id="load")
    Good:
        with DAG("orders", schedule="@daily", start_date=START, catchup=False):
            EmptyOperator(task_id="load")
    Tricky:
        import airflow.sdk
        with airflow.sdk.DAG("orders", schedule=timedelta(days=1), start_date=START):  # <-
            EmptyOperator(task_id="load")
    Source: Airflow 3 release notes, `[scheduler] catchup_by_default`.
    """
    if _dated(dag) and "catchup" not in dag.keywords and "**" not in dag.keywords:
        yield _hit(dag, "the DAG does not say whether it catches up", "catchup=False, or True")


@rule("DAG105", "dst-crossing", family=FAMILY, severity="warning")
def dst_crossing(dag: Dag) -> Iterator[Hit]:
    """A run falls into the hour that daylight saving time skips or repeats.

    Once a year the run is missing or comes late, once a year it may come twice.

    Bad:
        FIRST = pendulum.datetime(2026, 1, 1, tz="Europe/Amsterdam")
        with DAG("orders", schedule="30 2 * * *", start_date=FIRST):  # <-
            EmptyOperator(task_id="load")
    Good:
        FIRST = pendulum.datetime(2026, 1, 1, tz="Europe/Amsterdam")
        with DAG("orders", schedule="30 4 * * *", start_date=FIRST):
            EmptyOperator(task_id="load")
    Tricky:
        ZONE = pendulum.timezone("America/New_York")
        with DAG("orders", schedule="15 1-2 * * mon-sun", start_date=datetime(2026, 1, 1, tzinfo=ZONE)):  # <-
            EmptyOperator(task_id="load")
    Limits: only cron expressions, also those of timetables; hourly and more frequent ones are not affected.
    Source: Airflow documentation, "Time zones", "Time zone aware Dags"; RFC 5545 on gaps and folds.
    """
    for expression, zone in dag.crons:
        fields = expression.split()
        hours = _hours(fields[1]) if len(fields) == 5 else set()
        changes = (change for change in _transitions(zone) if change[0].hour in hours)
        if 0 < len(hours) <= 12 and (change := next(changes, None)):
            when, what = change
            message = f"{expression!r} in {zone}: the hour of {when:%H}:00 is {what} on {when:%Y-%m-%d}"
            yield _hit(dag, message, 'choose another hour, or tz="UTC"')


def _hours(text: str) -> set[int]:
    """Return the hours of a cron field; empty when it is not plain numbers."""
    hours: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        if not low.isdigit() or (high and not high.isdigit()) or (step and not step.isdigit()):
            return set()
        hours.update(range(int(low), int(high or low) + 1, int(step or 1)))
    return hours


@lru_cache(maxsize=64)
def _transitions(zone: str) -> tuple[tuple[datetime, str], ...]:
    """Return the local hours that a zone skips and repeats in one year."""
    try:
        info = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ()
    found = []
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    before = moment.astimezone(info).utcoffset() or timedelta()
    for _ in range(366 * 24):
        moment += timedelta(hours=1)
        after = moment.astimezone(info).utcoffset() or timedelta()
        if after > before:
            found.append(((moment + before).replace(tzinfo=None), "skipped"))
        elif after < before:
            found.append(((moment + after).replace(tzinfo=None), "repeated"))
        before = after
    return tuple(found)


@rule("DAG106", "unused-interval", family=FAMILY, severity="info", default=False)
def unused_interval(dag: Dag, file: SourceFile | None) -> Iterator[Hit]:
    """A DAG that catches up never uses its date.

    Every run then does the same work, and a backfill repeats it once for each date.

    Bad:
        with DAG("orders", schedule="@daily", start_date=START, catchup=True):  # <-
            BashOperator(task_id="load", bash_command="load --all")
    Good:
        with DAG("orders", schedule="@daily", start_date=START, catchup=True):
            BashOperator(task_id="load", bash_command="load --day {{ ds }}")
    Tricky:
        YES = True
        with DAG("orders", schedule="@daily", start_date=START, catchup=YES):  # <-
            @task
            def load():
                print("everything")
            load()
    Limits: any mention of a date of the context in the file counts as use.
    Source: "Data Pipelines with Apache Airflow", chapter 3: incremental loading.
    """
    if _timed(dag) and dag.catchup and dag.knows("catchup") and file is not None:
        words = ("data_interval", "logical_date", "ds", "ts", "get_current_context", "context", "kwargs", "dag_run")
        text = set(re.findall(r"\w+", file.text))
        if not any(word in text or f"{word}_start" in text or f"{word}_nodash" in text for word in words):
            yield _hit(
                dag, "the DAG catches up, but no task uses the run's date", "use {{ ds }} or data_interval_start"
            )


@rule("DAG107", "zero-width-interval", family=FAMILY, severity="warning")
def zero_width_interval(dag: Dag, file: SourceFile | None) -> Iterator[Hit]:
    """Both ends of the data interval are used, and they are the same moment.

    Since Airflow 3 a cron expression, a preset and a timedelta are trigger timetables: data_interval_start equals
    data_interval_end, and a query between them finds nothing.

    Bad:
        with DAG("orders", schedule="@daily", start_date=START):
            BashOperator(task_id="load", bash_command="load {{ data_interval_start }} {{ data_interval_end }}")  # <-
    Good:
        with DAG("orders", schedule=CronDataIntervalTimetable("@daily", timezone="UTC"), start_date=START):
            BashOperator(task_id="load", bash_command="load {{ data_interval_start }} {{ data_interval_end }}")
    Tricky:
        with DAG("orders", schedule=timedelta(hours=1), start_date=START):
            @task
            def load(data_interval_start=None, data_interval_end=None):  # <-
                print(data_interval_start, data_interval_end)
            load()
    Limits: a deployment with `create_cron_data_intervals` has intervals; suppress the rule there, with the reason.
    Source: Airflow 3 release notes, `[scheduler] create_cron_data_intervals`; AIP-39.
    """
    if dag.zero_width is not True or file is None:
        return
    for task in dag.tasks:
        chains = {name for texts in task.templates.values() for text in texts for name in read_template(text).names}
        function = _function(dag, task.callable, file)
        if function is not None:
            chains |= {a.arg for a in [*function.args.args, *function.args.kwonlyargs]}
        if {"data_interval_start", "data_interval_end"} <= chains:
            line = function.lineno if function is not None else task.line
            hint = "CronDataIntervalTimetable(..., timezone=...), or compute the other end"
            certain: Severity | None = "error" if dag.loaded else None
            message = f"both ends of the data interval are used, and {dag.schedule!r} gives it no width"
            yield Hit(line or dag.line, message, hint, task.column, dag.dag_id, severity=certain)


def _function(dag: Dag, where: tuple[str, int] | None, file: SourceFile) -> ast.FunctionDef | None:
    if where is None:
        return None
    for function in file.code.functions.values():
        node = function.node
        if isinstance(node, ast.FunctionDef) and (function.name == where[0] or node.lineno == where[1]):
            return node
    return None


@rule("DAG108", "invalid-cron", family=FAMILY, severity="error")
def invalid_cron(file: SourceFile) -> Iterator[Hit]:
    """A schedule is no cron expression and no preset.

    The file does not load. `MON, WED` with a space is two fields.

    Bad:
        with DAG("orders", schedule="0 0 * * MON, WED"):  # <-
            EmptyOperator(task_id="load")
    Good:
        with DAG("orders", schedule="0 0 * * MON,WED"):
            EmptyOperator(task_id="load")
    Tricky:
        MINUTE = 75
        with DAG("orders", schedule=CronDataIntervalTimetable(f"{MINUTE} 1 * * *", timezone="UTC")):  # <-
            EmptyOperator(task_id="load")
    Source: croniter, which Airflow parses schedules with.
    """
    for dag in file.declared.dags:
        node = dag.keywords.get("schedule")
        if isinstance(node, ast.Call) and file.resolve(node.func).startswith("airflow.sdk.Cron"):
            node = file.values.keywords(node).get("cron") or next(iter(node.args), None)
        text = file.values.text(node)
        if text is not None and text not in _PRESETS and text != "None" and (problem := _cron_problem(text)):
            yield at(dag, f"{text!r} is no schedule: {problem}", "five fields: minute hour day month weekday")


def _cron_problem(text: str) -> str | None:
    from croniter import croniter
    from croniter.croniter import CroniterError

    if text.startswith("@"):
        return f"presets are {', '.join(sorted(_PRESETS))}" if text not in ("@annually", "@midnight") else None
    try:
        croniter(text)
    except (CroniterError, ValueError, KeyError, AttributeError) as error:
        return str(error)
    return None


@rule("DAG109", "ends-before-start", family=FAMILY, severity="error")
def ends_before_start(dag: Dag) -> Iterator[Hit]:
    """The end date is before the start date, so there is never a run.

    Bad:
        with DAG("orders", schedule="@daily", start_date=datetime(2026, 2, 1), end_date=datetime(2026, 1, 1)):  # <-
            EmptyOperator(task_id="load")
    Good:
        with DAG("orders", schedule="@daily", start_date=datetime(2026, 1, 1), end_date=datetime(2026, 2, 1)):
            EmptyOperator(task_id="load")
    Tricky:
        FIRST = pendulum.datetime(2026, 2, 1)
        LAST = {"end_date": FIRST - timedelta(days=1)}
        with DAG("orders", schedule="@daily", start_date=FIRST, default_args=LAST):  # <-
            EmptyOperator(task_id="load")
    Source: Airflow documentation, Dags.
    """
    if dag.start_date and dag.end_date and dag.knows("start_date", "end_date"):
        start, end = (datetime.fromisoformat(text) for text in (dag.start_date, dag.end_date))
        if end.replace(tzinfo=end.tzinfo or UTC) < start.replace(tzinfo=start.tzinfo or UTC):
            yield _hit(dag, f"the end_date {end:%Y-%m-%d} is before the start_date {start:%Y-%m-%d}", "swap them")


_DATES = frozenset(("ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz", "logical_date"))


@rule("DAG110", "no-logical-date", family=FAMILY, severity="warning")
def no_logical_date(dag: Dag) -> Iterator[Hit]:
    """A template uses the logical date in a DAG whose runs have none.

    Runs that an asset starts have no logical date, so `{{ ds }}` is undefined and the task fails. A DAG without a
    schedule fails in the same way when it is triggered through the API without a date.

    Bad:
        with DAG("report", schedule=[Asset("orders")]):
            BashOperator(task_id="make", bash_command="report {{ ds }}")  # <-
    Good:
        with DAG("report", schedule=[Asset("orders")]):
            BashOperator(task_id="make", bash_command="report {{ dag_run.run_after | ds }}")
    Tricky:
        ORDERS = Asset("orders") & Asset("customers")
        with DAG("report", schedule=ORDERS):
            day = {"day": "{{ logical_date }}"}
            SQLExecuteQueryOperator(task_id="make", conn_id="db", sql="select 1", parameters=day)  # <-
    Limits: only templates are looked at, not functions that take the date.
    Source: Airflow 3 release notes: logical_date may be None.
    """
    by_asset = dag.trigger == "asset"
    if not by_asset:
        return
    for task in dag.tasks:
        names = {name for texts in task.templates.values() for text in texts for name in _needed(text)}
        if used := sorted(names & _DATES):
            message = f"{{{{ {used[0]} }}}} is undefined: runs that an asset starts have no logical date"
            hint = "{{ dag_run.run_after }}, or the asset event's own data"
            yield Hit(task.line or dag.line, message, hint, task.column, dag.dag_id, severity="error")


def _needed(text: str) -> frozenset[str]:
    template = read_template(text)
    return frozenset() if "is defined" in text or "default" in text else template.names
