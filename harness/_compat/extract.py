"""A loaded DAG as plain data, for rules that need the real graph.

Bridges: mapped and plain operators keep the same facts in different places, and timetables have no common way to say
whether their intervals have a width.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from harness._compat.lines import Lines, Made

_WIDE = ("CronDataIntervalTimetable", "DeltaDataIntervalTimetable", "EventsTimetable")
_NARROW = ("CronTriggerTimetable", "DeltaTriggerTimetable", "MultipleCronTriggerTimetable")
_MAX_TEXT = 200_000


def dag_data(dag: Any, lines: Lines, path: str) -> dict[str, Any]:
    """Return the fields of `harness.checks.graph.Dag`, as JSON has them."""
    made = lines.dags.get(id(dag), Made(0))
    schedule, trigger = _schedule(dag)
    zone = None if made.naive or dag.start_date is None else _zone(dag.timezone)
    end = dag.end_date or dag.default_args.get("end_date")
    return {
        "dag_id": dag.dag_id,
        "path": path,
        "line": made.line or 1,
        "loaded": True,
        "complete": True,
        "schedule": schedule,
        "trigger": trigger,
        "zero_width": _zero_width(dag.timetable, trigger),
        "catchup": bool(dag.catchup),
        "start_date": dag.start_date.isoformat() if dag.start_date else None,
        "end_date": end.isoformat() if end else None,
        "timezone": zone,
        "crons": _crons(dag, zone),
        "max_active_runs": dag.max_active_runs,
        "run_timeout": _seconds(dag.dagrun_timeout),
        "tags": sorted(str(tag) for tag in dag.tags or ()),
        "doc": dag.doc_md or dag.description,
        "params": sorted(dag.params or ()),
        "keywords": sorted({*made.keywords} if made.line else {"**"}),
        "native": bool(dag.render_template_as_native_obj),
        "searched": _searched(dag),
        "tasks": [task_data(task, lines) for task in dag.tasks],
    }


def _schedule(dag: Any) -> tuple[str | None, str | None]:
    given = dag.schedule
    name = type(given).__name__
    if given is None:
        return None, None
    if isinstance(given, str):
        return given, "other" if given in ("@once", "@continuous") else "cron"
    if isinstance(given, timedelta):
        return str(given), "delta"
    if "Partition" in name:
        return name, "other"
    if isinstance(given, list | tuple) or ("Asset" in name and name != "AssetOrTimeSchedule"):
        return "assets", "asset"
    return name, "delta" if name == "relativedelta" else "timetable"


def _zone(timezone: Any) -> str:
    return str(getattr(timezone, "name", timezone))


def _crons(dag: Any, zone: str | None) -> list[tuple[str, str]]:
    """Return cron expressions with their zones; a timetable states its own, a plain expression has the DAG's."""
    if isinstance(dag.schedule, str):
        return [(dag.schedule, zone)] if zone else []
    several = getattr(dag.schedule, "timetables", None) or [dag.schedule]
    return [(one.expression, _zone(one.timezone)) for one in several if hasattr(one, "expression")]


def _zero_width(timetable: Any, trigger: str | None) -> bool | None:
    name = type(timetable).__name__
    if trigger not in ("cron", "delta", "timetable"):
        return None
    if name in _NARROW:
        return not getattr(timetable, "interval", None) or getattr(timetable, "interval", None) == timedelta()
    return False if name in _WIDE else None


def task_data(task: Any, lines: Lines) -> dict[str, Any]:
    """Return the fields of `harness.checks.graph.Task`, as JSON has them."""
    mapped = hasattr(task, "partial_kwargs")
    made_of = task.operator_class if mapped else type(task)
    get = functools.partial(_value, task, mapped)
    sensor = _is_a(made_of, "BaseSensorOperator")
    return {
        "task_id": task.task_id,
        "operator": "@asset" if _is_asset(made_of) else str(getattr(task, "operator_name", None) or made_of.__name__),
        "line": lines.tasks.get(id(task), 0),
        "kind": _kind(made_of, sensor=sensor),
        "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
        "retries": int(task.retries or 0),
        "retry_delay": _seconds(task.retry_delay),
        "execution_timeout": _seconds(task.execution_timeout),
        "timeout": _seconds(get("timeout")) if sensor else None,
        "response_timeout": _seconds(get("response_timeout")),
        "mode": _text(get("mode")) if sensor else None,
        "poke_interval": _seconds(get("poke_interval")) if sensor else None,
        "deferrable": bool(get("deferrable")),
        "setup": bool(task.is_setup),
        "teardown": bool(task.is_teardown),
        "fails_run": bool(task.on_failure_fail_dagrun),
        "mapped": mapped or _in_mapped_group(task),
        "mapped_over": sorted(_mapped_over(task)) if mapped else [],
        "max_active": task.max_active_tis_per_dagrun or task.max_active_tis_per_dag,
        "pool": task.pool,
        "owner": task.owner,
        "depends_on_past": bool(task.depends_on_past),
        "upstream": sorted(task.upstream_task_ids),
        "downstream": sorted(task.downstream_task_ids),
        "templates": _templates(task, get),
        "templated": list(task.template_fields or ()),
        "lost": _lost(task, get),
        "arguments": dict(_arguments(task, mapped)),
        "callable": _callable(get("python_callable")),
        "unknown": ["deferrable", "timeout", "poke_interval", "mode"] if mapped and sensor else [],
    }


