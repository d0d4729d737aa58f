"""Decides whether a claim holds, by comparing what scenarios left; says what differs in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from harness.models.proof import (
    Claim,
    Empties,
    Ends,
    Equals,
    Fails,
    Hides,
    Keeps,
    Must,
    Scenario,
    Step,
    Together,
    Withheld,
)
from harness.models.run import RunReport, RunResult
from harness.models.snapshot import Dataset, Difference
from harness.proofs.lab import Lab, Left
from harness.proofs.leaks import find_leaks
from harness.state import Snapshot, diff, in_words
from harness.state.diff import holds_data

#: differences told for one claim; the first ones show what is wrong, the rest is noise
TOLD = 8


class Unfit(Exception):
    """The DAG cannot be experimented with: a plain run of it does not pass, not even with nothing before it."""


class Breaks(Exception):
    """A date does not pass after those before it, in a plain scenario, and passes by itself.

    Args:
        scenario: up to and with the date that fails.
        reasons: of the failure.
    """

    def __init__(self, scenario: Scenario, reasons: list[str]) -> None:
        super().__init__(f"the plain scenario fails at its step {len(scenario)}")
        self.scenario = scenario
        self.reasons = reasons


class CutOff(Exception):
    """A step was ended by the experiment's patience, so what it left is not what the DAG leaves."""


class NeverFired(Exception):
    """The fault of a scenario did not take place, so nothing was shown."""


def judge(lab: Lab, claim: Claim) -> list[str]:
    """Carry the claim's scenario out and return what contradicts it, a sentence each; none when it holds.

    Raises:
        Unfit: a run of a reference does not pass, although it has no fault in it.
        Breaks: it does not pass after those before it, and passes alone.
        NeverFired: a fault of the scenario, or of a reference, did not take place.
        CutOff: something contradicts it, and a step did not come to its end; unless the claim is about that.
        Expired: the proof's time is over.
    """
    for reference in references(claim):
        must_pass(lab, reference)
        _must_have_fired(lab, reference)
    left = lab.carry_out(claim.scenario)
    found: list[str] = []
    for length in range(1, len(claim.scenario) + 1):
        _must_have_fired(lab, claim.scenario[:length])
        found += _unexpected_failure(lab, claim, claim.scenario[:length])
    if not found:
        _must_have_ended(lab, claim)
        found = [sentence for must in claim.must for sentence in _judge(lab, claim, must, left)]
    if found:
        _must_have_ended(lab, claim, at=claim.scenario)
    return found[:TOLD] + ([f"and {len(found) - TOLD} more"] if len(found) > TOLD else [])


def judged(lab: Lab, claim: Claim) -> set[str]:
    """Return the outputs that the plain runs of a claim changed: without one, nothing could have differed."""
    return {
        unit(lab, one)
        for reference in references(claim)
        for length in range(1, len(reference) + 1)
        for one in lab.carry_out(reference[:length]).changed
    }


def references(claim: Claim) -> list[Scenario]:
    """Return the scenarios that a claim compares with.

    What compares with nothing, because it is about how a run ends or what it tells, has a plain run of its first date
    beside it: what fails by itself cannot be blamed on a fault, and a DAG that does nothing has no secret to tell.
    """
    found: list[Scenario] = []
    for must in claim.must:
        if isinstance(must, Equals):
            found += must.references
        elif isinstance(must, Keeps):
            found.append(must.reference)
    first = claim.scenario[0].dates[:1]
    return found or [(Step(dates=first, inputs=first),)]


def must_pass(lab: Lab, reference: Scenario) -> None:
    """Refuse to conclude anything from a plain scenario that fails by itself.

    Raises:
        Unfit: a run of it does not pass.
        Breaks: it does not pass after those before it, and passes alone.
    """
    for length in range(1, len(reference) + 1):
        report = lab.carry_out(reference[:length]).report
        step = reference[length - 1]
        if report.passed or _disturbed(step):
            continue
        if length > 1 and _passes_alone(lab, reference[:length]):
            raise Breaks(reference[:length], _failure(step, report))
        words = f"the plain scenario does not pass by itself ({step.in_words()})"
        raise Unfit(f"{words}: {'; '.join(report.reasons[:3])}")


