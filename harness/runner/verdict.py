"""The verdict on a run, from its tasks up; never on the run's colour alone. Pure: no Airflow, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.environment.spec import StateDeclaration
from harness.models.run import TaskResult, Verdict

FAILURES = frozenset({"failed", "upstream_failed"})
TERMINAL = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
RAN = frozenset({"success", "failed"})


#: what a teardown says that does not fail its run (`on_failure_fail_dagrun` is its author's choice, and off)
LENIENT = "a teardown without on_failure_fail_dagrun"


def declare(task: TaskResult, expect: Mapping[str, StateDeclaration]) -> TaskResult:
    """Mark a task whose state is declared not to be a failure; a declaration of `load` covers all of `load[...]`."""
    declaration = expect.get(task.name) or expect.get(task.task_id)
    if declaration is not None and task.state in declaration.states:
        return task.model_copy(update={"declared": declaration.reason})
    if task.teardown and task.state == "failed":
        return task.model_copy(update={"declared": LENIENT})
    return task


def warn(tasks: Sequence[TaskResult]) -> tuple[str, ...]:
    """Return a sentence for each failure that its author lets pass, and nobody declared."""
    failed = [task for task in tasks if task.declared == LENIENT]
    return tuple(f"{_failure(task)} ({LENIENT}: the run does not fail by it)" for task in failed)


def unneeded(
    tasks: Sequence[TaskResult], expect: Mapping[str, StateDeclaration], *, where: str = "expect"
) -> tuple[str, ...]:
    """Name the declarations that no task needed, so that they do not outlive what they were made for.

    Args:
        tasks: of all runs of the DAG that were asked for, which have ended by themselves.
        expect: what is declared about them.
        where: what to call it.
    """
    found = []
    for name, declaration in expect.items():
        meant = [task for task in tasks if name in (task.name, task.task_id)]
        if not any(task.state in declaration.states for task in meant):
            was = " or ".join(dict.fromkeys(task.state or "without a state" for task in meant))
            seen = f"it was {was}" if meant else "there is no such task"
            states = " or ".join(declaration.states)
            found.append(f"{where}.{name} was not needed: declared to be {states} ({declaration.reason}), {seen}")
    return tuple(found)


def judge(
    tasks: Sequence[TaskResult], airflow_state: str | None, *, stopped: str | None = None, alone: bool = False
) -> tuple[Verdict, tuple[str, ...]]:
    """Decide one run (design, section 5).

    Args:
        tasks: all task instances, declarations marked.
        airflow_state: what Airflow calls the run.
        stopped: why the run was ended from outside, as a sentence.
        alone: one task was asked for, so tasks after it have no state.

    Returns:
        The verdict, and a sentence for each reason.
    """
    reasons = [stopped] if stopped else []
    failed = [task for task in tasks if task.state in FAILURES and task.declared is None]
    reasons += [_failure(task) for task in failed if task.state == "failed"]
    reasons += _blocked([task for task in failed if task.state == "upstream_failed"])
    if not alone:
        reasons += _open([task for task in tasks if task.state not in TERMINAL])
    if not any(task.state in RAN or task.tries for task in tasks):
        reasons.append(_nothing(tasks))
    if airflow_state == "success" and any(task.state == "failed" for task in failed):
        names = _names([task for task in failed if task.state == "failed"])
        reasons.insert(0, f"masked failure: Airflow calls the run a success although {names} failed")
    return ("fail" if reasons else "pass"), tuple(reasons)


def _failure(task: TaskResult) -> str:
    tries = len(task.tries)
    after = f"on try {tries} of {tries}" if tries > 1 else "on its only try" if tries == 1 else "before its first try"
    error = next((one.error for one in reversed(task.tries) if one.error), None)
    return f"{task.name} failed {after}: {error}" if error else f"{task.name} failed {after}"


def _blocked(tasks: Sequence[TaskResult]) -> list[str]:
    if not tasks:
        return []
    return [f"{_names(tasks)} did not run because what {'they need' if len(tasks) > 1 else 'it needs'} failed"]


def _open(tasks: Sequence[TaskResult]) -> list[str]:
    started = [task for task in tasks if task.state is not None]
    lines = [f"{task.name} did not end: it was {task.state}" for task in started]
    never = [task for task in tasks if task.state is None]
    return [*lines, f"{_names(never)} never got a state"] if never else lines


def _nothing(tasks: Sequence[TaskResult]) -> str:
    if not tasks:
        return "zero tasks ran: the DAG has none"
    if all(task.state == "skipped" for task in tasks):
        return "zero tasks ran: all were skipped"
    return "zero tasks ran"


def _names(tasks: Sequence[TaskResult]) -> str:
    names = [task.name for task in tasks]
    if len(names) > 6:
        names = [*names[:5], f"{len(names) - 5} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
