"""Whether tasks survive what goes wrong: retries, limits, overlapping runs, errors that are swallowed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from harness.checks.graph import Dag, Task
from harness.checks.registry import Hit, at, rule
from harness.checks.rules.idempotency import sql_of
from harness.checks.rules.words import is_http
from harness.checks.source.code import CALLBACKS
from harness.checks.source.edits import add_argument
from harness.checks.source.file import Function, SourceFile
from harness.checks.source.names import words
from harness.checks.source.sql import statements

FAMILY = "reliability"


def lacking(dag: Dag, tasks: list[Task], what: str, hint: str) -> Iterator[Hit]:
    """Report tasks that lack something: one by one, or once for the DAG when most of its tasks do."""
    workers = [task for task in dag.tasks if task.works]
    if len(tasks) > 1 and len(tasks) * 2 > len(workers):
        names = ", ".join(task.task_id for task in tasks[:4]) + (", ..." if len(tasks) > 4 else "")
        yield Hit(dag.line, f"{len(tasks)} tasks {what}: {names}", hint, dag.column, dag.dag_id)
        return
    for task in tasks:
        yield Hit(
            task.line or dag.line,
            f"the task {task.task_id!r} {what.replace('have', 'has')}",
            hint,
            task.column,
            dag.dag_id,
        )


@rule("DAG201", "no-retries", family=FAMILY, severity="warning")
def no_retries(dag: Dag) -> Iterator[Hit]:
    """A task is not retried.

    A network glitch at night then fails the run; Airflow's default is no retries.

    Bad:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load")  # <-
    Good:
        with DAG("orders", schedule=None, default_args={"retries": 2}):
            BashOperator(task_id="load", bash_command="load")
    Tricky:
        COMMON = {"owner": "data"}
        with DAG("orders", schedule=None, default_args={**COMMON, "retries": 2}):
            BashOperator(task_id="load", bash_command="load", retries=0)  # <-
    Limits: a deployment's `default_task_retries` counts only when Airflow loads the file. Branches, triggers and empty
        tasks are left out; sensors wait and need none, nor does a question to a person.
    Source: Airflow documentation, Best practices; "Data Pipelines with Apache Airflow", chapter 2.
    """
    missing = [t for t in dag.tasks if _works_alone(t) and not t.teardown and t.knows("retries") and t.retries == 0]
    hint = _instead_of_asset("default_task_retries") if dag.of_asset else 'default_args={"retries": 2}'
    yield from lacking(dag, missing, "have no retries", hint)


def _works_alone(task: Task) -> bool:
    """Whether a task does work, and asks nobody."""
    return task.kind == "task" and not task.asks


def _instead_of_asset(option: str) -> str:
    return f"@asset takes none: [core] {option}, or a @task(outlets=[Asset(...)]) in a DAG"


@rule("DAG202", "no-execution-timeout", family=FAMILY, severity="warning")
def no_execution_timeout(dag: Dag) -> Iterator[Hit]:
    """A task may run for ever.

    Without an execution timeout a hanging connection keeps its slot until somebody notices.

    Bad:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load")  # <-
    Good:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load", execution_timeout=timedelta(minutes=30))
    Tricky:
        LIMITS = dict(execution_timeout=None)
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load", **LIMITS)  # <-
    Limits: sensors are judged by their own timeout (DAG203). A task that asks a person ends by its response_timeout;
        what it then answers are its `defaults`.
    Source: Airflow documentation, Tasks, "Timeouts".
    """
    endless = [t for t in dag.tasks if t.knows("execution_timeout") and t.execution_timeout is None]
    missing = [t for t in endless if _works_alone(t)]
    minutes = "execution_timeout=timedelta(minutes=30)"
    hint = _instead_of_asset("default_task_execution_timeout") if dag.of_asset else minutes
    yield from lacking(dag, missing, "have no execution_timeout", hint)
    for task in endless:
        if task.asks and task.knows("response_timeout") and task.response_timeout is None:
            message = f"the task {task.task_id!r} waits for an answer for ever"
            hint = "response_timeout=timedelta(hours=4), and defaults=, which it then takes"
            yield Hit(task.line or dag.line, message, hint, task.column, dag.dag_id)


@rule("DAG205", "overlapping-runs", family=FAMILY, severity="warning")
def overlapping_runs(dag: Dag) -> Iterator[Hit]:
    """Runs that write one table may overlap.

    Up to 16 runs of a DAG are active at once: during a backfill or after a delay they write the same table together.

    Bad:
        with DAG("orders", schedule="@hourly", start_date=START):  # <-
            SQLExecuteQueryOperator(task_id="load", conn_id="db", sql="DELETE FROM totals; INSERT INTO totals SELECT 1")
    Good:
        with DAG("orders", schedule="@hourly", start_date=START, max_active_runs=1):
            SQLExecuteQueryOperator(task_id="load", conn_id="db", sql="DELETE FROM totals; INSERT INTO totals SELECT 1")
    Tricky:
        SQL = "truncate totals; insert into totals select count(*) from orders"
        with DAG("orders", schedule=timedelta(hours=1), start_date=START, max_active_runs=4):  # <-
            SQLExecuteQueryOperator(task_id="load", conn_id="db", sql=[SQL])
    Limits: only SQL in operators' arguments that names no date of the run.
    Source: Airflow documentation, `max_active_runs`.
    """
    if (
        dag.trigger not in ("cron", "delta", "timetable")
        or not dag.knows("max_active_runs")
        or dag.max_active_runs == 1
    ):
        return
    for task in dag.tasks:
        for text in task.templates.get("sql", ()):
            shared = [s.table for s in statements(text) if s.verb in ("truncate", "delete", "overwrite", "drop")]
            if shared and "{{" not in text and not task.depends_on_past:
                message = f"{task.task_id!r} rewrites {shared[0]}, and several runs may do so at once"
                yield Hit(dag.line, message, "max_active_runs=1", dag.column, dag.dag_id)
                return


@rule("DAG206", "unbounded-mapping", family=FAMILY, severity="warning")
def unbounded_mapping(dag: Dag) -> Iterator[Hit]:
    """A task is mapped over another one's output without a limit on parallel instances.

    A thousand elements are then a thousand tasks at once, which take all slots and overwhelm the system they talk to.

    Bad:
        @task
        def names():
            return ["a", "b"]
        @task
        def load(name):
            print(name)
        with DAG("orders", schedule=None):
            load.expand(name=names())  # <-
    Good:
        @task
        def names():
            return ["a", "b"]
        @task(max_active_tis_per_dagrun=4)
        def load(name):
            print(name)
        with DAG("orders", schedule=None):
            load.expand(name=names())
    Tricky:
        @task
        def names():
            return ["a", "b"]
        with DAG("orders", schedule=None):
            commands = names()
            BashOperator.partial(task_id="load").expand(bash_command=commands)  # <-
    Limits: a pool also bounds it, and is accepted whatever its size. Elements in `expand(**{...})` are not seen.
    Source: Airflow documentation, "Dynamic Task Mapping", "Placing limits on mapped tasks".
    """
    for task in dag.tasks:
        free = task.max_active is None and task.knows("max_active", "pool") and task.pool in (None, "default_pool")
        if task.mapped and task.mapped_over and free:
            message = f"{task.task_id!r} is mapped over {task.mapped_over[0]} without a limit"
            yield Hit(task.line or dag.line, message, "max_active_tis_per_dagrun=8, or a pool", task.column, dag.dag_id)


@rule("DAG207", "swallowed-error", family=FAMILY, severity="warning")
def swallowed_error(file: SourceFile) -> Iterator[Hit]:
    """A task catches every error and goes on.

    The task is green although its work was not done.

    Bad:
        @task
        def load():
            try:
                work()
            except Exception as error:  # <-
                print(error)
    Good:
        @task
        def load():
            try:
                work()
            except ValueError as error:
                print(error)
                raise
    Tricky:
        def run():
            try:
                work()
            except (KeyError, BaseException):  # <-
                pass
        with DAG("orders", schedule=None):
            PythonOperator(task_id="load", python_callable=lambda: run())
    Limits: a handler that returns, breaks, exits or re-raises is taken to know what it does; so is one that tries
        again, an attempt of several after which the function raises, and cleaning up. A name that the `try` fills and
        that is tested afterwards is a second look. `# noqa: BLE001` is its author's word.
    Source: "Data Pipelines with Apache Airflow", chapter 3: tasks are atomic.
    """
    for node in file.of_type(ast.ExceptHandler):
        if "task" in file.code.moments(node) and _catches_all(node) and not (_leaves(node) or _recovers(file, node)):
            what = ast.unparse(node.type) if node.type else "everything"
            yield at(node, f"catches {what} and goes on: the task is green without its work", "catch less, or raise")


def _catches_all(node: ast.ExceptHandler) -> bool:
    types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(t is None or (isinstance(t, ast.Name) and t.id in ("Exception", "BaseException")) for t in types)


def _leaves(node: ast.ExceptHandler) -> bool:
    inner = [n for statement in node.body for n in ast.walk(statement)]
    exits = (ast.Raise, ast.Return, ast.Break, ast.Continue, ast.Yield)
    calls = [n.func.attr for n in inner if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    fails = {"fail", "exit", "set_exception", "abort", "rollback", "append", "add"} & set(calls)
    assigns = any(isinstance(n, ast.Assign | ast.AugAssign) for n in inner)
    return any(isinstance(n, exits) for n in inner) or bool(fails) or assigns


def _recovers(file: SourceFile, handler: ast.ExceptHandler) -> bool:
    """Whether the work is tried again, or looked at again, or is none but cleaning up."""
    attempt = file.names.parents[handler]
    if not isinstance(attempt, ast.Try | ast.TryStar):
        return False
    done = [_spoken_call(call) for statement in attempt.body for call in _calls(statement)]
    again = {_spoken_call(call) for statement in handler.body for call in _calls(statement)}
    work = set(done) - _TALKING
    if again & work or (work and all(map(_cleans, work))):
        return True
    told = "BLE001" in file.lines[handler.lineno - 1]
    return told or any(look(file, attempt) for look in (_is_one_of_several, _is_tested_later, _answers))


_TALKING = words("print debug info warning error exception log str repr format len sleep get isinstance")
_CLEANING = words("close remove unlink rmtree rmdir cleanup terminate kill disconnect logout shutdown")


def _cleans(name: str) -> bool:
    return name in _CLEANING or name.startswith(("cleanup_", "clean_up_"))


def _answers(file: SourceFile, attempt: ast.Try | ast.TryStar) -> bool:
    """Whether the function returns one thing from the attempt, and another one after it."""
    inside = any(isinstance(n, ast.Return) for statement in attempt.body for n in ast.walk(statement))
    return inside and any(isinstance(n, ast.Return) and n.value is not None for n in _after(file, attempt))


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))


def _spoken_call(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)


def _is_one_of_several(file: SourceFile, attempt: ast.Try | ast.TryStar) -> bool:
    """Whether a loop around it tries until it succeeds, and does not end well without that."""
    for parent in file.names.ancestors(attempt):
        if isinstance(parent, ast.For | ast.AsyncFor | ast.While):
            leaves = any(isinstance(n, ast.Return | ast.Break) for n in ast.walk(attempt))
            endless = isinstance(parent, ast.While) and file.value(parent.test) is True
            return leaves and (endless or any(isinstance(n, ast.Raise) for n in _after(file, parent)))
        if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return False
    return False


def _is_tested_later(file: SourceFile, attempt: ast.Try | ast.TryStar) -> bool:
    filled = {
        name.id
        for statement in attempt.body
        for name in ast.walk(statement)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }
    tests = [node.test for node in _after(file, attempt) if isinstance(node, ast.If | ast.Assert | ast.IfExp)]
    return any(isinstance(n, ast.Name) and n.id in filled for test in tests for n in ast.walk(test))


def _after(file: SourceFile, node: ast.AST) -> Iterator[ast.AST]:
    """Yield a loop's `else`, and what comes after a statement in its function."""
    function = file.code.around(node)
    end = getattr(node, "end_lineno", 0)
    yield from (inner for statement in getattr(node, "orelse", []) for inner in ast.walk(statement))
    for inner in file.code.within(function) if function else ():
        if getattr(inner, "lineno", 0) > end:
            yield inner


