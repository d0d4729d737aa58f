"""Where DAG files are, for Airflow and for the DAGs themselves."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from harness.models.run import RunReport

ZIPPED = """
from datetime import datetime
from airflow.sdk import DAG, task
from beside import WORD

with DAG("zipped", schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False):

    @task
    def say():
        return WORD

    say()
"""


def test_each_way_to_the_dag_folder_leads_there(run_dag: Callable[..., RunReport]) -> None:
    report = run_dag("knows_its_folder")

    assert report.verdict == "pass", report.reasons


def test_a_dag_in_an_archive_is_run(run_dag: Callable[..., RunReport], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("first.py", ZIPPED)
        archive.writestr("beside.py", "WORD = 'hello'\n")

    report = run_dag("zipped", dags_folder=tmp_path)

    assert report.verdict == "pass", report.reasons
    assert report.runs[0].task("say").xcoms["return_value"] == "hello"
