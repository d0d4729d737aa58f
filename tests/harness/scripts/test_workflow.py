from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[3]


def test_tox_runs_the_matrix_of_the_workflow() -> None:
    workflow = YAML(typ="safe").load(ROOT / ".github" / "workflows" / "ci.yml")
    matrix = workflow["jobs"]["suite"]["strategy"]["matrix"]
    every = itertools.product(matrix["python"], matrix["airflow"], matrix["environment"])
    wanted = {f"py{python}-airflow{airflow}-{environment}".replace(".", "") for python, airflow, environment in every}
    listed = subprocess.run(
        [sys.executable, "-m", "tox", "-l"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )

    assert {name for name in listed.stdout.split() if name.startswith("py")} == wanted
