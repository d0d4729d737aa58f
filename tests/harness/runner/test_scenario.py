from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness._compat.dags import parse
from harness.unit import graph_scenario

FILE = Path(__file__).parent / "dags" / "trigger_rules.py"
OUTCOMES: dict[str, dict[str, Any]] = {
    "every_rule": {"bad": "failed", "idle": "skipped"},
    "every_branch": {"choose": ["left"], "stop": False, "pause": False},
    "every_setup": {"broken.begin": "failed", "unneeded.begin": "skipped", "two.bad": "failed"},
    "random_graph": {"f0": "failed", "s0": "skipped"},
}

MIXED = (
    *("bad-idle", "idle-blocked", "good-bad-idle", "good-idle-blocked", "bad-idle-blocked"),
    "good-bad-idle-blocked",
)


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    parsed = parse(FILE, FILE.parent)
    assert parsed.error is None
    return parsed.dags


@pytest.mark.parametrize("dag_id", OUTCOMES)
def test_prediction_is_what_airflow_does(run_dag, dags, dag_id: str):
    predicted = graph_scenario(dags[dag_id], OUTCOMES[dag_id])
    (run,) = run_dag(dag_id, deadline=300).runs
    certain = {name: state for name, state in predicted.states.items() if name not in predicted.uncertain}
    assert {name: run.states[name] for name in certain} == certain
    assert run.airflow_state == predicted.run_state
    assert len(certain) > len(predicted.states) / 2


def test_first_of_failure_and_skip_decides_and_the_prediction_says_so(dags):
    predicted = graph_scenario(dags["every_rule"], OUTCOMES["every_rule"])
    assert predicted.uncertain == {f"all_success.{names}" for names in MIXED}
