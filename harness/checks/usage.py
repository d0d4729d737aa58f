"""What each DAG uses of its environment, and where: connections, variables, pools, buckets, topics, tables, assets.

Drift between stages is judged by it, and so is an environment that lacks something.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from harness.checks.graph import Dag, Task
from harness.checks.source.file import Call, SourceFile
from harness.checks.source.sql import is_sql, tables
from harness.checks.source.templates import calls_in, is_template, read_template
from harness.checks.source.values import HOLE
from harness.models.base import Frozen

Kind = Literal["connection", "variable", "pool", "environ", "bucket", "topic", "database", "table", "asset"]

_CONN_KEYWORD = re.compile(r"(^|_)conn_id$")
_BUCKET_KEYWORD = re.compile(r"^((dest|source|src|s3|target|input|output)_)?bucket(_name)?$")
_TOPIC_KEYWORD = re.compile(r"^((input|output|source|target|kafka)_)?topics?$")
_STORE = re.compile(r"\b(?:s3a?|s3n)://([a-z0-9][a-z0-9.-]{2,62})(?=/|$)")
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_ENVIRON = ("os.environ.get", "os.getenv", "os.environ.setdefault")


class Usage(Frozen):
    """One use of something that an environment must have.

    Args:
        line: 1-based.
        dag_id: the DAG that uses it; None when the code is shared.
        optional: the code says what to do without it.
        default: it was not named: it is the operator's default.
        slots: of a pool, how many the task takes.
    """

    kind: Kind
    name: str
    path: str
    line: int
    column: int = 1
    dag_id: str | None = None
    optional: bool = False
    default: bool = False
    slots: int = 1


def sorted_uses(uses: Iterable[Usage]) -> list[Usage]:
    """Return every use once, by file and line; one that names its DAG goes before one that does not."""
    found: dict[tuple[str, str, str, int], Usage] = {}
    for use in uses:
        known = found.get((use.kind, use.name, use.path, use.line))
        if known is None or (known.dag_id is None and use.dag_id is not None):
            found[(use.kind, use.name, use.path, use.line)] = use
    return sorted(found.values(), key=lambda use: (use.path, use.line, use.kind, use.name))


def of_dag(dag: Dag) -> Iterator[Usage]:
    """Yield what a DAG's tasks use by their arguments and templates."""
    for task in dag.tasks:
        for kind, name, optional, default in _of_task(task):
            if name and HOLE not in name and "{{" not in name:
                yield Usage(
                    kind=kind,
                    name=name,
                    path=dag.path,
                    line=task.line or dag.line,
                    column=task.column,
                    dag_id=dag.dag_id,
                    optional=optional,
                    default=default,
                    slots=_slots(task) if kind == "pool" else 1,
                )


def _of_task(task: Task) -> Iterator[tuple[Kind, str, bool, bool]]:
    pool = task.pool or ("default_pool" if task.knows("pool") else None)
    if pool and (pool != "default_pool" or _slots(task) > 1):
        yield "pool", pool, False, False
    for name, value in task.arguments.items():
        if isinstance(value, str):
            yield from (
                (kind, found, False, f"default:{name}" in task.arguments)
                for kind, found in _argument(name, value, task.operator)
            )
    for name, texts in task.templates.items():
        for text in texts:
            yield from ((kind, found, optional, False) for kind, found, optional in of_template(text))
            if name == "sql" or is_sql(text):
                yield from (("table", table, False, False) for part in tables(text) for table in sorted(part))


def _slots(task: Task) -> int:
    given = task.arguments.get("pool_slots")
    return given if isinstance(given, int) else 1


def _speaks_postgres(made: str) -> bool:
    """Whether an operator or a hook is of Postgres, or of SQL at large."""
    return made.startswith(("Postgres", "SQLExecuteQuery", "SQLCheck", "SQLColumn", "SQLTable"))