@rule("DAG208", "request-without-timeout", family=FAMILY, severity="error")
def request_without_timeout(file: SourceFile) -> Iterator[Hit]:
    """An HTTP request has no timeout.

    `requests` and `urllib` wait for ever by default: a silent server keeps the task running until it is killed.

    Bad:
        import requests
        @task
        def load():
            return requests.get("https://example.com/orders").json()  # <-
    Good:
        import requests
        @task
        def load():
            response = requests.get("https://example.com/orders", timeout=30)
            response.raise_for_status()
            return response.json()
    Tricky:
        from requests import Session as S
        def fetch(url):
            with S() as session:
                return session.get(url)  # <-
        @task
        def load():
            return fetch("https://example.com/orders").ok
    Limits: `httpx` has a default of 5 seconds and is left out; so is what runs in no task that can be seen.
    Source: requests documentation, "Timeouts"; ruff S113.
    """
    for call in file.calls:
        urllib = call.name == "urllib.request.urlopen"
        ours = (is_http(call) and call.name.startswith("requests.")) or urllib
        if ours and call.in_task and not call.states("timeout") and not (urllib and len(call.node.args) > 2):
            library = call.name.partition(".")[0]
            limit = add_argument(file, call.node, "timeout=30")
            yield at(call, f"{library} waits for ever without a timeout", "timeout=30", repair=limit)


