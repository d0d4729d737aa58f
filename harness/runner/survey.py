"""Asks a DAG what experiments on it must know: which dates it has, its tasks, and what it promises about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field

from harness.models.base import Frozen
from harness.runner.request import Dates, RunRequest
from harness.session.forkclient import ForkClient

TARGET = "harness.runner.survey:look"

#: first date of a DAG that neither declares dates nor has a start_date
ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)

#: seconds to parse one DAG file and ask its timetable
WITHIN = 120.0


class SurveyedTask(Frozen):
    """One task as it is written; mapped tasks are one.

    Args:
        lenient: a teardown whose failure does not fail the run.
    """

    task_id: str
    operator: str
    downstream: tuple[str, ...] = ()
    depends_on_past: bool = False
    execution_timeout: float | None = None
    lenient: bool = False


class Survey(Frozen):
    """What one DAG is.

    Args:
        moments: logical dates of runs in the declared range, in order, as ISO 8601 timestamps.
        why: what is special about some of them.
        tasks: in topological order.
        max_active_runs: how many runs of it Airflow has at once.
    """

    dag_id: str
    moments: tuple[str, ...]
    why: dict[str, str] = Field(default_factory=dict)
    tasks: tuple[SurveyedTask, ...]
    max_active_runs: int = Field(default=16, ge=0)

    @property
    def depends_on_past(self) -> bool:
        return any(task.depends_on_past for task in self.tasks)


def survey(request: RunRequest, count: int, client: ForkClient) -> Survey:
    """Parse the DAG in a child process and describe it.

    Args:
        request: which DAG, where; its `dates` are ignored in favour of the declared ones.
        count: how many logical dates are wanted at most.
        client: of a fork server that has imported Airflow.

    Raises:
        ConfigError: there is no such DAG, or it has no run in the declared range.
        NothingChecked: the folder has no DAG file.
    """
    from harness.runner.run import child_options

    request.folder.mkdir(parents=True, exist_ok=True)
    options = child_options(request.model_copy(update={"deadline": WITHIN}))
    payload = {"request": request.model_dump(mode="json", by_alias=True), "count": count}
    outcome = client.run(TARGET, payload, options=options)
    outcome.raise_error()
    return Survey.model_validate(outcome.result)


def look(payload: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Target of the fork server's child."""
    from harness.runner.controller import Controller

    request = RunRequest.model_validate(payload["request"])
    dag, scheduled = Controller(request, emit).open(request.dag_id)
    picked = _moments(request, dag, scheduled, payload["count"])
    return Survey(
        dag_id=dag.dag_id,
        moments=tuple(moment for moment, _ in picked),
        why={moment: why for moment, why in picked if why},
        tasks=tuple(_task(task) for task in dag.topological_sort()),
        max_active_runs=dag.max_active_runs,
    ).model_dump(mode="json")


def fingerprint_of_inputs(request: RunRequest, client: ForkClient) -> str:
    """Put the inputs of the request's dates in place, and return a fingerprint of what is there then.

    Raises:
        RunError: the seed failed, or a store cannot be read.
    """
    from harness.runner.run import child_options

    request.folder.mkdir(parents=True, exist_ok=True)
    outcome = client.run(
        "harness.runner.survey:put_inputs",
        request.model_dump(mode="json", by_alias=True),
        options=child_options(request.model_copy(update={"deadline": WITHIN})),
    )
    outcome.raise_error()
    return str(outcome.result)


def put_inputs(payload: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> str:
    """Target of the fork server's child."""
    from harness.runner import dates
    from harness.runner.controller import Controller

    request = RunRequest.model_validate(payload)
    controller = Controller(request, emit)
    _, scheduled = controller.open(request.dag_id)
    plans = dates.plan(scheduled, request.dates, None)
    return controller.fingerprint_of_inputs(dates.local(scheduled, plans))


def _moments(request: RunRequest, dag: Any, scheduled: Any, count: int) -> list[tuple[str, str]]:
    """Return the logical dates that proofs use, each with what is special about it.

    Of a declared range those are picked on which date arithmetic goes wrong; what has no range begins with its first.
    """
    from harness.runner import dates
    from harness.runner.hazards import Picked, pick

    declared = request.spec(request.dag_id).dates
    if declared is None:
        first = dag.start_date or ANY_DAY
        days = _first_days(scheduled, first, count)
        chosen = Dates(from_=first.date(), to=(first + timedelta(days=days)).date())
        plans = dates.plan(scheduled, chosen, None)
    else:
        plans = dates.plan(scheduled, Dates(), declared)
    due = [plan.logical_date for plan in plans if plan.logical_date is not None]
    if declared is None or declared.days:
        picked = [Picked(at) for at in range(min(count, len(due)))]
    else:
        picked = pick([moment.astimezone(scheduled.timezone) for moment in due], count)
    return [(due[one.at].isoformat(), one.why) for one in picked]


def _first_days(scheduled: Any, first: datetime, count: int) -> int:
    """Return after how many days `count` runs have been due; a DAG that no time starts can be run on any day."""
    from harness.runner import dates

    if not dates.by_time(scheduled):
        return count - 1
    for days in (count + 1, 40, 400):
        due = list(scheduled.iter_dagrun_infos_between(first, first + timedelta(days=days)))
        if len(due) >= count:
            return days
    return 400


def _task(task: Any) -> SurveyedTask:
    timeout = getattr(task, "execution_timeout", None)
    return SurveyedTask(
        task_id=task.task_id,
        operator=task.task_type,
        downstream=tuple(sorted(task.downstream_task_ids)),
        depends_on_past=bool(getattr(task, "depends_on_past", False)),
        execution_timeout=timeout.total_seconds() if timeout else None,
        lenient=bool(task.is_teardown and not task.on_failure_fail_dagrun),
    )
