"""Faults for the runs inside a `with` block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from harness.models.fault import Clock, Fault, Outage, RecordWrites, TaskFault

_ACTIVE: ContextVar[tuple[Fault, ...]] = ContextVar("harness_faults", default=())


def active() -> tuple[Fault, ...]:
    """Return the faults of the blocks that the caller is in, outermost first."""
    return _ACTIVE.get()


@contextmanager
def inject(*faults: Fault) -> Iterator[None]:
    """Give each run that is started inside the block these faults, besides those of the blocks around it."""
    token = _ACTIVE.set((*_ACTIVE.get(), *faults))
    try:
        yield
    finally:
        _ACTIVE.reset(token)


@contextmanager
def fail(task: str, *, at_write: int | None = None, after: bool = False, attempt: int | None = 1) -> Iterator[None]:
    """Raise inside a task: before its work, `after` it, or directly after a write; arguments as for `TaskFault`."""
    with inject(_task_fault(task, at_write, after, attempt, "raise")):
        yield


@contextmanager
def kill(task: str, *, at_write: int | None = None, after: bool = False, attempt: int | None = 1) -> Iterator[None]:
    """Kill a task's process (SIGKILL): before its work, `after` it, or directly after a write."""
    with inject(_task_fault(task, at_write, after, attempt, "kill")):
        yield


@contextmanager
def outage(service: str, during: str, kind: str = "refuse", **how: Any) -> Iterator[None]:
    """Take a service away while a task runs; further arguments as for `Outage`."""
    with inject(Outage.model_validate({"service": service, "during": during, "kind": kind, **how})):
        yield


@contextmanager
def clock(*, at: datetime | None = None, **shift: float) -> Iterator[None]:
    """Let the tasks see another time: `at` a moment, or shifted by `days=3` (arguments as for `timedelta`)."""
    seconds = timedelta(**shift).total_seconds() if shift else None
    with inject(Clock(at=at, shift_seconds=seconds)):
        yield


@contextmanager
def recorded() -> Iterator[None]:
    """Note each acknowledged write of the runs: `report.runs[0].writes`."""
    with inject(RecordWrites()):
        yield


def _task_fault(task: str, at_write: int | None, after: bool, attempt: int | None, how: str) -> TaskFault:
    early_or_late = "after" if after else "before"
    moment = early_or_late if at_write is None else "at_write"
    return TaskFault.model_validate({"task": task, "attempt": attempt, "moment": moment, "write": at_write, "how": how})
