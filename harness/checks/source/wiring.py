"""The graph of a DAG as far as its text shows it: `>>`, `<<`, lists, chain, set_downstream, TaskFlow arguments, groups.

Where a part cannot be followed (a loop, a helper function, an unknown call) the DAG is marked as not complete, and
rules that need all edges leave it to the loaded DAG.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from harness.checks.graph import Dag, Task, wired
from harness.checks.source.declared import DagCall, Declared, TaskCall
from harness.checks.source.file import OPEN, UNKNOWN, SourceFile
from harness.checks.source.names import words
from harness.checks.source.values import Made, known

_BRANCHES = ("branch", "short_circuit", "branch_virtualenv", "branch_external_python")
_EMPTY = frozenset(("EmptyOperator", "DummyOperator"))
UNTEMPLATED = words(
    "task_id dag doc doc_md doc_rst doc_json doc_yaml description owner tags retries trigger_rule pool queue "
    "python_callable task_display_name default_args"
)
_SAFE = sys.stdlib_module_names | {"pendulum", "dateutil", "yaml", "kubernetes", "pytz"}
"""Roots of modules whose functions make no tasks."""


@dataclass(frozen=True)
class Ends:
    """What an expression connects to: the task ids at its entry and at its exit."""

    heads: frozenset[str] = frozenset()
    tails: frozenset[str] = frozenset()


class Wiring:
    """Reads the edges between one DAG's tasks off the source."""

    def __init__(self, declared: Declared, dag: DagCall) -> None:
        self.declared = declared
        self.file = declared.file
        self.dag = dag
        self.calls = [task for task in declared.tasks if task.dag is dag]
        self.names = _distinct(self.calls)
        self.by_node: dict[ast.AST, str] = {t.node: n for t, n in self.names.items() if n}
        self.edges: dict[tuple[str, str], None] = {}
        self.complete = dag.name is not None and all(t.certain and n for t, n in self.names.items())

    def graph(self) -> Dag:
        """Return the DAG with its tasks and edges."""
        if self.complete:
            self._connect()
        tasks = [_task(call, name) for call, name in self.names.items() if name]
        if self.complete:
            tasks = list(wired(tasks, self.edges))
        return _dag(self.dag, tuple(tasks), complete=self.complete and not self._stray())

    def _connect(self) -> None:
        for node in self.file.names.nodes:
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift | ast.LShift):
                left, right = self._nodes(node.left), self._nodes(node.right)
                self._join(left, right) if isinstance(node.op, ast.RShift) else self._join(right, left)
            elif isinstance(node, ast.Call):
                self._call_edges(node)
            elif isinstance(node, ast.With) and any(self._is_task(i.context_expr) for i in node.items):
                self.complete = False
        for task in self.calls:
            self._data_edges(task)
        self._setup_edges()

    def _is_task(self, node: ast.expr) -> bool:
        return any(not name.endswith(".*") for name in self._nodes(node) or [])

    def _call_edges(self, node: ast.Call) -> None:
        name = self.file.resolve(node.func)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name in ("airflow.sdk.chain", "airflow.sdk.chain_linear"):
            self._chain(node, linear=name.endswith("_linear"))
        elif name == "airflow.sdk.cross_downstream" and len(node.args) == 2:
            self._join(self._nodes(node.args[0]), self._nodes(node.args[1]))
        elif method in ("set_downstream", "set_upstream") and isinstance(node.func, ast.Attribute) and node.args:
            own, other = self._nodes(node.func.value), self._nodes(node.args[0])
            self._join(own, other) if method == "set_downstream" else self._join(other, own)
        elif method in ("as_teardown", "as_setup") and node.keywords and isinstance(node.func, ast.Attribute):
            own = self._nodes(node.func.value)
            for keyword in node.keywords:
                self._join(self._nodes(keyword.value), own) if keyword.arg == "setups" else None

    def _chain(self, node: ast.Call, *, linear: bool) -> None:
        parts = [self._nodes(argument) for argument in node.args]
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            self.complete = False
        for (before, first), (after, second) in zip(
            zip(parts, node.args, strict=True), list(zip(parts, node.args, strict=True))[1:], strict=False
        ):
            both = isinstance(first, ast.List | ast.Tuple) and isinstance(second, ast.List | ast.Tuple)
            if both and not linear and before and after and len(before) == len(after):
                for one, other in zip(before, after, strict=True):
                    self._join([one], [other])
            else:
                self._join(before, after)

    def _join(self, left: list[str] | None, right: list[str] | None) -> None:
        if left is None or right is None:
            if left or right:
                self.complete = False
            return
        for source in left:
            for target in right:
                for tail in self._ends(source).tails:
                    for head in self._ends(target).heads:
                        self.edges[(tail, head)] = None

    def _ends(self, item: str) -> Ends:
        if not item.endswith(".*"):
            return Ends(frozenset((item,)), frozenset((item,)))
        inside = {name for name in self.names.values() if name and name.startswith(item[:-1])}
        self.complete &= bool(inside)
        targets = {b for a, b in self.edges if a in inside and b in inside}
        sources = {a for a, b in self.edges if a in inside and b in inside}
        return Ends(frozenset(inside - targets), frozenset(inside - sources))

    def _nodes(self, node: ast.expr) -> list[str] | None:
        """Return the tasks and groups (`name.*`) that an expression stands for; [] for a label, None if unknown."""
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                parts = [self._nodes(element) for element in elements]
                return None if None in parts else [name for part in parts for name in part or []]
            case ast.BinOp(op=ast.RShift() | ast.LShift(), left=left, right=right):
                found = self._nodes(right)
                return self._nodes(left) if found == [] else found
            case ast.Attribute(value=value, attr="output"):
                return self._nodes(value)
            case ast.Subscript(value=value):
                return self._nodes(value)
            case ast.Name():
                return self._named(node)
            case ast.Call():
                return self._made(node)
        return None

    def _made(self, node: ast.Call) -> list[str] | None:
        if node in self.by_node:
            return [self.by_node[node]]
        target = self.file.resolve(node.func)
        if target == "airflow.sdk.Label":
            return []
        if target == "airflow.sdk.TaskGroup":
            name = self.declared.group_name(node)
            return [f"{name}.*"] if name else None
        function = self.file.code.by_name.get(target)
        if function and function.role == "group":
            return [f"{function.short}.*"] if function.airflow is not None else None
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("as_teardown", "as_setup", "map", "zip"):
            return self._nodes(node.func.value)
        return None

    def _named(self, node: ast.Name) -> list[str] | None:
        from harness.checks.source.names import current

        scope = self.file.names.scopes[node]
        found = scope.find(node.id)
        binding = current(found[1], node, same=found[0] is scope) if found else None
        if binding and binding.value is not None and binding.kind in ("value", "context"):
            return self._nodes(binding.value)
        return None

    def _data_edges(self, task: TaskCall) -> None:
        """Connect tasks whose output is another's argument."""
        target = self.names[task]
        given = [*task.arguments, *task.keywords.values()]
        if task.expanded:
            given += [k.value for k in task.node.keywords] + list(task.node.args)
            partial = task.node.func.value if isinstance(task.node.func, ast.Attribute) else None
            given += [k.value for k in partial.keywords] if isinstance(partial, ast.Call) else []
        for argument in given:
            for inner in _parts(argument):
                for source in self._nodes(inner) or []:
                    if source != target and target and not source.endswith(".*"):
                        self.edges[(source, target)] = None

    def _setup_edges(self) -> None:
        kinds = {self.names[t]: t.operator for t in self.calls}
        if any(kind in ("@setup", "@teardown") for kind in kinds.values()) and len(self.edges) == 0:
            self.complete = False

    def _stray(self) -> bool:
        """Whether something in the DAG's file may add tasks or edges that were not seen."""
        operators = {"expand", "partial", "override", "output"}
        for call in self.file.calls:
            if not call.at_parse or call.node in self.by_node or call.method in operators:
                continue
            function = self.file.code.by_name.get(call.name)
            if function and function.role in ("plain", "group") and self._makes_tasks(function.node):
                return True
            if function is None and not _harmless(call.name) and self._inside(call.node):
                return True
        return False

    def _inside(self, node: ast.AST) -> bool:
        """Whether a node stands in the body of this DAG."""
        for parent in self.file.names.ancestors(node):
            if self.dag.body and parent is self.dag.body.node:
                return True
            if isinstance(parent, ast.With) and self.declared.with_dag(parent) is self.dag:
                return not any(node in ast.walk(item) for item in parent.items)
        return False

    def _makes_tasks(self, node: ast.AST) -> bool:
        function = self.file.code.functions[node]
        called = sum(call.name == function.name for call in self.file.calls)
        inside = [t for t in self.declared.tasks if node in self.file.names.ancestors(t.node)]
        return bool(inside) and (function.role != "group" or called > 1)


