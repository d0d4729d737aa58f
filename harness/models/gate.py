"""What a stage's gate is judged on, and what it answers: evidence, drift, contract changes, refusals, as plain data."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from harness.models.base import Frozen
from harness.models.run import Verdict

SubjectKind = Literal["dag", "input", "test", "environment", "contract", "constraints", "image", "jar", "package"]
SignatureState = Literal["unsigned", "verified", "unknown", "broken"]


class Subject(Frozen):
    """One thing that evidence is about.

    Args:
        name: path from the project's root, or `environment acc`, `image kafka`, `jar spark/x.jar`, `package pyspark`.
        sha256: of its content, as hex; of a package it is that of the version.
    """

    name: str
    kind: SubjectKind
    sha256: str


class Proved(Frozen):
    """What one proof of a DAG came to.

    Args:
        scenario: where it is refuted, the smallest that shows it, a sentence for each step.
        differences: what is different there, the first few, a sentence each.
        reused: commit whose evidence this was taken from, because nothing that it depends on has changed.
    """

    property: str
    outcome: Literal["holds", "refuted", "skipped", "undecided"]
    reason: str = ""
    scenario: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    collected: datetime | None = None
    reused: str | None = None


class DagEvidence(Frozen):
    """What is known of one DAG.

    Args:
        path: its file, from the project's root.
        inputs: names of the subjects that decide what it does, its own file among them.
        verdict: of its runs; None when it was not run.
        reused: commit whose evidence this was taken from, because nothing that it depends on has changed.
        folder: of the run's report, from the project's root.
    """

    dag_id: str
    path: str
    inputs: tuple[str, ...] = ()
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()
    runs: int = 0
    tasks: int = 0
    failed_tasks: int = 0
    seconds: float = 0.0
    collected: datetime | None = None
    proofs: tuple[Proved, ...] = ()
    contracts: tuple[str, ...] = Field(default=(), description="contracts that the data of its runs was held against")
    broken: tuple[str, ...] = Field(default=(), description="what of the contracts the data does not keep")
    reused: str | None = None
    folder: str | None = None


class Collected(Frozen):
    """What one requirement came to, in numbers.

    Args:
        checked: how many things were looked at; a requirement that looked at nothing is not met.
        at: when, where it may be taken over by later evidence.
    """

    requirement: str
    outcome: Literal["pass", "fail", "missing"]
    checked: int = 0
    failed: int = 0
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    at: datetime | None = None
    reused: str | None = None


class EngineUsed(Frozen):
    """How a service was served while evidence was collected, and what that cannot show."""

    service: str
    role: str
    engine: str
    lacks: tuple[str, ...] = ()


class Approval(Frozen):
    """Somebody's word that the stage may be entered."""

    name: str
    reason: str
    at: datetime


class ContractColumn(Frozen):
    """What a contract promises of one column."""

    type: str | None = None
    required: bool = False
    unique: bool = False
    key: bool = False
    values: tuple[str, ...] = ()


class ContractShape(Frozen):
    """What consumers rely on: the promises of a contract that a later version must keep.

    Args:
        dataset: the table or topic, as `service:name`.
        consumers: DAGs and others that read it.
    """

    contract: str
    dataset: str
    version: str = ""
    columns: dict[str, ContractColumn] = Field(default_factory=dict)
    consumers: tuple[str, ...] = ()


class Drift(Frozen):
    """One difference between two environments; it names things and never shows their values.

    Args:
        change: `missing` (only the first has it, or only the DAGs want it), `extra` (only the second has it), `type` or
            `version` (both have it, and it is not the same).
        uses: `file:line` of each use in the DAGs.
        allowed: the reason for which the second environment declares it to be meant.
    """

    kind: str
    name: str
    change: Literal["missing", "extra", "type", "version"]
    detail: str = ""
    uses: tuple[str, ...] = ()
    dags: tuple[str, ...] = ()
    allowed: str | None = None

    @property
    def sentence(self) -> str:
        """Return `connection partner: missing; used at dags/a.py:12`."""
        word = {"missing": "missing", "extra": "extra", "type": "type differs", "version": "version differs"}
        more = f" ({self.detail})" if self.detail else ""
        used = f"; used at {', '.join(self.uses)}" if self.uses else ""
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        return f"{self.kind} {self.name}: {word[self.change]}{more}{used}{allowed}"


