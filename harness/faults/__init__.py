"""Makes things go wrong on purpose: tasks that fail or die, services that are away, clocks that are off.

::

    from harness import faults

    with faults.outage("s3", during="bronze"):
        report = run_dag("orders_medallion", date="2026-01-02")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.faults.scope import active, clock, fail, inject, kill, outage, recorded
from harness.models.fault import Clock, Fault, Fired, Outage, RecordWrites, TaskFault, WritePoint

if TYPE_CHECKING:
    from harness.faults.between import line as line
    from harness.faults.delivery import disordered as disordered
    from harness.faults.delivery import rewind as rewind
    from harness.faults.disk import small_disk as small_disk

__all__ = [
    "Clock",
    "Fault",
    "Fired",
    "Outage",
    "RecordWrites",
    "TaskFault",
    "WritePoint",
    "active",
    "clock",
    "disordered",
    "fail",
    "inject",
    "kill",
    "line",
    "outage",
    "recorded",
    "rewind",
    "small_disk",
]

#: imported when it is asked for: services and processes are not for everybody who names a fault
_HOME = {
    "disordered": "harness.faults.delivery",
    "line": "harness.faults.between",
    "rewind": "harness.faults.delivery",
    "small_disk": "harness.faults.disk",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
