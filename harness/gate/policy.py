"""Decides what evidence is worth for a stage: evidence in, refusals out. Pure: no files, no clock, no network."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from harness.environment.spec import GateSpec
from harness.models.gate import Approval, Claim, Collected, DagEvidence, Evidence, Refusal, Signature

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NAMED = 12
"""Subjects that are named one by one; of more, the rest is counted."""


@dataclass(frozen=True)
class Circumstances:
    """What the evidence must fit.

    Args:
        environment: name of the stage's environment.
        at: now, with a time zone.
        commit: of the project; empty outside a repository.
        subjects: name -> SHA-256 of everything that the verdict depends on, as it is now.
        dags: ids of the DAGs that there are now.
        properties: the proofs that there are; what a policy that names none asks for.
        contracts: names of the contracts that there are now.
        changed: words for a subject whose difference can be told in more detail.
    """

    environment: str
    at: datetime
    commit: str = ""
    subjects: Mapping[str, str] = field(default_factory=dict)
    dags: Collection[str] = ()
    properties: Sequence[str] = ()
    contracts: Collection[str] = ()
    changed: Mapping[str, str] = field(default_factory=dict)


def seconds_of(age: str) -> int:
    """Return how many seconds `12h` or `7d` are."""
    return int(age[:-1]) * _UNITS[age[-1]]


def judge(policy: GateSpec, claim: Claim | None, now: Circumstances) -> list[Refusal]:
    """Decide whether evidence lets a commit into its stage.

    Args:
        policy: what the stage requires.
        claim: the evidence; None when there is none.
        now: what it must fit.

    Returns:
        Every reason for which it does not; nothing when it does.
    """
    if not policy.requires and policy.after is None:
        return [
            _refusal("evidence", "nothing is required, so nothing would be known", hint="fill in `gate: requires:`")
        ]
    if claim is None:
        return [_refusal("evidence", "there is none", hint=f"collect it with `harness gate --to {now.environment}`")]
    found = [*authentic(policy, claim), *_fits(policy, claim, now), *differing(claim, now)]
    evidence = claim.evidence
    for requirement in policy.requires:
        found += _collected(requirement, evidence.of(requirement))
    if "runs" in policy.requires:
        found += _runs(policy, evidence, now)
    if "proofs" in policy.requires:
        found += _proofs(policy, evidence, now)
    if "contracts" in policy.requires and evidence.mode != "none":
        found += _contracts(evidence, now)
    return [*found, *_fidelity(policy, evidence)]


def authentic(policy: GateSpec, claim: Claim) -> list[Refusal]:
    """Decide whether the evidence comes from somebody whose evidence counts."""
    signature = claim.signature
    if signature.state == "broken":
        reason = "the signature does not fit the content: it was changed after it had been signed"
        return [_refusal("evidence", reason, claim.file, "collect it again; never edit evidence")]
    if not policy.keys or signature.state == "verified":
        return []
    if signature.state == "unknown":
        reason = f"it is signed, but with none of the keys that the policy lists ({', '.join(policy.keys)})"
        return [_refusal("evidence", reason, claim.file)]
    return [_refusal("evidence", "it is not signed, and the policy lists keys", claim.file, "sign it with --key")]


def _fits(policy: GateSpec, claim: Claim, now: Circumstances) -> Iterator[Refusal]:
    evidence = claim.evidence
    if evidence.environment != now.environment:
        yield _refusal("evidence", f"it is about {evidence.environment}, not {now.environment}", claim.file)
    if evidence.commit != now.commit:
        reason = f"it was made for commit {_short(evidence.commit)}, and this is {_short(now.commit)}"
        yield _refusal("evidence", reason, claim.file, f"run `harness gate --to {evidence.environment}` here")
    age = now.at - evidence.finished
    if age > timedelta(seconds=seconds_of(policy.max_age)):
        reason = f"it is {_in_words(age)} old, and at most {policy.max_age} is allowed"
        yield _refusal("evidence", reason, claim.file, "collect it again")
    if age < timedelta(minutes=-5):
        yield _refusal("evidence", "it comes from the future; one of the two clocks is wrong", claim.file)


def differing(claim: Claim, now: Circumstances) -> list[Refusal]:
    """Name each subject that is not what the evidence is about: changed, gone, or new."""
    then = claim.digests
    changed = [name for name in then if name in now.subjects and now.subjects[name] != then[name]]
    gone = [name for name in then if name not in now.subjects]
    new = [name for name in now.subjects if name not in then]
    words = [
        *((name, f"changed since the evidence was made{_more(now, name)}") for name in sorted(changed)),
        *((name, "is gone since the evidence was made") for name in sorted(gone)),
        *((name, "is new since the evidence was made") for name in sorted(new)),
    ]
    found = [_refusal("evidence", reason, name) for name, reason in words[:_NAMED]]
    if len(words) > _NAMED:
        found.append(_refusal("evidence", f"{len(words) - _NAMED} more subjects are not what the evidence is about"))
    return found


def _more(now: Circumstances, name: str) -> str:
    return f": {now.changed[name]}" if name in now.changed else ""


def _collected(requirement: str, collected: Collected | None) -> Iterator[Refusal]:
    if collected is None or collected.outcome == "missing":
        why = "; ".join(collected.reasons) if collected and collected.reasons else "nothing was collected"
        yield _refusal(requirement, why)
    elif collected.outcome == "fail":
        for reason in collected.reasons or (f"{collected.failed} of {collected.checked} failed",):
            yield _refusal(requirement, reason)
    elif collected.checked == 0:
        yield _refusal(requirement, "nothing was checked, which is not a success")


def _wanted(policy: GateSpec, now: Circumstances) -> list[str]:
    return policy.runs or sorted(now.dags)


def _runs(policy: GateSpec, evidence: Evidence, now: Circumstances) -> Iterator[Refusal]:
    wanted = _wanted(policy, now)
    if not wanted:
        yield _refusal("runs", "there is no DAG to run")
    for dag_id in wanted:
        dag = evidence.dag(dag_id)
        if dag_id not in now.dags:
            yield _refusal("runs", "the policy names it, and there is no such DAG", dag_id)
        elif dag is None or dag.verdict is None or dag.tasks == 0:
            yield _refusal("runs", "it was not run", dag_id)
        elif dag.verdict != "pass":
            yield _refusal("runs", "; ".join(dag.reasons) or f"its verdict is {dag.verdict}", dag_id)


def _proofs(policy: GateSpec, evidence: Evidence, now: Circumstances) -> Iterator[Refusal]:
    if evidence.of("proofs") is None or evidence.of("proofs").outcome == "missing":  # type: ignore[union-attr]
        return
    wanted: Sequence[str] = policy.proofs or now.properties
    if not wanted:
        yield _refusal("proofs", "there is no property to prove")
    for dag_id in _wanted(policy, now):
        yield from _proofs_of(dag_id, evidence.dag(dag_id), wanted)


def _proofs_of(dag_id: str, dag: DagEvidence | None, wanted: Sequence[str]) -> Iterator[Refusal]:
    proved = {one.property: one for one in dag.proofs} if dag else {}
    lacking = [name for name in wanted if name not in proved]
    if lacking:
        yield _refusal("proofs", f"not asked: {', '.join(lacking)}", dag_id)
    for name in wanted:
        one = proved.get(name)
        if one is not None and one.outcome not in ("holds", "skipped"):
            why = ": ".join((one.reason or "no reason was given", *one.differences[:1]))
            yield _refusal("proofs", f"{name} is {one.outcome}: {why}", dag_id)


def _contracts(evidence: Evidence, now: Circumstances) -> Iterator[Refusal]:
    held = {name for dag in evidence.dags for name in dag.contracts}
    consumers = {shape.contract: shape.consumers for shape in evidence.contracts}
    for name in sorted(now.contracts):
        if name not in held:
            yield _refusal("contracts", "no run wrote what it is about, so its data was not checked", name)
    for dag in evidence.dags:
        for reason in dag.broken:
            name = reason.partition(":")[0]
            who = ", ".join(consumers.get(name, ()))
            yield _refusal("contracts", reason + (f"; it is read by {who}" if who else ""), dag.dag_id)


def _fidelity(policy: GateSpec, evidence: Evidence) -> Iterator[Refusal]:
    for feature in policy.fidelity:
        role, _, wanted = feature.partition(":")
        engines = [one for one in evidence.engines if one.role == role]
        if not engines:
            yield _refusal("fidelity", f"{evidence.environment} has no {role}", feature)
        for one in engines:
            limit = next((lack for lack in one.lacks if wanted and lack.partition(":")[0].strip() == wanted), None)
            if limit:
                yield _refusal("fidelity", f"{one.service} ({one.engine}) cannot show {limit}", feature)


def approved(policy: GateSpec, approval: Approval | None, signature: Signature) -> list[Refusal]:
    """Decide whether somebody has said yes who may.

    Args:
        approval: their word; None when nobody has spoken.
        signature: of the word, by the approvals' own keys.
    """
    wanted = policy.approvals
    if wanted is None:
        return []
    names = ", ".join(wanted.names)
    if approval is None:
        return [_refusal("approval", f"nobody has approved; {names} may", hint="--approve NAME --reason TEXT")]
    found = []
    if approval.name not in wanted.names:
        found.append(_refusal("approval", f"{approval.name} may not approve; {names} may"))
    if not approval.reason.strip():
        found.append(_refusal("approval", "it has no reason", approval.name, "give one with --reason"))
    if wanted.signed and signature.state != "verified":
        reason = {
            "unsigned": "unauthenticated: it is not signed, and the policy wants it signed",
            "unknown": "it is signed with none of the keys that the policy lists for approvals",
        }.get(signature.state, "the signature does not fit the content")
        found.append(_refusal("approval", reason, approval.name, "sign with --key"))
    return found


def _refusal(requirement: str, reason: str, subject: str = "", hint: str = "") -> Refusal:
    return Refusal(requirement=requirement, reason=reason, subject=subject, hint=hint)


def _short(commit: str) -> str:
    return commit[:12] or "none"


def _in_words(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"
