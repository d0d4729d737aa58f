"""What the metadata database knows about a finished run, as plain data.

Bridges: earlier tries live in `task_instance_history`, XComs and rendered fields in tables of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancehistory import TaskInstanceHistory
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

Key = tuple[str, int]
"""Task id and map index."""


@dataclass(frozen=True)
class TryRecord:
    """One try as Airflow recorded it."""

    number: int
    state: str | None
    start: datetime | None
    seconds: float | None


@dataclass(frozen=True)
class TaskRecord:
    """One task instance as Airflow recorded it; `tries` includes the last."""

    task_id: str
    map_index: int
    state: str | None
    operator: str | None
    tries: tuple[TryRecord, ...]
    rendered: dict[str, Any] = field(default_factory=dict)
    xcoms: dict[str, Any] = field(default_factory=dict)
    upstream: tuple[str, ...] = ()
    teardown: bool = False


@dataclass(frozen=True)
class RunRecord:
    """One DAG run as Airflow recorded it."""

    dag_id: str
    run_id: str
    state: str | None
    logical_date: datetime | None
    data_interval: tuple[datetime, datetime] | None
    tasks: tuple[TaskRecord, ...]


def read_run(dag_id: str, run_id: str) -> RunRecord:
    """Return all that is recorded about one run."""
    with create_session() as session:
        run = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).unique().one()
        interval = None
        if run.data_interval_start is not None and run.data_interval_end is not None:
            interval = (run.data_interval_start, run.data_interval_end)
        return RunRecord(
            dag_id, run_id, _word(run.state), run.logical_date, interval, tuple(_tasks(session, dag_id, run_id))
        )


def read_task_state(ti: Any) -> str | None:
    """Return the state of the task instance that `ti` was when it was queued."""
    same = (
        TaskInstance.dag_id == ti.dag_id,
        TaskInstance.run_id == ti.run_id,
        TaskInstance.task_id == ti.task_id,
        TaskInstance.map_index == ti.map_index,
    )
    with create_session() as session:
        return _word(session.scalar(select(TaskInstance.state).where(*same)))


def _word(state: Any) -> str | None:
    return None if state is None else str(getattr(state, "value", state))


def _tasks(session: Any, dag_id: str, run_id: str) -> list[TaskRecord]:
    def rows(table: Any) -> Any:
        return session.scalars(select(table).where(table.dag_id == dag_id, table.run_id == run_id)).unique().all()

    earlier: dict[Key, list[TryRecord]] = defaultdict(list)
    for old in rows(TaskInstanceHistory):
        # what was cleared before it had begun was no try
        if old.start_date is not None:
            earlier[old.task_id, old.map_index].append(_try(old))
    rendered = {(one.task_id, one.map_index): one.rendered_fields for one in rows(RenderedTaskInstanceFields)}
    xcoms: dict[Key, dict[str, Any]] = defaultdict(dict)
    for one in rows(XComModel):
        xcoms[one.task_id, one.map_index][one.key] = XComModel.deserialize_value(one)
    stored = SerializedDagModel.get(dag_id, session=session)
    wiring = {task.task_id: task for task in stored.dag.tasks} if stored else {}
    records = []
    for ti in rows(TaskInstance):
        key = (ti.task_id, ti.map_index)
        tries = {record.number: record for record in earlier[key]}
        if ti.start_date is not None and ti.try_number not in tries:
            tries[ti.try_number] = _try(ti)
        ordered = tuple(tries[number] for number in sorted(tries))
        records.append(
            TaskRecord(
                *key,
                _word(ti.state),
                ti.operator,
                ordered,
                rendered.get(key) or {},
                dict(xcoms[key]),
                tuple(sorted(task.upstream_task_ids)) if (task := wiring.get(ti.task_id)) else (),
                bool(task and task.is_teardown and not task.on_failure_fail_dagrun),
            )
        )
    places = {task_id: place for place, task_id in enumerate(_topological(wiring))}
    return sorted(records, key=lambda one: (places.get(one.task_id, len(places)), one.task_id, one.map_index))


def _topological(wiring: Mapping[str, Any]) -> Iterator[str]:
    """Yield task ids so that each stands after all that it waits for; what may go first goes by its name."""
    waits = {task_id: set(task.upstream_task_ids) & wiring.keys() for task_id, task in wiring.items()}
    while waits:
        ready = sorted(task_id for task_id, needed in waits.items() if not needed)
        if not ready:  # no DAG has a circle
            return
        yield from ready
        waits = {task_id: needed.difference(ready) for task_id, needed in waits.items() if task_id not in ready}


def _try(ti: Any) -> TryRecord:
    return TryRecord(ti.try_number, _word(ti.state), ti.start_date, ti.duration)
