"""Whether the graph does what its author means: hidden failures, teardowns, hand-over of data."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from harness.checks.graph import Dag, Task
from harness.checks.registry import Hit, at, rule
from harness.checks.rules.idempotency import sql_of
from harness.checks.scenario import FAILED, SKIPPED, SUCCESS, outcome, run_state
from harness.checks.source.file import Call, Function, SourceFile
from harness.checks.source.sql import tables
from harness.checks.source.templates import calls_in

FAMILY = "structure"


def is_whole(dag: Dag) -> bool:
    """Say whether all its tasks and edges are known."""
    return dag.loaded or dag.complete


def hit(task: Task, dag: Dag, message: str, hint: str, **more: object) -> Hit:
    """Return a hit at a task, or at its DAG when the task's line is not known."""
    return Hit(task.line or dag.line, message, hint, task.column, dag.dag_id, **more)  # type: ignore[arg-type]


@rule("DAG010", "lonely-task", family=FAMILY, severity="warning")
def lonely_task(dag: Dag) -> Iterator[Hit]:
    """A task is connected with nothing, in a DAG whose other tasks are.

    It runs at the start of each run, whatever happens to the others; mostly an edge was forgotten.

    Bad:
        with DAG("orders", schedule=None):
            extract = EmptyOperator(task_id="extract")
            load = EmptyOperator(task_id="load")
            report = EmptyOperator(task_id="report")  # <-
            extract >> load
    Good:
        with DAG("orders", schedule=None):
            extract = EmptyOperator(task_id="extract")
            load = EmptyOperator(task_id="load")
            report = EmptyOperator(task_id="report")
            extract >> load >> report
    Tricky:
        with DAG("orders", schedule=None):
            extract = EmptyOperator(task_id="extract")
            load = EmptyOperator(task_id="load")
            with TaskGroup("late"):
                report = EmptyOperator(task_id="report")  # <-
            chain(extract, [load])
    Limits: without loading, DAGs with loops or helper functions are left out.
    Source: "Data Pipelines with Apache Airflow", chapter 5.
    """
    connected = [task for task in dag.tasks if task.upstream or task.downstream]
    if is_whole(dag) and len(connected) >= 2:
        for task in dag.tasks:
            if not (task.upstream or task.downstream):
                yield hit(task, dag, f"the task {task.task_id!r} is connected with nothing", "was an edge forgotten?")


def function_of(task: Task, file: SourceFile) -> Function | None:
    """Return the Python function that a task runs, when it stands in the file."""
    if task.callable is None:
        return None
    name, line = task.callable
    here = [f for f in file.code.functions.values() if f.node.lineno == line or f.name == name]
    exact = [f for f in here if f.short == name.rpartition(".")[2]]
    return next(iter(exact or here), None)


def returns(function: Function, file: SourceFile) -> list[object] | None:
    """Return the values that a function may return; None when one of them cannot be seen."""
    from harness.checks.source.values import known

    values: list[object] = []
    for node in (n for statement in function.body for n in ast.walk(statement)):
        if isinstance(node, ast.Return) and file.code.around(node.value or node) in (function, None):
            arms = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
            for arm in arms:
                value = None if arm is None else file.value(arm)
                if not known(value):
                    return None
                values.append(value)
    return values


