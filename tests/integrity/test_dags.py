from __future__ import annotations

from pathlib import Path

import pytest

from harness.checks import CheckReport, Request, check
from harness.checks.walk import find_files

DAGS = Path(__file__).parents[2] / "dags"
FILES = [Path(path).relative_to(DAGS) for path in find_files((DAGS,)).files]


@pytest.fixture(scope="module")
def report() -> CheckReport:
    return check(Request((DAGS,)))


@pytest.mark.parametrize("file", FILES, ids=str)
def test_dag_file_has_no_finding_that_is_an_error(report: CheckReport, file: Path):
    found = [one for one in report.findings if Path(one.path).resolve() == DAGS / file]
    assert [f"{one.place} {one.rule} {one.message}" for one in found if one.severity == "error"] == []


def test_every_file_defines_a_dag_and_nothing_else_is_wrong(report: CheckReport):
    assert report.passed, report.reasons
    assert report.files == len(FILES)
    assert report.dags >= len(FILES)