@rule("DAG209", "unchecked-response", family=FAMILY, severity="warning")
def unchecked_response(file: SourceFile) -> Iterator[Hit]:
    """The body of an HTTP response is used, and its status is not looked at.

    An error page is then stored as data.

    Bad:
        import requests
        @task
        def load():
            return requests.get("https://example.com/orders", timeout=30).json()  # <-
    Good:
        import requests
        @task
        def load():
            response = requests.get("https://example.com/orders", timeout=30)
            response.raise_for_status()
            return response.json()
    Tricky:
        import httpx as web
        @task
        def load():
            answer = web.get("https://example.com/orders")  # <-
            return answer.content
    Limits: a check of the status anywhere in the same function counts for all its requests.
    Source: "Data Pipelines with Apache Airflow", chapters 2 and 14, where this goes wrong.
    """
    for call in file.calls:
        function = call.function
        if is_http(call) and call.in_task and function is not None and not _checks_status(file, function):
            body = ("json", "content", "text", "iter_lines", "iter_content")
            if any(isinstance(n, ast.Attribute) and n.attr in body for n in file.code.within(function)):
                yield at(call, "the response's body is used without a look at its status", ".raise_for_status()")


def _checks_status(file: SourceFile, function: Function) -> bool:
    checks = ("raise_for_status", "status_code", "ok", "is_success", "is_error", "status")
    return any(isinstance(n, ast.Attribute) and n.attr in checks for n in file.code.within(function))


