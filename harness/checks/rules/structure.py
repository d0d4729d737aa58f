"""Whether a file's DAGs and tasks exist, once each, under names that hold."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from harness.checks.facts import DagFact, arm_of
from harness.checks.graph import Dag
from harness.checks.project import Project
from harness.checks.registry import Hit, at, rule
from harness.checks.rules.words import is_moving
from harness.checks.scenario import RULES
from harness.checks.source.declared import DagCall, TaskCall
from harness.checks.source.edits import replace_text
from harness.checks.source.file import SourceFile
from harness.checks.source.flow import evaluated, origin
from harness.checks.source.names import FunctionNode
from harness.environment.suggest import did_you_mean

FAMILY = "structure"


@rule("DAG005", "cycle", family=FAMILY, severity="error")
def cycle(dag: Dag) -> Iterator[Hit]:
    """Tasks wait for each other in a circle.

    Airflow refuses the file with an import error, and all its DAGs disappear.

    Bad:
        with DAG("orders", schedule=None):  # <-
            first = EmptyOperator(task_id="first")
            second = EmptyOperator(task_id="second")
            first >> second >> first
    Good:
        with DAG("orders", schedule=None):
            first = EmptyOperator(task_id="first")
            second = EmptyOperator(task_id="second")
            first >> second
    Tricky:
        with DAG("orders", schedule=None):  # <-
            @task
            def load(rows):
                return rows
            @task
            def check(rows):
                return rows
            loaded = load([1])
            chain(loaded, check(loaded), loaded)
    Limits: without loading, edges made in loops or helper functions are not followed.
    Source: Airflow documentation, Dags, "Control flow"; `airflow.sdk.DAG.check_cycle`.
    """
    if dag.loaded or dag.complete:
        for task in dag.tasks:
            if task.task_id in dag.above(task.task_id):
                others = sorted(dag.above(task.task_id) & dag.below(task.task_id))
                yield Hit(dag.line, f"tasks wait for each other: {', '.join(others)}", "remove one of the edges")
                return


@rule("DAG006", "duplicate-dag-id", family=FAMILY, severity="error")
def duplicate_dag_id(project: Project) -> Iterator[Hit]:
    """Two DAGs have the same id.

    Only one of them exists in Airflow, and which one depends on the order of parsing: no error is shown.

    Bad:
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load")
        with DAG("orders", schedule="@daily"):  # <-
            EmptyOperator(task_id="load")
    Good:
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load")
        with DAG("orders_daily", schedule="@daily"):
            EmptyOperator(task_id="load")
    Tricky:
        NAME = "orders"
        with DAG(dag_id=f"{NAME}", schedule=None):
            EmptyOperator(task_id="load")
        @dag(schedule="@daily")  # <-
        def orders():
            EmptyOperator(task_id="load")
        orders()
    Limits: ids that are computed are compared only when Airflow loads the files; of a file that is loaded, the DAGs
        that it makes are compared, not those that its text could make.
    Source: Airflow documentation, Best practices; a second DAG of one id replaces the first in the DagBag.
    """
    places: dict[str, list[tuple[str, DagFact]]] = defaultdict(list)
    for path, facts in project.facts.items():
        for made in facts.declared:
            if not made.uncalled or _imported_elsewhere(project, path, made.uncalled):
                places[made.dag_id].append((path, made))
    for dag_id, found in places.items():
        (first, made), *others = sorted(found, key=lambda item: (item[0], item[1].line))
        for path, other in others if dag_id else []:
            if path != first or not made.excludes(other):
                where = f"{first}:{made.line}" if first != path else f"line {made.line}"
                message = f"the DAG id {dag_id!r} is also used at {where}"
                hint = "only one of them exists in Airflow: give each an id of its own"
                yield Hit(other.line, message, hint, other.column, dag_id, path=path)


def exclusive(file: SourceFile, one: ast.AST, other: ast.AST) -> bool:
    """Whether two nodes stand in different branches of one `if` or `try`."""
    above = {
        id(n): child for child, n in zip([one, *file.names.ancestors(one)], file.names.ancestors(one), strict=False)
    }
    inner: ast.AST = other
    for parent in file.names.ancestors(other):
        if id(parent) in above:
            split = isinstance(parent, ast.If | ast.Try | ast.IfExp | ast.Match)
            return split and arm_of(parent, above[id(parent)]) != arm_of(parent, inner)
        inner = parent
    return False


@rule("DAG007", "duplicate-task-id", family=FAMILY, severity="error")
def duplicate_task_id(file: SourceFile) -> Iterator[Hit]:
    """Two tasks of one DAG have the same id.

    Airflow raises DuplicateTaskIdFound while it parses the file, and all its DAGs disappear.

    Bad:
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load")
            BashOperator(task_id="load", bash_command="true")  # <-
    Good:
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load")
            with TaskGroup("late"):
                BashOperator(task_id="load", bash_command="true")
    Tricky:
        with DAG("orders", schedule=None):
            for table in ["a", "b"]:
                EmptyOperator(task_id="load")  # <-
    Limits: in a helper function, ids are compared only when Airflow loads the file.
    Source: Airflow, `airflow.exceptions.DuplicateTaskIdFound`.
    """
    seen: dict[tuple[DagCall, str], TaskCall] = {}
    for task in file.tasks:
        if task.dag is None or task.name is None or task.decorated or ("dag" in task.keywords and not task.certain):
            continue
        key = (task.dag, task.name)
        if key in seen and not exclusive(file, seen[key].node, task.node):
            first = seen[key].line
            yield at(task, f"the task id {task.name!r} is also used in line {first}", "task ids are unique in a DAG")
        elif loop := _constant_loop(file, task):
            yield at(
                task,
                f"the loop in line {loop.lineno} makes several tasks with the id {task.name!r}",
                "put the loop's variable into the id",
            )
        seen.setdefault(key, task)


def _constant_loop(file: SourceFile, task: TaskCall) -> ast.For | None:
    """Return the loop that makes a task more than once in the same DAG and group."""
    for parent in file.names.ancestors(task.node):
        if isinstance(parent, ast.With | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.If | ast.Try):
            return None
        if isinstance(parent, ast.For):
            values = file.value(parent.iter)
            ends = any(isinstance(n, ast.Break | ast.Return | ast.Continue) for n in ast.walk(parent))
            many = isinstance(values, list | tuple) and len(values) > 1
            return parent if many and not ends and task.dag is not None else None
    return None


@rule("DAG008", "dag-never-made", family=FAMILY, severity="error")
def dag_never_made(project: Project) -> Iterator[Hit]:
    """A decorated DAG is never called, so it does not exist.

    `@dag` only marks a function; the DAG comes into being when that function is called at module level.

    Bad:
        @dag(schedule="@daily")  # <-
        def orders():
            EmptyOperator(task_id="load")
    Good:
        @dag(schedule="@daily")
        def orders():
            EmptyOperator(task_id="load")
        orders()
    Tricky:
        import airflow.sdk as air
        @air.dag  # <-
        def orders():
            EmptyOperator(task_id="load")
        if __name__ == "__main__":
            orders().test()
    Limits: a function that another file of the project imports is taken to be called there.
    Source: Airflow documentation, Dags, "The @dag decorator".
    """
    for path, facts in project.facts.items():
        for made in facts.declared:
            if made.uncalled and not _imported_elsewhere(project, path, made.uncalled):
                message = f"the DAG {made.uncalled!r} is never made"
                hint = f"call it at the end of the file: {made.uncalled}()"
                yield Hit(made.line, message, hint, made.column, path=path)


def _imported_elsewhere(project: Project, path: str, name: str) -> bool:
    return any(name in facts.imports for other, facts in project.facts.items() if other != path)


@rule("DAG009", "task-outside-dag", family=FAMILY, severity="warning")
def task_outside_dag(file: SourceFile) -> Iterator[Hit]:
    """An operator is made outside of any DAG, so it never runs.

    Bad:
        with DAG("orders", schedule=None):
            first = EmptyOperator(task_id="first")
        second = EmptyOperator(task_id="second")  # <-
    Good:
        with DAG("orders", schedule=None) as orders:
            first = EmptyOperator(task_id="first")
        second = EmptyOperator(task_id="second", dag=orders)
    Tricky:
        import airflow.providers.standard.operators.empty as empty
        with DAG("orders", schedule=None) as orders:
            pass
        lost = empty.EmptyOperator(task_id="lost")  # <-
    Limits: one that is connected with a task of a DAG, or given to a function, is taken to be adopted.
    Source: Airflow documentation, Operators.
    """
    for task in file.tasks:
        if task.dag or task.decorated or "dag" in task.keywords or file.code.around(task.node):
            continue
        parent = file.names.parents.get(task.node)
        names = [t.id for t in getattr(parent, "targets", []) if isinstance(t, ast.Name)]
        alone = isinstance(parent, ast.Expr | ast.Assign)
        used = [n for n in file.of_type(ast.Name) if n.id in names and isinstance(n.ctx, ast.Load)]
        if alone and not used and task.certain and file.declared.dags:
            yield at(task, f"{task.operator} is made outside of any DAG", "move it into the with block, or pass dag=")


@rule("DAG018", "late-binding", family=FAMILY, severity="error")
def late_binding(file: SourceFile) -> Iterator[Hit]:
    """A task's function uses a loop variable, and sees its last value.

    The function runs long after the loop: every task that the loop makes does the work of the last one.

    Bad:
        with DAG("train", schedule=None):
            for model in ["small", "large"]:
                PythonOperator(task_id=f"train_{model}", python_callable=lambda: print(model))  # <-
    Good:
        with DAG("train", schedule=None):
            for model in ["small", "large"]:
                PythonOperator(task_id=f"train_{model}", python_callable=print, op_args=[model])
    Tricky:
        with DAG("train", schedule=None):
            for model in ["small", "large"]:
                @task(task_id=f"train_{model}")
                def train():
                    print(f"training {model}")  # <-
                train()
    Limits: variables that are changed in a `while` loop are not seen, nor functions that are handed over in
        `**{"python_callable": ...}`.
    Source: Python FAQ, "Why do lambdas defined in a loop with different values all return the same result?".
    """
    for function in file.functions("task"):
        loops = [p for p in file.names.ancestors(function.node) if isinstance(p, ast.For | ast.FunctionDef)]
        inside = loops[: next((i for i, p in enumerate(loops) if _stops(file, p)), len(loops))]
        targets = {
            n.id
            for loop in inside
            if isinstance(loop, ast.For)
            for n in ast.walk(loop.target)
            if isinstance(n, ast.Name)
        }
        for name in _free(file, function.node):
            if name.id in targets:
                hint = f"pass it: op_kwargs, an argument, or a default ({name.id}={name.id})"
                yield at(name, f"the loop variable {name.id!r} has its last value when the task runs", hint)
                break


def _stops(file: SourceFile, node: ast.AST) -> bool:
    """A plain function around the loop's inside gives each call its own variables."""
    return isinstance(node, ast.FunctionDef) and file.code.functions[node].role == "plain"