@rule("DAG012", "masked-failure", family=FAMILY, severity="error")
def masked_failure(dag: Dag) -> Iterator[Hit]:
    """A failed task does not make the run fail.

    Airflow judges a run by its leaves alone. When every path from a task ends in a leaf that runs in spite of a failure
    (all_done, one_failed, always, ...), the run is green although the task failed, and nobody looks.

    Bad:
        with DAG("orders", schedule=None):
            load = BashOperator(task_id="load", bash_command="load")
            notify = BashOperator(task_id="notify", bash_command="notify", trigger_rule="all_done")  # <-
            load >> notify
    Good:
        with DAG("orders", schedule=None):
            load = BashOperator(task_id="load", bash_command="load")
            notify = BashOperator(task_id="notify", bash_command="notify", trigger_rule="all_done")
            load >> notify
            load >> EmptyOperator(task_id="decides")
    Tricky:
        with DAG("orders", schedule=None):
            load = BashOperator(task_id="load", bash_command="load")
            check = BashOperator(task_id="check", bash_command="check")
            alarm = BashOperator(task_id="alarm", bash_command="mail", trigger_rule=TriggerRule.ONE_FAILED)  # <-
            chain([load, check], alarm)
    Limits: without loading, DAGs with loops or helper functions are left out; skips that depend on data are not tried;
        of a branch one arm is taken.
    Source: Airflow documentation, Dag Runs, "Dag run status"; leaves decide. Use a teardown for cleaning up; by
        default its own failure does not fail the run, `on_failure_fail_dagrun=True` makes it.
    """
    if not is_whole(dag) or any(not task.knows("trigger_rule") for task in dag.tasks):
        return
    hidden: dict[str, list[str]] = {}
    for task in dag.tasks:
        if task.kind == "empty" or task.teardown or task.setup:
            continue
        states = outcome(dag, {**_other_arms(dag, task), task.task_id: FAILED})
        if states[task.task_id] == FAILED and run_state(dag, states) == SUCCESS:
            for leaf in dag.leaves:
                if leaf.task_id in dag.below(task.task_id) and states[leaf.task_id] == SUCCESS:
                    hidden.setdefault(leaf.task_id, []).append(task.task_id)
    for leaf_id, tasks in hidden.items():
        leaf = dag.by_id[leaf_id]
        names = ", ".join(repr(name) for name in tasks[:3]) + (f" and {len(tasks) - 3} more" if len(tasks) > 3 else "")
        rules = " ".join(dict.fromkeys(t.trigger_rule for t in [leaf, *_between(dag, leaf, tasks)] if _lenient(t)))
        message = f"a failure of {names} is hidden: the run is green because {leaf_id!r} runs anyway ({rules})"
        yield hit(leaf, dag, message, _UNMASK)


def _other_arms(dag: Dag, task: Task) -> dict[str, str]:
    """Return what the branches before a task skip when it runs: what comes right after them and does not lead to it."""
    branches = [dag.by_id[name] for name in dag.above(task.task_id) if dag.by_id[name].kind == "branch"]
    leading = dag.above(task.task_id) | {task.task_id}
    others = (name for branch in branches if _chooses(branch) for name in branch.downstream if name not in leading)
    # what comes right after a branch and also after the task is a join, not an arm
    return {name: SKIPPED for name in others if name not in dag.below(task.task_id)}


def _chooses(branch: Task) -> bool:
    """Whether a branch follows some of its arms, instead of all or none."""
    return "hort" not in branch.operator and branch.operator != "LatestOnlyOperator"


_UNMASK = (
    "add a leaf with all_success after the tasks that matter, or make it a teardown: its own failure then counts only "
    "with on_failure_fail_dagrun=True"
)


def _between(dag: Dag, leaf: Task, tasks: list[str]) -> Iterator[Task]:
    above = dag.above(leaf.task_id) - set(tasks)
    # in the order of the DAG's tasks: that of a set is another one in each process
    yield from (task for task in dag.tasks if task.task_id in above and dag.above(task.task_id) & set(tasks))


def _lenient(task: Task) -> bool:
    return task.trigger_rule not in ("all_success", "none_failed", "none_failed_min_one_success")


