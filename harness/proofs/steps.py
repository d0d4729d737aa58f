"""The steps that scenarios are made of, and the scenarios that several proofs compare with."""

from __future__ import annotations

from collections.abc import Iterable

from harness.models.fault import Fault, TaskFault
from harness.models.proof import Claim, Equals, Scenario, Step
from harness.proofs.lab import Lab
from harness.proofs.registry import Undecidable


def in_order(dates: Iterable[str]) -> Scenario:
    """Run the dates one after the other, each on its own input, which comes just before."""
    return tuple(Step(dates=(date,), inputs=(date,)) for date in dates)


def prepared(dates: Iterable[str], inputs: Iterable[str]) -> Scenario:
    """Run the dates one after the other, with all inputs in place from the start."""
    first, *rest = dates
    return (Step(dates=(first,), inputs=tuple(inputs)), *(Step(dates=(date,)) for date in rest))


def at_once(dates: tuple[str, ...], because: str) -> Claim:
    """Claim that dates which are submitted together leave what they leave one by one.

    Of three dates and more the first one runs alone before: what a first run creates, tables and folders, is there
    then, and does not stand for what two dates do to each other.
    """
    alone = prepared(dates[:1], dates) if len(dates) > 2 else ()
    together = Step(dates=dates[len(alone) :], inputs=() if alone else dates, together=True)
    return Claim(scenario=(*alone, together), must=(Equals(references=(prepared(dates, dates),)),), because=because)


def again(date: str) -> Step:
    """Run a date anew, on the input that is there."""
    return Step(dates=(date,))


def disturbed(date: str, *faults: Fault, inputs: tuple[str, ...] = ()) -> Step:
    """Run a date while something goes wrong."""
    return Step(dates=(date,), inputs=inputs, faults=faults)


def repaired(date: str) -> Step:
    """Run what failed on a date again, and all after it."""
    return Step(dates=(date,), again=True)


def failing(task: str) -> TaskFault:
    """Let a task fail after its work, on every try: what it did is done, and Airflow does not know."""
    return TaskFault(task=task, attempt=None, moment="after")


def tasks(lab: Lab) -> list[str]:
    """Return the tasks that may fail: in topological order, without those declared to be allowed to."""
    return [task.task_id for task in lab.about.tasks if task.task_id not in lab.spec.expect]


def _reached(lab: Lab) -> dict[str, frozenset[str]]:
    """Return each task with all that it leads to, itself included."""
    reached: dict[str, frozenset[str]] = {}
    for task in reversed(lab.about.tasks):  # in topological order, so what comes after it is known
        reached[task.task_id] = frozenset({task.task_id}).union(*(reached[name] for name in task.downstream))
    return reached


def after_task(lab: Lab, task: str) -> frozenset[str]:
    """Return all that comes after a task."""
    return _reached(lab)[task] - {task}


def first_tasks(lab: Lab) -> dict[str, frozenset[str]]:
    """Return the tasks that wait for no other, each with all that it leads to, itself included."""
    reached = _reached(lab)
    later = {name for task in lab.about.tasks for name in task.downstream}
    return {task.task_id: reached[task.task_id] for task in lab.about.tasks if task.task_id not in later}


def two_dates(lab: Lab) -> tuple[str, str]:
    """Return the first two dates; a DAG with one date only cannot show this."""
    if len(lab.dates) < 2:
        raise Undecidable("it has one date only; declare more under 'dates' in the environment")
    return lab.dates[0], lab.dates[1]
