"""Which DAGs of a project can be loaded with the environment that was written for it, and why the others cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.checks.config import Settings
from harness.checks.run import Request, collect
from harness.checks.walk import find_files
from harness.environment import Environment
from harness.environment.installing import how_to_install


@dataclass(frozen=True)
class Loadable:
    """What came of loading all DAG files.

    Args:
        dag_ids: DAGs that can run.
        left_out: one line for each file that cannot be loaded: place, reason, and what to install.
    """

    dag_ids: tuple[str, ...]
    left_out: tuple[str, ...]


def load(root: Path, dags: str, environment: str = "dev") -> Loadable:
    """Have Airflow load the DAG files, with the variables of an environment."""
    found = find_files((root / dags,), root)
    asked = Request((root / dags,), Settings(), Environment.load(environment, root / "environments"), cache=False)
    outcomes = collect(asked, Settings(), found, [*found.files, *found.archives]).outcomes
    ids = {dag.dag_id for outcome in outcomes.values() for dag in outcome.dags if outcome.complete}
    left_out = []
    for path, outcome in outcomes.items():
        if not outcome.complete:
            place = f"{Path(path).relative_to(root)}:{outcome.line}"
            why = outcome.error or f"its import ended by {outcome.ended}"
            left_out.append("; ".join(filter(None, (f"{place}: {why}", how_to_install(why)))))
    return Loadable(tuple(sorted(ids)), tuple(left_out))
