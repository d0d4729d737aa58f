"""Airflow's own scheduling decisions, taken one at a time.

Bridges: the decisions of `SchedulerJobRunner` (max_active_runs, trigger rules, pools, concurrency limits, priorities)
are private methods of a class that wants to own the process; here they run on a run's own metadata database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskreschedule import TaskReschedule
from airflow.timetables.base import DataInterval
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, State, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import String, cast, literal, select, union_all, update

from harness._compat import assets, people, stalls
from harness.errors import ConfigError

__all__ = [
    "Scheduler",
    "clear_failed",
    "create_run",
    "pulse",
    "run_only",
    "start_at_once",
    "states",
]

_SQLITE_NOW = timedelta(seconds=1)
"""SQLite's CURRENT_TIMESTAMP, by which the scheduler tells whether a run is due, has whole seconds."""
ACTIVE = stalls.ACTIVE
_TIMED = ("deferred", people.PARKED)
"""States that end at a time limit of the task's own, kept in `trigger_timeout`."""


class _Slots:
    """The part of an executor that the scheduler asks: how many more tasks it would take."""

    name = "harness"
    pre_assigns_external_executor_id = False

    def __init__(self, parallelism: int) -> None:
        self.parallelism = parallelism
        self.busy = 0

    @property
    def slots_available(self) -> int:
        return self.parallelism - self.busy


class Scheduler:
    """Decides what may run next.

    Args:
        parallelism: how many tasks may run at once.
    """

    def __init__(self, parallelism: int) -> None:
        self._slots = _Slots(parallelism)
        self._runner = SchedulerJobRunner(job=Job(job_type="SchedulerJob"), executors=[self._slots])
        # a task that names an executor of production's runs here all the same
        self._runner._try_to_load_executor = lambda *_, **__: self._slots
        self.made: list[assets.Made] = []

    def decide(self, busy: int, on_callback: Callable[[Any], None]) -> list[Any]:
        """Take all decisions that are due; return the task instances that are now queued.

        Args:
            busy: how many tasks are running.
            on_callback: called with each DAG-level callback that is due.
        """
        self._slots.busy = busy
        queued: list[Any] = []
        self.make_asset_runs()
        with create_session() as session:
            if session.scalar(select(DagRun.id).where(DagRun.state == DagRunState.QUEUED).limit(1)) is not None:
                self._runner._start_queued_dagruns(session)
                session.flush()
            for run in session.scalars(select(DagRun).where(DagRun.state == DagRunState.RUNNING)).unique().all():
                callback = self._runner._schedule_dag_run(run, session)
                if callback is not None:
                    on_callback(callback)
            session.flush()
            if self._slots.slots_available > 0:
                queued = self._runner._executable_task_instances_to_queued(self._slots.slots_available, session)
        return queued

    def make_asset_runs(self) -> None:
        """Queue the runs that asset events make, and note them in `made`."""
        with create_session() as session:
            found = assets.make_runs(self._runner, session)
        for one in found:
            start_at_once(*one.run)
        self.made += found

    def next_due(self) -> datetime | None:
        """Return when the next run or task that waits for a moment may go on; None when none does."""
        waiting = (TaskInstanceState.UP_FOR_RETRY, TaskInstanceState.UP_FOR_RESCHEDULE, *_TIMED)
        with create_session() as session:
            found = session.scalars(select(TaskInstance).where(TaskInstance.state.in_(waiting))).unique().all()
            dues = [self._due(ti, session) for ti in found]
            queued = session.scalars(select(DagRun.run_after).where(DagRun.state == DagRunState.QUEUED))
            dues += [after + _SQLITE_NOW for after in queued if after + _SQLITE_NOW > datetime.now(UTC)]
        return min((due for due in dues if due is not None), default=None)

    def _due(self, ti: Any, session: Any) -> datetime | None:
        due: datetime | None
        if ti.state in _TIMED:
            due = ti.trigger_timeout
        elif ti.state == TaskInstanceState.UP_FOR_RETRY:
            dag = self._runner.scheduler_dag_bag.get_dag_for_run(dag_run=ti.dag_run, session=session)
            ti.task = dag.get_task(ti.task_id)
            due = ti.next_retry_datetime()
        else:
            due = session.scalar(
                select(TaskReschedule.reschedule_date)
                .where(TaskReschedule.ti_id == ti.id)
                .order_by(TaskReschedule.id.desc())
                .limit(1)
            )
        return due

    def time_out_deferred(self) -> None:
        """Resume deferred tasks whose trigger did not fire in time, and those that nobody answered in time."""
        self._runner.check_trigger_timeouts()
        # 3.3 on; before, a trigger keeps this time
        if sweep := getattr(self._runner, "check_awaiting_input_timeouts", None):
            sweep()

    def lose(self, ti: Any, error: str) -> None:
        """Record a try whose process died with tries left, as the scheduler does when an executor reports it.

        The Task SDK's supervisor leaves that to the executor; a task on its last try it fails itself.
        """
        with create_session() as session:
            found = session.get(TaskInstance, ti.id)
            if found is None or found.state not in (TaskInstanceState.QUEUED, TaskInstanceState.RUNNING):
                return
            dag = self._runner.scheduler_dag_bag.get_dag_for_run(dag_run=found.dag_run, session=session)
            found.task = dag.get_task(found.task_id)
            found.handle_failure(error=error, session=session)

    def stalled(self) -> list[str]:
        """Say for each task that never started what it waits for."""

        def dag_of_run(run: Any, session: Any) -> Any:
            return self._runner.scheduler_dag_bag.get_dag_for_run(dag_run=run, session=session)

        return stalls.never_started(dag_of_run)