@rule("DAG013", "teardown-without-setup", family=FAMILY, severity="warning")
def teardown_without_setup(dag: Dag) -> Iterator[Hit]:
    """A teardown has no setup.

    It is then not cleared together with what it cleans up, and runs whether there is something to clean or not.

    Bad:
        with DAG("cluster", schedule=None):
            @teardown
            def stop():
                pass
            work = BashOperator(task_id="work", bash_command="work")
            work >> stop()  # <-
    Good:
        with DAG("cluster", schedule=None):
            @setup
            def start():
                pass
            @teardown
            def stop():
                pass
            started = start()
            work = BashOperator(task_id="work", bash_command="work")
            ended = stop()
            started >> work >> ended
            started >> ended
    Tricky:
        from airflow.sdk import teardown as cleanup
        with DAG("cluster", schedule=None):
            @cleanup
            def stop():
                pass
            work = BashOperator(task_id="work", bash_command="work")
            chain(work, stop())  # <-
    Limits: without loading, `as_teardown` is not followed.
    Source: Airflow documentation, "Setup and Teardown".
    """
    if is_whole(dag):
        for task in dag.tasks:
            if task.teardown and not any(
                dag.by_id[name].setup for name in dag.above(task.task_id) if name in dag.by_id
            ):
                yield hit(task, dag, f"the teardown {task.task_id!r} has no setup", "as_teardown(setups=...)")


@rule("DAG014", "missing-table-edge", family=FAMILY, severity="warning")
def missing_table_edge(dag: Dag, file: SourceFile | None) -> Iterator[Hit]:
    """Two tasks touch one table, one of them writes, and neither waits for the other.

    Which of them comes first is a matter of chance.

    Bad:
        with DAG("orders", schedule=None):
            load = SQLExecuteQueryOperator(task_id="load", conn_id="db", sql="INSERT INTO orders SELECT * FROM raw")
            report = SQLExecuteQueryOperator(task_id="report", conn_id="db", sql="SELECT count(*) FROM orders")  # <-
    Good:
        with DAG("orders", schedule=None):
            load = SQLExecuteQueryOperator(task_id="load", conn_id="db", sql="INSERT INTO orders SELECT * FROM raw")
            report = SQLExecuteQueryOperator(task_id="report", conn_id="db", sql="SELECT count(*) FROM orders")
            load >> report
    Tricky:
        TABLE = "orders"
        with DAG("orders", schedule=None):
            load = SQLExecuteQueryOperator(task_id="load", conn_id="db", sql=f"insert into {TABLE} select * from raw")
            @task
            def clean():
                PostgresHook("db").run("delete from raw")
            clean()  # <-
    Limits: only SQL that stands in operators' arguments, or in a task's own function that uses one connection; tables
        behind different connections are taken to differ.
    Source: "Data Pipelines with Apache Airflow", chapter 5.
    """
    if not is_whole(dag):
        return
    touched = {task.task_id: _touched(task, file) for task in dag.tasks}
    for position, second in enumerate(dag.tasks):
        for first in dag.tasks[:position]:
            (reads, writes), (other_reads, other_writes) = touched[first.task_id], touched[second.task_id]
            shared = (writes & (other_reads | other_writes)) | (reads & other_writes)
            ordered = first.task_id in dag.above(second.task_id) | dag.below(second.task_id)
            if shared and not ordered and not _never_both(dag, first, second):
                table = sorted(shared)[0].partition("\0")[2]
                message = (
                    f"{first.task_id!r} and {second.task_id!r} both touch {table}, and neither waits for the other"
                )
                yield hit(second, dag, message, f"{first.task_id} >> {second.task_id}, or the other way round")


def _touched(task: Task, file: SourceFile | None) -> tuple[frozenset[str], frozenset[str]]:
    connection = next((str(v) for k, v in task.arguments.items() if k.endswith("conn_id")), "")
    texts = list(task.templates.get("sql", ()))
    function = function_of(task, file) if file else None
    calls = file.calls_in[function] if file and function else []
    if len(connections := _connections(calls)) == 1:
        connection = connections.pop()
        texts += [text for _, text, _ in sql_of(calls)]
    reads: set[str] = set()
    writes: set[str] = set()
    for text in texts:
        read, written = tables(text)
        reads |= {f"{connection}\0{name}" for name in read if "\N{OBJECT REPLACEMENT CHARACTER}" not in name}
        writes |= {f"{connection}\0{name}" for name in written if "\N{OBJECT REPLACEMENT CHARACTER}" not in name}
    return frozenset(reads), frozenset(writes)


