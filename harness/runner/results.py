"""Makes a RunResult of what Airflow recorded and what the loop saw."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness._compat import records
from harness.environment.spec import DagSpec
from harness.models.run import RunResult, TaskResult, TryResult
from harness.runner.verdict import declare, judge, warn

Errors = Mapping[tuple[str, str, str, int, int], str]
"""(dag id, run id, task id, map index, try) to the error's last line."""


@dataclass(frozen=True)
class Ending:
    """How a run came to its end, where it did not by itself.

    Args:
        stopped: why it was ended from outside, or could not go on, as a sentence.
        stacks: of the tasks that were running then.
    """

    stopped: str | None = None
    stacks: Mapping[str, str] = field(default_factory=dict)


def collect(  # noqa: PLR0913 - one argument for each source that a result is made of
    dag_id: str,
    run_id: str,
    *,
    folder: Path,
    spec: DagSpec,
    errors: Errors,
    ending: Ending,
    only: str | None = None,
) -> RunResult:
    """Read one run and judge it.

    Args:
        dag_id: of the run.
        run_id: of the run.
        folder: run folder; log paths are relative to it.
        spec: what is declared about the DAG.
        errors: of failed tries.
        ending: how it ended.
        only: the one task that was asked for.
    """
    record = records.read_run(dag_id, run_id)
    tasks = tuple(declare(_task(record, one, folder, errors), spec.expect) for one in record.tasks)
    if only is not None:
        tasks = tuple(task for task in tasks if only in (task.name, task.task_id))
    verdict, reasons = judge(tasks, record.state, stopped=ending.stopped, alone=only is not None)
    return RunResult(
        dag_id=dag_id,
        run_id=run_id,
        logical_date=record.logical_date,
        data_interval=record.data_interval,
        verdict=verdict,
        reasons=reasons,
        warnings=warn(tasks),
        airflow_state=record.state,
        tasks=tasks,
        stacks=dict(ending.stacks),
    )


def _task(run: records.RunRecord, record: records.TaskRecord, folder: Path, errors: Errors) -> TaskResult:
    name = record.task_id if record.map_index < 0 else f"{record.task_id}[{record.map_index}]"

    def one(tried: records.TryRecord) -> TryResult:
        log = folder / run.dag_id / run.run_id / name / f"{tried.number}.log"
        key = (run.dag_id, run.run_id, record.task_id, record.map_index, tried.number)
        return TryResult(
            number=tried.number,
            state=tried.state or "none",
            start=tried.start,
            seconds=tried.seconds,
            log=os.path.relpath(log, folder) if log.is_file() else None,
            error=errors.get(key),
        )

    tries = tuple(one(tried) for tried in record.tries)
    return TaskResult(
        task_id=record.task_id,
        map_index=record.map_index,
        state=record.state,
        tries=tries,
        start=tries[0].start if tries else None,
        seconds=sum(tried.seconds or 0.0 for tried in tries) if tries else None,
        operator=record.operator,
        rendered=record.rendered,
        xcoms=record.xcoms,
        upstream=record.upstream,
        teardown=record.teardown,
    )
