"""Executing a task instance in this process, with Airflow's own task runner.

Bridges: `task_runner.run` is what a worker calls; it keeps a task's return value to itself, takes over SIGTERM, looks
up the host's name, calls the listeners of the deployment, and leaves the run's identity in the environment.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock


@dataclass(frozen=True)
class Execution:
    """What a worker learns from executing a task.

    Args:
        state: the task instance's new state.
        message: what the worker would tell its supervisor about it.
        error: what the task raised, when that made it fail.
        returned: the return value of `execute`.
    """

    state: str
    message: Any
    error: BaseException | None
    returned: Any


def execute(ti: Any, context: Any, log: Any) -> Execution:
    """Render the task's templates, execute it, push what it returns, and say how it ended."""
    from airflow.sdk.execution_time import task_runner

    returned: list[Any] = []
    inner = task_runner._execute_task

    def noting(context: Any, ti: Any, log: Any) -> Any:
        returned.append(inner(context=context, ti=ti, log=log))
        return returned[0]

    with (
        _signals_kept(),
        _environment_kept(),
        mock.patch.object(task_runner, "_execute_task", noting),
        mock.patch.object(task_runner, "get_hostname", return_value="localhost"),
        mock.patch.object(task_runner, "get_listener_manager"),
    ):
        state, message, error = task_runner.run(ti, context, log)
    return Execution(str(getattr(state, "value", state)), message, error, returned[0] if returned else None)


def decoded(value: Any) -> Any:
    """Return what the Task SDK has serialized in its own form."""
    from airflow.sdk.serde import deserialize

    return deserialize(value)


@contextmanager
def _signals_kept() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        with mock.patch.object(signal, "signal"):
            yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _environment_kept() -> Iterator[None]:
    with mock.patch.dict(os.environ):
        yield
