"""A failure leaves old or new, never half."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from harness.models.fault import RecordWrites, TaskFault, WritePoint, unmapped
from harness.models.proof import Claim, Equals, Must, Scenario, Together, Withheld
from harness.proofs.judge import must_pass
from harness.proofs.lab import Lab
from harness.proofs.registry import proof
from harness.proofs.steps import after_task, disturbed, first_tasks, in_order, repaired, tasks, two_dates

#: write points of one task that are tried; of more, the first ones, the last, and evenly between
POINTS = 4


@proof("atomic", "a failure leaves old or new, never half", deadline=5400.0)
def claims(lab: Lab) -> Iterator[Claim]:
    """Kill each task after each of its writes and fail it after its work; look; then let it be repaired.

    Write points are those of a recorded run. A failure is tried on a date that is new, and on one that was there
    before: what a re-run deletes first is missing only there.
    """
    first, second = two_dates(lab) if len(lab.dates) > 1 else (None, lab.dates[0])
    before = in_order([first]) if first else ()
    after = (*before, *in_order([second]))
    recorded = (*before, disturbed(second, RecordWrites(), inputs=(second,)))
    must_pass(lab, recorded)
    writes = lab.carry_out(recorded).report.runs[-1].writes
    several = _with_several_commits(writes)
    spoken = lab.carry_out(recorded).report.runs[-1].used
    lasting, callers = _irrevocable(lab, writes, spoken)
    later = {name for caller in callers for name in after_task(lab, caller)} - callers
    for fault in _faults(lab, writes):
        must: list[Must] = []
        if before:
            must.append(Equals(references=(before, after, *_others(lab, before, second, fault.task))))
        if fault.moment == "at_write" and fault.task in several:
            must.append(_whole(before, second, fault.task))
        if before and fault.task in later:
            must.append(Withheld(untouched=before, done=after, services=lasting, refused_by=fault.task))
        yield from _on_new_date(before, after, second, fault, must)
        yield _on_old_date(before, after, second, fault)


def _on_new_date(before: Scenario, after: Scenario, date: str, fault: TaskFault, must: list[Must]) -> Iterator[Claim]:
    failed: Scenario = (*before, disturbed(date, fault, inputs=(date,)))
    if must:
        yield Claim(scenario=failed, must=tuple(must), because="a failure leaves a part of the output")
    yield Claim(
        scenario=(*failed, repaired(date)),
        must=(Equals(references=(after,)),),
        because="what failed half-way cannot be repaired by running it again",
    )


def _on_old_date(before: Scenario, after: Scenario, date: str, fault: TaskFault) -> Claim:
    """Go on where the repair has ended, which was just shown to be as good as a date that never failed."""
    return Claim(
        scenario=(*before, disturbed(date, fault, inputs=(date,)), repaired(date), disturbed(date, fault)),
        must=(Equals(references=(after,)),),
        because="a failure while a date is run again damages what was there",
        shorter=(*after, disturbed(date, fault)),
    )


def _others(lab: Lab, before: Scenario, date: str, task: str) -> Iterator[Scenario]:
    """Yield the run of the branches that a task's failure does not stop, where the DAG begins with several tasks.

    All first tasks that lead to it fail before their work, so nothing of its own branch is in there: a half that one of
    them leaves is still a half.
    """
    first = first_tasks(lab)
    own = [root for root, reached in first.items() if task in reached]
    if len(own) < len(first):
        faults = (TaskFault(task=root, attempt=None, moment="before") for root in own)
        yield (*before, disturbed(date, *faults, inputs=(date,)))


def _whole(before: Scenario, date: str, task: str) -> Together:
    """Compare with the task failing before and after its work: what it writes is what lies between."""
    untouched, done = (
        disturbed(date, TaskFault(task=task, attempt=None, moment=moment), inputs=(date,))
        for moment in ("before", "after")
    )
    return Together(untouched=(*before, untouched), done=(*before, done))


def _irrevocable(
    lab: Lab, writes: tuple[WritePoint, ...], spoken: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, ...], set[str]]:
    """Return the services whose outcome cannot be taken back, and the tasks that ask them for something.

    Calls count where they are declared outputs; mails wherever outputs are.
    """
    roles = {name: spec.role for name, spec in lab.session.environment.spec.services.items()}
    outputs = lab.spec.outputs
    calls = {name for name, role in roles.items() if role == "http" and name in outputs}
    mails = {name for name, role in roles.items() if role == "smtp" and (name in outputs or not outputs)}
    callers = {unmapped(write.task) for write in writes if write.service in calls}
    callers |= {unmapped(task) for task, used in spoken.items() if mails.intersection(used)}
    return tuple(sorted(calls | mails)), callers


def _with_several_commits(writes: tuple[WritePoint, ...]) -> set[str]:
    """Return the tasks of which one try commits to a database more than once; there something may come between."""
    commits = Counter(
        (write.task, write.service, write.target.partition(":")[0]) for write in writes if write.operation == "COMMIT"
    )
    return {unmapped(task) for (task, _, _), number in commits.items() if number > 1}


def _faults(lab: Lab, writes: tuple[WritePoint, ...]) -> Iterator[TaskFault]:
    for task in tasks(lab):
        ordinals = sorted({write.ordinal for write in writes if unmapped(write.task) == task})
        for ordinal in _spread(ordinals):
            yield TaskFault(task=task, attempt=None, moment="at_write", write=ordinal, how="kill")
        yield TaskFault(task=task, attempt=None, moment="after")


def _spread(ordinals: list[int]) -> list[int]:
    """Choose at most `POINTS` of them: first, last, and evenly between."""
    if len(ordinals) <= POINTS:
        return ordinals
    return sorted({ordinals[round(place * (len(ordinals) - 1) / (POINTS - 1))] for place in range(POINTS)})
