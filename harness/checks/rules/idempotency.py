"""Whether running a task again leaves what running it once does."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from harness.checks.registry import Hit, at, rule
from harness.checks.rules.words import SQL_METHODS
from harness.checks.source.file import Call, Function, SourceFile
from harness.checks.source.sql import Statement, is_sql, statements
from harness.checks.source.values import HOLE

FAMILY = "idempotency"


def sql_of(calls: Iterable[Call]) -> Iterator[tuple[ast.expr, str, Call]]:
    """Yield every SQL text that is given to something: (expression, text, call)."""
    for call in calls:
        given = [call.expression("sql"), call.expression("query"), call.expression("insert_query")]
        if call.method in SQL_METHODS or call.last.endswith(("text", "SQL")):
            given += call.node.args[:1]
        for node in given:
            for text in call.file.strings(node) if node is not None else []:
                if is_sql(text):
                    yield node, text, call  # type: ignore[misc]


@rule("DAG304", "insert-again", family=FAMILY, severity="warning")
def insert_again(file: SourceFile) -> Iterator[Hit]:
    """Rows are inserted, and nothing removes those of an earlier run.

    A retry or a re-run inserts them a second time.

    Bad:
        with DAG("orders", schedule="@daily"):
            SQLExecuteQueryOperator(task_id="load", conn_id="db", sql="INSERT INTO orders SELECT * FROM raw")  # <-
    Good:
        with DAG("orders", schedule="@daily"):
            SQLExecuteQueryOperator(
                task_id="load",
                conn_id="db",
                sql="DELETE FROM orders WHERE day = '{{ ds }}'; INSERT INTO orders SELECT * FROM day('{{ ds }}')",
            )
    Tricky:
        TABLE = "orders"
        @task
        def load(hook):
            with hook.get_conn() as connection:
                connection.cursor().execute(f"insert into {TABLE} (id) values (%s)", (1,))  # <-
    Limits: a DELETE, TRUNCATE or MERGE of the same table anywhere in the file counts, so does ON CONFLICT; SQL in files
        of its own is read when the DAG is loaded.
    Source: "Data Pipelines with Apache Airflow", chapters 3 and 14.
    """
    found = [(node, call, s) for node, text, call in sql_of(file.calls) for s in statements(text)]
    cleaned = {s.table for _, _, s in found if s.verb in ("delete", "truncate", "merge", "overwrite", "create", "drop")}
    for node, call, statement in found:
        runs = call.in_task or call.last.endswith("Operator") or "task_id" in file.values.keywords(call.node)
        adds = statement.verb in ("insert", "copy") and not statement.guarded and not _matches(statement, cleaned)
        if runs and adds:
            where = node if isinstance(node, ast.Constant | ast.JoinedStr) and not _is_operator(call) else call
            message = f"rows are inserted into {_readable(statement.table)}, and those of an earlier run stay"
            yield at(where, message, "delete the run's partition first, or ON CONFLICT, or MERGE")


def _is_operator(call: Call) -> bool:
    return call.states("task_id")


def _matches(statement: Statement, cleaned: set[str]) -> bool:
    last = statement.table.rpartition(".")[2]
    return any(statement.table == t or t.rpartition(".")[2] == last or HOLE in t for t in cleaned)


def _readable(table: str) -> str:
    return table.replace(HOLE, "...")


@rule("DAG305", "append-again", family=FAMILY, severity="warning")
def append_again(file: SourceFile) -> Iterator[Hit]:
    """Data is appended, and nothing removes that of an earlier run.

    A retry or a re-run appends it a second time.

    Bad:
        @task
        def load(frame):
            frame.write.format("delta").mode("append").save("s3://lake/orders")  # <-
    Good:
        @task
        def load(frame, ds=None):
            writer = frame.write.format("delta").mode("overwrite")
            writer.option("replaceWhere", f"day = '{ds}'").save("s3://lake/orders")
    Tricky:
        MODE = "append"
        def save(frame):
            frame.to_sql("orders", con=None, if_exists=MODE)  # <-
        with DAG("orders", schedule=None):
            PythonOperator(task_id="load", python_callable=save)
    Limits: txnAppId and txnVersion make a Delta append idempotent, and are accepted; a stream's append is left out.
    Source: "Data Pipelines with Apache Airflow", chapter 3; Delta Lake documentation, "Idempotent writes in
        foreachBatch".
    """
    for call in file.calls:
        if call.in_task and _appends(call) and not _transactional(call):
            yield at(call, "data is appended: a re-run appends it again", "overwrite the run's partition, or merge")


def _appends(call: Call) -> bool:
    match call.method:
        case "mode":
            return call.text("saveMode", 0) == "append"
        case "to_sql":
            return call.text("if_exists") == "append"
        case "write_deltalake" | "save" | "saveAsTable" | "write_table" | "to_csv":
            return call.text("mode") in ("append", "a")
        case "insertInto":
            return call.value("overwrite", 1) is not True and "replaceWhere" not in call.file.text
        case "open":
            mode = call.text("mode", 0 if isinstance(call.node.func, ast.Attribute) else 1)
            return mode is not None and mode.startswith("a") and len(mode) <= 3
    return False


def _transactional(call: Call) -> bool:
    function = call.function
    text = ast.unparse(function.node) if function else ""
    return "txnAppId" in text or "writeStream" in text or "outputMode" in text


@rule("DAG309", "shared-global", family=FAMILY, severity="warning")
def shared_global(file: SourceFile) -> Iterator[Hit]:
    """A task changes a variable of the module.

    Each task runs in a process of its own, perhaps on another machine: the change is lost, and another task that reads
    the variable does not see it.

    Bad:
        ROWS = []
        @task
        def extract():
            ROWS.append(1)  # <-
        @task
        def load():
            print(ROWS)
    Good:
        @task
        def extract():
            return [1]
        @task
        def load(rows):
            print(rows)
    Tricky:
        count = 0
        def increase():
            global count
            count += 1  # <-
        with DAG("orders", schedule=None):
            PythonOperator(task_id="a", python_callable=increase)
            PythonOperator(task_id="b", python_callable=lambda: print(count))
    Limits: a variable that only one task touches is taken to be a cache.
    Source: "Data Pipelines with Apache Airflow", chapter 4: nothing is shared in memory.
    """
    for function in file.functions("task"):
        for name, node in _changed(file, function):
            if any(name in _read(file, other) for other in file.functions("task") if _apart(other, function)):
                message = (
                    f"{function.short}() changes the module's {name!r}, which another task reads: it will not see it"
                )
                yield at(node, message, "return the value, and pass it on", severity="error")


def _apart(one: Function, other: Function) -> bool:
    return one is not other and not one.name.startswith(other.name) and not other.name.startswith(one.name)


def _changed(file: SourceFile, function: Function) -> Iterator[tuple[str, ast.AST]]:
    scope = file.names.inner[function.node]
    top = file.names.inner[file.tree]
    for node in file.code.within(function):
        if isinstance(node, ast.Assign | ast.AugAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                base = target.value if isinstance(target, ast.Subscript) else target
                if isinstance(base, ast.Name) and (isinstance(target, ast.Subscript) or base.id in scope.shared):
                    yield from [(base.id, node)] if _is_global(base.id, scope, top) else []
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            name = node.func.value.id
            mutable = node.func.attr in ("append", "extend", "add", "update", "insert", "setdefault", "pop", "clear")
            if mutable and _is_global(name, scope, top) and _plain_container(file, name):
                yield name, node


def _is_global(name: str, scope: object, top: object) -> bool:
    found = scope.find(name)  # type: ignore[attr-defined]
    return found is not None and found[0] is top


def _plain_container(file: SourceFile, name: str) -> bool:
    bindings = file.names.inner[file.tree].bindings.get(name, [])
    return any(isinstance(b.value, ast.List | ast.Dict | ast.Set) for b in bindings) or any(
        isinstance(b.value, ast.Call)
        and file.resolve(b.value.func) in ("dict", "list", "set", "collections.defaultdict")
        for b in bindings
    )


def _read(file: SourceFile, function: Function) -> set[str]:
    return {n.id for n in file.code.within(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


@rule("DAG310", "load-without-replace", family=FAMILY, severity="warning")
def load_without_replace(file: SourceFile) -> Iterator[Hit]:
    """An object is stored under a key that may exist already, and must not be replaced.

    The hook refuses: every re-run of the date fails.

    Bad:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook
        @task
        def land(text, ds=None):
            S3Hook("lake").load_string(text, key=f"orders/{ds}.json", bucket_name="landing")  # <-
    Good:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook
        @task
        def land(text, ds=None):
            S3Hook("lake").load_string(text, key=f"orders/{ds}.json", bucket_name="landing", replace=True)
    Tricky:
        from airflow.providers.amazon.aws.hooks import s3
        def land(path):
            hook = s3.S3Hook(aws_conn_id="lake")
            hook.load_file(filename=path, key="orders.json", bucket_name="landing", replace=False)  # <-
        with DAG("orders", schedule=None):
            PythonOperator(task_id="land", python_callable=land, op_args=["/data/x"])
    Limits: hooks of other stores are not known. A `try` that catches the refusal, and a function that looks for the key
        or deletes it, are taken to know what they do.
    Source: "Data Pipelines with Apache Airflow", chapters 7 and 14.
    """
    methods = ("load_string", "load_file", "load_bytes", "load_file_obj")
    for call in file.calls:
        refuses = not call.states("replace") or call.value("replace") is False
        if call.method in methods and "S3Hook()" in call.name and call.in_task and refuses and not _expects_it(call):
            yield at(call, f"{call.method} fails when the key exists: a re-run of the date fails", "replace=True")


_CATCHING = ("Exception", "BaseException", "ValueError")
_LOOKING = ("check_for_key", "head_object", "delete_objects", "list_keys", "check_for_wildcard_key")


def _expects_it(call: Call) -> bool:
    """Whether the code around a call is prepared for a key that exists."""
    around = call.file.calls_in[call.function]
    if any(other.method in _LOOKING for other in around):
        return True
    inner: ast.AST = call.node
    for parent in call.file.names.ancestors(call.node):
        if isinstance(parent, ast.Try) and inner in parent.body:
            types = [part for handler in parent.handlers if not _raises(handler) for part in _types(handler)]
            if any(name in _CATCHING for name in types):
                return True
        inner = parent
    return False


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for statement in handler.body for node in ast.walk(statement))


def _types(handler: ast.ExceptHandler) -> list[str]:
    given = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [ast.unparse(one).rpartition(".")[2] if one else "BaseException" for one in given]


@rule("DAG311", "overwrite-everything", family=FAMILY, severity="warning")
def overwrite_everything(file: SourceFile) -> Iterator[Hit]:
    """A whole table is overwritten by a task that works on one date.

    The other dates are gone.

    Bad:
        @task
        def load(frame, ds=None):
            day = frame.where(f"day = '{ds}'")
            day.write.format("delta").mode("overwrite").save("s3://lake/orders")  # <-
    Good:
        @task
        def load(frame, ds=None):
            day = frame.where(f"day = '{ds}'")
            writer = day.write.format("delta").mode("overwrite").option("replaceWhere", f"day = '{ds}'")
            writer.save("s3://lake/orders")
    Tricky:
        from deltalake import write_deltalake as write
        @task
        def load(frame, data_interval_start=None):
            write("s3://lake/orders", frame, mode="overwrite")  # <-
    Limits: a path with a hole is taken to name the partition; spark.sql.sources.partitionOverwriteMode anywhere in the
        file counts.
    Source: Delta Lake documentation, "Selective overwrite".
    """
    if "partitionOverwriteMode" in file.text:
        return
    for call in file.calls:
        function = call.function
        if not call.in_task or function is None or not _works_on_a_date(function):
            continue
        spark = call.method in ("save", "saveAsTable", "parquet") and _mode_of(call) == "overwrite"
        rust = call.last == "write_deltalake" and call.text("mode") == "overwrite" and not call.states("predicate")
        target = call.value("table_or_uri" if rust else "path", 0)
        if (
            (spark or rust)
            and not (isinstance(target, str) and HOLE in target)
            and "replaceWhere" not in ast.unparse(function.node)
        ):
            yield at(call, "all dates are overwritten by a task that works on one", 'option("replaceWhere", ...)')


def _works_on_a_date(function: Function) -> bool:
    arguments = function.node.args
    names = {a.arg for a in [*arguments.args, *arguments.kwonlyargs]}
    return bool(names & {"ds", "ds_nodash", "data_interval_start", "data_interval_end", "logical_date", "day", "date"})


def _mode_of(call: Call) -> str | None:
    """Return the mode of a Spark writer, from the call or the chain of calls before it."""
    if mode := call.text("mode"):
        return mode
    node: ast.expr = call.node.func
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "mode":
            return call.file.values.text(node.args[0]) if node.args else None
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return None