class DriftReport(Frozen):
    """All differences between two environments. Its JSON is the contract `harness.diff/1`."""

    schema_: Literal["harness.diff/1"] = Field(default="harness.diff/1", alias="schema")
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    a: str
    b: str
    compared: int = 0
    differences: tuple[Drift, ...] = ()
    probed: tuple[str, ...] = Field(default=(), description="external services whose names were looked up")


class Evidence(Frozen):
    """What was found out about one commit in one stage. Its JSON is the contract `harness.evidence/1`.

    Args:
        environment: name of the environment file.
        mode: how DAGs were run: `inline`, `platform`, or `none` where nothing is run.
        commit: of the project; empty when it is not in a git repository.
        dirty: subjects that differ from the commit.
        versions: of the harness, Airflow, Python, and the like.
        resolved: the environment as it was, secrets redacted, without its gate.
        after: the evidence of the stage before that this one stands on: its file and SHA-256.
        proofs_in: name of the environment that its proofs were made in.
    """

    schema_: Literal["harness.evidence/1"] = Field(default="harness.evidence/1", alias="schema")
    environment: str
    stage: str
    mode: str = "inline"
    commit: str = ""
    dirty: tuple[str, ...] = ()
    started: datetime
    finished: datetime
    versions: dict[str, str] = Field(default_factory=dict)
    engines: tuple[EngineUsed, ...] = ()
    resolved: dict[str, Any] = Field(default_factory=dict)
    collected: tuple[Collected, ...] = ()
    dags: tuple[DagEvidence, ...] = ()
    contracts: tuple[ContractShape, ...] = ()
    drift: tuple[Drift, ...] = ()
    approval: Approval | None = None
    after: dict[str, str] | None = None
    proofs_in: str = ""

    def of(self, requirement: str) -> Collected | None:
        """Return what a requirement came to; None when it was not asked."""
        return next((one for one in self.collected if one.requirement == requirement), None)

    def dag(self, dag_id: str) -> DagEvidence | None:
        """Return what is known of a DAG."""
        return next((one for one in self.dags if one.dag_id == dag_id), None)


class Signature(Frozen):
    """Who signed, as far as the keys at hand can tell.

    Args:
        state: `verified` by one of the keys; `unknown` when it was made with none of them; `broken` when the content is
            not what that key has signed.
        keys: names of the keys that verified it.
    """

    state: SignatureState = "unsigned"
    keys: tuple[str, ...] = ()


class Claim(Frozen):
    """An evidence file as it was read."""

    file: str
    evidence: Evidence
    subjects: tuple[Subject, ...]
    signature: Signature = Signature()

    @property
    def digests(self) -> dict[str, str]:
        return {one.name: one.sha256 for one in self.subjects}


class StageStanding(Frozen):
    """How one stage stands by its newest evidence, in one line.

    Args:
        failed: requirements that are not met.
    """

    stage: str
    commit: str
    finished: datetime
    dags: int
    tasks: int
    proofs: int
    failed: tuple[str, ...]
    signature: SignatureState
    approved_by: str = ""


class Refusal(Frozen):
    """One reason for which a stage is not entered.

    Args:
        requirement: which one is not met; `evidence` and `approval` are requirements too.
        subject: the file, DAG, or other thing that it is about.
    """

    requirement: str
    reason: str
    subject: str = ""
    hint: str = ""

    @property
    def sentence(self) -> str:
        head = f"{self.requirement}: {self.subject}: " if self.subject else f"{self.requirement}: "
        return f"{head}{self.reason}" + (f"; {self.hint}" if self.hint else "")


class GateReport(Frozen):
    """The answer of the gate. Its JSON is the contract `harness.gate/1`: additive within the version.

    Args:
        evidence: file that it rests on, from the project's root.
        notes: what does not refuse, and should be known.
        todo: with --dry-run, what would be collected.
    """

    schema_: Literal["harness.gate/1"] = Field(default="harness.gate/1", alias="schema")
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    stage: str
    environment: str
    commit: str = ""
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    collected: tuple[Collected, ...] = ()
    dags: tuple[DagEvidence, ...] = ()
    drift: tuple[Drift, ...] = ()
    approval: Approval | None = None
    signature: SignatureState = "unsigned"
    evidence: str | None = None
    todo: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.verdict == "pass"
