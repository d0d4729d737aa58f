"""A task instance as the task's own process has it, made without a server.

Bridges: `RuntimeTaskInstance` builds the template context, and is only ever made from messages of a supervisor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from airflow.sdk.api.datamodels._generated import DagRun, TaskInstanceState, TIRunContext
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from harness._compat.task_requests import Supervisor


@dataclass(frozen=True)
class RunFacts:
    """The run that a task instance belongs to.

    Args:
        run_id: derived from the type and the dates when None.
        logical_date: None for a run that has none (an asset's, or a manual one).
        data_interval: start and end; None without a logical date.
        run_after: earliest moment at which the run may start; also counts as its start.
        run_type: `scheduled`, `manual`, `backfill` or `asset_triggered`.
        conf: what the run was triggered with.
    """

    run_after: datetime
    run_type: str = "scheduled"
    run_id: str | None = None
    logical_date: datetime | None = None
    data_interval: tuple[datetime, datetime] | None = None
    conf: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TryFacts:
    """Which try of which mapped instance it is.

    Args:
        number: 1 for the first.
        map_index: -1 for a task that is not mapped.
        reschedules: how often a sensor has been rescheduled in this try.
    """

    number: int = 1
    map_index: int = -1
    reschedules: int = 0


class SupervisedInstance(RuntimeTaskInstance):  # type: ignore[misc]
    """A task instance that knows who answers for it."""

    _supervisor: Supervisor


def runtime_instance(task: Any, run: RunFacts, attempt: TryFacts, supervisor: Supervisor) -> SupervisedInstance:
    """Return the task instance of an operator that is in a DAG."""
    run_id = run.run_id or f"{run.run_type}__{(run.logical_date or run.run_after).isoformat()}"
    start, end = run.data_interval or (None, None)
    dag_run = DagRun(
        dag_id=task.dag_id,
        run_id=run_id,
        logical_date=run.logical_date,
        data_interval_start=start,
        data_interval_end=end,
        run_after=run.run_after,
        start_date=run.run_after,
        end_date=None,
        run_type=run.run_type,
        state="running",
        conf=run.conf,
        consumed_asset_events=[],
        partition_key=None,
    )
    server = TIRunContext(
        dag_run=dag_run, max_tries=task.retries or 0, task_reschedule_count=attempt.reschedules, should_retry=False
    )
    identity = uuid5(NAMESPACE_OID, f"{task.dag_id}/{run_id}/{task.task_id}/{attempt.map_index}")
    made: SupervisedInstance = SupervisedInstance.model_construct(
        id=identity,
        task_id=task.task_id,
        dag_id=task.dag_id,
        run_id=run_id,
        try_number=attempt.number,
        map_index=attempt.map_index,
        dag_version_id=identity,
        hostname="",
        context_carrier=None,
        queue=task.queue,
        task=task,
        bundle_instance=None,
        _ti_context_from_server=server,
        max_tries=server.max_tries,
        start_date=run.run_after,
        state=TaskInstanceState.RUNNING,
        sentry_integration="",
    )
    made._supervisor = supervisor
    return made


def supervisor_of(ti: Any) -> Supervisor | None:
    """Return who answers for a task instance; None when it was made elsewhere."""
    return ti._supervisor if isinstance(ti, SupervisedInstance) else None


def resume_with(ti: Any, method: str, kwargs: dict[str, Any]) -> None:
    """Have the next execution of a task instance go on at a method, as after a deferral."""
    from airflow.sdk.serde import serialize

    server = ti._ti_context_from_server
    ti._ti_context_from_server = server.model_copy(update={"next_method": method, "next_kwargs": serialize(kwargs)})
