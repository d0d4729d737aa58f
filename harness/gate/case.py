"""What a gate has before it: the stage, its DAGs, its contracts, and how the stages before it stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from harness.environment import Environment
from harness.environment.spec import GateSpec
from harness.errors import ConfigError
from harness.gate import contracts, store
from harness.gate.contracts import Contract
from harness.gate.evidence import open_claim
from harness.gate.material import Material
from harness.gate.policy import Circumstances, approved, judge
from harness.gate.subjects import CONTRACTS, Digests, Scope, changes, environment_name, gather, without_gate
from harness.models.gate import Claim, Refusal


@dataclass
class Case:
    """One stage that is to be entered.

    Args:
        environment: of the stage.
        material: the project's DAG files.
        at: now, with a time zone.
        properties: the proofs that there are.
        passed_by: names of stages that stand on this one, so that a circle is found.
        partial: only a share of the DAGs is looked at, so that what a contract is about may be written by others.
    """

    environment: Environment
    material: Material
    at: datetime
    properties: Sequence[str] = ()
    digests: Digests = field(default_factory=Digests)
    passed_by: tuple[str, ...] = ()
    partial: bool = False

    @property
    def policy(self) -> GateSpec:
        return self.environment.spec.gate

    @property
    def project(self) -> Path:
        return self.environment.project.resolve()

    @property
    def external(self) -> bool:
        """Whether a service exists elsewhere, so that nothing is run here."""
        return any(service.engine == "external" for service in self.environment.spec.services.values())

    @cached_property
    def commit(self) -> str:
        return store.commit_of(self.project)

    @cached_property
    def scope(self) -> Scope:
        before = self.before.environment if self.before else None
        return gather(self.environment, self.material.files, self.digests, before, self.proving)

    @cached_property
    def contracts(self) -> list[Contract]:
        """The contracts about what this environment holds, each with the DAGs that are known to read it."""
        uses, spec = self.material.project.usages, self.environment.spec
        return [
            contracts.with_consumers(one, uses, spec)
            for one in contracts.load(self.environment.folder / CONTRACTS)
            if one.service in spec.services
        ]

    @cached_property
    def before(self) -> Case | None:
        """The stage that this one stands on.

        Raises:
            ConfigError: there is no such environment, or two stages stand on each other.
        """
        name = self.policy.after
        if name is None:
            return None
        chain = (*self.passed_by, self.environment.name)
        if name in chain:
            raise ConfigError(f"gate.after goes round in a circle: {' -> '.join((*chain, name))}")
        return Case(self._other(name), self.material, self.at, self.properties, self.digests, chain)

    @cached_property
    def proving(self) -> Environment:
        """The environment in which proofs are made.

        Raises:
            ConfigError: there is no such environment.
        """
        name = self.policy.proofs_in
        return self.environment if name is None else self._other(name)

    def _other(self, name: str) -> Environment:
        return Environment.load(name, self.environment.folder, self.environment.project)

    def keys(self, names: Sequence[str]) -> list[Path]:
        """Return the files of public keys that a policy names."""
        return [self.project / name for name in names]

    def claim(self) -> Claim | None:
        """Return the evidence that stands for this stage now: of this commit, or else the newest of another."""
        return store.newest(self.project, self.environment.name, self.keys(self.policy.keys), self.commit)

    def circumstances(self, claim: Claim | None) -> Circumstances:
        """Return what evidence must fit."""
        changed = changes(claim.evidence.resolved, without_gate(self.environment)) if claim else []
        return Circumstances(
            environment=self.environment.name,
            at=self.at,
            commit=self.commit,
            subjects=self.scope.digests,
            dags=tuple(self.scope.files),
            properties=self.properties,
            contracts=() if self.partial else tuple(one.name for one in self.contracts),
            changed={environment_name(self.environment): ", ".join(changed)} if changed else {},
        )

    def judge_at(self, moment: datetime) -> None:
        """Judge this stage and those before it as of a later moment: evidence that took hours is of their end."""
        self.at = moment
        if self.before is not None:
            self.before.judge_at(moment)

    def refusals(self, claim: Claim | None) -> list[Refusal]:
        """Judge the stage by this evidence, and the stages before it by theirs."""
        found = judge(self.policy, claim, self.circumstances(claim))
        found += self.refusals_before()
        if self.policy.approvals is not None and claim is not None:
            signed = open_claim(Path(claim.file), self.keys(self.policy.approvals.keys)).signature
            found += approved(self.policy, claim.evidence.approval, signed)
        return found

    def refusals_before(self) -> list[Refusal]:
        """Judge the stage before this one: it must be open to this very code, and by evidence that is not too old."""
        if self.before is None:
            return []
        claim = self.before.claim()
        found = self.before.refusals(claim)
        if claim is not None:
            stricter = self.before.policy.model_copy(
                update={"requires": [], "after": "", "max_age": self.policy.max_age}
            )
            known = {one.sentence for one in found}
            fits = judge(stricter, claim, self.before.circumstances(claim))
            found += [one for one in fits if one.sentence not in known]
        name = self.before.environment.name
        return [
            one.model_copy(update={"requirement": f"after {name}: {one.requirement}"})
            if not one.requirement.startswith("after ")
            else one
            for one in found
        ]
