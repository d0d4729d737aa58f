"""Decides properties of DAGs, one after the other, and makes a report of what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.models.proof import Claim, DagProofs, Outcome, ProofEvent, ProofResult, ProveReport, Step
from harness.models.words import count
from harness.proofs import registry
from harness.proofs.judge import Breaks, CutOff, NeverFired, Unfit, judge, judged
from harness.proofs.lab import Clocks, Expired, Lab
from harness.proofs.registry import PROPERTIES, Proof, Undecidable
from harness.proofs.reproduce import as_test, command

if TYPE_CHECKING:
    from harness.api import Session


#: outputs that are named in a reason; all of them are in the result
SHOWN = 4

OnEvent = Callable[[ProofEvent], None]


def prove(
    session: Session,
    dag_ids: Sequence[str],
    properties: Sequence[str] = (),
    *,
    deadline: float | None = None,
    on_event: OnEvent = lambda event: None,
) -> ProveReport:
    """Decide properties of DAGs by running them.

    Args:
        session: an open session on the services to use; every scenario has a namespace of its own there.
        dag_ids: which DAGs of the session's folder.
        properties: which properties; by default all.
        deadline: seconds for each proof; by default its own.
        on_event: takes each step.

    Raises:
        ConfigError: there is no such DAG or property, or the environment's services belong to somebody else.
        NothingChecked: the folder has no DAG file.
    """
    refuse_foreign_services(session)
    chosen = [registry.find(name) for name in properties or PROPERTIES]
    chosen.sort(key=lambda one: PROPERTIES.index(one.id))
    began = time.monotonic()
    dags = []
    with ExitStack() as stack:
        clocks = stack.enter_context(closing(Clocks(session)))
        labs = [stack.enter_context(Lab(session, dag_id, clocks=clocks)) for dag_id in dag_ids]
        for lab in labs:
            lab.about  # noqa: B018 - a DAG that is not there is told before anything is run
        for lab in labs:
            used = {date: lab.about.why.get(date, "") for date in lab.dates}
            proofs = tuple(_decide_all(lab, chosen, deadline, on_event))
            dags.append(DagProofs(dag_id=lab.dag_id, proofs=proofs, dates=used))
            lab.close()
    reasons = tuple(_reasons(dags))
    return ProveReport(
        verdict="fail" if reasons else "pass",
        reasons=reasons,
        environment=session.environment.name,
        dags=tuple(dags),
        seconds=time.monotonic() - began,
    )


def refuse_foreign_services(session: Session) -> None:
    """Proofs break things on purpose: they refuse to where the harness did not start what would break."""
    foreign = [name for name, one in session.environment.spec.services.items() if one.engine == "external"]
    if foreign:
        raise ConfigError(
            f"{session.environment.name} is not a place for proofs: {', '.join(foreign)} is external",
            hint="prove in an environment whose services are embedded or containers",
        )


def _reasons(dags: Sequence[DagProofs]) -> Iterator[str]:
    """Only what holds, and what is skipped by declaration, lets the report pass."""
    for dag in dags:
        for one in dag.proofs:
            if one.outcome in ("refuted", "undecided"):
                yield f"{dag.dag_id}: {one.property} is {one.outcome}: {one.reason}"


def _decide_all(lab: Lab, proofs: Sequence[Proof], deadline: float | None, on_event: OnEvent) -> Iterator[ProofResult]:
    for one in proofs:
        began, runs = time.monotonic(), lab.runs
        lab.on_step = _teller(lab.dag_id, one.id, on_event)
        reason = lab.spec.proofs.skip.get(one.id)  # type: ignore[call-overload]
        if reason is not None:
            result = ProofResult(property=one.id, outcome="skipped", reason=reason)
        else:
            lab.until = began + (deadline or one.deadline)
            result = _decide(lab, one)
        result = result.model_copy(update={"seconds": time.monotonic() - began, "runs": lab.runs - runs})
        on_event(ProofEvent(dag_id=lab.dag_id, property=one.id, detail=result.reason, result=result, runs=lab.runs))
        yield result


def _teller(dag_id: str, name: str, on_event: OnEvent) -> Callable[[Step, int], None]:
    return lambda step, done: on_event(ProofEvent(dag_id=dag_id, property=name, detail=step.in_words(), runs=done))


def _decide(lab: Lab, one: Proof) -> ProofResult:
    tally = _Tally()
    lab.remarks.clear()
    try:
        for claim in one.claims(lab):
            try:
                differences = judge(lab, claim)
            except NeverFired:
                tally.never_fired += 1
                continue
            changed = judged(lab, claim)
            tally.outputs |= changed
            if differences:
                return tally.on(_refuted(lab, one, claim, differences, tally.held + 1))
            tally.held += bool(changed)
            tally.idle += not changed
    except Breaks as error:
        because = "a date does not pass once an earlier one has run, so nothing else can be said of it"
        claim = Claim(scenario=error.scenario, must=(), because=because)
        return tally.on(_refuted(lab, one, claim, error.reasons, tally.held + 1))
    except (Undecidable, Unfit, CutOff) as error:
        return tally.on(ProofResult(property=one.id, outcome="undecided", reason=str(error), checked=tally.held))
    except Expired as error:
        reason = f"{error}; what was decided until then holds: {count(tally.held, 'scenario')}"
        return tally.on(ProofResult(property=one.id, outcome="undecided", reason=reason, checked=tally.held))
    outcome: Outcome = "holds" if tally.held else "undecided"
    said = f"{one.says}: {tally.in_words()}" if tally.held else tally.why_nothing(lab)
    reason = "; ".join([said, *sorted(lab.remarks)])
    return tally.on(ProofResult(property=one.id, outcome=outcome, reason=reason, checked=tally.held))


@dataclass
class _Tally:
    """What a proof came to so far.

    Args:
        held: claims that hold, and could have failed.
        idle: claims that hold over runs which changed no output: they could not have failed.
        never_fired: claims whose fault did not take place.
        outputs: what the runs that were compared with had changed.
    """

    held: int = 0
    idle: int = 0
    never_fired: int = 0
    outputs: set[str] = field(default_factory=set)

    def on(self, result: ProofResult) -> ProofResult:
        """Write on a result what it was judged by."""
        return result.model_copy(update={"judged": tuple(sorted(self.outputs))})

    def in_words(self) -> str:
        names = sorted(name.partition(": ")[2] for name in self.outputs)
        shown = names if len(names) <= SHOWN else [*names[: SHOWN - 1], f"{len(names) - SHOWN + 1} more"]
        return "".join(
            [
                f"{count(self.held, 'scenario')}, judged by {count(len(names), 'changed output')} ({', '.join(shown)})",
                f", {self.idle} passed over because no output changed in them" if self.idle else "",
                f", {self.never_fired} passed over because their fault never took place" if self.never_fired else "",
            ]
        )

    def why_nothing(self, lab: Lab) -> str:
        if not self.idle:
            return "nothing could be decided: no fault of its scenarios took place"
        declared = ", ".join(name for names in lab.spec.outputs.values() for name in names)
        what = f"of the declared outputs ({declared})" if declared else "in the stores"
        when = ", ".join(date.removesuffix("T00:00:00+00:00") for date in lab.dates)
        return f"nothing was judged: no plain run changed anything {what}; dates tried: {when}"


def _shortened(lab: Lab, claim: Claim, differences: list[str]) -> tuple[Claim, list[str]]:
    """Return the claim over its shorter scenario with what differs there, when that refutes it too."""
    if claim.shorter:
        shorter = claim.model_copy(update={"scenario": claim.shorter, "shorter": ()})
        with suppress(NeverFired, Unfit, Breaks, CutOff, Expired):
            if found := judge(lab, shorter):
                return shorter, found
    return claim, differences


def _refuted(lab: Lab, one: Proof, claim: Claim, differences: list[str], checked: int) -> ProofResult:
    claim, differences = _shortened(lab, claim, differences)
    return ProofResult(
        property=one.id,
        outcome="refuted",
        reason=claim.because,
        scenario=tuple(step.in_words() for step in claim.scenario),
        differences=tuple(differences),
        claim=claim,
        reproduce=command(lab, one.id),
        test=as_test(lab.dag_id, one.id, claim),
        checked=checked,
    )
