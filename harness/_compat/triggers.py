"""Running the trigger of a deferred task in a process of its own, and handing its event back to the task.

Bridges: the triggerer is a service with a database poll of its own; here each trigger is one small asyncio process,
supervised by the same loop as the tasks, so that one that blocks or crashes is seen like a task.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.sdk.execution_time import supervisor, task_runner
from airflow.sdk.execution_time.comms import CommsDecoder
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select

from harness._compat.supervision import Surroundings, TaskTry, attach_spark, lead_a_group, open_log
from harness._compat.waits import is_sensor
from harness.session import forkchild


class TriggerTry(TaskTry):
    """A running trigger; used like a `TaskTry`."""

    trigger_id: int
    answer: int

    @classmethod
    def of(cls, ti: Any, trigger: Any, around: Surroundings, log_path: Path) -> TriggerTry:
        """Fork the process for the trigger of the deferred task instance `ti`."""
        logger, file = open_log(log_path)
        stack_path = log_path.with_suffix(".trigger.stack")
        read, write = os.pipe()
        sensor = is_sensor(around.dags[ti.dag_id].get_task(ti.task_id))
        classpath, arguments = trigger.classpath, around.pace.hurry_trigger(trigger.kwargs, sensor=sensor)

        def work() -> None:
            lead_a_group()
            os.close(read)
            forkchild.dump_stacks_to(str(stack_path))
            _run(classpath, arguments, write)

        made: TriggerTry = super(supervisor.ActivitySubprocess, cls).start(
            id=UUID(str(ti.id)), client=around.client, target=work, logger=logger
        )
        os.close(write)
        made.around, made.log_file, made.log_path, made.stack_path, made.ended = (
            around,
            file,
            log_path,
            stack_path,
            None,
        )
        made.trigger_id, made.answer = trigger.id, read
        made.ti = ti
        made._last_successful_heartbeat = time.monotonic()
        return made

    def _send_heartbeat_if_needed(self) -> None:
        """Triggers have no heartbeat: their task is not running."""

    def update_task_state_if_needed(self) -> None:
        """Resume the task with the trigger's event, or have it fail."""
        with os.fdopen(self.answer, "rb") as pipe:
            data = pipe.read()
        event, error = pickle.loads(data) if data else (None, f"the trigger's process ended: {self.crash_in_words()}")  # noqa: S301 - our own child
        with create_session() as session:
            if event is None:
                Trigger.submit_failure(self.trigger_id, error or "the trigger ended without an event", session=session)
            else:
                Trigger.submit_event(self.trigger_id, event, session=session)


def waiting() -> list[tuple[Any, Any]]:
    """Return (task instance, trigger) of each deferred task."""
    with create_session() as session:
        query = (
            select(TaskInstance, Trigger)
            .join(Trigger, TaskInstance.trigger_id == Trigger.id)
            .where(TaskInstance.state == TaskInstanceState.DEFERRED)
        )
        found = [(ti, trigger) for ti, trigger in session.execute(query).unique()]
        session.expunge_all()
        return found


def _run(classpath: str, arguments: dict[str, Any], write: int) -> None:
    """Be the trigger's process: make the trigger, await its first event, answer through the pipe."""
    import structlog
    from airflow.sdk._shared.module_loading import import_string

    task_runner.SUPERVISOR_COMMS = CommsDecoder(log=structlog.get_logger(logger_name="task"))
    attach_spark()
    answer: tuple[Any, Any]
    try:
        trigger = import_string(classpath)(**arguments)
        answer = (asyncio.run(_first(trigger)), None)
    except Exception as error:  # noqa: BLE001 - whatever a trigger raises fails its task, with the trace
        import traceback

        structlog.get_logger(logger_name="task").exception("Trigger failed")
        answer = (None, traceback.format_exception(error))
    with os.fdopen(write, "wb") as pipe:
        pipe.write(pickle.dumps(answer))
    with contextlib.suppress(OSError):
        task_runner.SUPERVISOR_COMMS.socket.close()


async def _first(trigger: Any) -> Any:
    events = trigger.run()
    try:
        return await anext(events, None)
    finally:
        await events.aclose()
        await trigger.cleanup()