def _argument(name: str, value: str, made: str) -> Iterator[tuple[Kind, str]]:
    """Yield what one argument of an operator or a hook, whose class is `made`, stands for."""
    if _CONN_KEYWORD.search(name):
        yield "connection", value
    elif _BUCKET_KEYWORD.match(name):
        yield "bucket", value
    elif _TOPIC_KEYWORD.match(name):
        yield "topic", value
    elif name == "database" and _speaks_postgres(made):
        yield "database", value
    for match in _STORE.finditer(value):
        yield "bucket", match[1]


def of_template(text: str) -> Iterator[tuple[Kind, str, bool]]:
    """Yield the connections and variables that a template reads: (kind, name, whether it can do without)."""
    if not is_template(text):
        return
    for chain in read_template(text).chains:
        parts = chain.split(".")
        if parts[0] == "conn" and len(parts) > 1 and parts[1] not in ("get", "get()"):
            yield "connection", parts[1], False
        elif parts[0] == "var" and len(parts) > 2 and not parts[2].startswith("get"):
            yield "variable", parts[2], False
    for chain, name in calls_in(text):
        if chain in ("var.value.get", "var.json.get"):
            yield "variable", name, bool(re.search(rf"get\(\s*['\"]{re.escape(name)}['\"]\s*,", text))
        elif chain == "conn.get":
            yield "connection", name, False


def of_code(file: SourceFile) -> Iterator[Usage]:
    """Yield what code uses by its calls, wherever it runs."""
    for call in file.calls:
        if call.moments:
            for kind, name, optional in _of_call(call):
                if name and HOLE not in name and "{{" not in name:
                    column = call.node.col_offset + 1
                    yield Usage(kind=kind, name=name, path=file.path, line=call.line, column=column, optional=optional)
    yield from _environ_items(file)


def _of_call(call: Call) -> Iterator[tuple[Kind, str, bool]]:
    match call.name:
        case "airflow.sdk.Variable.get":
            named = [k for k in ("default", "default_var") if call.states(k)]
            yield "variable", call.text("key", 0) or "", bool(named) or len(call.node.args) > 1
        case "airflow.sdk.Connection.get":
            yield "connection", call.text("conn_id", 0) or "", False
        case "airflow.sdk.Asset":
            yield "asset", call.text("name", 0) or call.text("uri") or "", False
        case name if name in _ENVIRON:
            yield "environ", call.text("key", 0) or "", True
        case name if name.startswith("pyspark.sql.") and name.endswith(".sql"):
            yield from (("table", t, False) for part in tables(call.text("sqlQuery", 0) or "") for t in sorted(part))
    if call.method in ("get_connection", "get_hook") and (call.last == call.method):
        yield "connection", call.text("conn_id", 0) or "", False
    if call.last.endswith("Hook") and call.node.args and not _names_its_connection(call):
        yield "connection", call.text("", 0) or "", False
    for name, node in call.file.values.keywords(call.node).items():
        text = call.file.values.text(node)
        if text and name != "default_args":
            made = call.last if call.name.startswith("airflow.") else ""
            yield from ((kind, found, False) for kind, found in _argument(name, text, made))
            if name == "pool" and call.states("task_id"):
                yield "pool", text, False
    for node in call.node.args:
        for match in _STORE.finditer(call.file.values.text(node) or ""):
            yield "bucket", match[1], False


def _names_its_connection(call: Call) -> bool:
    """Tell whether a hook is given its connection by keyword, or begins with something else: HttpHook with a method."""
    keywords = call.file.values.keywords(call.node)
    return any(_CONN_KEYWORD.search(name) for name in keywords) or (call.text("", 0) or "").upper() in _METHODS


def _environ_items(file: SourceFile) -> Iterator[Usage]:
    import ast

    for node in file.of_type(ast.Subscript):
        if isinstance(node.ctx, ast.Load) and file.resolve(node.value) == "os.environ":
            name = file.values.text(node.slice)
            if name and file.code.moments(node):
                yield Usage(kind="environ", name=name, path=file.path, line=node.lineno, column=node.col_offset + 1)


def lacking(uses: Iterable[Usage], kind: Kind, present: Iterable[str]) -> list[Usage]:
    """Return the uses of a kind whose name is not present, leaving out those that can do without."""
    there = set(present)
    return [use for use in uses if use.kind == kind and not use.optional and use.name not in there]
