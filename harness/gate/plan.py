"""Decides what is to be collected: what nothing valid is known of, and what has changed since. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from harness.environment.spec import EnvironmentSpec, GateSpec
from harness.gate.contracts import Contract
from harness.gate.policy import authentic, seconds_of
from harness.gate.subjects import Scope, unchanged
from harness.models.gate import Claim, Collected, DagEvidence, Proved


@dataclass(frozen=True)
class Plan:
    """What to collect, and what to take over.

    Args:
        runs: DAGs to run, in their order.
        proofs: DAGs to prove.
        unit: earlier result of the unit tests; None runs them.
        known: dag id -> what is known of its runs, and still holds, with its settled proofs.
        proved: dag id -> its settled proofs, also where it is to be run.
    """

    runs: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()
    unit: Collected | None = None
    known: Mapping[str, DagEvidence] = field(default_factory=dict)
    proved: Mapping[str, tuple[Proved, ...]] = field(default_factory=dict)


def plan(  # noqa: PLR0913 - one argument for each thing that the decision depends on
    policy: GateSpec,
    scope: Scope,
    earlier: Sequence[Claim],
    *,
    environment: str,
    at: datetime,
    properties: Sequence[str] = (),
    contracts: Sequence[Contract] = (),
    spec: EnvironmentSpec | None = None,
    everything: bool = False,
) -> Plan:
    """Decide what to collect.

    Args:
        earlier: evidence of any environment and commit, the newest first. Runs and unit tests count where they are of
            this one, proofs where they were made in the same.
        environment: name of the stage's.
        at: now.
        properties: that exist; what a policy that names none asks for.
        contracts: that the data of runs is held against.
        spec: says which DAG writes what a contract is about.
        everything: take nothing over.
    """
    wanted = list(policy.runs) or sorted(scope.files)
    wanted = [dag_id for dag_id in wanted if dag_id in scope.files]
    every = [] if everything else [claim for claim in earlier if not authentic(policy, claim)]
    usable = [claim for claim in every if claim.evidence.environment == environment]
    oldest = at - timedelta(seconds=seconds_of(policy.max_age))
    stale = _affected(scope, usable, contracts, spec)
    there = [claim for claim in every if claim.evidence.proofs_in == (policy.proofs_in or environment)]
    asked = set(policy.proofs or properties)
    proved = {dag_id: _proved(dag_id, asked, scope, there, oldest) for dag_id in wanted}
    known: dict[str, DagEvidence] = {}
    for dag_id in wanted:
        found = _known(dag_id, scope, usable, oldest)
        if found is not None and dag_id not in stale:
            known[dag_id] = found.model_copy(update={"proofs": proved[dag_id]})
    unproved = [dag_id for dag_id in wanted if asked - {one.property for one in proved[dag_id]}]
    return Plan(
        runs=tuple(d for d in wanted if d not in known) if "runs" in policy.requires else (),
        proofs=tuple(unproved) if "proofs" in policy.requires else (),
        unit=_unit(scope, usable, oldest),
        known=known,
        proved=proved,
    )


def _known(dag_id: str, scope: Scope, earlier: Sequence[Claim], oldest: datetime) -> DagEvidence | None:
    """Return what earlier evidence says about the runs of a DAG, when all that they depend on is what it was."""
    for claim, dag in _about(dag_id, scope, earlier, scope.shared):
        if dag.verdict == "pass" and not dag.broken and dag.collected is not None and dag.collected >= oldest:
            return dag.model_copy(update={"reused": dag.reused or _origin(claim)})
    return None


def _proved(
    dag_id: str, asked: Collection[str], scope: Scope, earlier: Sequence[Claim], oldest: datetime
) -> tuple[Proved, ...]:
    """Return a DAG's settled proofs of what is asked; those of older evidence count where no newer one has decided."""
    found: dict[str, Proved] = {}
    for claim, dag in _about(dag_id, scope, earlier, scope.proving):
        for one in dag.proofs:
            fresh = one.collected is not None and one.collected >= oldest
            if fresh and one.property in asked and one.property not in found:
                found[one.property] = one.model_copy(update={"reused": one.reused or _origin(claim)})
    return tuple(one for one in found.values() if one.outcome in ("holds", "skipped"))


def _about(
    dag_id: str, scope: Scope, earlier: Sequence[Claim], shared: Sequence[str]
) -> Iterator[tuple[Claim, DagEvidence]]:
    """Yield what evidence says about a DAG, where all that this depends on is what it was."""
    names = {*scope.inputs[dag_id], *shared}
    for claim in earlier:
        dag = claim.evidence.dag(dag_id)
        # what it no longer depends on counts too: a file that is gone was read once
        same = dag is not None and set(dag.inputs) == set(scope.inputs[dag_id])
        if dag is not None and same and unchanged(names, claim.digests, scope.digests):
            yield claim, dag


def _origin(claim: Claim) -> str:
    return claim.evidence.commit or "an earlier state"


def _affected(
    scope: Scope, earlier: Sequence[Claim], contracts: Sequence[Contract], spec: EnvironmentSpec | None
) -> Collection[str]:
    """Return the DAGs whose data must be looked at again, because a contract about it is new or has changed."""
    if not earlier:
        return ()
    claim = earlier[0]
    then = {name: digest for name, digest in claim.digests.items() if "contracts/" in name}
    changed = {name for name, one in scope.subjects.items() if one.kind == "contract" and then.get(name) != one.sha256}
    found: set[str] = set()
    for contract in contracts:
        if not any(name.endswith(f"/{contract.path.name}") for name in changed):
            continue
        writers = {dag.dag_id for dag in claim.evidence.dags if contract.name in dag.contracts}
        writers |= set(_writers(contract, spec))
        # nobody knows who writes it, so everybody might
        found |= writers or set(scope.files)
    return found


def _writers(contract: Contract, spec: EnvironmentSpec | None) -> list[str]:
    from harness.models.snapshot import Dataset
    from harness.state.snapshot import is_output

    kinds = {"postgres": "table", "kafka": "topic"}
    if spec is None or contract.service not in spec.services:
        return []
    kind = kinds.get(spec.services[contract.service].role, "delta")
    dataset = Dataset.model_validate({"service": contract.service, "name": contract.dataset, "kind": kind, "rows": 0})
    return [dag_id for dag_id, dag in spec.dags.items() if dag.outputs and is_output(dataset, dag)]


def _unit(scope: Scope, earlier: Sequence[Claim], oldest: datetime) -> Collected | None:
    """Return an earlier result of the unit tests, when neither they nor any code that is run has changed."""
    names = [one.name for one in scope.subjects.values() if one.kind in ("test", "dag", "input", "constraints")]
    for claim in earlier:
        unit = claim.evidence.of("unit")
        if unit is None or unit.outcome != "pass" or (unit.at or claim.evidence.finished) < oldest:
            continue
        tests = [one.name for one in claim.subjects if one.kind in ("test", "dag", "input", "constraints")]
        if set(tests) == set(names) and unchanged(names, claim.digests, scope.digests):
            return unit.model_copy(update={"reused": unit.reused or _origin(claim)})
    return None
