"""A failure leaves old or new, never half."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.fault import RecordWrites, TaskFault, WritePoint
from harness.models.proof import Claim, Equals, Scenario
from harness.proofs.lab import Lab
from harness.proofs.registry import proof
from harness.proofs.steps import disturbed, in_order, repaired, tasks, two_dates

#: write points of one task that are tried; of more, the first ones, the last, and evenly between
POINTS = 4


@proof("atomic", "a failure leaves old or new, never half", deadline=1800.0)
def claims(lab: Lab) -> Iterator[Claim]:
    """Kill each task after each of its writes and fail it after its work; look; then let it be repaired.

    Write points are those of a recorded run. A failure is tried on a date that is new, and on one that was there
    before: what a re-run deletes first is missing only there.
    """
    first, second = two_dates(lab) if len(lab.dates) > 1 else (None, lab.dates[0])
    before = in_order([first]) if first else ()
    after = (*before, *in_order([second]))
    recorded = (*before, disturbed(second, RecordWrites(), inputs=(second,)))
    for fault in _faults(lab, lab.carry_out(recorded).report.runs[-1].writes):
        yield from _new_date(before, after, second, fault)
        yield Claim(
            scenario=(*after, disturbed(second, fault)),
            must=(Equals(references=(after,)),),
            because="a failure while a date is run again damages what was there",
        )


def _new_date(before: Scenario, after: Scenario, date: str, fault: TaskFault) -> Iterator[Claim]:
    failed: Scenario = (*before, disturbed(date, fault, inputs=(date,)))
    if before:
        yield Claim(
            scenario=failed,
            must=(Equals(references=(before, after)),),
            because="a failure leaves a part of the output",
        )
    yield Claim(
        scenario=(*failed, repaired(date)),
        must=(Equals(references=(after,)),),
        because="what failed half-way cannot be repaired by running it again",
    )


def _faults(lab: Lab, writes: tuple[WritePoint, ...]) -> Iterator[TaskFault]:
    for task in tasks(lab):
        ordinals = sorted({write.ordinal for write in writes if write.task.partition("[")[0] == task})
        for ordinal in _spread(ordinals):
            yield TaskFault(task=task, attempt=None, moment="at_write", write=ordinal, how="kill")
        yield TaskFault(task=task, attempt=None, moment="after")


def _spread(ordinals: list[int]) -> list[int]:
    """Choose at most `POINTS` of them: first, last, and evenly between."""
    if len(ordinals) <= POINTS:
        return ordinals
    return sorted({ordinals[round(place * (len(ordinals) - 1) / (POINTS - 1))] for place in range(POINTS)})
