"""Whether templates are templates, and can be rendered."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from harness.checks.graph import Dag, Task
from harness.checks.project import from_here
from harness.checks.registry import Hit, at, rule
from harness.checks.source.declared import TaskCall
from harness.checks.source.file import SourceFile
from harness.checks.source.names import words
from harness.checks.source.templates import SINGLE_BRACE, is_template, read_template
from harness.checks.source.values import HOLE
from harness.checks.source.wiring import UNTEMPLATED
from harness.environment.suggest import did_you_mean

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


@rule("DAG031", "template-not-found", family=FAMILY, severity="error")
def template_not_found(dag: Dag, task: Task) -> Iterator[Hit]:
    """A template file is in no folder in which Airflow looks for it.

    A string that ends as the operator's template files do (`.sql`, `.sh`) is the name of a file, looked for in the
    DAG file's own folder and in `template_searchpath`. The DAG is made all the same, and the task fails with
    TemplateNotFound.

    Bad:
        with DAG("orders", schedule=None):
            SQLExecuteQueryOperator(task_id="load", conn_id="db", sql="sql/dayly.sql")  # <-
    Good:
        with DAG("orders", schedule=None):
            SQLExecuteQueryOperator(task_id="load", conn_id="db", sql="SELECT * FROM day('{{ ds }}')")
    Tricky:
        SCRIPT = "/opt/" + "load.sh"
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command=SCRIPT)  # <-
    Limits: without loading, only `sql` of SQLExecuteQueryOperator and `bash_command` of BashOperator, where the search
        path is known. Files that a template includes are looked for when the DAG is loaded.
    Source: Airflow documentation, Operators, "Jinja templating", `template_ext` and `template_searchpath`.
    """
    lost = task.lost if dag.loaded else _not_there(dag, task)
    for name, file in lost:
        shown = file if len(file) <= 100 else f"...{file[-100:]}"
        message = f"{name} of {task.task_id!r}: the template file {shown!r} is in no search path"
        yield Hit(task.line or dag.line, message, _where(dag, file), task.column, dag.dag_id)


_ENDINGS = {
    ("SQLExecuteQueryOperator", "sql"): (".sql", ".json"),
    ("BashOperator", "bash_command"): (".sh", ".bash"),
}
"""What the names of template files end in, for operators of which that is known without loading them."""


def _not_there(dag: Dag, task: Task) -> Iterator[tuple[str, str]]:
    for (operator, name), endings in _ENDINGS.items():
        for text in task.templates.get(name, ()) if operator == task.operator and dag.searched else ():
            up = ".." in Path(text).parts
            there = not up and any((Path(folder) / text.lstrip("/")).is_file() for folder in dag.searched)
            if text.endswith(endings) and HOLE not in text and not there:
                yield name, text


def _where(dag: Dag, file: str) -> str:
    """Say what to do about a template file that is not found."""
    if file.endswith((".sh", ".bash")) and file.startswith("/"):
        return "a space after the name makes it a command instead of a template"
    if file.startswith("/") or ".." in Path(file).parts:
        return "no absolute path and no '..' is found: template_searchpath=[its folder], and the rest of the path"
    ending = Path(file).suffix
    there = (path.relative_to(folder) for folder in map(Path, dag.searched) for path in _below(folder, ending))
    near = did_you_mean(file, {path.as_posix() for path in there})
    folders = ", ".join(str(from_here(Path(folder))) for folder in dag.searched)
    return near or f"looked for in {folders}: template_searchpath= adds a folder"


_MANY = 2000
"""Files that are looked through for a similar name."""


def _below(folder: Path, ending: str) -> Iterator[Path]:
    return islice((path for path in folder.rglob(f"*{ending}") if path.is_file()), _MANY) if ending else iter(())


_TEMPLATED = words(
    "bash_command sql env parameters templates_dict op_args op_kwargs application application_args endpoint data "
    "headers bucket_key bucket_name s3_key dest_bucket_key source_bucket_key conf html_content subject to"
)
"""Arguments that are templated wherever they occur in Airflow's own operators."""
