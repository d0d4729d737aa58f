"""Projects that were not written for the harness: after `harness init`, and with seeds, every DAG of theirs runs."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from harness import Environment, Session
from tests.harness.scaffold.conftest import HERE, SEEDS, fill_in

pytestmark = pytest.mark.slow

DAGS = {"whirl": Path("examples")}
#: a Monday, and the first of a month: each schedule has a run on one of them
DATES = {"weekly_report": "2026-01-05", "monthly_average": "2026-02-01", "monthly_reminder": "2026-01-31"}


def test_no_file_that_was_there_is_changed(adopted: Path) -> None:
    original = HERE / "projects" / adopted.name
    files = [
        str(path.relative_to(original)) for path in original.rglob("*") if path.is_file() and path.suffix != ".pyc"
    ]
    same, _, _ = filecmp.cmpfiles(original, adopted, files, shallow=False)
    assert sorted(same) == sorted(files)


def test_every_stage_loads(adopted: Path) -> None:
    variables = {f"{role}_{what}": "1" for role in ("POSTGRES", "S3") for what in ("HOST", "PORT", "USER", "PASSWORD")}
    for name in ("dev", "test", "acc", "prod"):
        assert Environment.load(name, adopted / "environments", environ=variables).spec.stage == name
    workflow = YAML(typ="safe").load(adopted / ".github" / "workflows" / "harness.yml")
    assert workflow["jobs"]["gate"]["steps"][-1]["with"]["name"] == "evidence"


def test_the_generated_test_names_the_dags_that_load(adopted: Path) -> None:
    text = (adopted / "tests" / "test_pipelines.py").read_text()
    assert [line.strip(' ",') for line in text.splitlines() if line.startswith('    "')] == sorted(SEEDS[adopted.name])


@pytest.fixture(scope="module")
def session(adopted: Path) -> Iterator[Session]:
    fill_in(adopted)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(adopted)
        environment = Environment.load("dev", adopted / "environments")
        with Session(environment, dags=adopted / DAGS.get(adopted.name, Path("dags"))) as opened:
            yield opened


def test_every_dag_runs_with_nothing_filled_in_but_seeds(session: Session, adopted: Path) -> None:
    reports = {dag: session.run(dag, date=DATES.get(dag, "2026-01-01")) for dag in SEEDS[adopted.name]}
    assert {dag: report.reasons for dag, report in reports.items() if not report.passed} == {}
