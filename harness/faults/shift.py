"""Another time for a task: its Python code by time-machine, programs that it starts by libfaketime.

Airflow's own clock stays as it is: around the task's `execute` alone the time is another, else a retry would be due at
the wrong moment. Limits: sensors keep the real time (they compare it with a start that the scheduler recorded); so do a
resident Spark's JVM, a database's `now()`, and, on a system without libfaketime, programs that a task starts. An object
store that checks signatures refuses requests of another time than its own by 15 minutes (S3: RequestTimeTooSkewed).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from harness.models.fault import Clock, Fault


def clock_of(faults: Sequence[Fault], ti: Any) -> Clock | None:
    """Return the clock that a task instance sees; the innermost of several; None for the real one."""
    from airflow.sdk import BaseSensorOperator

    if isinstance(ti.task, BaseSensorOperator):
        return None
    return next((fault for fault in reversed(faults) if isinstance(fault, Clock)), None)


@contextmanager
def shown(clock: Clock | None) -> Iterator[None]:
    """Show this process another time inside the block; None is the real one."""
    if clock is None:
        yield
        return
    import time_machine

    now = datetime.now(UTC)
    then = clock.at or now + timedelta(seconds=clock.shift_seconds or 0.0)
    with _for_programs(then - now), time_machine.travel(then, tick=True):
        yield


@contextmanager
def _for_programs(shift: timedelta) -> Iterator[None]:
    from harness.engines.shifted import libfaketime, shifted_environ

    variables = shifted_environ(shift.total_seconds()) if libfaketime() else {}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
