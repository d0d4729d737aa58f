"""What Airflow 3 no longer does, or no longer does in the way that the code expects."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.checks.registry import Hit, at, rule
from harness.checks.rules.templates import arguments
from harness.checks.source.declared import DagCall
from harness.checks.source.edits import change_argument
from harness.checks.source.file import Function, SourceFile
from harness.checks.source.templates import is_template, read_template

FAMILY = "compatibility"
GONE = {
    "execution_date": "logical_date",
    "next_execution_date": "data_interval_end",
    "prev_execution_date": "data_interval_start",
    "prev_execution_date_success": "prev_data_interval_start_success",
    "next_ds": "data_interval_end | ds",
    "next_ds_nodash": "data_interval_end | ds_nodash",
    "prev_ds": "macros.ds_add(ds, -1)",
    "prev_ds_nodash": "macros.ds_add(ds, -1)",
    "yesterday_ds": "macros.ds_add(ds, -1)",
    "yesterday_ds_nodash": "macros.ds_add(ds, -1)",
    "tomorrow_ds": "macros.ds_add(ds, 1)",
    "tomorrow_ds_nodash": "macros.ds_add(ds, 1)",
    "triggering_dataset_events": "triggering_asset_events",
}
"""Names of the context that Airflow 3 has removed, and what to use instead."""

DAG_ARGUMENTS = {
    "schedule_interval": "schedule",
    "timetable": "schedule",
    "concurrency": "max_active_tasks",
    "default_view": "",
    "orientation": "",
    "fail_stop": "fail_fast",
    "full_filepath": "",
    "jinja_environment_kwarg": "jinja_environment_kwargs",
}
TASK_ARGUMENTS = {
    "provide_context": "",
    "task_concurrency": "max_active_tis_per_dag",
    "xcom_push": "do_xcom_push",
    "queue_connection": "",
    "sla": "",
}


@rule("DAG601", "sla", family=FAMILY, severity="error")
def sla(file: SourceFile) -> Iterator[Hit]:
    """An SLA is declared, and nothing watches it.

    Airflow 3 accepts `sla` and `sla_miss_callback` with a warning and does nothing: an alarm is lost in silence.

    Bad:
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command="load", sla=timedelta(hours=1))  # <-
    Good:
        from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference
        async def alarm(**context):
            print("late")
        ALERT = DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=1), AsyncCallback(alarm))
        with DAG("orders", schedule="@daily", deadline=ALERT):
            BashOperator(task_id="load", bash_command="load")
    Tricky:
        ARGUMENTS = dict(retries=1)
        with DAG("orders", schedule="@daily", default_args={**ARGUMENTS, "sla": timedelta(hours=2)}):  # <-
            BashOperator(task_id="load", bash_command="load")
    Source: Airflow 3 release notes, "SLA removed"; AIP-86 Deadline Alerts.
    """
    for call in file.makers:
        given = call.given
        for name in ("sla", "sla_miss_callback"):
            node = given.get(name)
            if node is not None and file.value(node) is not None:
                hint = "DAG(deadline=DeadlineAlert(...)), or execution_timeout"
                yield at(call, f"{name} does nothing since Airflow 3", hint, subject=name)
                break


@rule("DAG602", "subdag", family=FAMILY, severity="error")
def subdag(file: SourceFile) -> Iterator[Hit]:
    """A SubDAG is used; Airflow 3 has none.

    Bad:
        from airflow.operators.subdag import SubDagOperator  # <-
        with DAG("orders", schedule=None):
            SubDagOperator(task_id="section", subdag=None)  # <-
    Good:
        with DAG("orders", schedule=None):
            with TaskGroup("section"):
                EmptyOperator(task_id="load")
    Tricky:
        import airflow.operators.subdag as sub  # <-
        with DAG("orders", schedule=None):
            sub.SubDagOperator(task_id="section", subdag=None)  # <-
    Source: Airflow 3 release notes: SubDAGs are replaced by task groups.
    """
    for name, node in file.imports:
        if name.startswith(("airflow.operators.subdag", "airflow.operators.subdag_operator")):
            yield at(node, "SubDAGs do not exist in Airflow 3", "TaskGroup", subject="SubDagOperator")
    for call in file.calls:
        if call.last == "SubDagOperator":
            yield at(call, "SubDAGs do not exist in Airflow 3", "TaskGroup", subject="SubDagOperator")


@rule("DAG603", "removed-context", family=FAMILY, severity="error")
def removed_context(file: SourceFile) -> Iterator[Hit]:
    """A name is taken from the context that Airflow 3 does not put there.

    In a template it is undefined and the task fails; as a parameter with a default it stays at the default,
    and the task works on nothing.

    Bad:
        @task
        def load(execution_date=None):  # <-
            print(execution_date)
    Good:
        @task
        def load(logical_date=None):
            print(logical_date)
    Tricky:
        def load(**context):
            when = context["next_ds"]  # <-
            print(when)
        with DAG("orders", schedule="@daily"):
            PythonOperator(task_id="load", python_callable=load)
            BashOperator(task_id="go", bash_command="load {{ execution_date.strftime('%Y') }}")  # <-
    Limits: a parameter that is passed explicitly is left out.
    Source: Airflow 3 release notes, "Removed context variables".
    """
    for task in file.tasks:
        for name, _, text in arguments(task):
            used = sorted(read_template(text).names & GONE.keys()) if is_template(text) else []
            if used:
                yield _gone(task, used[0], f"{name}: {{{{ {used[0]} }}}}")
                break
    for function in file.functions("task"):
        makers = [task for task in file.tasks if task.runs is function]
        if function.role == "task" or makers:
            yield from _parameters(file, function, makers[0].keywords if makers else {})
        yield from _lookups(file, function)


def _gone(node: object, name: str, where: str) -> Hit:
    return at(node, f"{where} does not exist since Airflow 3", GONE[name], subject=name)


def _parameters(file: SourceFile, function: Function, keywords: dict[str, ast.expr]) -> Iterator[Hit]:
    passed = set(file.values.entries(keywords.get("op_kwargs")) or {})
    calls = [c for c in file.calls if c.name == function.name]
    passed |= {k.arg for c in calls for k in c.node.keywords if k.arg}
    positional = max((len(c.node.args) for c in calls), default=0) + (1 if "op_args" in keywords else 0)
    arguments_ = function.node.args
    for argument in [*arguments_.args[positional:], *arguments_.kwonlyargs]:
        if argument.arg in GONE and argument.arg not in passed:
            yield _gone(argument, argument.arg, f"the parameter {argument.arg!r} is never filled: it")


def _lookups(file: SourceFile, function: Function) -> Iterator[Hit]:
    contexts = {a.arg for a in [function.node.args.kwarg] if a} | {"context", "kwargs"}
    for node in (n for statement in function.body for n in ast.walk(statement)):
        if file.code.around(node) is not function:
            continue
        match node:
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key))) if name in contexts:
                if key in GONE:
                    yield _gone(node, key, f"{name}[{key!r}]")
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="get"), args=[ast.Constant(value=str(key)), *_]
            ):
                if name in contexts and key in GONE:
                    yield _gone(node, key, f"{name}.get({key!r})")


@rule("DAG604", "removed-dag-argument", family=FAMILY, severity="error")
def removed_dag_argument(file: SourceFile) -> Iterator[Hit]:
    """A DAG is given an argument that Airflow 3 does not take.

    The file does not load: TypeError.

    Bad:
        with DAG("orders", schedule_interval="@daily"):  # <-
            EmptyOperator(task_id="load")
    Good:
        with DAG("orders", schedule="@daily"):
            EmptyOperator(task_id="load")
    Tricky:
        from airflow.models.dag import DAG as Pipeline
        OPTIONS = {"concurrency": 4}
        with Pipeline("orders", schedule=None, **OPTIONS):  # <-
            EmptyOperator(task_id="load")
    Source: Airflow 3 release notes; `airflow.sdk.DAG`.
    """
    for dag in file.declared.dags:
        for name, instead in DAG_ARGUMENTS.items():
            if name in dag.keywords:
                hint = f"{instead}=" if instead else "leave it out"
                message = f"DAG takes no {name} since Airflow 3"
                mend = change_argument(file, dag.keywords[name], name, instead)
                yield at(dag, message, hint, subject=name, dag_id=dag.name, repair=mend)


@rule("DAG605", "removed-task-argument", family=FAMILY, severity="error")
def removed_task_argument(file: SourceFile) -> Iterator[Hit]:
    """A task is given an argument that Airflow 3 does not take.

    The file does not load: TypeError.

    Bad:
        with DAG("orders", schedule=None):
            PythonOperator(task_id="load", python_callable=print, provide_context=True)  # <-
    Good:
        with DAG("orders", schedule=None):
            PythonOperator(task_id="load", python_callable=print)
    Tricky:
        LIMIT = {"task_concurrency": 1}
        with DAG("orders", schedule=None):
            BashOperator.partial(task_id="load", **LIMIT).expand(bash_command=["a", "b"])  # <-
    Limits: operators of the project itself may take such arguments, and are left out.
    Source: Airflow 3 release notes; `airflow.sdk.BaseOperator`.
    """
    for task in file.tasks:
        for name, instead in TASK_ARGUMENTS.items():
            if name in task.keywords and name != "sla" and task.qualified.startswith("airflow."):
                hint = f"{instead}=" if instead else "leave it out"
                message = f"{task.operator} takes no {name} since Airflow 3"
                mend = change_argument(file, task.keywords[name], name, instead)
                yield at(task, message, hint, subject=name, repair=mend)


@rule("DAG606", "metadata-database", family=FAMILY, severity="error")
def metadata_database(file: SourceFile) -> Iterator[Hit]:
    """A task or a DAG file reads Airflow's metadata database.

    Since Airflow 3 tasks have no access to it: they fail with a RuntimeError.

    Bad:
        from airflow.utils.session import create_session
        @task
        def clean():
            with create_session() as session:  # <-
                print(session)
    Good:
        @task
        def clean(dag_run=None):
            print(dag_run.run_id)
    Tricky:
        from airflow import settings as s
        def count():
            return s.Session().execute("select 1")  # <-
        with DAG("clean", schedule=None):
            PythonOperator(task_id="clean", python_callable=count)
    Limits: what libraries do inside is not seen.
    Source: Airflow 3 release notes, "Restricted access to the metadata database"; AIP-72.
    """
    direct = {"airflow.utils.session.create_session", "airflow.settings.Session", "airflow.settings.engine.connect"}
    finders = ("airflow.models.dagrun.DagRun.find", "airflow.models.DagRun.find", "airflow.models.DagRun.get_run")
    for call in file.calls:
        runs = call.in_task or call.at_parse
        if (call.name in direct or call.name in finders) and runs:
            yield at(
                call,
                "tasks have no access to the metadata database since Airflow 3",
                "the REST API, or the context",
            )
    for function in file.functions("task"):
        if any(
            d in ("airflow.utils.session.provide_session", "airflow.utils.db.provide_session")
            for d in function.decorators
        ):
            yield at(
                function.node,
                "tasks have no access to the metadata database since Airflow 3",
                "the REST API, or the context",
            )


@rule("DAG607", "xcom-pull-own", family=FAMILY, severity="warning")
def xcom_pull_own(file: SourceFile) -> Iterator[Hit]:
    """An XCom is pulled without naming a task.

    Since Airflow 3 that reads the task's own XCom, which is mostly None; it used to read any task's.

    Bad:
        @task
        def load(ti=None):
            return ti.xcom_pull(key="rows")  # <-
    Good:
        @task
        def load(ti=None):
            return ti.xcom_pull(task_ids="extract", key="rows")
    Tricky:
        def load(**context):
            options = {"key": "rows"}
            return context["ti"].xcom_pull(**options)  # <-
        with DAG("orders", schedule=None):
            PythonOperator(task_id="load", python_callable=load)
    Limits: pulls in templates are not looked at.
    Source: Airflow 3 release notes, "xcom_pull"; ruff AIR303.
    """
    for call in file.calls:
        if call.method == "xcom_pull" and call.in_task and not call.node.args and not call.states("task_ids"):
            yield at(call, "xcom_pull without task_ids reads the task's own XCom", 'task_ids="..."')


@rule("DAG608", "email-arguments", family=FAMILY, severity="warning")
def email_arguments(file: SourceFile) -> Iterator[Hit]:
    """A task is to send mail by itself.

    `email_on_failure` and `email_on_retry` are deprecated in Airflow 3 and will go.

    Bad:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load", email=["a@example.com"], email_on_failure=True)  # <-
    Good:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load", on_failure_callback=SmtpNotifier(to="a@example.com"))
    Tricky:
        DEFAULTS = {"owner": "data", "email_on_retry": True}
        with DAG("orders", schedule=None, default_args=DEFAULTS):  # <-
            EmptyOperator(task_id="load")
    Limits: switching them off is accepted.
    Source: Airflow 3 release notes, "email_on_failure".
    """
    for call in file.makers:
        given = call.defaults if isinstance(call, DagCall) else call.keywords
        for name in ("email_on_failure", "email_on_retry"):
            if name in given and file.value(given[name]) is True:
                yield at(call, f"{name} is deprecated", "on_failure_callback=SmtpNotifier(...)", subject=name)
                break
