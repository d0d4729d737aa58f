"""A DAG as rules see it, whether Airflow has loaded it (exact) or only its source was read (approximate).

Every field that could not be determined is named in `unknown`; a rule asks `task.knows("retries")` before it claims
that something is absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from pydantic import Field

from harness.models.base import Frozen


class Known(Frozen):
    """Data with fields that may be unknown."""

    unknown: frozenset[str] = frozenset()

    def knows(self, *fields: str) -> bool:
        """Say whether the values of all these fields were determined."""
        return self.unknown.isdisjoint(fields)


class Task(Known):
    """One task of a DAG.

    Args:
        operator: class name (`BashOperator`); a decorated function has its decorator's (`@task.branch`, `@asset`).
        line: where it is made, in the DAG's file; 0 when that is not known.
        retry_delay: seconds before the first retry; None when that is not known.
        execution_timeout: seconds; None when there is none.
        timeout: seconds a sensor waits in all.
        response_timeout: seconds that a person has to answer; None when there is no limit.
        poke_interval: seconds between two looks of a sensor.
        max_active: limit on parallel instances of this task (`max_active_tis_per_dag` or `_per_dagrun`).
        mapped_over: names of the tasks whose output it is mapped over.
        templates: the strings of each templated field, before they are rendered.
        templated: names of the operator's template fields; unknown when only the source was read.
        lost: template files that are in no search path: (field, name).
        arguments: simple constructor arguments (ids, names, SQL), by name.
        callable: name and line of the Python function that it runs, when that stands in the DAG's file.
    """

    task_id: str
    operator: str = ""
    line: int = 0
    column: int = 1
    kind: str = Field(default="task", description="task | sensor | branch | empty | trigger")
    trigger_rule: str = "all_success"
    retries: int = 0
    retry_delay: float | None = None
    execution_timeout: float | None = None
    timeout: float | None = None
    response_timeout: float | None = None
    mode: str | None = None
    poke_interval: float | None = None
    deferrable: bool = False
    setup: bool = False
    teardown: bool = False
    fails_run: bool = Field(default=False, description="a teardown whose failure fails the run")
    mapped: bool = False
    mapped_over: tuple[str, ...] = ()
    max_active: int | None = None
    pool: str | None = None
    owner: str | None = None
    depends_on_past: bool = False
    upstream: tuple[str, ...] = ()
    downstream: tuple[str, ...] = ()
    templates: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    templated: tuple[str, ...] = ()
    lost: tuple[tuple[str, str], ...] = ()
    arguments: dict[str, Any] = Field(default_factory=dict)
    callable: tuple[str, int] | None = None

    @property
    def works(self) -> bool:
        """Whether it does something that can fail or hang: neither a placeholder nor a mere decision."""
        return self.kind in ("task", "sensor")

    @property
    def asks(self) -> bool:
        """Whether it waits for a person's answer (Airflow 3.1)."""
        return self.operator.startswith(("HITL", "Approval"))


class Dag(Known):
    """One DAG.

    Args:
        path: the file that defines it.
        loaded: Airflow itself has built it; otherwise it was read off the source.
        complete: all tasks and edges are known.
        schedule: as written (`@daily`, `0 2 * * *`, `1 day`); None when it is not scheduled.
        trigger: what starts runs: `cron`, `delta`, `asset`, `other`, or None.
        zero_width: its data interval has no width (a trigger timetable); None when that is not known.
        timezone: IANA name; None for a naive start date.
        crons: its cron expressions, each with the IANA name of the time zone that it is in.
        keywords: the keyword arguments that its author stated.
        searched: folders in which its template files are looked for; empty when they are not known.
    """

    dag_id: str
    path: str = ""
    line: int = 1
    column: int = 1
    loaded: bool = False
    complete: bool = False
    schedule: str | None = None
    trigger: str | None = None
    zero_width: bool | None = None
    catchup: bool = False
    start_date: str | None = None
    end_date: str | None = None
    timezone: str | None = None
    crons: tuple[tuple[str, str], ...] = ()
    max_active_runs: int | None = None
    run_timeout: float | None = None
    tags: tuple[str, ...] = ()
    doc: str | None = None
    params: tuple[str, ...] = ()
    keywords: frozenset[str] = frozenset()
    searched: tuple[str, ...] = ()
    native: bool = Field(default=False, description="templates render to native objects")
    tasks: tuple[Task, ...] = ()

    @cached_property
    def by_id(self) -> dict[str, Task]:
        """Tasks by id."""
        return {task.task_id: task for task in self.tasks}

    @property
    def of_asset(self) -> bool:
        """Whether `@asset` makes it: such a DAG takes no start_date, no default_args and no limits of its task."""
        return bool(self.tasks) and all(task.operator == "@asset" for task in self.tasks)

    @property
    def leaves(self) -> tuple[Task, ...]:
        """Tasks whose states decide the run's state: nothing downstream but teardowns, and no teardown themselves."""
        return tuple(task for task in self.tasks if self._decides(task))

    def _decides(self, task: Task) -> bool:
        if task.teardown:
            return task.fails_run
        return all(self.by_id[name].teardown for name in task.downstream if name in self.by_id)

    def above(self, task_id: str) -> frozenset[str]:
        """Return the ids of all tasks that run before that one."""
        return self._closure(task_id, "upstream")

    def below(self, task_id: str) -> frozenset[str]:
        """Return the ids of all tasks that run after that one."""
        return self._closure(task_id, "downstream")

    def _closure(self, task_id: str, side: str) -> frozenset[str]:
        seen: set[str] = set()
        todo = [task_id]
        while todo:
            current = self.by_id.get(todo.pop())
            fresh = set(getattr(current, side) if current else ()) - seen
            seen |= fresh
            todo += fresh
        return frozenset(seen)

    def ordered(self) -> Iterator[Task]:
        """Yield the tasks upstream first; tasks of a cycle come last, in their own order."""
        waiting = {task.task_id: set(task.upstream) & self.by_id.keys() for task in self.tasks}
        while waiting:
            ready = [name for name, needs in waiting.items() if not needs]
            for name in ready or list(waiting):
                del waiting[name]
                yield self.by_id[name]
            for needs in waiting.values():
                needs.difference_update(ready)


def wired(tasks: Iterable[Task], edges: Iterable[tuple[str, str]]) -> tuple[Task, ...]:
    """Return the tasks with their upstream and downstream ids filled in from `edges` (from, to)."""
    above: dict[str, dict[str, None]] = {}
    below: dict[str, dict[str, None]] = {}
    for source, target in edges:
        below.setdefault(source, {})[target] = None
        above.setdefault(target, {})[source] = None
    return tuple(
        task.model_copy(
            update={"upstream": tuple(above.get(task.task_id, ())), "downstream": tuple(below.get(task.task_id, ()))}
        )
        for task in tasks
    )
