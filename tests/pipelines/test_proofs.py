from __future__ import annotations

import pytest

from harness import Environment

pytestmark = [pytest.mark.slow, pytest.mark.proofs, pytest.mark.stages("dev")]

SUITE = sorted(Environment.load("dev").spec.dags)

#: each write of each task costs a few runs of the DAG; the others, of Spark jobs or of many tasks, are for `make dtap`
CHEAP = ("create_metrics", "event_relay", "rocket_launches")


@pytest.mark.parametrize("dag_id", SUITE)
def test_a_pipeline_can_be_run_again_and_hides_no_failure(prove_dag, dag_id):
    found = prove_dag(dag_id, "rerun", "masked")
    assert [one.outcome for one in found.proofs] == ["holds", "holds"]


@pytest.mark.parametrize("dag_id", CHEAP)
def test_a_failure_never_leaves_half_of_the_output(prove_dag, dag_id):
    assert prove_dag(dag_id, "atomic").proof("atomic").outcome == "holds"