def _connections(calls: Iterable[Call]) -> set[str]:
    """Return the ids of the connections whose hooks are made."""
    hooks = (call for call in calls if call.last.endswith("Hook"))
    return {conn_id for hook in hooks if (conn_id := _conn_id(hook)) and not hook.last.startswith("S3")}


def _conn_id(hook: Call) -> str | None:
    named = [name for name in hook.file.values.keywords(hook.node) if name.endswith("conn_id")]
    return hook.text(named[0]) if named else hook.text("", 0)


def _never_both(dag: Dag, first: Task, second: Task) -> bool:
    """Whether a branch is above both, so that perhaps only one of them runs."""
    shared = dag.above(first.task_id) & dag.above(second.task_id)
    return any(dag.by_id[name].kind == "branch" for name in shared if name in dag.by_id)


@rule("DAG015", "xcom-unknown-task", family=FAMILY, severity="error")
def xcom_unknown_task(dag: Dag, file: SourceFile | None) -> Iterator[Hit]:
    """A task pulls the XCom of a task that does not exist.

    The pull gives None, without an error.

    Bad:
        with DAG("orders", schedule=None):
            extract = EmptyOperator(task_id="extract")
            load = BashOperator(task_id="load", bash_command="echo {{ ti.xcom_pull(task_ids='extrakt') }}")  # <-
            extract >> load
    Good:
        with DAG("orders", schedule=None):
            extract = EmptyOperator(task_id="extract")
            load = BashOperator(task_id="load", bash_command="echo {{ ti.xcom_pull(task_ids='extract') }}")
            extract >> load
    Tricky:
        SOURCE = "extrakt"
        def read(**context):
            return context["ti"].xcom_pull(task_ids=SOURCE)  # <-
        with DAG("orders", schedule=None):
            extract = EmptyOperator(task_id="extract")
            extract >> PythonOperator(task_id="load", python_callable=read)
    Limits: task ids that are computed, and pulls from another DAG, are left out.
    Source: Airflow documentation, XComs; pulling from a task that pushed nothing gives None.
    """
    for task, pulled, line, column in _pulls(dag, file):
        if pulled not in dag.by_id:
            from harness.environment.suggest import did_you_mean

            message = f"{task.task_id!r} pulls the XCom of {pulled!r}, a task that {dag.dag_id!r} does not have"
            hint = did_you_mean(pulled, dag.by_id, "its tasks") or ""
            yield Hit(line, message, hint, column, dag.dag_id)


@rule("DAG016", "xcom-not-upstream", family=FAMILY, severity="warning")
def xcom_not_upstream(dag: Dag, file: SourceFile | None) -> Iterator[Hit]:
    """A task pulls the XCom of a task that it does not wait for.

    The pull may come first, and then gives None. Pulling makes no edge.

    Bad:
        with DAG("orders", schedule=None):
            extract = EmptyOperator(task_id="extract")
            load = BashOperator(task_id="load", bash_command="echo {{ ti.xcom_pull(task_ids='extract') }}")  # <-
    Good:
        with DAG("orders", schedule=None):
            extract = EmptyOperator(task_id="extract")
            load = BashOperator(task_id="load", bash_command="echo {{ ti.xcom_pull(task_ids='extract') }}")
            extract >> load
    Tricky:
        @task
        def load(ti=None):
            return ti.xcom_pull("extract", key="rows")  # <-
        with DAG("orders", schedule=None):
            extract = EmptyOperator(task_id="extract")
            load() >> extract
    Limits: task ids that are computed, and pulls from another DAG, are left out.
    Source: "Data Pipelines with Apache Airflow", chapter 5.
    """
    for task, pulled, line, column in _pulls(dag, file):
        if pulled in dag.by_id and pulled not in dag.above(task.task_id) and pulled != task.task_id:
            message = f"{task.task_id!r} pulls the XCom of {pulled!r} without waiting for it"
            yield Hit(line, message, f"{pulled} >> {task.task_id}", column, dag.dag_id)