@rule("DAG213", "callback-signature", family=FAMILY, severity="error")
def callback_signature(file: SourceFile) -> Iterator[Hit]:
    """A callback takes no argument, or needs more than one.

    Airflow calls it with the context: it fails, and the alarm is never raised.

    Bad:
        def alarm():
            print("failed")
        with DAG("orders", schedule=None, on_failure_callback=alarm):  # <-
            EmptyOperator(task_id="load")
    Good:
        def alarm(context):
            print("failed", context["ti"])
        with DAG("orders", schedule=None, on_failure_callback=alarm):
            EmptyOperator(task_id="load")
    Tricky:
        ARGUMENTS = {"on_failure_callback": [lambda: print("failed")]}
        with DAG("orders", schedule=None, default_args=ARGUMENTS):  # <-
            EmptyOperator(task_id="load")
    Limits: functions from other modules are not looked at.
    Source: "Data Pipelines with Apache Airflow", chapter 12, listing 12.18; Airflow documentation, "Callbacks".
    """
    for call in file.makers:
        given = call.given
        for name in CALLBACKS - {"sla_miss_callback"}:
            node = given.get(name)
            for one in node.elts if isinstance(node, ast.List | ast.Tuple) else [node] if node else []:
                function = file.code.functions.get(one) or file.code.by_name.get(file.resolve(one))
                if function is not None and not isinstance(one, ast.Call) and not _takes_one(function):
                    what = "a lambda" if isinstance(function.node, ast.Lambda) else function.short
                    yield at(
                        call, f"{name}: {what} cannot be called with the context", "give it one parameter: context"
                    )


