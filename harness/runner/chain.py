"""Who waits for whom: the runs of other DAGs that a DAG's ExternalTaskSensors look for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Awaited:
    """What one sensor of a run looks for.

    Args:
        sensor: id of its task.
        dag_id: of the other DAG.
        tasks: the tasks of it; none for the whole run.
        moment: logical date of the other run.
    """

    sensor: str
    dag_id: str
    tasks: tuple[str, ...]
    moment: datetime

    @property
    def in_words(self) -> str:
        what = f"{self.dag_id}.{self.tasks[0]}" if len(self.tasks) == 1 else self.dag_id
        moment = self.moment.astimezone(UTC)
        midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
        return f"{what} of {moment:%Y-%m-%d}" if midnight else f"{what} of {moment:%Y-%m-%d %H:%M}"


def awaited(dag: Any, logical_date: datetime | None) -> Iterator[Awaited]:
    """Yield what the sensors of a DAG look for in a run; nothing for what only the running task can tell.

    Args:
        dag: as its author wrote it.
        logical_date: of the run.
    """
    if logical_date is None:
        return
    for task in dag.tasks:
        other = getattr(task, "external_dag_id", None)
        # an ExternalTaskMarker names a DAG that waits for this one
        if not isinstance(other, str) or "{{" in other or not hasattr(task, "execution_delta"):
            continue
        if getattr(task, "execution_date_fn", None) is not None:
            continue
        tasks = tuple(one for one in getattr(task, "external_task_ids", None) or () if isinstance(one, str))
        yield Awaited(
            task.task_id, other, tasks, logical_date - task.execution_delta if task.execution_delta else logical_date
        )


def missing(found: Iterable[Awaited], states: dict[str, str | None], runs: set[tuple[str, datetime]]) -> Iterator[str]:
    """Yield a sentence for each sensor that did not succeed and looked for a run that there never was.

    Args:
        found: what the sensors of a run look for.
        states: of its tasks.
        runs: DAG id and logical date of the runs that there are.
    """
    for one in found:
        if states.get(one.sensor) not in ("success", "skipped") and (one.dag_id, one.moment) not in runs:
            yield (
                f"{one.sensor} waits for {one.in_words}, which nothing here runs; "
                f"add {one.dag_id} to the command, or --upstream"
            )
