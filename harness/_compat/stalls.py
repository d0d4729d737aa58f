"""Why tasks never started, in words.

Bridges: Airflow's reasons hold the representations of its own objects.
"""

from __future__ import annotations

import re
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.ti_deps.dep_context import DepContext
from airflow.ti_deps.dependencies_deps import SCHEDULER_QUEUED_DEPS
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, State, TaskInstanceState
from sqlalchemy import select

ACTIVE = (DagRunState.QUEUED, DagRunState.RUNNING)
_INSTANCE = re.compile(r"<TaskInstance: ([^ >]+)\.([^ .>]+) (\S+)[^>]*>")
_OBJECT = re.compile(r"(?:\b\w+=)?(?:\b_?[A-Z]\w*\([^()]*\)|<[^<>]*>)|\b\w+=\{[^{}]*\}")


def never_started(dag_of_run: Any) -> list[str]:
    """Say for each task that never started what it waits for.

    Args:
        dag_of_run: returns the scheduler's form of a run's DAG, given the run and a session.
    """
    lines = []
    with create_session() as session:
        query = select(TaskInstance).join(TaskInstance.dag_run).where(DagRun.state.in_(ACTIVE))
        for ti in session.scalars(query).unique().all():
            if ti.state not in (None, TaskInstanceState.SCHEDULED):
                continue
            ti.task = dag_of_run(ti.dag_run, session).get_task(ti.task_id)
            failed = ti.get_failed_dep_statuses(dep_context=DepContext(deps=SCHEDULER_QUEUED_DEPS), session=session)
            why = "; ".join(dict.fromkeys(_reason(ti, status, session) for status in failed))
            lines.append(f"{ti.task_id} of {ti.run_id} never started: {why or _starved(ti)}")
    return lines


def _reason(ti: Any, status: Any, session: Any) -> str:
    if status.dep_name == "Trigger Rule":
        rule = str(getattr(ti.task.trigger_rule, "value", ti.task.trigger_rule))
        return f"its trigger rule {rule} {_held_by(ti, session)}"
    return in_words(status.reason)


def _held_by(ti: Any, session: Any) -> str:
    query = select(TaskInstance.task_id, TaskInstance.state).where(
        TaskInstance.dag_id == ti.dag_id,
        TaskInstance.run_id == ti.run_id,
        TaskInstance.task_id.in_(ti.task.upstream_task_ids),
    )
    found = {task_id: state for task_id, state in session.execute(query).all() if state not in State.finished}
    if not found:
        return "does not hold for the tasks before it"
    names = (f"{task_id} ({getattr(state, 'value', state) or 'no state'})" for task_id, state in sorted(found.items()))
    return f"waits for {', '.join(names)}"


def in_words(reason: str) -> str:
    """Return a reason of Airflow's without representations of its objects; task instances become their names."""
    named = _INSTANCE.sub(r"\2 of \3", reason)
    return " ".join(_OBJECT.sub("", named).split()).rstrip(" ,")


def _starved(ti: Any) -> str:
    return f"it asks for {ti.pool_slots} slots of pool {ti.pool!r}, which never has that many free"
