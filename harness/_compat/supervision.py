"""One try of one task, in a process of its own, through the Task SDK's own supervisor and task runner.

Bridges: `supervise_task` owns the thread that calls it until the task is over, wants an API server, and has the worker
parse the DAG file once more; here one select loop supervises several tries, the execution API is this process, and the
fork already holds the parsed DAG.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from airflow.executors.workloads import BundleInfo
from airflow.sdk.api.datamodels._generated import TaskInstance
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.execution_time import supervisor, task_runner
from airflow.sdk.execution_time.comms import RescheduleTask, TriggerDagRun
from airflow.sdk.log import logging_processors

from harness._compat import debugging, people, scheduling
from harness._compat.metadata import BUNDLE
from harness._compat.sensor_clock import FastClock, hurry_sensors
from harness._compat.waits import Pace, is_sensor
from harness.session import forkchild

_SOCKETS_AFTER_EXIT = 1.0
"""Seconds of silence after which the output of a background process that outlives its task is no longer awaited."""


@dataclass(frozen=True)
class Surroundings:
    """What every try of a run shares.

    Args:
        dags: the parsed DAGs by id; the fork inherits them.
        client: the execution API's client.
        pace: how waits are compressed.
        on_trigger: called before a task triggers a DAG, with its id; it makes sure that the DAG is stored.
        debugger: give the task the user's terminal, and open a post-mortem when it raises.
        triggered: (task instance, dag id, run id) of the runs that tasks triggered.
        answer_of: what a person is declared to answer a task.
        sabotage: wraps what executes a task, in the task's process.
    """

    dags: Mapping[str, Any]
    client: Any
    pace: Pace
    on_trigger: Callable[[str], None] = lambda dag_id: None
    debugger: bool = False
    triggered: list[tuple[str, str, str]] = field(default_factory=list)
    answer_of: people.AnswerOf = lambda dag_id, task: None
    sabotage: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda execute: execute


def open_log(path: Path) -> tuple[Any, Any]:
    """Return a structured logger that appends JSON lines to `path`, and its file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    processors = logging_processors(json_output=True)
    return structlog.wrap_logger(structlog.BytesLogger(file), processors=processors, logger_name="task").bind(), file


class TaskTry(supervisor.ActivitySubprocess):  # type: ignore[misc]
    """A running try. `turn` when its `fileno` is readable, until `over`; then `close`."""

    around: Surroundings
    log_file: Any
    log_path: Path
    stack_path: Path
    ended: float | None
    sent: signal.Signals | None = None

    @classmethod
    def begin(cls, ti: Any, around: Surroundings, log_path: Path) -> TaskTry:
        """Fork the process for the queued task instance `ti` (a row of the metadata database)."""
        what = TaskInstance(
            id=UUID(str(ti.id)),
            task_id=ti.task_id,
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            try_number=ti.try_number,
            map_index=ti.map_index,
            dag_version_id=UUID(str(ti.dag_version_id)),
        )
        logger, file = open_log(log_path)
        stack_path = log_path.with_suffix(".stack")
        terminal = debugging.Terminal.of_this_process() if around.debugger else None
        dag = around.dags[ti.dag_id]
        bundle = BundleInfo(name=BUNDLE, version=None)
        made: TaskTry = cls.start(
            what=what,
            dag_rel_path=os.path.basename(dag.fileloc),  # noqa: PTH119 - a name for messages, not a path to open
            bundle_info=bundle,
            client=around.client,
            target=lambda: _work(dag, around, str(stack_path), terminal),
            logger=logger,
        )
        # its start has just been told; the first heartbeat is due when the interval is over
        made._last_heartbeat_attempt = time.monotonic()
        made.around, made.log_file, made.log_path, made.stack_path, made.ended = (
            around,
            file,
            log_path,
            stack_path,
            None,
        )
        return made

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there is something to do."""
        return int(self.selector.fileno())

    def turn(self) -> None:
        """Handle all that the process has sent, without waiting for more."""
        while events := self.selector.select(0):
            for key, _ in events:
                self._hear(key)
        self._check_subprocess_exit()
        if self._exit_code is None:
            self._send_heartbeat_if_needed()
        elif self.ended is None:
            self.ended = time.monotonic()

    def _hear(self, key: Any) -> None:
        handler, on_close = key.data
        try:
            more = handler(key.fileobj)
        except (BrokenPipeError, ConnectionResetError):
            more = False
        if not more:
            on_close(key.fileobj)
            key.fileobj.close()
        elif self.ended is not None:
            self.ended = time.monotonic()

    @property
    def over(self) -> bool:
        """Tell whether the process is gone and all that it wrote was read."""
        if self.ended is None:
            return False
        return not self._open_sockets or time.monotonic() - self.ended > _SOCKETS_AFTER_EXIT

    def close(self) -> None:
        """Record the try's end in the metadata database, and its crash in its log."""
        try:
            self.update_task_state_if_needed()
        finally:
            self._cleanup_open_sockets()
            self.log_file.close()
            with contextlib.suppress(OSError):
                if self.stack_path.stat().st_size == 0:
                    self.stack_path.unlink()

    @property
    def outcome(self) -> str | None:
        """Return the state that this try ended in, in Airflow's word; None while it runs."""
        return None if self._exit_code is None else str(getattr(self.final_state, "value", self.final_state))

    def send_signal(self, signum: signal.Signals) -> None:
        """Send a signal to the process, and to those that it has started and left in its group."""
        self.sent = signum
        with contextlib.suppress(ProcessLookupError):
            alone = os.getpgid(self.pid) != self.pid  # it has not come to that yet
            (os.kill if alone else os.killpg)(self.pid, signum)

    def _check_subprocess_exit(
        self, raise_on_timeout: bool = False, expect_signal: signal.Signals | None = None
    ) -> int | None:
        # without it, the log of what was ended here would blame the machine's memory
        code: int | None = super()._check_subprocess_exit(raise_on_timeout, expect_signal or self.sent)
        return code

    def crash_in_words(self) -> str | None:
        """Say how the process died, when it did not end by itself."""
        code = self._exit_code
        if code is None or code == 0:
            return None
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {int(code)}"

    def _handle_request(self, msg: Any, log: Any, req_id: int) -> None:
        pace = self.around.pace
        if isinstance(msg, RescheduleTask):
            msg.reschedule_date = pace.moment(msg.reschedule_date)
        elif isinstance(msg, TriggerDagRun):
            self.around.on_trigger(msg.dag_id)
        super()._handle_request(msg, log, req_id)
        if isinstance(msg, TriggerDagRun):
            scheduling.start_at_once(msg.dag_id, msg.run_id)
            self.around.triggered.append((str(self.id), msg.dag_id, msg.run_id))

    def _upload_logs(self) -> None:
        """Keep logs here: a run on a laptop does not write to production's log store."""


