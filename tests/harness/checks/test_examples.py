from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.checks.run import examined
from tests.harness.checks.airflow_examples import example_folders

pytestmark = pytest.mark.slow

PARSED = "the target time is the moment of parsing, so each parse stores another version of the DAG"
SILENT = "requests has no timeout of its own"
JUSTIFIED = {
    ("example_params_trigger_ui.py", "DAG012"): "print_greetings is the only leaf, and runs whatever the others did",
    ("example_skip_dag.py", "DAG012"): "with one_success the failure of skip_operator_2 alone leaves the run green",
    ("example_bash_decorator.py", "DAG012"): "run_this_last is all_done, and the only leaf below seven tasks",
    ("example_short_circuit_decorator.py", "DAG012"): "task_7 is all_done, and the only leaf below short_circuit",
    ("example_short_circuit_operator.py", "DAG012"): "task_7 is all_done, and the only leaf below short_circuit",
    ("example_sensors.py", "DAG303"): PARSED,
    ("example_retry_policy.py", "DAG208"): SILENT,
    ("tutorial_objectstorage.py", "DAG208"): SILENT,
}
"""Every error that is found in Airflow's own examples, and why it is one."""


def test_every_error_in_the_examples_of_airflow_is_justified() -> None:
    project, judged = examined(example_folders(), cache=False)
    assert project.count > 100
    errors = Counter((Path(f.path).name, f.rule) for f in judged.findings if f.severity == "error")
    assert errors.keys() == JUSTIFIED.keys()
    assert errors["example_sensors.py", "DAG303"] == 4
    assert errors.total() == len(JUSTIFIED) + 3