def _harmless(name: str) -> bool:
    """Whether a call cannot add tasks: Airflow's own, the standard library's, a builtin, a method of a plain value."""
    root = name.removeprefix(".").partition(".")[0].removesuffix("()")
    return not name or name.startswith(("airflow.", ".")) or root in _SAFE or "." not in name


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    """Yield an argument and what is inside it, where Airflow looks for outputs of other tasks."""
    yield node
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            for element in elements:
                yield from _parts(element)
        case ast.Dict(values=values):
            for value in values:
                yield from _parts(value)


def _distinct(calls: list[TaskCall]) -> dict[TaskCall, str | None]:
    """Number repeated calls of one decorated function as Airflow does: load, load__1, load__2."""
    seen: dict[str, int] = {}
    names: dict[TaskCall, str | None] = {}
    for call in calls:
        name = call.name
        if name and call.decorated and name in seen:
            names[call] = f"{name}__{seen[name]}"
        else:
            names[call] = name
        if name:
            seen[name] = seen.get(name, 0) + 1
    return names


_FIELDS = {
    "trigger_rule": ("trigger_rule", "all_success"),
    "retries": ("retries", 0),
    "retry_delay": ("retry_delay", 300.0),
    "execution_timeout": ("execution_timeout", None),
    "timeout": ("timeout", None),
    "response_timeout": ("response_timeout", None),
    "mode": ("mode", None),
    "poke_interval": ("poke_interval", None),
    "deferrable": ("deferrable", False),
    "pool": ("pool", None),
    "owner": ("owner", None),
    "depends_on_past": ("depends_on_past", False),
    "fails_run": ("on_failure_fail_dagrun", False),
}


