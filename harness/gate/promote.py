"""Answers whether a stage may be entered: looks at what is known, collects what is missing, keeps it, and judges."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.environment import Environment
from harness.environment.source import dotted
from harness.environment.suggest import did_you_mean
from harness.errors import ConfigError, NothingChecked
from harness.gate import store
from harness.gate.case import Case
from harness.gate.evidence import open_claim, seal, statement
from harness.gate.material import read
from harness.gate.plan import Plan, plan
from harness.gate.shard import Shard, share
from harness.gate.subjects import versions, without_gate
from harness.gate.work import Findings, OnStep, Step, collect
from harness.models.gate import Approval, Claim, Collected, EngineUsed, Evidence, GateReport, Refusal

if TYPE_CHECKING:
    from harness.models.service import ServiceEvent

_COSTLY = frozenset({"unit", "runs", "proofs"})
"""Requirements that are not begun before the stage before is open."""


@dataclass(frozen=True)
class Ask:
    """One `harness gate`.

    Args:
        environment: of the stage.
        dags: folder of the DAG files.
        everything: take nothing over from earlier evidence.
        dry_run: collect nothing; say what would be.
        approver: who says yes; goes with `reason`.
        key: private key to sign the evidence with.
        shard: the part of the DAGs that is collected and judged here; the whole is judged after `evidence merge`.
    """

    environment: Environment
    dags: Path
    everything: bool = False
    dry_run: bool = False
    approver: str | None = None
    reason: str | None = None
    key: Path | None = None
    shard: Shard | None = None


def gate(
    ask: Ask,
    on_step: OnStep = lambda step: None,
    on_service: Callable[[ServiceEvent], None] = lambda event: None,
) -> GateReport:
    """Decide whether the code may enter a stage, and leave the evidence behind.

    Raises:
        NothingChecked: the stage requires nothing, or there is no DAG.
        ConfigError: a file or an argument is wrong.
        ServiceError: a service did not start or was lost; what was collected until then is kept.
    """
    began = time.monotonic()
    case = look(ask, on_step)
    known = case.claim()
    refusals = case.refusals(known)
    todo = _plan(case, ask)
    if ask.dry_run:
        return _report(case, known, refusals, began, todo=_in_words(case, todo, refusals))
    if not refusals and not _adds(ask, known):
        return _report(case, known, refusals, began, notes=("nothing has changed since this evidence was made",))
    closed = case.refusals_before()
    if closed and _COSTLY.intersection(case.policy.requires):
        return _report(case, known, closed, began, notes=("nothing was collected: the stage before is not open",))
    claim = _collected(case, ask, todo, on_step, on_service)
    case.judge_at(datetime.now(UTC))
    return _report(case, claim, case.refusals(claim), began)


def _adds(ask: Ask, known: Claim | None) -> bool:
    """Whether evidence is to be made although that which is there is enough: to have more in it, or a signature."""
    unsigned = known is not None and known.signature.state == "unsigned"
    return ask.everything or ask.approver is not None or (ask.key is not None and unsigned)


def look(ask: Ask, on_step: OnStep = lambda step: None) -> Case:
    """Read the project, and what its policy asks for.

    Raises:
        NothingChecked: the stage requires nothing.
        ConfigError: an approval without a name or a reason; the policy names a DAG that is not there.
    """
    policy = ask.environment.spec.gate
    if not policy.requires and policy.after is None:
        raise NothingChecked(
            f"{ask.environment.name} requires nothing, so nothing would be checked",
            hint=f"fill in `gate: requires:` in {ask.environment.folder / ask.environment.name}.yaml",
        )
    if (ask.approver is None) != (ask.reason is None):
        raise ConfigError("an approval is a name and a reason", hint="--approve NAME --reason TEXT")
    on_step(Step("integrity", "", "running", "reading the DAG files"))
    material = read(ask.dags, ask.environment, lambda done, total, what: on_step(Step("integrity", what, "running")))
    environment = ask.environment
    if material.checked.passed:  # else the DAG may be one that could not be loaded, which integrity tells
        _refuse_unknown(environment, material.project.dag_ids)
    if ask.shard is not None:
        environment = share(environment, material.project.dag_ids, ask.shard)
    return Case(environment, material, datetime.now(UTC), properties(), partial=ask.shard is not None)


def _refuse_unknown(environment: Environment, dag_ids: Collection[str]) -> None:
    """Refuse a policy that names a DAG which is not there now, and not when all the others have been collected."""
    for index, dag_id in enumerate(environment.spec.gate.runs):
        if dag_id not in dag_ids:
            written = environment.origins[dotted(("gate", "runs", index))]
            raise written.error(f"there is no DAG {dag_id!r}", did_you_mean(dag_id, sorted(dag_ids), "there are"))


def properties() -> tuple[str, ...]:
    """Return the proofs that this installation can make; none when it has no prover."""
    try:
        from harness.proofs.registry import PROPERTIES
    except ImportError:
        return ()
    return PROPERTIES


def _plan(case: Case, ask: Ask) -> Plan:
    keys = case.keys(case.policy.keys)
    return plan(
        case.policy,
        case.scope,
        store.every(case.project, keys),
        environment=case.environment.name,
        at=case.at,
        properties=case.properties,
        contracts=case.contracts,
        spec=case.environment.spec,
        everything=ask.everything,
    )


def _in_words(case: Case, todo: Plan, refusals: list[Refusal]) -> tuple[str, ...]:
    """Say what would be collected."""
    if not refusals:
        return ()
    words: list[str] = [name for name in case.policy.requires if name in ("integrity", "contracts", "drift")]
    if "unit" in case.policy.requires and todo.unit is None:
        words.append("unit")
    if not case.external:
        words += [f"run {dag_id}" for dag_id in todo.runs] + [f"prove {dag_id}" for dag_id in todo.proofs]
    return tuple(words)


def _collected(case: Case, ask: Ask, todo: Plan, on_step: OnStep, on_service: Callable[[ServiceEvent], None]) -> Claim:
    """Collect, and keep what was found also when the collection is interrupted: the next one takes it over."""
    approval = None
    if ask.approver is not None:
        approval = Approval(name=ask.approver, reason=ask.reason or "", at=case.at)
    findings = Findings()
    started = datetime.now(UTC)
    try:
        collect(case, todo, findings, on_step, on_service)
    except BaseException:
        if findings.fresh:
            _keep(case, ask, findings, started, approval)
        raise
    return _keep(case, ask, findings, started, approval)


def _keep(case: Case, ask: Ask, findings: Findings, started: datetime, approval: Approval | None) -> Claim:
    subjects = case.scope.subjects
    before = case.before.claim() if case.before else None
    interrupted = [
        Collected(requirement=name, outcome="missing", reasons=("its collection was interrupted",))
        for name in case.policy.requires
        if name not in findings.collected
    ]
    evidence = Evidence(
        environment=case.environment.name,
        stage=case.environment.spec.stage,
        mode="none" if case.external else "inline",
        commit=case.commit,
        dirty=store.dirty(case.project, subjects),
        started=started,
        finished=datetime.now(UTC),
        versions={"python": platform.python_version(), **versions()},
        engines=engines(case.environment),
        resolved=without_gate(case.environment),
        collected=(*findings.collected.values(), *interrupted),
        dags=tuple(findings.dags[dag_id] for dag_id in sorted(findings.dags)),
        contracts=tuple(one.shape for one in case.contracts),
        drift=tuple(findings.drift),
        approval=approval,
        after=_digest_of(before) if before else None,
        proofs_in=case.proving.name,
    )
    passed = all(one.outcome == "pass" for one in evidence.collected)
    content = seal(statement(evidence, subjects.values(), passed=passed), [ask.key] if ask.key else [])
    path = store.write(case.project, case.environment.name, case.commit, content)
    return open_claim(path, case.keys(case.policy.keys))


def _digest_of(claim: Claim) -> dict[str, str]:
    from harness.gate.subjects import of_bytes

    path = Path(claim.file)
    return {"file": path.name, "sha256": of_bytes(path.read_bytes())}


def engines(environment: Environment) -> tuple[EngineUsed, ...]:
    """Return how each service of an environment is served, and what that cannot show."""
    from harness.session.fleet import engine_for

    return tuple(
        EngineUsed(
            service=name,
            role=service.role,
            engine=service.engine,
            lacks=tuple(engine_for(service.role, service).fidelity),
        )
        for name, service in environment.spec.services.items()
    )


def _report(  # noqa: PLR0913 - one argument for each thing that is told
    case: Case,
    claim: Claim | None,
    refusals: list[Refusal],
    began: float,
    *,
    notes: tuple[str, ...] = (),
    todo: tuple[str, ...] = (),
) -> GateReport:
    evidence = claim.evidence if claim else None
    found = [f"{one.requirement}: {note}" for one in (evidence.collected if evidence else ()) for note in one.notes]
    if evidence and evidence.dirty:
        found.append(f"not as in the commit: {', '.join(evidence.dirty)}")
    if evidence and evidence.approval and claim and claim.signature.state != "verified":
        found.append(f"the approval of {evidence.approval.name} is unauthenticated: no listed key has signed it")
    return GateReport(
        verdict="fail" if refusals else "pass",
        reasons=tuple(one.sentence for one in refusals),
        stage=case.environment.spec.stage,
        environment=case.environment.name,
        commit=case.commit,
        refusals=tuple(refusals),
        notes=(*notes, *found),
        collected=evidence.collected if evidence else (),
        dags=evidence.dags if evidence else (),
        drift=evidence.drift if evidence else (),
        approval=evidence.approval if evidence else None,
        signature=claim.signature.state if claim else "unsigned",
        evidence=Path(claim.file).relative_to(case.project).as_posix() if claim else None,
        todo=todo,
        seconds=round(time.monotonic() - began, 1),
    )
