"""The examples on the rules' pages as files that can be checked."""

from __future__ import annotations

import ast
import re
import tomllib
from types import SimpleNamespace

from harness.checks.config import Settings
from harness.checks.engine import Judge
from harness.checks.model import Finding
from harness.checks.project import Project
from harness.checks.registry import Registry, Rule
from harness.checks.source.file import SourceFile
from harness.environment.spec import AirflowSpec, KafkaSpec, PostgresSpec, S3Spec, TopicSpec

MARK = "# <-"

PRELUDE = """\
from datetime import date, datetime, timedelta
import pendulum
from airflow.sdk import DAG, Asset, BaseHook, CronDataIntervalTimetable, Label, TaskGroup, TriggerRule, Variable
from airflow.sdk import chain, dag, setup, task, task_group, teardown
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
START = pendulum.datetime(2026, 1, 1, tz="UTC")
"""

ENVIRONMENT = SimpleNamespace(
    name="acc",
    spec=SimpleNamespace(
        services={
            "kafka": KafkaSpec(topics={"orders": TopicSpec()}),
            "postgres": PostgresSpec(databases=["warehouse"]),
            "s3": S3Spec(buckets=["landing", "lake"]),
        },
        airflow=AirflowSpec(
            connections={n: {"conn_type": "generic"} for n in ("warehouse", "aws_default", "kafka_default")},
            variables={"region": "eu"},
            pools={"spark": 1},
            environ={"REGION": "eu"},
        ),
    ),
)


def as_file(rule: Rule, code: str) -> str:
    """Return an example with the usual imports on top; spark's only where it is named, since it is heavy."""
    spark = "from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator\n"
    head = "# prelude\n" + PRELUDE + (spark if "SparkSubmitOperator" in code else "")
    if rule.id in ("DAG104", "DAG901", "DAG902", "DAG903"):
        head = PRELUDE
    return head + code + "\n"


def policy(code: str) -> dict[str, object]:
    """Return the settings that an example states in its `# policy:` comment."""
    found = re.findall(r"^# policy: (.*)$", code, flags=re.MULTILINE)
    return {"policy": tomllib.loads("\n".join(found))} if found else {}


def marked(text: str) -> list[int]:
    """Return the lines at which an example says that the rule is broken."""
    return [number for number, line in enumerate(text.splitlines(), 1) if line.rstrip().endswith(MARK)]


def judge(rule: Rule, code: str, registry: Registry) -> tuple[list[Finding], str]:
    """Check one example with one rule, and return its findings and the file's text."""
    return judge_text(rule, code, as_file(rule, code), registry)


def judge_text(rule: Rule, code: str, text: str, registry: Registry) -> tuple[list[Finding], str]:
    """Check a text that is made of the example `code`, which states the settings."""
    ast.parse(text)
    wanted = {"select": ["DAG401", "DAG402", rule.id] if rule.family == "suppression" else [rule.id]}
    settings = Settings.of({**wanted, **policy(code)})
    asked = Judge(registry, settings, ENVIRONMENT)
    path = "dags/example.py"
    project = Project(facts={path: asked.of_file(path, SourceFile(path, text), None)})
    judged = asked.judge(project)
    return [finding for finding in judged.findings if finding.rule == rule.id], text
