"""What a team asks of its DAGs, as it is configured under `[tool.harness.check.policy]`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator

from harness.checks.config import Settings
from harness.checks.graph import Dag, Task
from harness.checks.registry import Hit, rule

FAMILY = "policy"


def _hit(dag: Dag, message: str, hint: str, task: Task | None = None) -> Hit:
    line = task.line if task and task.line else dag.line
    return Hit(line, message, hint, task.column if task else dag.column, dag.dag_id)


@rule("DAG701", "owner", family=FAMILY, severity="error")
def owner(dag: Dag, settings: Settings) -> Iterator[Hit]:
    """A task has no owner that the policy knows.

    When it fails at night somebody must be called. Set `policy.owners` to the teams there are.

    Bad:
        # policy: owners = ["data", "platform"]
        with DAG("orders", schedule=None):  # <-
            BashOperator(task_id="load", bash_command="load")
    Good:
        # policy: owners = ["data", "platform"]
        with DAG("orders", schedule=None, default_args={"owner": "data"}):
            BashOperator(task_id="load", bash_command="load")
    Tricky:
        # policy: owners = ["data", "platform"]
        TEAM = "dta"
        with DAG("orders", schedule=None, default_args=dict(owner=TEAM)):  # <-
            BashOperator(task_id="load", bash_command="load")
    Limits: nothing is checked without `policy.owners`.
    Source: "Data Pipelines with Apache Airflow", chapter 11.
    """
    if not settings.policy.owners:
        return
    wrong = {t.owner or "airflow" for t in dag.tasks if t.knows("owner")} - set(settings.policy.owners)
    if wrong:
        hint = f'default_args={{"owner": ...}}, one of {", ".join(settings.policy.owners)}'
        yield _hit(dag, f"the owner {sorted(wrong)[0]!r} is not one of the policy's", hint)


@rule("DAG702", "tags", family=FAMILY, severity="error")
def tags(dag: Dag, settings: Settings) -> Iterator[Hit]:
    """A DAG has none of the tags that the policy asks for.

    Set `policy.tags`; each DAG needs one of them.

    Bad:
        # policy: tags = ["finance", "marketing"]
        with DAG("orders", schedule=None, tags=["daily"]):  # <-
            EmptyOperator(task_id="load")
    Good:
        # policy: tags = ["finance", "marketing"]
        with DAG("orders", schedule=None, tags=["daily", "finance"]):
            EmptyOperator(task_id="load")
    Tricky:
        # policy: tags = ["finance", "marketing"]
        @dag(schedule=None)  # <-
        def orders():
            EmptyOperator(task_id="load")
        orders()
    Limits: nothing is checked without `policy.tags`.
    Source: "Data Pipelines with Apache Airflow", chapter 11.
    """
    wanted = settings.policy.tags
    if wanted and dag.knows("tags") and not set(wanted) & set(dag.tags):
        yield _hit(dag, "the DAG has none of the policy's tags", f"tags=[...] with one of {', '.join(wanted)}")


@rule("DAG703", "doc", family=FAMILY, severity="error")
def doc(dag: Dag, settings: Settings) -> Iterator[Hit]:
    """A DAG does not say what it is for.

    Set `policy.doc = true` to ask for a description, doc_md, or a docstring of the decorated function.

    Bad:
        # policy: doc = true
        with DAG("orders", schedule=None):  # <-
            EmptyOperator(task_id="load")
    Good:
        # policy: doc = true
        with DAG("orders", schedule=None, description="Loads the orders of a day"):
            EmptyOperator(task_id="load")
    Tricky:
        # policy: doc = true
        @dag(schedule=None)  # <-
        def orders():
            # loads the orders of a day
            EmptyOperator(task_id="load")
        orders()
    Limits: nothing is checked without `policy.doc`.
    Source: Airflow documentation, "Dag & Task Documentation".
    """
    if settings.policy.doc and not dag.doc:
        yield _hit(dag, "the DAG does not say what it is for", "description=..., or doc_md")


@rule("DAG704", "id-pattern", family=FAMILY, severity="error")
def id_pattern(dag: Dag, settings: Settings) -> Iterator[Hit]:
    """An id does not follow the policy's pattern.

    Set `policy.dag-id` and `policy.task-id` to regular expressions that whole ids match.

    Bad:
        # policy: dag-id = "[a-z]+_[a-z_]+"
        with DAG("Orders", schedule=None):  # <-
            EmptyOperator(task_id="load")
    Good:
        # policy: dag-id = "[a-z]+_[a-z_]+"
        with DAG("finance_orders", schedule=None):
            EmptyOperator(task_id="load")
    Tricky:
        # policy: task-id = "[a-z_]+"
        with DAG("orders", schedule=None):
            with TaskGroup("Group"):
                EmptyOperator(task_id="Load")  # <-
    Limits: nothing is checked without a pattern; groups' names are left out.
    Source: "Data Pipelines with Apache Airflow", chapter 11.
    """
    pattern = settings.policy.dag_id
    if pattern and not re.fullmatch(pattern, dag.dag_id):
        yield _hit(dag, f"the DAG id {dag.dag_id!r} does not match {pattern!r}", "the policy's pattern")
    for task in dag.tasks if settings.policy.task_id else ():
        name = task.task_id.rpartition(".")[2]
        if not re.fullmatch(settings.policy.task_id or "", name):
            yield _hit(
                dag, f"the task id {name!r} does not match {settings.policy.task_id!r}", "the policy's pattern", task
            )


@rule("DAG705", "operators", family=FAMILY, severity="error")
def operators(dag: Dag, settings: Settings) -> Iterator[Hit]:
    """An operator is used that the policy does not allow.

    Set `policy.allowed-operators` or `policy.denied-operators` to class names; `*` stands for any part, and decorated
    functions are named by their decorator (`@task`, `@task.bash`).

    Bad:
        # policy: denied-operators = ["Bash*"]
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load")  # <-
    Good:
        # policy: denied-operators = ["Bash*"]
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load")
    Tricky:
        # policy: allowed-operators = ["@task", "Empty*"]
        from airflow.providers.standard.operators.bash import BashOperator as EmptyOperators
        with DAG("orders", schedule=None):
            EmptyOperators(task_id="load", bash_command="load")  # <-
    Limits: nothing is checked without a list.
    Source: "Data Pipelines with Apache Airflow", chapter 11.
    """
    policy = settings.policy
    for task in dag.tasks:
        denied = any(fnmatch.fnmatch(task.operator, p) for p in policy.denied_operators)
        allowed = not policy.allowed_operators or any(
            fnmatch.fnmatch(task.operator, p) for p in policy.allowed_operators
        )
        if denied or not allowed:
            yield _hit(dag, f"the policy does not allow {task.operator}", "see tool.harness.check.policy", task)
