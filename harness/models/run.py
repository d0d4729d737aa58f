"""The result of running a DAG: one object for Python, JSON and the report."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from harness.models.base import Frozen
from harness.models.fault import Fired, WritePoint
from harness.models.snapshot import Difference

Verdict = Literal["pass", "fail", "error", "empty"]


class TryResult(Frozen):
    """One try of one task instance."""

    number: int
    state: str
    start: datetime | None = None
    seconds: float | None = None
    log: str | None = None
    error: str | None = None


class TaskResult(Frozen):
    """The last state of one task instance, and how it came to it.

    Args:
        task_id: with its task groups, as Airflow writes it.
        map_index: -1 for a task that is not mapped.
        state: Airflow's own word; `None` for a task that has none.
        declared: why this state is not a failure: the reason from the environment, or that its author lets a teardown
            fail.
        upstream: ids of the tasks right before it.
        teardown: a teardown whose failure does not fail the run: it is without `on_failure_fail_dagrun`.
    """

    task_id: str
    map_index: int = -1
    state: str | None = None
    tries: tuple[TryResult, ...] = ()
    start: datetime | None = None
    seconds: float | None = None
    operator: str | None = None
    rendered: dict[str, Any] = Field(default_factory=dict)
    xcoms: dict[str, Any] = Field(default_factory=dict)
    declared: str | None = None
    upstream: tuple[str, ...] = ()
    teardown: bool = False

    @property
    def name(self) -> str:
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


class RunResult(Frozen):
    """One DAG run, judged from its tasks up.

    Args:
        warnings: what does not fail the run, and should be known: sentences, as reasons are.
        writes: what each try wrote, and `used`: the services that each task spoke with; both where it was recorded.
        fired: the faults that took place.
    """

    dag_id: str
    run_id: str
    logical_date: datetime | None
    data_interval: tuple[datetime, datetime] | None = None
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    airflow_state: str | None = None
    tasks: tuple[TaskResult, ...] = ()
    outputs: tuple[Difference, ...] = ()
    triggered: tuple[RunResult, ...] = ()
    waits_for: tuple[str, ...] = ()
    stacks: dict[str, str] = Field(default_factory=dict)
    seconds: float = 0.0
    writes: tuple[WritePoint, ...] = ()
    used: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    fired: tuple[Fired, ...] = ()

    def task(self, name: str) -> TaskResult:
        """Return the task of that name (`load`, `group.load`, `load[3]`); raises KeyError with the names there are."""
        for task in self.tasks:
            if task.name == name:
                return task
        raise KeyError(f"{self.dag_id} has no task {name!r}; it has {', '.join(t.name for t in self.tasks)}")

    @property
    def states(self) -> dict[str, str | None]:
        """Map each task's name to its state: what most tests compare."""
        return {task.name: task.state for task in self.tasks}


def task_names(runs: Iterable[RunResult]) -> list[str]:
    """Return the names of the tasks of runs of one DAG, as their rows stand: topological, then by map index."""
    tasks = {task.name: task for run in runs for task in run.tasks}
    places = {task_id: place for place, task_id in enumerate(dict.fromkeys(task.task_id for task in tasks.values()))}
    return sorted(tasks, key=lambda name: (places[tasks[name].task_id], tasks[name].map_index))


class ServiceHealth(Frozen):
    """Whether a service still answered when the run was over."""

    service: str
    engine: str
    healthy: bool
    start_seconds: float | None = None
    detail: str = ""


class RunReport(Frozen):
    """All runs of one request. Its JSON is the contract `harness.run/1`: additive within the version."""

    schema_: Literal["harness.run/1"] = Field(default="harness.run/1", alias="schema")
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    dag_id: str
    environment: str
    namespace: str
    runs: tuple[RunResult, ...] = ()
    services: tuple[ServiceHealth, ...] = ()
    folder: str | None = None
    timed_out: bool = False
    seconds: float = 0.0
    timings: dict[str, float] = Field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.verdict == "pass"