def _takes_one(function: Function) -> bool:
    arguments = function.node.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    needed = positional - len(arguments.defaults)
    keyword_needed = sum(default is None for default in arguments.kw_defaults)
    return needed <= 1 and keyword_needed == 0 and (positional >= 1 or arguments.vararg is not None)


@rule("DAG214", "table-as-xcom", family=FAMILY, severity="warning")
def table_as_xcom(file: SourceFile) -> Iterator[Hit]:
    """A task returns all rows of a table.

    What a task returns is kept in the metadata database, once for each run, and read into memory by whoever pulls it.
    It works as long as the table is small.

    Bad:
        @task
        def extract():
            return PostgresHook("db").get_records("SELECT item, cents FROM orders")  # <-
    Good:
        @task
        def extract():
            return PostgresHook("db").get_records("SELECT item, sum(cents) FROM orders GROUP BY item")
    Tricky:
        QUERY = "select item, cents from orders"
        @task
        def extract():
            cursor = PostgresHook("db").get_conn().cursor()
            cursor.execute(QUERY)
            rows = cursor.fetchall()
            return [list(row) for row in rows]  # <-
    Limits: only queries in the task's own function; a WHERE, LIMIT, GROUP BY, JOIN or an aggregate is taken to bound
        the rows.
    Source: Airflow documentation, "XComs": they are for small values.
    """
    decorated = (function for function in file.code.functions.values() if function.role == "task")
    for function in dict.fromkeys([*decorated, *(task.runs for task in file.tasks if task.runs)]):
        queries = [text for _, text, _ in sql_of(file.calls_in[function]) if _reads(text)]
        if not queries or any(_BOUND.search(text) for text in queries):
            continue
        for node in (one for statement in function.body for one in ast.walk(statement)):
            if not isinstance(node, ast.Return) or node.value is None or file.code.around(node) is not function:
                continue
            if any(_fetches(part) for part in _parts(node.value, file)):
                hint = "aggregate in the query, or write the rows to a store and return where they are"
                yield at(node, "all rows of a table become an XCom", hint)


_BOUND = re.compile(r"\b(where|limit|fetch first|group by|join|having|count|sum|min|max|avg)\b", re.IGNORECASE)
_FETCHERS = ("get_records", "get_pandas_df", "get_df", "read_sql", "read_sql_query", "fetchall")


def _reads(text: str) -> bool:
    return any(statement.verb == "read" for statement in statements(text))


def _parts(node: ast.AST, file: SourceFile) -> Iterator[ast.AST]:
    """Yield an expression's parts, and those of what its names stand for."""
    for part in ast.walk(node):
        yield part
        if isinstance(part, ast.Name) and (source := file.values.source(part)) is not part:
            yield from ast.walk(source)


def _fetches(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _FETCHERS
