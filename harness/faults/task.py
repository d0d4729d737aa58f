"""Faults inside a task's own process: an exception or a SIGKILL before or after its work."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.faults import ledger
from harness.models.fault import Fault, Fired, TaskFault

Execute = Callable[..., Any]


class InjectedFault(RuntimeError):
    """The exception that a fault raises inside a task: to the task one like any other."""


class Saboteur:
    """Wraps what runs a task.

    Args:
        faults: of the run; what is not for the inside of a task is passed over.
        notes: file that fired faults are noted in.
    """

    def __init__(self, faults: Sequence[Fault], notes: Path) -> None:
        self._faults = [fault for fault in faults if isinstance(fault, TaskFault)]
        self._notes = notes

    def wrap(self, execute: Execute) -> Execute:
        """Return `execute(context=, ti=, log=)` with the faults around it."""
        if not self._faults:
            return execute

        def sabotaged(context: Any, ti: Any, log: Any) -> Any:
            mine = [fault for fault in self._faults if fault.hits(name_of(ti), ti.try_number)]
            self._strike("before", mine, ti, log)
            result = execute(context=context, ti=ti, log=log)
            self._strike("after", mine, ti, log)
            return result

        return sabotaged

    def _strike(self, moment: str, faults: Sequence[TaskFault], ti: Any, log: Any) -> None:
        for fault in faults:
            if fault.moment != moment:
                continue
            log.warning(f"fault: {fault}")
            ledger.note(self._notes, Fired(fault=fault, task=name_of(ti), attempt=ti.try_number, run_id=ti.run_id))
            if fault.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise InjectedFault(str(fault))


def name_of(ti: Any) -> str:
    """Return a task instance's name, with its map index if it has one."""
    return str(ti.task_id) if ti.map_index is None or ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
