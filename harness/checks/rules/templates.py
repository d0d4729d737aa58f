"""Whether templates are templates, and can be rendered."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.checks.graph import Dag, Task
from harness.checks.registry import Hit, at, rule
from harness.checks.source.declared import TaskCall
from harness.checks.source.file import SourceFile
from harness.checks.source.names import words
from harness.checks.source.templates import SINGLE_BRACE, is_template, read_template
from harness.checks.source.wiring import UNTEMPLATED

FAMILY = "structure"
_SUFFIXES = (".sql", ".sh", ".bash", ".json", ".yaml", ".yml", ".hql", ".py", ".html", ".txt")


def arguments(task: TaskCall) -> Iterator[tuple[str, ast.expr, str]]:
    """Yield the strings in a task's arguments that may be templates: (argument, expression, string)."""
    for name, node in task.keywords.items():
        if name not in UNTEMPLATED and name != "**":
            for text in task.file.strings(node):
                yield name, node, text


@rule("DAG021", "single-brace", family=FAMILY, severity="error")
def single_brace(file: SourceFile) -> Iterator[Hit]:
    """A template has one brace where Jinja needs two.

    The task sees the text `{ds}` instead of a date. An f-string turns `{{ ds }}` into `{ ds }`: it needs four braces.

    Bad:
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command="load /data/{ds}.json")  # <-
    Good:
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command="load /data/{{ ds }}.json")
    Tricky:
        ROOT = "/data"
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command=f"load {ROOT}/{{ ds_nodash }}.json")  # <-
    Limits: only the names of Airflow's context are looked for; `.format(ds=...)` fills them and is not reported.
    Source: "Data Pipelines with Apache Airflow", chapters 11 and 16, where the printed code has this slip.
    """
    for task in file.tasks:
        for name, node, text in arguments(task):
            match = SINGLE_BRACE.search(text)
            if match and not _filled(task, node):
                double = "{{ " + match[0].strip("{ }") + " }}"
                hint = f"write {double}" + (
                    ", with four braces in an f-string" if isinstance(node, ast.JoinedStr) else ""
                )
                yield at(task, f"{name}: {match[0]!r} is not a template", hint)
                break


def _filled(task: TaskCall, node: ast.expr) -> bool:
    """Whether the operator's class fills in single braces itself (`str.format` inside a custom operator)."""
    return task.qualified.startswith(".") or "format" in ast.unparse(node)


@rule("DAG022", "template-syntax", family=FAMILY, severity="error")
def template_syntax(dag: Dag, task: Task) -> Iterator[Hit]:
    """A template cannot be parsed by Jinja.

    The task fails at run time, before it does anything.

    Bad:
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command="load {{ ds }")  # <-
    Good:
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command="load {{ ds }}")
    Tricky:
        COMMON = {"bash_command": "{% if params.full %} load --full"}
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", **COMMON)  # <-
    Limits: without loading, only fields of operators that are known to be templated.
    Source: Airflow documentation, Operators, "Jinja templating".
    """
    for name, texts in task.templates.items():
        if name in (task.templated or _TEMPLATED):
            for text in texts:
                error = read_template(text).error if is_template(text) else None
                if error and not text.rstrip().endswith(_SUFFIXES):
                    message = f"{name} of {task.task_id!r} is no valid template: {error}"
                    yield Hit(task.line or dag.line, message, "compare the braces", task.column, dag.dag_id)


_TEMPLATED = words(
    "bash_command sql env parameters templates_dict op_args op_kwargs application application_args endpoint data "
    "headers bucket_key bucket_name s3_key dest_bucket_key source_bucket_key conf html_content subject to"
)
"""Arguments that are templated wherever they occur in Airflow's own operators."""