def _passes_alone(lab: Lab, scenario: Scenario) -> bool:
    """Tell whether the last step passes with nothing before it but the inputs of all."""
    inputs = tuple(date for step in scenario for date in step.inputs)
    return lab.carry_out((scenario[-1].model_copy(update={"inputs": inputs}),)).report.passed


def _unexpected_failure(lab: Lab, claim: Claim, scenario: Scenario) -> list[str]:
    """A step without a fault must pass, unless the claim is about how the last one ends."""
    last = scenario == claim.scenario and any(isinstance(must, Fails | Ends | Empties) for must in claim.must)
    report = lab.carry_out(scenario).report
    return [] if last or _disturbed(scenario[-1]) or report.passed else _failure(scenario[-1], report)


def _must_have_ended(lab: Lab, claim: Claim, *, at: Scenario = ()) -> None:
    """Refuse to conclude from a scenario of which a step was cut off.

    Args:
        at: the whole scenario; without it, only its end, when the claim is about how that is.

    Raises:
        CutOff: with the step.
    """
    about_the_end = any(isinstance(must, Fails | Empties) for must in claim.must)
    if any(isinstance(must, Ends) for must in claim.must) or not (at or about_the_end):
        return
    for length in range(1 if at else len(claim.scenario), len(claim.scenario) + 1):
        report = lab.carry_out(claim.scenario[:length]).report
        if report.timed_out:
            step = claim.scenario[length - 1]
            why = "; ".join(report.reasons[:1])
            raise CutOff(f"'{step.in_words()}' was cut off, so what it left proves nothing: {why}")


def _failure(step: Step, report: RunReport) -> list[str]:
    return [f"'{step.in_words()}' fails: {reason}" for reason in report.reasons[:3]]


def _must_have_fired(lab: Lab, scenario: Scenario) -> None:
    if not _disturbed(scenario[-1]):
        return
    report = lab.carry_out(scenario).report
    if not any(run.fired for run in _runs(report)):
        raise NeverFired(scenario[-1].in_words())


def _disturbed(step: Step) -> bool:
    return any(fault.type in ("task", "outage") for fault in step.faults)


def _judge(lab: Lab, claim: Claim, must: Must, left: Left) -> list[str]:
    found: list[str] = []
    match must:
        case Equals():
            found = _equals(lab, must, left)
        case Together():
            found = _together(lab, must, left.outputs)
        case Withheld():
            found = _withheld(lab, must, left.outputs)
        case Keeps():
            found = _keeps(lab.carry_out(must.reference).outputs, left.outputs)
        case Fails():
            found = _fails(must, left.report)
        case Ends() if left.report.timed_out:
            found = [f"the run does not end: {why}" for why in left.report.reasons]
        case Empties():
            found = _empties(must, left.report)
        case Hides():
            found = find_leaks(left.report, lab.namespace_after(claim.scenario), left.everything, lab.planted)
    return found


# -- outputs


def _equals(lab: Lab, must: Equals, left: Left) -> list[str]:
    """Each unit of the output is as one of the references has it; the differences are to the nearest one."""
    wanted = [lab.carry_out(reference).outputs for reference in must.references]
    outputs = _published(left.outputs, wanted, f"/{lab.spec.marker}")
    names = {unit(lab, dataset) for snapshot in [outputs, *wanted] for dataset in snapshot}
    found = []
    for name in sorted(names):
        mine = _part(lab, outputs, name)
        compared = [[one for one in diff(_part(lab, other, name), mine) if holds_data(one)] for other in wanted]
        if all(compared):
            nearest = min(compared, key=lambda differences: sum(one.added + one.removed for one in differences))
            half = f"{name} is neither as before nor as after: " if len(wanted) > 1 else ""
            found += [half + in_words(one) for one in nearest]
    return found


def _published(outputs: Snapshot, references: Iterable[Snapshot], marker: str) -> Snapshot:
    """Leave out folders without the marker of completeness that they have in a reference: their readers wait for it.

    Source: Hadoop's FileOutputCommitter, which writes `_SUCCESS` when all files of a folder are there.
    """
    marked = {folder for one in references for folder in _marked(one, marker)} - _marked(outputs, marker)
    kept = (one for one in outputs if one.kind != "object" or one.name.rpartition("/")[0] not in marked)
    return Snapshot(datasets=tuple(kept))


