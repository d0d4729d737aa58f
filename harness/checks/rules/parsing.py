"""What a file does while it is parsed, which is every 30 seconds and once more for each task."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from harness.checks.config import Settings
from harness.checks.registry import Hit, at, rule
from harness.checks.rules.words import DATABASE, HEAVY, HOOK_CALL, PROCESS, is_network
from harness.checks.source.file import Call, SourceFile

FAMILY = "parse cost"
_MOVE = "move it into a task: the file is parsed every 30 seconds"
_CONNECTION = re.compile(r"(^|\.)(BaseHook|Connection|\w*Hook(\(\))?)\.(get_connection|get_connections|get|get_hook)$")


def at_parse(file: SourceFile) -> Iterator[Call]:
    """Yield the calls that run when the file is parsed."""
    return (call for call in file.calls if call.at_parse)


@rule("DAG401", "variable-at-parse", family=FAMILY, severity="error")
def variable_at_parse(file: SourceFile) -> Iterator[Hit]:
    """An Airflow variable is read while the file is parsed.

    Each parse asks the metadata database or the secrets backend; when that is down, or the variable is missing, the DAG
    disappears.

    Bad:
        REGION = Variable.get("region")  # <-
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command=f"load {REGION}")
    Good:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load {{ var.value.region }}")
    Tricky:
        from airflow.models import Variable as V
        def setting(name, default=None):
            return f"{V.get(name, default)}"  # <-
        @task
        def load(region=setting("region")):
            print(region)
    Limits: a variable that another module of the project reads at its own top is reported there.
    Source: Airflow documentation, Best practices, "Airflow Variables".
    """
    for call in at_parse(file):
        if call.name in ("airflow.sdk.Variable.get", "airflow.sdk.Variable.setdefault", "airflow.sdk.Variable.set"):
            yield at(
                call,
                f"the variable {call.text('key', 0) or '...'!r} is read while the file is parsed",
                "{{ var.value.x }}, or in a task",
            )


@rule("DAG402", "connection-at-parse", family=FAMILY, severity="error")
def connection_at_parse(file: SourceFile) -> Iterator[Hit]:
    """A connection is looked up while the file is parsed.

    Each parse asks the metadata database or the secrets backend; when that is down, the DAG disappears.

    Bad:
        HOST = BaseHook.get_connection("warehouse").host  # <-
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command=f"load {HOST}")
    Good:
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command="load {{ conn.warehouse.host }}")
    Tricky:
        from airflow.providers.postgres.hooks.postgres import PostgresHook as Hook
        class Settings:
            host = Hook.get_connection("warehouse").host  # <-
        with DAG("orders", schedule=None):
            BashOperator(task_id="load", bash_command=f"load {Settings.host}")
    Source: Airflow documentation, Best practices, "Top level Python code".
    """
    for call in at_parse(file):
        ours = call.name.startswith(("airflow.", ".")) and _CONNECTION.search(call.name)
        if (
            ours and call.method in ("get_connection", "get_connections", "get_hook")
        ) or call.name == "airflow.sdk.Connection.get":
            yield at(
                call,
                f"the connection {call.text('conn_id', 0) or '...'!r} is looked up while the file is parsed",
                _MOVE,
            )


@rule("DAG403", "network-at-parse", family=FAMILY, severity="error")
def network_at_parse(file: SourceFile) -> Iterator[Hit]:
    """Another machine is asked while the file is parsed.

    Each parse waits for it; when it is slow or down, so is the scheduler, and the DAG disappears.

    Bad:
        import requests
        TABLES = requests.get("https://example.com/tables", timeout=5).json()  # <-
        with DAG("orders", schedule=None):
            for table in TABLES:
                EmptyOperator(task_id=table)
    Good:
        import requests
        @task
        def tables():
            response = requests.get("https://example.com/tables", timeout=5)
            response.raise_for_status()
            return response.json()
    Tricky:
        from boto3 import client as make
        class Lake:
            def __init__(self):
                self.keys = make("s3").list_objects_v2(Bucket="lake")["Contents"]  # <-
        LAKE = Lake()
    Limits: calls through other modules of the project are followed; those inside installed libraries are seen only when
        the file is loaded.
    Source: Airflow documentation, Best practices, "Top level Python code".
    """
    for call in at_parse(file):
        if is_network(call):
            yield at(call, f"{_spelled(call)} talks to another machine while the file is parsed", _MOVE)


def _spelled(call: Call) -> str:
    text = ast.unparse(call.node.func)
    return (text if len(text) <= 40 else f"...{text[-37:]}") + "(...)"


@rule("DAG404", "database-at-parse", family=FAMILY, severity="error")
def database_at_parse(file: SourceFile) -> Iterator[Hit]:
    """A database is asked while the file is parsed.

    Each parse opens a connection; when the database is down, the DAG disappears.

    Bad:
        from airflow.providers.postgres.hooks.postgres import PostgresHook
        TABLES = PostgresHook("warehouse").get_records("select name from tables")  # <-
    Good:
        from airflow.providers.postgres.hooks.postgres import PostgresHook
        @task
        def tables():
            return PostgresHook("warehouse").get_records("select name from tables")
    Tricky:
        import psycopg as pg
        def names():
            with pg.connect("service=warehouse") as connection:  # <-
                return connection.execute("select name from tables").fetchall()
        with DAG("orders", schedule=None):
            for name in names():
                EmptyOperator(task_id=name)
    Limits: making a hook or an engine does not connect, and is not reported.
    Source: Airflow documentation, Best practices, "Top level Python code".
    """
    lazy = (
        "get_conn_id",
        "get_uri",
        "get_connection",
        "get_hook",
        "get_ui_field_behaviour",
        "get_connection_form_widgets",
    )
    for call in at_parse(file):
        hook = HOOK_CALL.search(call.name) and not call.name.startswith(".") and call.method not in lazy
        if hook or DATABASE.match(call.name):
            yield at(call, f"{_spelled(call)} asks another system while the file is parsed", _MOVE)


@rule("DAG405", "file-at-parse", family=FAMILY, severity="info")
def file_at_parse(file: SourceFile) -> Iterator[Hit]:
    """A file is read from the working directory while the file is parsed.

    A relative path depends on where the scheduler was started: on the worker the file is not there, and the DAG is
    gone.

    Bad:
        with open("config/sources.json") as stream:  # <-
            SOURCES = stream.read()
    Good:
        from pathlib import Path
        with open(Path(__file__).parent / "sources.json") as stream:
            SOURCES = stream.read()
    Tricky:
        from pathlib import Path as P
        SOURCES = P("config/sources.json").read_text()  # <-
    Limits: paths that are computed are not judged.
    Source: "Data Pipelines with Apache Airflow", chapter 11.
    """
    for call in at_parse(file):
        node = None
        if call.name == "open" and call.node.args:
            node = call.node.args[0]
        elif call.method in ("read_text", "read_bytes", "open") and isinstance(call.node.func, ast.Attribute):
            node = call.node.func.value
        text = file.value(node) if node is not None else None
        if isinstance(text, str) and text and not text.startswith(("/", "\N{OBJECT REPLACEMENT CHARACTER}", "~")):
            yield at(call, f"{text!r} is looked for in the working directory", "Path(__file__).parent / ...")


@rule("DAG406", "heavy-import", family=FAMILY, severity="warning")
def heavy_import(file: SourceFile, settings: Settings) -> Iterator[Hit]:
    """A heavy library is imported at the top of a DAG file.

    Its import costs up to seconds and hundreds of megabytes, at each parse and in each task process.

    Bad:
        import pandas as pd  # <-
        @task
        def load():
            return pd.read_csv("https://example.com/orders.csv").to_dict()
    Good:
        @task
        def load():
            import pandas as pd
            return pd.read_csv("https://example.com/orders.csv").to_dict()
    Tricky:
        try:
            from sklearn.cluster import KMeans  # <-
        except ImportError:
            KMeans = None
    Limits: the list is in the settings (heavy-modules); imports for type checkers only are left out.
    Source: Airflow documentation, Best practices, "Top level Python code".
    """
    heavy = HEAVY | set(settings.heavy_modules)
    seen = set()
    for name, node in file.imports:
        root = name.partition(".")[0]
        if (root in heavy or name in heavy) and node not in seen and "parse" in file.code.moments(node):
            seen.add(node)
            yield at(node, f"{root} is imported each time the file is parsed", "import it inside the task")


@rule("DAG407", "process-at-parse", family=FAMILY, severity="error")
def process_at_parse(file: SourceFile) -> Iterator[Hit]:
    """A program is started, or time is slept away, while the file is parsed.

    Bad:
        import subprocess
        BRANCH = subprocess.check_output(["git", "branch"])  # <-
    Good:
        import subprocess
        @task
        def branch():
            return subprocess.check_output(["git", "branch"]).decode()
    Tricky:
        from time import sleep as rest
        def settle():
            rest(1)  # <-
        settle()
    Source: Airflow documentation, Best practices, "Top level Python code".
    """
    for call in at_parse(file):
        if call.name in PROCESS:
            yield at(call, f"{_spelled(call)} starts a program while the file is parsed", _MOVE)
        elif call.name == "time.sleep":
            yield at(call, "the file sleeps while it is parsed", _MOVE)


@rule("DAG408", "exit-at-parse", family=FAMILY, severity="error")
def exit_at_parse(file: SourceFile) -> Iterator[Hit]:
    """The process ends while the file is parsed.

    It takes the other files of the same process with it; the DAG never exists.

    Bad:
        import sys
        if not __file__:
            sys.exit("no file")  # <-
    Good:
        if not __file__:
            raise RuntimeError("no file")
    Tricky:
        from os import _exit as leave
        def check(ok):
            if not ok:
                leave(1)  # <-
        check(True)
    Limits: what stands under `if __name__ == "__main__"` is left out.
    Source: Airflow documentation, Best practices.
    """
    for call in at_parse(file):
        if call.name in ("sys.exit", "os._exit", "exit", "quit", "os.abort", "os.fork", "os.kill"):
            yield at(call, f"{_spelled(call)} ends or splits the process that parses the file", "raise an exception")