class RunPlan(Protocol):
    """What is to be known of a run before it is created."""

    logical_date: datetime | None
    data_interval: tuple[datetime, datetime] | None
    run_after: datetime
    manual: bool


def create_run(dag: Any, plan: RunPlan, conf: dict[str, Any] | None) -> str:
    """Queue a run of `dag` (the scheduler's form) and return its run id.

    Raises:
        ConfigError: `conf` breaks a param of the DAG.
    """
    kind = DagRunType.MANUAL if plan.manual else DagRunType.SCHEDULED
    interval = DataInterval(*plan.data_interval) if plan.data_interval else None
    if plan.manual:
        run_id = DagRun.generate_run_id(run_type=kind, logical_date=plan.logical_date, run_after=plan.run_after)
    else:
        run_id = dag.timetable.generate_run_id(run_type=kind, run_after=plan.run_after, data_interval=interval)
    try:
        with create_session() as session:
            dag.create_dagrun(
                run_id=run_id,
                logical_date=plan.logical_date,
                data_interval=plan.data_interval,
                run_after=plan.run_after,
                conf=conf,
                run_type=kind,
                triggered_by=DagRunTriggeredByType.TEST,
                triggering_user_name="harness",
                state=DagRunState.QUEUED,
                session=session,
            )
    except ValueError as error:  # what it is more exactly changes from version to version
        first = str(error).splitlines()[0]
        if not first.startswith("Invalid input for param"):
            raise
        raise ConfigError(f"{dag.dag_id} does not take this conf: {first}", hint="see the DAG's params") from error
    return str(run_id)


@dataclass(frozen=True)
class Pulse:
    """What there is to be done, in one cheap query: states of unfinished runs, and of tasks that wait for something."""

    runs: frozenset[str]
    tasks: frozenset[str]

    @property
    def over(self) -> bool:
        """Tell whether every run has ended."""
        return not self.runs

    @property
    def deferred(self) -> bool:
        """Tell whether a task waits for a trigger."""
        return "deferred" in self.tasks

    @property
    def asking(self) -> bool:
        """Tell whether a task may wait for a person."""
        return not self.tasks.isdisjoint(("deferred", people.PARKED))

    @property
    def dated(self) -> bool:
        """Tell whether a run or a task waits for a moment."""
        return bool(self.tasks) or "queued" in self.runs


