"""What is measured on: sessions of a few services, and generated projects."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.bench.timing import ROOT

#: what the environments of the suite hold, without the DAGs
SERVICES = {
    "postgres": "{databases: [warehouse]}",
    "s3": "{buckets: [landing, lake]}",
    "kafka": "{topics: {orders: {partitions: 3}}}",
    "spark": "{packages: [delta, kafka, s3, postgres]}",
}
#: a DAG file of the folders that are checked
CHECKED_FILE = """\
from datetime import timedelta
import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag, task


@dag(schedule="@daily", start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["orders"])
def orders_{number}():
    @task(retries=2, execution_timeout=timedelta(minutes=5))
    def extract(ds=None):
        return {{"day": ds, "rows": [1, 2, 3]}}

    @task(retries=2, execution_timeout=timedelta(minutes=5))
    def transform(batch):
        return sum(batch["rows"])

    report = BashOperator(task_id="report", bash_command="echo {{{{ ds }}}}", retries=1)
    transform(extract()) >> report


orders_{number}()
"""
#: a DAG file of the folders that are run: Python tasks one after the other, that do next to nothing
CHAIN_FILE = """\
import pendulum
from airflow.sdk import dag, task


@dag(schedule="@daily", start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False)
def {dag_id}():
    @task
    def add(number):
        return number + 1

    number = 0
    for _ in range({tasks}):
        number = add(number)


{dag_id}()
"""


def environment(services: Iterable[str], project: Path = ROOT) -> Any:
    """Return an environment that holds only these services."""
    from harness.environment import Environment

    declared = [f"  {name}: {SERVICES[name]}" for name in services]
    lines = ["stage: dev", *(["services:", *declared] if declared else [])]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench.yaml").write_text("\n".join(lines) + "\n")
        return Environment.load("bench", folder=folder, project=project)


def session(services: Iterable[str]) -> Any:
    """Return a session, not yet started, of an environment that holds only these services."""
    from harness.session.client import Session

    return Session(environment(services))


def checked_project(project: Path, files: int) -> None:
    """Write a project of DAG files that differ in their names."""
    (project / "dags").mkdir()
    (project / "pyproject.toml").write_text("[tool.harness.check]\n")
    for number in range(files):
        (project / "dags" / f"orders_{number}.py").write_text(CHECKED_FILE.format(number=number))


def chain(dags: Path, dag_id: str, tasks: int) -> None:
    """Write a DAG of `tasks` tasks."""
    dags.mkdir(exist_ok=True)
    (dags / f"{dag_id}.py").write_text(CHAIN_FILE.format(dag_id=dag_id, tasks=tasks))
