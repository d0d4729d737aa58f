"""Faults inside a task's own process: an exception or a SIGKILL before or after its work."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.faults import ledger
from harness.faults.host import tell_raised
from harness.faults.shift import clock_of, shown
from harness.faults.strike import InjectedFault, Struck, raise_soon
from harness.models.fault import Clock, Fault, Fired, TaskFault
from harness.session import processes

Execute = Callable[..., Any]


class Saboteur:
    """Wraps what runs a task.

    Args:
        faults: of the run; what is not for the inside of a task is passed over.
        notes: file that fired faults are noted in.
        news: port of the proxy, for faults that it strikes with.
    """

    def __init__(self, faults: Sequence[Fault], notes: Path, news: int = 0) -> None:
        self._all = tuple(faults)
        self._faults = [fault for fault in faults if isinstance(fault, TaskFault)]
        self._notes = notes
        self._news = news

    def wrap(self, execute: Execute) -> Execute:
        """Return `execute(context=, ti=, log=)` with the faults around it."""
        if not self._all:
            return execute

        def sabotaged(context: Any, ti: Any, log: Any) -> Any:
            mine = [fault for fault in self._faults if fault.hits(name_of(ti), ti.try_number)]
            later = [fault for fault in mine if fault.moment == "at_write" and fault.how == "raise"]
            self._await_strikes(later, log)
            self._strike("before", mine, ti, log)
            try:
                with shown(self._clock(ti)):
                    result = execute(context=context, ti=ti, log=log)
            except Struck:
                raise self._struck(later, log) from None
            self._strike("after", mine, ti, log)
            return result

        return sabotaged

    def _clock(self, ti: Any) -> Clock | None:
        clock = clock_of(self._all, ti)
        if clock is not None:
            ledger.note(self._notes, Fired(fault=clock, task=name_of(ti), attempt=ti.try_number, run_id=ti.run_id))
        return clock

    def _await_strikes(self, faults: Sequence[TaskFault], log: Any) -> None:
        """Let the proxy's signal raise in the main thread: the proxy alone knows when a write is acknowledged."""
        if faults:
            signal.signal(signal.SIGUSR2, lambda _, frame: raise_soon(frame, lambda: self._struck(faults, log)))

    def _struck(self, faults: Sequence[TaskFault], log: Any) -> InjectedFault:
        words = str(faults[0])
        tell_raised(self._news)
        log.warning(f"fault: {words}")
        return InjectedFault(words)

    def _strike(self, moment: str, faults: Sequence[TaskFault], ti: Any, log: Any) -> None:
        for fault in faults:
            if fault.moment != moment:
                continue
            log.warning(f"fault: {fault}")
            ledger.note(self._notes, Fired(fault=fault, task=name_of(ti), attempt=ti.try_number, run_id=ti.run_id))
            if fault.how == "kill":
                # a machine that goes down takes along what the task has started
                processes.end_tree(os.getpid())
                processes.send(os.getpid(), signal.SIGKILL)
            raise InjectedFault(str(fault))


def name_of(ti: Any) -> str:
    """Return a task instance's name, with its map index if it has one."""
    return str(ti.task_id) if ti.map_index is None or ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