def _pulls(dag: Dag, file: SourceFile | None) -> Iterator[tuple[Task, str, int, int]]:
    """Yield (task, pulled task id, line, column) of each XCom pull with a constant id, templates first."""
    if not is_whole(dag):
        return
    for task in dag.tasks:
        for text in (t for texts in task.templates.values() for t in texts):
            for chain, ids in _template_pulls(text):
                if chain.endswith("xcom_pull"):
                    yield task, ids, task.line or dag.line, task.column
        function = function_of(task, file) if file else None
        if function and file:
            for call in file.calls_in[function]:
                if call.method == "xcom_pull" and not call.states("dag_id"):
                    value = call.value("task_ids", 0)
                    for name in [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []:
                        if isinstance(name, str) and "\N{OBJECT REPLACEMENT CHARACTER}" not in name:
                            yield task, name, call.line, call.node.col_offset + 1


def _template_pulls(text: str) -> Iterator[tuple[str, str]]:
    from harness.checks.source.templates import keyword_calls_in

    if "xcom_pull" in text:
        yield from calls_in(text)
        yield from keyword_calls_in(text, "task_ids", unless="dag_id")


@rule("DAG017", "branch-unknown-task", family=FAMILY, severity="error")
def branch_unknown_task(dag: Dag, file: SourceFile | None) -> Iterator[Hit]:
    """A branch chooses a task that does not exist.

    The branch fails at run time, and only when that choice comes up.

    Bad:
        with DAG("orders", schedule=None):
            @task.branch
            def choose(ds=None):
                return "old" if ds < "2026-06-01" else "nwe"  # <-
            choose() >> [EmptyOperator(task_id="old"), EmptyOperator(task_id="new")]
    Good:
        with DAG("orders", schedule=None):
            @task.branch
            def choose(ds=None):
                return "old" if ds < "2026-06-01" else "new"
            choose() >> [EmptyOperator(task_id="old"), EmptyOperator(task_id="new")]
    Tricky:
        def pick():
            return ["first", "second"]  # <-
        with DAG("orders", schedule=None):
            choose = BranchPythonOperator(task_id="choose", python_callable=pick)
            with TaskGroup("group"):
                choose >> [EmptyOperator(task_id="first"), EmptyOperator(task_id="second")]
    Limits: ids that are computed are not judged; a task group's id is a valid choice.
    Source: Airflow, `BranchMixIn`: "'branch_task_ids' must contain only valid task_ids".
    """
    if not is_whole(dag) or file is None:
        return
    groups = {name.rpartition(".")[0] for name in dag.by_id} | {g for n in dag.by_id for g in _prefixes(n)}
    for task in dag.tasks:
        function = function_of(task, file) if task.kind == "branch" and "hort" not in task.operator else None
        for node in (n for statement in function.body for n in ast.walk(statement)) if function else ():
            if isinstance(node, ast.Return) and node.value is not None and hasattr(node, "lineno"):
                arms = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
                for name in (name for arm in arms for name in file.strings(arm)):
                    unknown = name not in dag.by_id and name not in groups
                    if unknown and "\N{OBJECT REPLACEMENT CHARACTER}" not in name:
                        message = f"the branch {task.task_id!r} chooses {name!r}, a task that does not exist"
                        yield at(node, message, _suggestion(name, dag), dag_id=dag.dag_id)
                        break


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:n]) for n in range(1, len(parts)))


def _suggestion(name: str, dag: Dag) -> str:
    from harness.environment.suggest import did_you_mean

    inside = [known for known in dag.by_id if known.endswith(f".{name}")]
    return f"did you mean {inside[0]!r}?" if inside else did_you_mean(name, dag.by_id, "its tasks") or ""