def pulse() -> Pulse:
    """Look at what is unfinished."""
    waiting = ("deferred", people.PARKED, "up_for_retry", "up_for_reschedule")
    query = union_all(
        select(literal("run"), cast(DagRun.state, String)).where(DagRun.state.in_(ACTIVE)).distinct(),
        select(literal("task"), cast(TaskInstance.state, String)).where(TaskInstance.state.in_(waiting)).distinct(),
    )
    with create_session() as session:
        found = [tuple(row) for row in session.execute(query)]
    kinds = {kind: frozenset(state for other, state in found if other == kind) for kind in ("run", "task")}
    return Pulse(kinds["run"], kinds["task"])


def states() -> list[tuple[Any, ...]]:
    """Return the states of all runs and task instances, to tell whether anything has changed."""
    with create_session() as session:
        runs = session.execute(select(DagRun.id, DagRun.state).order_by(DagRun.id))
        tasks = session.execute(select(TaskInstance.id, TaskInstance.state).order_by(TaskInstance.id))
        return [*map(tuple, runs), *map(tuple, tasks)]


def ended() -> frozenset[tuple[Any, ...]]:
    """Return the runs and task instances that have ended, to tell whether a decision ended some by itself."""
    return frozenset(one for one in states() if one[1] in State.finished)


def waiting_for_a_slot() -> int:
    """Return how many tasks could run, and have no slot."""
    states = (TaskInstanceState.SCHEDULED, TaskInstanceState.QUEUED)
    with create_session() as session:
        return len(session.scalars(select(TaskInstance.id).where(TaskInstance.state.in_(states))).all())


def dated_runs() -> set[tuple[str, datetime]]:
    """Return the DAG and the logical date of every run that has one."""
    with create_session() as session:
        found = session.execute(select(DagRun.dag_id, DagRun.logical_date))
        return {(dag_id, moment) for dag_id, moment in found if moment is not None}


def start_at_once(dag_id: str, run_id: str) -> None:
    """Have a run that is due now be due by SQLite's clock too, which has whole seconds."""
    with create_session() as session:
        run = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).unique().one()
        if run.state == DagRunState.QUEUED and run.run_after <= datetime.now(UTC):
            run.run_after -= _SQLITE_NOW


def run_only(dag_id: str, run_id: str, task_id: str) -> None:
    """Count everything but one task as done: what is before it as a success, the rest as removed."""
    with create_session() as session:
        for ti in session.scalars(
            select(TaskInstance).where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
        ):
            if ti.task_id != task_id:
                ti.state = TaskInstanceState.SUCCESS


def without_retries(dag_id: str, run_id: str, tasks: Collection[str]) -> None:
    """Let the first try of these tasks be the last one; what is cleared later has its retries again."""
    with create_session() as session:
        session.execute(
            update(TaskInstance)
            .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, TaskInstance.task_id.in_(tasks))
            .values(max_tries=0)
        )


def clear_failed(dag: Any) -> list[tuple[str, str]]:
    """Clear the failed tasks of a DAG's runs and all that is after them; return the runs that have some."""
    bad = (TaskInstanceState.FAILED, TaskInstanceState.UPSTREAM_FAILED, TaskInstanceState.RUNNING)
    with create_session() as session:
        query = select(TaskInstance).where(TaskInstance.dag_id == dag.dag_id, TaskInstance.state.in_(bad))
        found = session.scalars(query).unique().all()
        runs = sorted({ti.run_id for ti in found})
        for run_id in runs:
            failed = {ti.task_id for ti in found if ti.run_id == run_id}
            after = {name for task in failed for name in dag.get_task(task).get_flat_relative_ids(upstream=False)}
            dag.clear(run_id=run_id, task_ids=list(failed | after), session=session)
    return [(dag.dag_id, run_id) for run_id in runs]


def clear_from(dag: Any, task_id: str) -> list[tuple[str, str]]:
    """Clear a task and all that is after it in every run of the DAG; return the runs."""
    tasks = {task_id, *dag.get_task(task_id).get_flat_relative_ids(upstream=False)}
    with create_session() as session:
        query = select(TaskInstance.run_id).where(TaskInstance.dag_id == dag.dag_id).distinct()
        runs = sorted(session.scalars(query))
        for run_id in runs:
            dag.clear(run_id=run_id, task_ids=list(tasks), session=session)
    return [(dag.dag_id, run_id) for run_id in runs]