def _value(task: Any, mapped: bool, name: str) -> Any:
    if mapped:
        given = task.partial_kwargs
        if name in given:
            return given[name]
        expanded = getattr(task.expand_input, "value", None)
        return expanded.get(name) if isinstance(expanded, dict) else None
    return getattr(task, name, None)


def _is_a(made_of: type, name: str) -> bool:
    return any(base.__name__ == name for base in made_of.__mro__)


def _is_asset(made_of: type) -> bool:
    return _is_a(made_of, "_AssetMainOperator")


def _kind(made_of: type, *, sensor: bool) -> str:
    if sensor:
        return "sensor"
    if _is_a(made_of, "EmptyOperator"):
        return "empty"
    branches = ("BranchMixIn", "ShortCircuitOperator", "LatestOnlyOperator", "BaseBranchOperator")
    if any(_is_a(made_of, name) for name in branches):
        return "branch"
    return "trigger" if _is_a(made_of, "TriggerDagRunOperator") else "task"


def _in_mapped_group(task: Any) -> bool:
    closest = getattr(task, "get_closest_mapped_task_group", None)
    return closest is not None and closest() is not None


def _mapped_over(task: Any) -> Iterator[str]:
    # a decorated task keeps what it is mapped over in another place than `expand_input`
    for operator, _ in task._get_specified_expand_input().iter_references():
        yield operator.task_id


def _templates(task: Any, get: Any) -> dict[str, list[str]]:
    found = {}
    for name in task.template_fields or ():
        texts = [text for text in _strings(get(name), 0) if len(text) < _MAX_TEXT]
        if texts:
            found[str(name)] = texts
    return found


def _searched(dag: Any) -> list[str]:
    """Return the folders in which template files are looked for: the DAG file's own, and the template_searchpath."""
    given = dag.template_searchpath or ()
    return [str(folder) for folder in (dag.folder, *([given] if isinstance(given, str) else given))]


def _lost(task: Any, get: Any) -> list[tuple[str, str]]:
    """Return the template files that are not there: (field, name).

    Airflow takes a string in a templated field for a file when it ends as one of the operator's template files do; a
    file that it finds is read when the DAG is made, so that what still ends so was not found.
    """
    endings = tuple(ending for ending in getattr(task, "template_ext", None) or () if ending)
    found = []
    for name in task.template_fields or ():
        for text in _strings(get(name), 0):
            if len(text) < _MAX_TEXT and (text.endswith(endings) or "{%" in text):
                wanted = [text] if text.endswith(endings) else _included(task, text)
                found += [(str(name), file) for file in wanted if not _loads(task, file)]
    return list(dict.fromkeys(found))


def _included(task: Any, text: str) -> list[str]:
    """Return the templates that a template names as constants and cannot do without."""
    from jinja2 import TemplateSyntaxError, nodes

    try:
        tree = task.get_template_env().parse(text)
    except TemplateSyntaxError:
        return []
    kinds = (nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)
    needed = [node for node in tree.find_all(kinds) if not getattr(node, "ignore_missing", False)]
    return [n.template.value for n in needed if isinstance(getattr(n.template, "value", None), str)]


def _loads(task: Any, file: str) -> bool:
    from jinja2 import TemplateNotFound

    environment = task.get_template_env()
    try:
        environment.loader.get_source(environment, file)
    except (TemplateNotFound, UnicodeDecodeError, OSError):
        return False
    return True


def _strings(value: Any, depth: int) -> Iterator[str]:
    if depth > 4:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner, depth + 1)
    elif isinstance(value, list | tuple | set):
        for inner in value:
            yield from _strings(inner, depth + 1)


def _arguments(task: Any, mapped: bool) -> Iterator[tuple[str, Any]]:
    source: Iterable[tuple[str, Any]] = task.partial_kwargs.items() if mapped else vars(task).items()
    for name, value in source:
        if not name.startswith("_") and isinstance(value, str | int | float | bool) and len(str(value)) < 2000:
            yield name, value


def _callable(function: Any) -> tuple[str, int] | None:
    while isinstance(function, functools.partial) or hasattr(function, "__wrapped__"):
        function = function.func if isinstance(function, functools.partial) else function.__wrapped__
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    return "." + str(function.__qualname__).replace(".<locals>", ""), int(code.co_firstlineno)


def _seconds(value: Any) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return float(value) if isinstance(value, int | float) else None


def _text(value: Any) -> str | None:
    return str(value) if value is not None else None
