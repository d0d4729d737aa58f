"""Where data is put: places that two runs, or two stages, would share by accident."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from harness.checks.registry import Hit, at, rule
from harness.checks.rules.templates import arguments
from harness.checks.source.file import SourceFile
from harness.checks.source.values import HOLE

FAMILY = "idempotency"
_TEMP = re.compile(r"(?<![\w/])/(tmp|var/tmp|dev/shm)/[\w.-]+")
_STORE_KEYWORDS = re.compile(
    r"^((dest_|source_|s3_|remote_log_)?bucket(_name)?|s3_bucket|host(name)?|bootstrap_servers|broker(s)?|database"
    r"|dbname|topic(s)?|server)$"
)
_STORE_URL = re.compile(
    r"^(?:\w+ )?(s3a?|s3n|gs|abfss?|wasbs?|hdfs|postgres(?:ql)?|mysql|jdbc:\w+|kafka|redis|mongodb)://(?:[^/@\s]*@)?([\w.-]+)"
)
_PRIVATE_URL = re.compile(r"^https?://(localhost|127\.0\.0\.1|\d+\.\d+\.\d+\.\d+)(:\d+)?(/|$)")


@rule("DAG307", "fixed-temp-path", family=FAMILY, severity="warning")
def fixed_temp_path(file: SourceFile) -> Iterator[Hit]:
    """Tasks share a fixed path for temporary files.

    Runs that overlap overwrite each other's file, and a task on another worker does not find it.

    Bad:
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command="fetch > /tmp/orders.json")  # <-
    Good:
        with DAG("orders", schedule="@daily"):
            BashOperator(task_id="load", bash_command="fetch > /tmp/orders-{{ run_id }}.json")
    Tricky:
        from pathlib import Path
        ROOT = Path("/tmp") / "orders"
        @task
        def land():
            with open(ROOT / "raw.json", "w") as stream:  # <-
                stream.write("{}")
    Limits: a template or an unknown part in the path is taken to tell runs apart.
    Source: "Data Pipelines with Apache Airflow", chapters 2 and 4.
    """
    for task in file.tasks:
        for name, _, text in arguments(task):
            if (match := _TEMP.search(text)) and not _told_apart(text, match.end()):
                yield at(task, f"{name}: all runs share {match[0]}", "put {{ run_id }} into it, or use an object store")
                break
    for call in file.calls:
        if call.in_task and call.method in ("open", "Path", "write_text", "to_csv", "to_parquet", "to_json", "mkdir"):
            node = call.node.args[0] if call.node.args else None
            text = file.value(node)
            if isinstance(text, str) and (match := _TEMP.match(text)) and not _told_apart(text, match.end()):
                yield at(call, f"all runs share {match[0]}", "tempfile.TemporaryDirectory(), or an object store")


def _told_apart(text: str, end: int) -> bool:
    rest = text[end:].split()
    tail = rest[0] if rest and not text[end : end + 1].isspace() else ""
    return "{{" in tail or HOLE in tail or "$" in tail or text[end : end + 2] == "{{"


@rule("DAG308", "hard-coded-store", family=FAMILY, severity="warning")
def hard_coded_store(file: SourceFile) -> Iterator[Hit]:
    """A bucket, host, topic or database is named in the code.

    The same DAG then writes to the same place on every stage, and production is told from test by the code alone.

    Bad:
        with DAG("orders", schedule=None):
            S3KeySensor(task_id="wait", bucket_name="prod-landing", bucket_key="orders", timeout=60)  # <-
    Good:
        with DAG("orders", schedule=None):
            S3KeySensor(task_id="wait", bucket_name="{{ var.value.landing }}", bucket_key="orders", timeout=60)
    Tricky:
        BUCKET = "prod-landing"
        @task
        def load():
            read(f"s3://{BUCKET}/orders.json")  # <-
    Limits: names that are parameters or defaults of functions are taken to be configurable.
    Source: "Data Pipelines with Apache Airflow", chapter 11: configuration.
    """
    for call in file.calls:
        if not (call.in_task or call.at_parse) or call.last in ("Asset", "Dataset", "Variable", "DAG"):
            continue
        for name, node in _given(file, call.node):
            text = file.value(node)
            if isinstance(text, str) and (place := _place(name, text)):
                yield at(call, f"{place} is named in the code", "take it from a connection, a variable or a param")
                break


def _given(file: SourceFile, node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    yield from (("", argument) for argument in node.args)
    yield from file.values.keywords(node).items()


def _place(keyword: str, text: str) -> str | None:
    if text == ":memory:" or "{{" in text[:12] or text.startswith(HOLE) or not text.strip():
        return None
    match = _STORE_URL.match(text)
    if match and HOLE not in match[2] and not match[2].startswith(("{", "bucket", "example")):
        return f"{match[1]}://{match[2]}"
    if match := _PRIVATE_URL.match(text):
        return f"the host {match[1]}"
    if _STORE_KEYWORDS.match(keyword) and "{{" not in text and HOLE not in text and not text.startswith("$"):
        return f"{keyword}={text!r}"
    return None