def _task(call: TaskCall, name: str) -> Task:
    values: dict[str, Any] = {}
    unknown = {"templated"}
    given = {**call.inherited, **call.keywords}
    for target, (keyword, default) in _FIELDS.items():
        value = call.file.value(given[keyword]) if keyword in given else default
        value = value.total_seconds() if isinstance(value, timedelta) else value
        if isinstance(value, Made) or not known(value) or (keyword not in given and OPEN in given):
            unknown.add(target)
        else:
            values[target] = value
    limits = [call.value(k) for k in ("max_active_tis_per_dag", "max_active_tis_per_dagrun") if call.states(k)]
    if any(not isinstance(limit, int) for limit in limits):
        unknown.add("max_active")
    values["max_active"] = next((limit for limit in limits if isinstance(limit, int)), None)
    plain = {k: call.file.value(v) for k, v in call.keywords.items()}
    return Task(
        task_id=name,
        operator=call.operator,
        line=call.line,
        column=call.node.col_offset + 1,
        kind=kind_of(call.operator),
        setup=call.operator == "@setup",
        teardown=call.operator == "@teardown",
        mapped=bool(call.expanded),
        mapped_over=_mapped_over(call),
        templates={k: tuple(call.file.strings(v)) for k, v in call.keywords.items() if k not in UNTEMPLATED},
        arguments={k: v for k, v in plain.items() if known(v) and isinstance(v, str | int | float | bool)},
        callable=(call.runs.name, call.runs.node.lineno) if call.runs else None,
        unknown=frozenset(unknown),
        **_typed(values, unknown),
    )


def _typed(values: dict[str, Any], unknown: set[str]) -> dict[str, Any]:
    """Drop values of a wrong type: they are the loaded DAG's business."""
    numbers = ("retries", "retry_delay", "execution_timeout", "response_timeout", "timeout", "poke_interval")
    flags = ("deferrable", "depends_on_past", "fails_run")
    good: dict[str, Any] = {}
    for name, value in values.items():
        wanted = int | float if name in numbers else bool if name in flags else str
        if name == "max_active" or value is None or isinstance(value, wanted):
            good[name] = value
    if good.get("retries") is None:
        good.pop("retries", None)
    return {k: v for k, v in good.items() if v is not None or k not in ("trigger_rule", *flags)}


def _mapped_over(call: TaskCall) -> tuple[str, ...]:
    sizes = [k.value for k in call.node.keywords] + list(call.node.args) if call.expanded else []
    return tuple(ast.unparse(node) for node in sizes if not call.file.is_known(node) and _is_output(node))


def _is_output(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Subscript)


def kind_of(operator: str) -> str:
    """Return what sort of task an operator's name or a decorator stands for."""
    if operator in _EMPTY:
        return "empty"
    if operator.startswith("@task."):
        flavour = operator.removeprefix("@task.")
        return "branch" if flavour in _BRANCHES else "sensor" if flavour == "sensor" else "task"
    if "Branch" in operator or operator in ("ShortCircuitOperator", "LatestOnlyOperator"):
        return "branch"
    if operator.endswith(("Sensor", "SensorAsync")):
        return "sensor"
    return "trigger" if operator == "TriggerDagRunOperator" else "task"


