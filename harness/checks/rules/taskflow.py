"""Whether functions under `@task` are used as tasks: called, given what they can take, and not asked at parse time."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.checks.project import Project
from harness.checks.registry import Hit, at, rule
from harness.checks.source.declared import TaskCall
from harness.checks.source.file import SourceFile
from harness.checks.source.names import words

FAMILY = "structure"

CONTEXT = words(
    "conn dag dag_run data_interval_end data_interval_start ds ds_nodash exception inlet_events inlets logical_date "
    "macros map_index_template outlet_events outlets params prev_data_interval_end_success "
    "prev_data_interval_start_success prev_end_date_success prev_start_date_success reason run_id start_date task "
    "task_instance task_instance_key_str task_reschedule_count templates_dict test_mode ti triggering_asset_events "
    "try_number ts ts_nodash ts_nodash_with_tz var"
)
"""Names that Airflow 3 fills in itself when a task's function asks for them."""


@rule("DAG026", "condition-on-result", family=FAMILY, severity="error")
def condition_on_result(file: SourceFile) -> Iterator[Hit]:
    """A task's result is tested while the file is parsed.

    There is no result yet: what the call of a task returns stands for it, and is always true. The same tasks are made
    whatever the task will return.

    Bad:
        @task
        def is_new():
            return False
        with DAG("orders", schedule=None):
            new = is_new()
            if new:  # <-
                EmptyOperator(task_id="load")
    Good:
        @task.short_circuit
        def is_new():
            return False
        with DAG("orders", schedule=None):
            is_new() >> EmptyOperator(task_id="load")
    Tricky:
        @task
        def count():
            return 3
        @dag(schedule=None)
        def orders():
            if not count() or count() == 0:  # <-
                EmptyOperator(task_id="nothing")
        orders()
    Limits: a name that may also stand for something else, such as None, is left out.
    Source: Airflow documentation, "TaskFlow": a call gives an XComArg; "Branching".
    """
    made = {task.node for task in file.tasks if task.decorated}
    operators = {task.node for task in file.tasks if not task.decorated}
    for node in file.of_type(ast.If, ast.While, ast.IfExp):
        if "parse" in file.code.moments(node):
            results = [part for part in _tested(node.test) if _is_result(file, part, made, operators)]
            if results:
                what = ast.unparse(results[0])
                yield at(
                    node,
                    f"{what} stands for a task's result, and is always true here",
                    "@task.branch, or short_circuit",
                )


def _tested(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the parts of a condition whose truth or value decides."""
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                yield from _tested(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _tested(operand)
        case ast.Compare(left=left, ops=ops, comparators=others):
            if not all(isinstance(op, ast.Is | ast.IsNot) for op in ops):
                yield from (left, *others)
        case _:
            yield node


def _is_result(file: SourceFile, node: ast.expr, made: set[ast.Call], operators: set[ast.Call]) -> bool:
    match node:
        case ast.Call():
            return node in made
        case ast.Subscript(value=value):
            return _is_result(file, value, made, operators)
        case ast.Attribute(value=value, attr="output"):
            return _is_result(file, value, operators, operators)
        case ast.Name(id=name):
            found = file.names.scopes[node].find(name)
            values = [binding.value for binding in found[1]] if found else []
            return bool(values) and all(v is not None and _is_result(file, v, made, operators) for v in values)
    return False


@rule("DAG027", "reserved-parameter", family=FAMILY, severity="error")
def reserved_parameter(file: SourceFile) -> Iterator[Hit]:
    """A parameter with a name of Airflow's own, such as `params`, is given a value by its position.

    Airflow fills it from the run's context as well, and the task fails: "The key 'params' in args is a part of kwargs
    and therefore reserved".

    Bad:
        @task
        def load(params):
            print(params)
        with DAG("orders", schedule=None):
            load({"table": "orders"})  # <-
    Good:
        @task
        def load(options):
            print(options)
        with DAG("orders", schedule=None):
            load({"table": "orders"})
    Tricky:
        def load(table, ds):
            print(table, ds)
        with DAG("orders", schedule=None):
            PythonOperator(task_id="load", python_callable=load, op_args=["orders", "2026-01-01"])  # <-
    Limits: arguments in `*args` are not counted; a value that is given by name takes the place of Airflow's.
    Source: `airflow.sdk.bases.decorator.KeywordParameters.determine`.
    """
    for task in file.tasks:
        given = _positional(task)
        if task.runs is None or not given or _elsewhere(task):
            continue
        arguments = task.runs.node.args
        names = [argument.arg for argument in [*arguments.posonlyargs, *arguments.args]][:given]
        for name in names:
            if name in CONTEXT:
                message = f"{task.runs.short}() cannot be given {name!r}: Airflow fills a parameter of that name itself"
                yield at(task, message, "rename the parameter")
                break


def _positional(task: TaskCall) -> int:
    """Return how many arguments the function of a task gets by position."""
    if task.decorated:
        starred = [isinstance(argument, ast.Starred) for argument in task.node.args]
        return 0 if task.expanded else starred.index(True) if True in starred else len(starred)
    given = task.file.value(task.keywords.get("op_args"))
    return len(given) if isinstance(given, list | tuple) and not task.expanded else 0


def _elsewhere(task: TaskCall) -> bool:
    """Whether its function runs in another interpreter, which is handed its arguments in another way."""
    return any(word in task.operator.lower() for word in ("virtualenv", "external", "docker", "kubernetes"))


@rule("DAG028", "task-never-called", family=FAMILY, severity="warning")
def task_never_called(project: Project) -> Iterator[Hit]:
    """A decorated task is never called, so it is in no DAG.

    `@task` only marks a function; the task comes into being when that function is called inside a DAG.

    Bad:
        @dag(schedule=None)
        def orders():
            @task
            def load():
                print("loading")
            @task  # <-
            def report():
                print("reporting")
            load()
        orders()
    Good:
        @dag(schedule=None)
        def orders():
            @task
            def load():
                print("loading")
            @task
            def report():
                print("reporting")
            load() >> report()
        orders()
    Tricky:
        import airflow.sdk as air
        @air.task.bash  # <-
        def clean():
            return "rm -r /data/orders"
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load")
    Limits: a file without a DAG, and a function that another file of the project imports, are left out.
    Source: Airflow documentation, "TaskFlow".
    """
    for path, facts in project.facts.items():
        for idle in facts.idle if facts.dags else ():
            if not any(idle.name in other.imports for name, other in project.facts.items() if name != path):
                message = f"the task {idle.name!r} is never called, so it is in no DAG"
                yield Hit(idle.line, message, f"call it in the DAG: {idle.name}()", idle.column, path=path)
