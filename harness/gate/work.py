"""Does what a plan says, in an order in which the cheap comes first, and fills in what was found as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harness.errors import HarnessError, ServiceError
from harness.gate import collect as collectors
from harness.gate import contracts, store
from harness.gate.case import Case
from harness.gate.collect import OnStep, Step
from harness.gate.compare import diff
from harness.gate.plan import Plan
from harness.gate.policy import seconds_of
from harness.models.gate import Collected, DagEvidence, Drift, Proved

if TYPE_CHECKING:
    from harness.api import Session
    from harness.models.service import ServiceEvent

__all__ = ["Findings", "OnStep", "Step", "collect"]


@dataclass
class Findings:
    """What was found so far: an interruption leaves it usable."""

    collected: dict[str, Collected] = field(default_factory=dict)
    dags: dict[str, DagEvidence] = field(default_factory=dict)
    #: dag id -> proofs of earlier evidence that still hold
    proved: Mapping[str, tuple[Proved, ...]] = field(default_factory=dict)
    drift: list[Drift] = field(default_factory=list)
    #: something was found that no earlier evidence holds
    fresh: bool = False

    def add(self, one: Collected, on_step: OnStep) -> None:
        """Keep what a requirement came to, and tell of it."""
        self.collected[one.requirement] = one
        state = "reused" if one.reused else one.outcome
        on_step(Step(one.requirement, "", state, "; ".join(one.reasons)))


def collect(
    case: Case, plan: Plan, findings: Findings, on_step: OnStep, on_service: Callable[[ServiceEvent], None]
) -> None:
    """Collect what the stage requires.

    Raises:
        ServiceError: a service did not start or was lost; `findings` holds what there is.
    """
    requires = case.policy.requires
    findings.proved = plan.proved
    unrun = [dag_id for dag_id, proofs in plan.proved.items() if proofs and dag_id not in plan.runs]
    findings.dags = {dag_id: _unrun(case, dag_id, findings) for dag_id in unrun} | dict(plan.known)
    if "integrity" in requires:
        findings.add(collectors.integrity(case.material.checked), on_step)
    if "drift" in requires:
        _drift(case, findings, on_step)
    if "unit" in requires:
        _unit(case, plan, findings, on_step)
    began = time.monotonic()
    _dags(case, plan, findings, on_step, on_service)
    seconds = round(time.monotonic() - began, 1)
    if "runs" in requires:
        findings.add(
            _missing("runs") if case.external else collectors.runs_of(findings.dags.values(), seconds), on_step
        )
    if "proofs" in requires and "proofs" not in findings.collected:
        where, dags = case.proving.name, findings.dags.values()
        findings.add(_missing("proofs") if case.external else collectors.proofs_of(dags, where), on_step)
    if "contracts" in requires:
        broken, notes = _broken_contracts(case)
        findings.add(collectors.contracts_of(findings.dags.values(), case.contracts, broken, notes), on_step)


def _missing(requirement: str) -> Collected:
    reason = "nothing is run where services are external; require it of the stage before (`gate: after:`)"
    return Collected(requirement=requirement, outcome="missing", reasons=(reason,))


def _drift(case: Case, findings: Findings, on_step: OnStep) -> None:
    on_step(Step("drift", "", "running"))
    began = time.monotonic()
    before = case.before.environment if case.before else None
    try:
        report = diff(before, case.environment, case.material.project.usages)
    except ServiceError as error:
        reason = str(error).splitlines()[0]
        findings.add(Collected(requirement="drift", outcome="missing", reasons=(reason,)), on_step)
        return
    findings.drift = list(report.differences)
    findings.add(
        Collected(
            requirement="drift",
            outcome="fail" if report.verdict == "fail" else "pass",
            checked=report.compared,
            failed=len(report.reasons),
            reasons=report.reasons,
            notes=tuple(one.sentence for one in report.differences if one.allowed),
            seconds=round(time.monotonic() - began, 1),
        ),
        on_step,
    )


def _unit(case: Case, plan: Plan, findings: Findings, on_step: OnStep) -> None:
    if plan.unit is not None:
        findings.add(plan.unit, on_step)
        return
    on_step(Step("unit", "", "running", ", ".join(case.policy.unit)))
    findings.add(collectors.unit(case.project, case.policy.unit, seconds_of(case.policy.deadline)), on_step)


def _dags(
    case: Case, plan: Plan, findings: Findings, on_step: OnStep, on_service: Callable[[ServiceEvent], None]
) -> None:
    """Run the DAGs of the plan, then prove them: on services that are started once, unless proofs have their own."""
    for dag_id in plan.known:
        if dag_id not in plan.proofs:
            on_step(Step("runs", dag_id, "reused"))
    if case.external or not (plan.runs or plan.proofs):
        return
    from harness.api import Session

    elsewhere = case.proving.name != case.environment.name
    with ExitStack() as stack:
        session = Session(case.environment, dags=case.material.folder, on_event=on_service)
        if plan.runs or not elsewhere:
            stack.enter_context(session)
        for dag_id in plan.runs:
            _run(session, case, dag_id, findings, on_step)
        if plan.proofs and elsewhere:
            stack.close()
            session = stack.enter_context(Session(case.proving, dags=case.material.folder, on_event=on_service))
        for dag_id in plan.proofs:
            if "proofs" not in findings.collected:
                _prove(session, case, dag_id, findings, on_step)


def _run(session: Session, case: Case, dag_id: str, findings: Findings, on_step: OnStep) -> None:
    on_step(Step("runs", dag_id, "running"))
    deadline = seconds_of(case.policy.deadline)
    found = collectors.run_dag(session, dag_id, case.scope, case.contracts, deadline, on_step)
    findings.dags[dag_id] = found.model_copy(update={"proofs": findings.proved.get(dag_id, ())})
    findings.fresh = findings.fresh or found.verdict == "pass"
    detail = "; ".join((*found.reasons, *found.broken)) or f"{found.runs} runs, {found.tasks} tasks, {found.seconds} s"
    on_step(Step("runs", dag_id, "fail" if found.verdict != "pass" or found.broken else "pass", detail))


def _prove(session: Session, case: Case, dag_id: str, findings: Findings, on_step: OnStep) -> None:
    dag = findings.dags.get(dag_id) or _unrun(case, dag_id, findings)
    if dag.verdict not in (None, "pass"):
        return  # what does not run once has nothing to prove; the run's own reasons say why
    on_step(Step("proofs", dag_id, "running"))

    def keep(one: Proved) -> None:
        nonlocal dag
        dag = dag.model_copy(update={"proofs": (*dag.proofs, one)})
        findings.dags[dag_id] = dag
        findings.fresh = True

    wanted: Sequence[str] = case.policy.proofs or case.properties
    try:
        collectors.prove_dag(session, dag_id, _undecided(wanted, dag), keep, on_step)
    except ImportError as error:
        reason = f"proofs cannot be collected: this installation has no prover ({error})"
        findings.add(Collected(requirement="proofs", outcome="missing", reasons=(reason,)), on_step)
        return
    except ServiceError:
        raise
    except HarnessError as error:
        for name in _undecided(wanted, dag):
            keep(Proved(property=name, outcome="undecided", reason=str(error), collected=datetime.now(UTC)))
    bad = [f"{one.property} is {one.outcome}" for one in dag.proofs if one.outcome in ("refuted", "undecided")]
    on_step(Step("proofs", dag_id, "fail" if bad else "pass", "; ".join(bad) or f"{len(dag.proofs)} properties"))


def _unrun(case: Case, dag_id: str, findings: Findings) -> DagEvidence:
    """Return what is known of a DAG that is not run here: its proofs."""
    path, inputs = case.scope.files[dag_id], case.scope.inputs[dag_id]
    return DagEvidence(dag_id=dag_id, path=path, inputs=inputs, proofs=findings.proved.get(dag_id, ()))


def _undecided(wanted: Sequence[str], dag: DagEvidence) -> list[str]:
    known = {one.property for one in dag.proofs}
    return [name for name in wanted if name not in known]


def _broken_contracts(case: Case) -> tuple[list[str], list[str]]:
    """Compare the contracts with those under which this stage was entered last."""
    for claim in store.claims(case.project, case.environment.name, case.keys(case.policy.keys)):
        if claim.evidence.contracts and all(one.outcome == "pass" for one in claim.evidence.collected):
            return contracts.compared(claim.evidence.contracts, [one.shape for one in case.contracts])
    return [], []
