"""Two dates at once equal two in turn."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.fault import TaskFault
from harness.models.proof import Claim, Equals, Step
from harness.proofs.lab import Lab
from harness.proofs.registry import proof
from harness.proofs.steps import at_once, disturbed, prepared, repaired, tasks, two_dates


@proof("concurrent", "two dates at once equal two in turn")
def claims(lab: Lab) -> Iterator[Claim]:
    """Submit two dates at once; then try every way in which one date can run between two tasks of the other.

    Where max_active_runs is 1, Airflow keeps the second date waiting, and there is no other way. Two runs at once meet
    by chance. A run that is halted before a task, while another date runs as a whole, meets it always: the same
    interleaving as two runs at once have, and the same at each try.
    """
    first, second = two_dates(lab)
    yield at_once(lab.dates[:3], "two dates at once leave something else than in turn")
    if lab.about.max_active_runs == 1:
        return
    dates = (first, second)
    in_turn = prepared(dates, dates)
    for task in tasks(lab)[1:]:
        halt = TaskFault(task=task, attempt=None, moment="before")
        yield Claim(
            scenario=(disturbed(first, halt, inputs=dates), Step(dates=(second,)), repaired(first)),
            must=(Equals(references=(in_turn,)),),
            because=f"a date that runs while another one stands before {task} gets in its way",
        )
