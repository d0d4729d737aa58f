"""Whether text from outside can become a command or a query."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from harness.checks.registry import Hit, at, rule
from harness.checks.rules.templates import arguments
from harness.checks.rules.words import SQL_METHODS
from harness.checks.source.file import SourceFile
from harness.checks.source.names import current
from harness.checks.source.sql import is_sql
from harness.checks.source.templates import is_template, read_template
from harness.checks.source.values import HOLE

FAMILY = "security"


@rule("DAG503", "shell-from-params", family=FAMILY, severity="warning")
def shell_from_params(file: SourceFile) -> Iterator[Hit]:
    """A shell command is built from what the person who triggers the run typed in.

    `; rm -rf /` as a parameter is then a command.

    Bad:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load {{ dag_run.conf['table'] }}")  # <-
    Good:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command='load "$TABLE"', env={"TABLE": "{{ dag_run.conf['table'] }}"})
    Tricky:
        COMMAND = "load {{ params.table }}"
        with DAG("orders", schedule=None):
            @task.bash
            def load():
                return COMMAND  # <-
            load()
    Limits: a value that passes the `tojson` or `quote` filter is accepted.
    Source: Airflow documentation, BashOperator, warning about user input; CWE-78.
    """
    for task in file.tasks:
        for name, _, text in arguments(task):
            if name in ("bash_command", "command", "cmds") and (chain := _from_outside(text)):
                yield at(task, f"{name}: {{{{ {chain} }}}} becomes part of a shell command", 'env={"X": ...}, and "$X"')
                break
    for function in file.functions("task"):
        if function.kind == "bash":
            for node in (n for statement in function.body for n in ast.walk(statement)):
                command = file.value(node.value) if isinstance(node, ast.Return) else None
                if isinstance(command, str) and (chain := _from_outside(command)):
                    yield at(node, f"{{{{ {chain} }}}} becomes part of a shell command", 'env={"X": ...}, and "$X"')


def _from_outside(text: str) -> str | None:
    if not is_template(text) or re.search(r"\|\s*(tojson|quote|shlex_quote|int|float)\b", text):
        return None
    found = sorted(c for c in read_template(text).chains if c.startswith(("dag_run.conf.", "dag_run.conf", "params.")))
    return found[-1] if found else None


@rule("DAG506", "sql-from-text", family=FAMILY, severity="warning")
def sql_from_text(file: SourceFile) -> Iterator[Hit]:
    """A query is put together from text.

    A value with a quote breaks it, and one that is made for it does what it likes. Values are bound as parameters.

    Bad:
        @task
        def remove(hook, name):
            hook.run(f"DELETE FROM orders WHERE name = '{name}'")  # <-
    Good:
        @task
        def remove(hook, name):
            hook.run("DELETE FROM orders WHERE name = %s", parameters=(name,))
    Tricky:
        def remove(cursor, name):
            query = "DELETE FROM orders WHERE name = '%s'" % name
            cursor.execute(query)  # <-
        @task
        def clean(cursor):
            remove(cursor, "x")
    Limits: constants that are put in are harmless, and left out; so are names from a loop over constants, and table
        names alone (`FROM {table}`).
    Source: "Data Pipelines with Apache Airflow", chapter 4: a name with an apostrophe breaks the load; CWE-89.
    """
    for call in file.calls:
        if not call.in_task or call.method not in SQL_METHODS:
            continue
        node = call.expression("sql", 0)
        text = file.value(node) if node is not None else None
        if node is None or not isinstance(text, str) or HOLE not in text or not is_sql(text.replace(HOLE, "x")):
            continue
        if _value_spliced(text) and not _from_constants(file, node):
            yield at(call, "a value is spliced into a query", "bind it: parameters=(...)")


_QUOTED = re.compile(rf"'[^']*{HOLE}[^']*'")
_COMPARED = re.compile(rf"(=|<|>|\bin\s*\(|\blike|\bvalues\s*\(|\bbetween|\band)\s*\(?\s*{HOLE}", re.IGNORECASE)


def _value_spliced(text: str) -> bool:
    return bool(_QUOTED.search(text) or _COMPARED.search(text))


def _from_constants(file: SourceFile, node: ast.expr) -> bool:
    """Whether all that is put in comes from loops over constants."""
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    for name in names:
        scope = file.names.scopes[name]
        found = scope.find(name.id)
        binding = current(found[1], name, same=found[0] is scope) if found else None
        if binding is None or binding.kind not in ("item", "value") or not file.is_known(binding.value):
            return False
    return bool(names)


@rule("DAG508", "shell-true", family=FAMILY, severity="warning")
def shell_true(file: SourceFile) -> Iterator[Hit]:
    """A task gives a shell a command that is put together from values.

    Bad:
        import subprocess
        @task
        def load(table):
            subprocess.run(f"load {table}", shell=True, check=True)  # <-
    Good:
        import subprocess
        @task
        def load(table):
            subprocess.run(["load", table], check=True)
    Tricky:
        from os import system as run
        @task
        def load(table):
            code = run("load " + table)  # <-
            print(code)
    Limits: a constant command is accepted.
    Source: CWE-78; ruff S602, S605.
    """
    for call in file.calls:
        shell = call.value("shell") is True and call.name.startswith("subprocess.")
        shell = shell or call.name in ("os.system", "os.popen", "subprocess.getoutput")
        if shell and call.node.args and not file.is_known(call.node.args[0]):
            yield at(call, "a shell runs a command that is put together from values", "a list of words, no shell")


@rule("DAG509", "docker-from-task", family=FAMILY, severity="warning")
def docker_from_task(file: SourceFile) -> Iterator[Hit]:
    """A task drives the Docker daemon of its host.

    Access to the daemon's socket is root on the host, and the container's end is not the task's.

    Bad:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="docker exec spark spark-submit job.py")  # <-
    Good:
        with DAG("orders", schedule=None):
            SparkSubmitOperator(task_id="load", application="job.py", conn_id="spark")
    Tricky:
        import subprocess
        WORDS = ["docker", "exec", "spark", "spark-submit", "job.py"]
        @task
        def load():
            subprocess.run(WORDS, check=True)  # <-
    Limits: the DockerOperator is meant for this, and left out.
    Source: Docker documentation, "Docker daemon attack surface".
    """
    for task in file.tasks:
        for name, _, text in arguments(task):
            if name == "bash_command" and re.search(
                r"(^|[;&|]\s*|\bsudo\s+)docker(-compose)?\s+(exec|run|compose)\b", text
            ):
                yield at(task, "a task drives the Docker daemon of its host", "an operator with a connection")
    for call in file.calls:
        if call.in_task and call.name.startswith(("subprocess.", "os.system")) and call.node.args:
            words = file.strings(call.node.args[0])
            if words and words[0].split()[:1] == ["docker"]:
                yield at(call, "a task drives the Docker daemon of its host", "an operator with a connection")
