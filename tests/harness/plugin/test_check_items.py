from __future__ import annotations

from pathlib import Path

import pytest

GOOD = """
from datetime import datetime, timedelta, timezone
from airflow.sdk import dag, task

@dag(schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False, max_active_runs=1)
def good():
    @task(retries=2, execution_timeout=timedelta(minutes=5))
    def load():
        return 1

    load()

good()
"""
BAD = (
    GOOD.replace("good", "bad")
    .replace("return 1", "return requests.get('http://x')")
    .replace("from airflow", "import requests\nrequests.get('http://127.0.0.1:9')\nfrom airflow")
)


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    dags = pytester.mkdir("dags")
    (dags / "good.py").write_text(GOOD)
    (dags / "bad.py").write_text(BAD)
    (pytester.path / "pytest.ini").write_text("[pytest]\n")
    (pytester.path / "pyproject.toml").write_text("")
    return pytester.path


def test_each_file_and_family_is_a_test_and_each_error_fails_one(pytester: pytest.Pytester, project: Path):
    result = pytester.runpytest_subprocess("--harness-check", "-rA", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["dags/bad.py:* DAG403 *(network-at-parse)"])
    result.stdout.fnmatch_lines(
        ["PASSED dags/good.py::parse-cost", "PASSED dags::rest", "FAILED dags/bad.py::parse-cost*"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    assert result.ret == 1


def test_items_are_chosen_by_name(pytester: pytest.Pytester, project: Path):
    result = pytester.runpytest_subprocess("--harness-check", "-k", "good and schedule", "-p", "no:cacheprovider")
    assert result.parseoutcomes()["passed"] == 1
    assert result.ret == 0


def test_folder_without_dags_is_a_failure(pytester: pytest.Pytester, project: Path):
    for file in (project / "dags").iterdir():
        file.unlink()
    result = pytester.runpytest_subprocess("--harness-check", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no DAG was found in*"])


def test_without_the_option_there_are_no_such_items(pytester: pytest.Pytester, project: Path):
    assert pytester.runpytest_subprocess("-p", "no:cacheprovider").ret == pytest.ExitCode.NO_TESTS_COLLECTED