def _dag(call: DagCall, tasks: tuple[Task, ...], *, complete: bool) -> Dag:
    given = call.keywords
    unknown = {name for name in ("catchup", "max_active_runs", "run_timeout", "tags") if OPEN in given}
    schedule, trigger = schedule_of(call)
    start = call.file.value(given.get("start_date") or call.defaults.get("start_date"))
    end = call.file.value(given.get("end_date") or call.defaults.get("end_date"))
    stated = {**call.defaults, **given}
    if not isinstance(start, datetime) and (OPEN in stated or "start_date" in stated):
        unknown |= {"start_date", "timezone"}
    zone = str(start.tzinfo) if isinstance(start, datetime) and start.tzinfo else None
    catchup = call.value("catchup")
    runs, timeout = call.value("max_active_runs"), call.value("dagrun_timeout")
    if "max_active_runs" in given and not isinstance(runs, int):
        unknown.add("max_active_runs")
    if "catchup" in given and not isinstance(catchup, bool):
        unknown.add("catchup")
    return Dag(
        dag_id=call.name or "",
        path=call.file.path,
        line=call.line,
        column=call.node.col_offset + 1,
        complete=complete,
        schedule=schedule,
        trigger=trigger,
        zero_width=_zero_width(call, schedule, trigger),
        catchup=catchup is True,
        start_date=start.isoformat() if isinstance(start, datetime) else None,
        end_date=end.isoformat() if isinstance(end, datetime) else None,
        timezone=zone,
        crons=((schedule, zone),) if trigger == "cron" and schedule and zone else (),
        max_active_runs=runs if isinstance(runs, int) else None,
        run_timeout=timeout.total_seconds() if isinstance(timeout, timedelta) else None,
        tags=tuple(t for t in call.file.strings(given.get("tags"))),
        doc=_doc(call),
        keywords=frozenset(given),
        searched=_searched(call),
        tasks=tasks,
        unknown=frozenset(unknown | ({"schedule"} if trigger == "unknown" else set())),
    )


def _searched(call: DagCall) -> tuple[str, ...]:
    """Return the folders in which template files are looked for; none when one of them is not here or not known."""
    own = str(Path(call.file.path).parent)
    if not call.states("template_searchpath"):
        return (own,)
    given = call.value("template_searchpath")
    more = [given] if isinstance(given, str) else given
    there = isinstance(more, list | tuple) and all(isinstance(m, str) and Path(m).is_dir() for m in more)
    return (own, *more) if there else ()


def _doc(call: DagCall) -> str | None:
    if "doc_md" in call.keywords or "description" in call.keywords:
        return "stated"
    node = call.body.node if call.body else None
    return ast.get_docstring(node) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None


def schedule_of(call: DagCall) -> tuple[str | None, str | None]:
    """Return a DAG's schedule as text, and what starts its runs: cron, delta, asset, other, unknown, or None."""
    node = call.keywords.get("schedule")
    if node is None:
        return (None, "unknown") if OPEN in call.keywords else (None, None)
    value = call.file.value(node)
    node = call.file.values.source(node)
    match value:
        case None | "@once" | "@continuous" | "None":
            return (None, None) if value is None else (str(value), "other")
        case str():
            return (value, "cron") if known(value) else (None, "unknown")
        case timedelta():
            return str(value), "delta"
        case list() | tuple():
            return "assets", "asset"
        case Made(name=name) if name.startswith("airflow.sdk.Asset") and not name.endswith("AssetOrTimeSchedule"):
            return "assets", "asset"
        case Made(name=name) if name.endswith(("relativedelta", "duration")):
            return ast.unparse(value.node), "delta"
        case Made(name=name):
            return ast.unparse(value.node), "other" if "Partition" in name else "timetable"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
        return "assets", "asset"
    return None, "unknown"


def _zero_width(call: DagCall, schedule: str | None, trigger: str | None) -> bool | None:
    if trigger in ("cron", "delta"):
        return True
    if trigger == "timetable" and schedule:
        return False if "DataInterval" in schedule else None
    return None


def declared_dags(file: SourceFile, declared: Declared) -> list[Dag]:
    """Return all DAGs of a file as its text shows them."""
    return [Wiring(declared, dag).graph() for dag in declared.dags]


__all__ = ["UNKNOWN", "Wiring", "declared_dags", "kind_of", "schedule_of"]
