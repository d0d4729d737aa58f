"""No task's failure is hidden."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.fault import TaskFault
from harness.models.proof import Claim, Fails
from harness.proofs.lab import Lab
from harness.proofs.registry import proof
from harness.proofs.steps import disturbed


@proof("masked", "no task's failure is hidden")
def claims(lab: Lab) -> Iterator[Claim]:
    """Let each task fail on every try: the run must be failed.

    A teardown counts too: Airflow lets a run succeed whose teardown failed, unless it is told otherwise
    (`on_failure_fail_dagrun`); where that is meant, the environment says so under `expect`.

    Every date is as good as another here, so each task's failure is tried on its own; a task that does not run on the
    date, because a branch goes the other way, decides nothing.
    """
    date = lab.dates[0]
    for task in lab.about.tasks:
        if task.task_id in lab.spec.expect:
            continue
        fault = TaskFault(task=task.task_id, attempt=None, moment="before")
        yield Claim(
            scenario=(disturbed(date, fault, inputs=(date,)),),
            must=(Fails(task=task.task_id),),
            because=f"the run is a success although {task.task_id} failed",
        )