def _work(dag: Any, around: Surroundings, stack_path: str, terminal: debugging.Terminal | None) -> None:
    """Be the task's process: what a worker does, on the DAG that the fork already holds."""
    lead_a_group()
    if terminal is not None:
        terminal.take()
    forkchild.dump_stacks_to(stack_path)
    forkchild.trace_coverage()
    task_runner.parse = lambda what, log: _runtime_instance(dag, what)
    execute = around.sabotage(task_runner._execute_task)
    if around.debugger:
        execute = debugging.watched(execute)

    task_runner._execute_task = _paced(execute, around.pace)
    attach_spark()
    task_runner.main()


def _paced(execute: Callable[..., Any], pace: Pace) -> Callable[..., Any]:
    """Have a task's execution wait as fast as its run does."""

    def paced(context: Any, ti: Any, log: Any) -> Any:
        if pace.factor == 1.0:
            return execute(context=context, ti=ti, log=log)
        task = ti.task
        if is_sensor(task):
            first = ti.get_first_reschedule_date(context) if task.reschedule else None
            hurry_sensors(FastClock(pace, first or datetime.now(UTC)))
        were = pace.hurry(task)
        try:
            return execute(context=context, ti=ti, log=log)
        except TaskDeferred as deferred:
            pace.hurry_deferral(deferred, task, were)
            raise
        except BaseException as parked:
            # a class of 3.3 on
            if type(parked).__name__ == "TaskAwaitingInput":
                pace.hurry_limit(parked, task)
            raise

    return paced


def lead_a_group() -> None:
    """Make this process the first of a group, so that signals reach what it starts, too; 3.3 has done it for tasks."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)


def _runtime_instance(dag: Any, what: Any) -> Any:
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    return task_runner.RuntimeTaskInstance.model_construct(
        **what.ti.model_dump(exclude_unset=True),
        task=dag.task_dict[what.ti.task_id],
        bundle_instance=DagBundlesManager().get_bundle(name=BUNDLE, version=None),
        _ti_context_from_server=what.ti_context,
        max_tries=what.ti_context.max_tries,
        start_date=what.start_date,
        state=task_runner.TaskInstanceState.RUNNING,
        sentry_integration="",
    )


def attach_spark() -> None:
    """Make a plain `SparkSession.builder.getOrCreate()` attach to the environment's resident driver, if it has one."""
    if not os.environ.get("HARNESS_SPARK"):
        return
    from harness.services import spark

    install = getattr(spark, "install", None)
    if install is not None:
        install()
