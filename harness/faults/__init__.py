"""Makes things go wrong on purpose: tasks that fail or die, services that are away, clocks that are off.

::

    from harness import faults

    with faults.outage("s3", during="bronze"):
        report = run_dag("orders_medallion", date="2026-01-02")
"""

from __future__ import annotations

from harness.faults.scope import active, clock, fail, inject, kill, outage, recorded
from harness.models.fault import Clock, Fault, Fired, Outage, RecordWrites, TaskFault, WritePoint

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
    "fail",
    "inject",
    "kill",
    "outage",
    "recorded",
]
