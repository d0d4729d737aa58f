from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from harness.scaffold.project import look
from harness.scaffold.write import TESTS, write

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = ROOT / ".github" / "workflows"
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def test_tox_runs_the_matrix_of_the_workflow() -> None:
    matrix = read(WORKFLOWS / "ci.yml")["jobs"]["suite"]["strategy"]["matrix"]
    every = itertools.product(matrix["python"], matrix["airflow"], matrix["environment"])
    wanted = {f"py{python}-airflow{airflow}-{environment}".replace(".", "") for python, airflow, environment in every}
    listed = subprocess.run(
        [sys.executable, "-m", "tox", "-l"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )

    assert {name for name in listed.stdout.split() if name.startswith("py")} == wanted


@pytest.mark.skipif(shutil.which("go") is None, reason="actionlint is a program of Go, which is not here")
def test_workflows_are_clean_under_actionlint(tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "hello.py").write_text("from airflow.sdk import DAG\n\nwith DAG('hello'):\n    pass\n")
    write(look(tmp_path), TESTS)
    files = [*WORKFLOWS.glob("*.yml"), tmp_path / ".github" / "workflows" / "harness.yml"]

    linted = subprocess.run(
        ["go", "run", ACTIONLINT, *files], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )

    assert (linted.returncode, linted.stdout) == (0, ""), linted.stderr


def test_the_reusable_workflow_gives_the_action_what_it_takes() -> None:
    # actionlint does not fetch actions of other repositories, which this one is to its callers
    takes = read(ROOT / "action.yml")["inputs"]
    steps = [step for job in read(WORKFLOWS / "gate.yml")["jobs"].values() for step in job["steps"]]
    ours = [step for step in steps if step.get("uses", "").startswith("dtap-harness/")]

    assert len(ours) == 2
    for step in ours:
        assert step["with"].keys() <= takes.keys()
