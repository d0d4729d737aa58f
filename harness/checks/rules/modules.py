"""Whether what a DAG file imports is installed, where the import itself does not say so while the file is loaded."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.project import Project
from harness.checks.registry import Hit, rule
from harness.checks.source.needs import Need, is_installed, needs_of

FAMILY = "loading"


@rule("DAG029", "operator-not-installed", family=FAMILY, severity="warning")
def operator_not_installed(project: Project) -> Iterator[Hit]:
    """An operator is imported in a `try`, and is not installed here.

    The file loads, without the tasks that the operator would be: what is judged here is not what runs where it is
    installed.

    Bad:
        try:
            from airflow.providers.nowhere.operators.load import LoadOperator  # <-
        except ImportError:
            LoadOperator = None
        with DAG("orders", schedule=None):
            if LoadOperator:
                LoadOperator(task_id="load")
    Good:
        try:
            from airflow.providers.standard.operators.bash import BashOperator as LoadOperator
        except ImportError:
            LoadOperator = None
        with DAG("orders", schedule=None):
            if LoadOperator:
                LoadOperator(task_id="load", bash_command="load")
    Tricky:
        try:
            import json
            from nowhere.airflow import LoadSensor as Wait  # <-
        except Exception:
            pass
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load")
    Limits: a handler that imports the same name from somewhere else is taken to know both places.
    Source: none; a check must say what it could not see.
    """
    for path, need in _needs(project):
        if need.guarded and need.operators and not is_installed(need.module, project.roots):
            names = ", ".join(need.operators)
            message = f"{need.module} is not installed here, so the file is judged without {names}"
            yield Hit(need.line, message, "install what the DAG uses where it is checked", need.column, path=path)


@rule("DAG030", "module-not-installed", family=FAMILY, severity="warning")
def module_not_installed(project: Project) -> Iterator[Hit]:
    """A module that a task imports is not installed here.

    The file loads, and the task fails with ModuleNotFoundError when it comes to the import.

    Bad:
        @task
        def load():
            import nowhere_to_be_found  # <-
            return nowhere_to_be_found.load()
    Good:
        @task
        def load():
            import json
            return json.loads("[]")
    Tricky:
        def load():
            from nowhere_to_be.found import work as w  # <-
            return w()
        with DAG("orders", schedule=None):
            PythonOperator(task_id="load", python_callable=load)
    Limits: functions that run in an environment of their own (`@task.virtualenv`, a container) are left out, and so is
        an import in a `try` that catches its failure. Of a package only its top is looked for, and Airflow's providers.
    Source: Python documentation, ModuleNotFoundError.
    """
    for path, need in _needs(project):
        if not need.guarded and not is_installed(need.module, project.roots):
            message = f"the task imports {need.module}, which is not installed here"
            yield Hit(need.line, message, "install it where the task runs, and here", need.column, path=path)


def _needs(project: Project) -> Iterator[tuple[str, Need]]:
    for path, facts in project.facts.items():
        yield from ((path, need) for need in facts.needs)
    for helper in project.own_helpers:
        yield from ((helper.path, need) for need in needs_of(helper))