def _free(file: SourceFile, function: FunctionNode) -> Iterator[ast.Name]:
    scope = file.names.inner[function]
    body = [function.body] if isinstance(function, ast.Lambda) else function.body
    for node in (n for statement in body for n in ast.walk(statement)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found = file.names.scopes[node].find(node.id)
            if found and found[0] is not scope and found[0] is not file.names.scopes[node]:
                yield node


@rule("DAG019", "unstable-id", family=FAMILY, severity="error")
def unstable_id(file: SourceFile) -> Iterator[Hit]:
    """A DAG or task id is another one each time the file is parsed.

    Files are parsed about every 30 seconds, and again by each task: the scheduler and the worker then speak of
    different tasks, and the DAG's history is lost.

    Bad:
        with DAG(f"orders_{datetime.now():%Y%m%d}", schedule=None):  # <-
            EmptyOperator(task_id="load")
    Good:
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load")
    Tricky:
        import uuid as u
        def unique(name):
            return f"{name}_{u.uuid4()}"
        with DAG("orders", schedule=None):
            EmptyOperator(task_id=unique("load"))  # <-
    Limits: values that come from other modules are not followed.
    Source: Airflow documentation, Best practices, "Reducing DAG complexity"; ruff AIR304.
    """
    for call in file.makers:
        for keyword in ("dag_id", "task_id", "group_id"):
            given = call.keywords.get(keyword)
            if given is None and keyword == "dag_id" and isinstance(call, DagCall):
                given = next(iter(getattr(call.node, "args", [])), None)
            if given is not None and origin(file, given, is_moving):
                yield at(call, f"the {keyword} changes each time the file is parsed", "use a constant")


_ID = re.compile(r"[\w.-]+", re.ASCII)


@rule("DAG020", "invalid-id", family=FAMILY, severity="error")
def invalid_id(file: SourceFile) -> Iterator[Hit]:
    """An id has characters that Airflow refuses, or is too long.

    Only letters, digits, dashes, dots and underscores are allowed, at most 250 of them; the file does not load
    otherwise.

    Bad:
        with DAG("daily orders", schedule=None):  # <-
            EmptyOperator(task_id="load")
    Good:
        with DAG("daily_orders", schedule=None):
            EmptyOperator(task_id="load")
    Tricky:
        SOURCE = "orders/eu"
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load_" + SOURCE)  # <-
    Limits: parts of an id that cannot be seen are taken to be right.
    Source: Airflow, `airflow.sdk.definitions._internal.node.validate_key`.
    """
    for call, kind, value in _ids(file):
        visible = value.replace("\N{OBJECT REPLACEMENT CHARACTER}", "x")
        if not _ID.fullmatch(visible) and visible.isascii():
            yield at(
                call, f"the {kind} id {visible!r} has a character that is not allowed", "use letters, digits, - . _"
            )
        elif len(visible) > 250:
            yield at(call, f"the {kind} id has {len(visible)} characters; 250 are allowed", "shorten it")


def _ids(file: SourceFile) -> Iterator[tuple[DagCall | TaskCall, str, str]]:
    for dag in file.declared.dags:
        if isinstance(dag.dag_id, str):
            yield dag, "DAG", dag.dag_id
    for task in file.tasks:
        value = file.value(task.keywords.get("task_id"))
        if isinstance(value, str):
            yield task, "task", value


@rule("DAG023", "unknown-trigger-rule", family=FAMILY, severity="error")
def unknown_trigger_rule(file: SourceFile) -> Iterator[Hit]:
    """A trigger rule does not exist.

    Airflow refuses the file. `dummy` is `always` since Airflow 3, and `none_failed_or_skipped` is
    `none_failed_min_one_success`.

    Bad:
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load", trigger_rule="all_sucess")  # <-
    Good:
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load", trigger_rule="all_success")
    Tricky:
        DEFAULTS = {"trigger_rule": "dummy"}
        with DAG("orders", schedule=None, default_args=dict(DEFAULTS, retries=1)):  # <-
            EmptyOperator(task_id="load")
    Source: `airflow.sdk.TriggerRule`; Airflow 3 release notes.
    """
    from difflib import get_close_matches

    for call in file.makers:
        given = call.defaults if isinstance(call, DagCall) else call.keywords
        value = file.values.text(given.get("trigger_rule"))
        if value is not None and value not in RULES:
            renamed = {"dummy": "always", "none_failed_or_skipped": "none_failed_min_one_success"}
            near = renamed.get(value) or next(iter(get_close_matches(value, RULES, 1)), "all_success")
            mend = replace_text(file, given["trigger_rule"], value, near) if value in renamed else ()
            yield at(call, f"there is no trigger rule {value!r}", f"did you mean {near!r}?", repair=mend)


@rule("DAG024", "called-callable", family=FAMILY, severity="error")
def called_callable(file: SourceFile) -> Iterator[Hit]:
    """A function is called where it should be passed.

    The work is done each time the file is parsed, and the task has nothing to run.

    Bad:
        def load():
            print("loading")
        with DAG("orders", schedule=None):
            PythonOperator(task_id="load", python_callable=load())  # <-
    Good:
        def load():
            print("loading")
        with DAG("orders", schedule=None):
            PythonOperator(task_id="load", python_callable=load)
    Tricky:
        def warn(context):
            print(context)
        ARGUMENTS = dict(on_failure_callback=warn(None))
        with DAG("orders", schedule=None, default_args=ARGUMENTS):  # <-
            EmptyOperator(task_id="load")
    Limits: a function that returns something is taken to be a factory of functions.
    Source: Airflow documentation, PythonOperator.
    """
    for call in file.makers:
        given = call.given
        for name in ("python_callable", "on_failure_callback", "on_success_callback", "on_retry_callback"):
            node = given.get(name)
            if isinstance(node, ast.Call) and _returns_nothing(file, node):
                what = ast.unparse(node.func)
                yield at(call, f"{name} is the result of {what}(), which returns nothing", f"pass {what} itself")


def _returns_nothing(file: SourceFile, node: ast.Call) -> bool:
    function = file.code.by_name.get(file.resolve(node.func))
    if function is None or function.role != "plain" or isinstance(function.node, ast.Lambda) or function.decorators:
        return False
    inner = [n for statement in function.body for n in evaluated(statement)]
    return not any(isinstance(n, ast.Yield | ast.YieldFrom) or (isinstance(n, ast.Return) and n.value) for n in inner)


@rule("DAG025", "unknown-dag", family=FAMILY, severity="warning")
def unknown_dag(project: Project) -> Iterator[Hit]:
    """A task triggers or waits for a DAG that is not here.

    A sensor for a DAG id with a typing error waits until its timeout; a trigger fails at run time.

    Bad:
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load")
        with DAG("report", schedule=None):
            ExternalTaskSensor(task_id="wait", external_dag_id="order", timeout=60, mode="reschedule")  # <-
    Good:
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load")
        with DAG("report", schedule=None):
            ExternalTaskSensor(task_id="wait", external_dag_id="orders", timeout=60, mode="reschedule")
    Tricky:
        TARGET = "_".join(["order", "s"])
        from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator as Trigger
        with DAG("report", schedule=None):
            Trigger(task_id="go", trigger_dag_id=TARGET)  # <-
    Limits: a DAG of another deployment is reported as well; suppress it with the reason.
    Source: Airflow documentation, "Cross-DAG dependencies".
    """
    for path, facts in project.facts.items():
        for one in facts.references:
            if one.dag_id not in project.dag_ids:
                message = f"{one.keyword}: there is no DAG {one.dag_id!r} among the checked files"
                hint = did_you_mean(one.dag_id, project.dag_ids) or "is it part of another deployment?"
                yield Hit(one.line, message, hint, one.column, path=path)
