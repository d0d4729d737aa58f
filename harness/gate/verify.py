"""Holds an evidence file against the project as it is here: what it is about, who signed it, and what differs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.environment import Environment
from harness.errors import ConfigError
from harness.gate.evidence import open_claim
from harness.gate.policy import Circumstances, differing
from harness.gate.store import commit_of
from harness.gate.subjects import (
    Digests,
    changes,
    environment_name,
    made_of,
    of_bytes,
    of_environment,
    packages,
    without_gate,
)
from harness.models.base import Frozen
from harness.models.gate import Claim, SignatureState
from harness.models.run import Verdict


class Verification(Frozen):
    """What a look at an evidence file came to. Its JSON is the contract `harness.evidence-verify/1`.

    Args:
        result: what the evidence itself says.
        mismatches: a sentence for each thing that is not what the evidence is about.
        notes: what does not make it wrong, and should be known.
    """

    schema_: Literal["harness.evidence-verify/1"] = Field(default="harness.evidence-verify/1", alias="schema")
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    file: str
    environment: str
    commit: str
    finished: datetime
    result: Literal["PASSED", "FAILED"]
    signature: SignatureState
    signers: tuple[str, ...] = ()
    subjects: int
    mismatches: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def verify(file: Path, project: Path, environments: Path, keys: Sequence[Path], *, now: datetime) -> Verification:
    """Verify an evidence file.

    Args:
        project: root of the project that it is held against.
        environments: folder of its environment files.
        keys: public keys; with any, the file must be signed with one of them.

    Raises:
        ConfigError: it is no evidence.
    """
    claim = open_claim(file, keys)
    environment, notes = _environment(claim, environments, project)
    mismatches = [*_signature(claim, keys, notes), *_commit(claim, project)]
    at = circumstances(claim, project, environment, now)
    mismatches += [one.sentence.removeprefix("evidence: ") for one in differing(claim, at)]
    failed = [one for one in claim.evidence.collected if one.outcome != "pass"]
    return Verification(
        verdict="fail" if mismatches else "pass",
        reasons=tuple(mismatches),
        file=str(file),
        environment=claim.evidence.environment,
        commit=claim.evidence.commit,
        finished=claim.evidence.finished,
        result="FAILED" if failed else "PASSED",
        signature=claim.signature.state,
        signers=claim.signature.keys,
        subjects=len(claim.subjects),
        mismatches=tuple(mismatches),
        notes=tuple(notes),
    )


def _environment(claim: Claim, folder: Path, project: Path) -> tuple[Environment | None, list[str]]:
    try:
        return Environment.load(claim.evidence.environment, folder, project), []
    except ConfigError as error:
        return None, [f"the environment cannot be resolved here: {error}"]


def _signature(claim: Claim, keys: Sequence[Path], notes: list[str]) -> list[str]:
    match claim.signature.state:
        case "broken":
            return ["the signature does not fit the content: it was changed after it had been signed"]
        case "unknown" if keys:
            return [f"it is signed, but with none of the keys given: {', '.join(key.name for key in keys)}"]
        case "unsigned" if keys:
            return ["it is not signed"]
        case "unknown":
            notes.append("it is signed; give the public key with --key to know by whom")
        case "unsigned":
            notes.append("it is not signed: whoever can write the file can change what it says")
    return []


def _commit(claim: Claim, project: Path) -> list[str]:
    here = commit_of(project)
    if claim.evidence.commit == here:
        return []
    return [f"it was made for commit {claim.evidence.commit[:12] or 'none'}, and this is {here[:12] or 'none'}"]


def circumstances(claim: Claim, project: Path, environment: Environment | None, now: datetime) -> Circumstances:
    """Digest again what the evidence names, and nothing else; what cannot be found is gone."""
    root = project.resolve()
    subjects: dict[str, str] = {}
    changed: dict[str, str] = {}
    for one in claim.subjects:
        path = root / one.name
        if one.kind not in ("environment", "image", "jar", "package") and path.is_file():
            subjects[one.name] = of_bytes(path.read_bytes())
    subjects |= {one.name: one.sha256 for one in packages() if one.name in claim.digests}
    if environment is not None:
        changed[environment_name(environment)] = ", ".join(changes(claim.evidence.resolved, without_gate(environment)))
        subjects |= _environments(claim, environment)
        if any(one.kind in ("image", "jar") for one in claim.subjects):
            subjects |= {one.name: one.sha256 for one in made_of(environment, Digests())}
    return Circumstances(
        environment=claim.evidence.environment, at=now, commit=commit_of(project), subjects=subjects, changed=changed
    )


def _environments(claim: Claim, environment: Environment) -> dict[str, str]:
    """Digest the environment, and the one that it was compared with when the evidence was made."""
    found = {}
    for one in claim.subjects:
        if one.kind == "environment":
            try:
                other = Environment.load(one.name.partition(" ")[2], environment.folder, environment.project)
            except ConfigError:
                continue
            found[one.name] = of_environment(other).sha256
    return found