def _marked(snapshot: Snapshot, marker: str) -> set[str]:
    return {one.name.removesuffix(marker) for one in snapshot if one.kind == "object" and one.name.endswith(marker)}


def _together(lab: Lab, must: Together, left: Snapshot) -> list[str]:
    """The tables of one database that a task changes are all old or all new: it could have written them at once."""
    for reference in (must.untouched, must.done):
        _must_have_fired(lab, reference)
    old, new = (lab.carry_out(reference).outputs for reference in (must.untouched, must.done))
    unlike_old, unlike_new = (_changed_tables(reference, left) for reference in (old, new))
    databases: dict[str, dict[str, str]] = {}
    for service, table in sorted(_changed_tables(old, new)):
        is_new, is_old = (service, table) not in unlike_new, (service, table) not in unlike_old
        states = databases.setdefault(f"{service}: {table.partition('.')[0]}", {})
        states[table] = "new" if is_new else "old" if is_old else "neither old nor new"
    return [
        f"{database} is half written: " + ", ".join(f"{table} is {state}" for table, state in states.items())
        for database, states in databases.items()
        if len(set(states.values())) > 1
    ]


def _changed_tables(before: Snapshot, after: Snapshot) -> set[tuple[str, str]]:
    return {(one.service, one.name) for one in diff(before, after) if one.kind == "table" and holds_data(one)}


def _part(lab: Lab, snapshot: Snapshot, name: str) -> Snapshot:
    return Snapshot(datasets=tuple(one for one in snapshot if unit(lab, one) == name))


def unit(lab: Lab, dataset: Dataset | Difference) -> str:
    """Return what a dataset is published with: the declared output, else itself, or the folder of an object."""
    for pattern in lab.spec.outputs.get(dataset.service, ()):
        if dataset.name.startswith(pattern) if pattern.endswith("/") else fnmatchcase(dataset.name, pattern):
            return f"{dataset.service}: {pattern}"
    if dataset.kind == "object" and "/" in dataset.name:
        return f"{dataset.service}: {dataset.name.rpartition('/')[0]}/"
    return f"{dataset.service}: {dataset.name}"


def _withheld(lab: Lab, must: Withheld, left: Snapshot) -> list[str]:
    """Return the calls and mails of a date of which the rest is not published."""
    old, new = (lab.carry_out(reference).outputs for reference in (must.untouched, must.done))
    done = [one for one in diff(old, left) if one.service in must.services and one.added]
    rest = {unit(lab, one) for one in diff(old, new) if one.service not in must.services}
    missing = rest & {unit(lab, one) for one in diff(left, new)}
    if rest and not missing:
        return []
    beside = f", and {', '.join(sorted(missing))} is not there" if missing else ""
    return [f"{in_words(one)}, although {must.refused_by} failed after that{beside}" for one in done]


def _keeps(before: Snapshot, after: Snapshot) -> list[str]:
    """Return what of `before` is gone; what was added does not matter here."""
    lost = []
    for difference in diff(before, after):
        if difference.removed:
            lost.append(in_words(difference.model_copy(update={"added": 0, "first_added": None})))
    return lost


# -- runs


def _runs(report: RunReport) -> Iterable[RunResult]:
    for run in report.runs:
        yield run
        yield from run.triggered


def _fails(must: Fails, report: RunReport) -> list[str]:
    runs = list(_runs(report))
    if any(run.airflow_state == "failed" for run in runs):
        return []
    states = ", ".join(f"{name} {state}" for name, state in runs[-1].states.items())
    if any(run.airflow_state != "success" for run in runs):
        return [f"the run does not end although {must.task} failed: {states}"]
    return [f"Airflow calls the run a success although {must.task} failed: {states}"]


def _empties(must: Empties, report: RunReport) -> list[str]:
    if must.outcome is None or not report.runs:
        return []
    run = report.runs[-1]
    # what is declared to be skipped is so on other dates, too
    skipped = any(task.state == "skipped" and task.declared is None for task in run.tasks)
    without_failure = "skip" if skipped else "empty"
    seen = {"success": without_failure, "failed": "fail"}.get(run.airflow_state or "", "no end")
    if seen == must.outcome:
        return []
    return [f"a run without input is declared to {must.outcome}, and it ended as {seen}: {'; '.join(report.reasons)}"]
