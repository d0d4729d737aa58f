"""How all stages of a project stand, side by side, by the newest evidence of each."""

from __future__ import annotations

from pathlib import Path

from harness.environment import Environment
from harness.errors import ConfigError
from harness.gate import store
from harness.models.gate import StageStanding

STAGES = ("dev", "test", "acc", "prod")


def standings(environments: Path) -> list[StageStanding]:
    """Return a line for each stage that has an environment file and evidence, in the order of the stages."""
    found = []
    for name in STAGES:
        if not (environments / f"{name}.yaml").is_file():
            continue
        try:
            keys = Environment.load(name, environments).spec.gate.keys
        except ConfigError:
            keys = []  # production's variables are not set everywhere; its evidence can be shown all the same
        project = environments.resolve().parent
        claim = next(iter(store.claims(project, name, [project / key for key in keys])), None)
        if claim is None:
            continue
        evidence = claim.evidence
        failed = [one.requirement for one in evidence.collected if one.outcome != "pass"]
        found.append(
            StageStanding(
                stage=name,
                commit=evidence.commit,
                finished=evidence.finished,
                dags=sum(dag.verdict is not None for dag in evidence.dags),
                tasks=sum(dag.tasks for dag in evidence.dags),
                proofs=sum(len(dag.proofs) for dag in evidence.dags),
                failed=tuple(failed),
                signature=claim.signature.state,
                approved_by=evidence.approval.name if evidence.approval else "",
            )
        )
    return found
