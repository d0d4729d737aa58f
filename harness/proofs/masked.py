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

    A teardown is left out unless its author wants it to fail the run (`on_failure_fail_dagrun`); so is a task that the
    environment lets fail under `expect`.

    Every date is as good as another here, so each task's failure is tried on its own; a task that does not run on the
    date, because a branch goes the other way, decides nothing.
    """
    date = lab.dates[0]
    for task in lab.about.tasks:
        declared = lab.spec.expect.get(task.task_id)
        if task.lenient or (declared is not None and "failed" in declared.states):
            continue
        fault = TaskFault(task=task.task_id, attempt=None, moment="before")
        yield Claim(
            scenario=(disturbed(date, fault, inputs=(date,)),),
            must=(Fails(task=task.task_id),),
            because=f"the run is a success although {task.task_id} failed",
        )
