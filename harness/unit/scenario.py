"""What becomes of a DAG's tasks when some fail, skip or branch: trigger rules, asked without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.checks.scenario import Outcome, Scenario, scenario


def task_states(dag: Any, outcomes: Mapping[str, Outcome] | None = None) -> dict[str, str]:
    """Return the state that each task of a loaded DAG ends in.

        assert task_states(dag_bag.dags["orders"], {"load": "failed"})["notify"] == "success"

    Arguments and limits are those of `graph_scenario`.
    """
    return dict(graph_scenario(dag, outcomes).states)


def graph_scenario(dag: Any, outcomes: Mapping[str, Outcome] | None = None) -> Scenario:
    """Apply the trigger rules, the skips of branches, and the constraints of setup and teardown.

    Args:
        dag: as Airflow has loaded it, from the fixture `dag_bag` or built in the test.
        outcomes: by task, what its own work comes to if it runs: `success` (so is every task that is not named),
            `failed`, or `skipped`. Of a branch: the ids of the tasks that it follows. Of a short circuit: whether it
            lets the tasks after it run.

    Raises:
        ConfigError: the DAG has no such task, or it cannot end so.
    """
    from harness._compat.extract import dag_data
    from harness._compat.lines import Lines
    from harness.checks.graph import Dag

    graph = Dag.model_validate(dag_data(dag, Lines(), str(getattr(dag, "fileloc", "") or "")))
    return scenario(graph, outcomes or {})
