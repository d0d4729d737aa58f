"""The loop that turns Airflow's scheduling decisions into processes, until no run is left to go on."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness._compat import people, records, scheduling, triggers
from harness._compat.supervision import Surroundings, TaskTry
from harness._compat.triggers import TriggerTry
from harness.faults.control import Control
from harness.runner import tasklog
from harness.runner.request import RunEvent

_IDLE = 5.0
"""Seconds after which the scheduler is asked again even when nothing was heard."""
_AFTER_EXIT = 0.02
"""Seconds between two looks at a process that is gone while its output is still open."""


@dataclass(frozen=True)
class Attempt:
    """One try that was started."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    number: int
    name: str
    log: Path


@dataclass
class Running:
    """A process of the loop's, and what it is for."""

    attempt: Attempt
    process: TaskTry
    ti: Any
    since: float = field(default_factory=time.monotonic)


class Loop:
    """Runs what the scheduler decides.

    Args:
        parallelism: how many tasks run at once; triggers do not count.
        around: what all tries share.
        folder: run folder, for the logs.
        say: takes the events.
        on_callback: runs a DAG-level callback.
        faults: is told of each try.
    """

    def __init__(  # noqa: PLR0913 - what it runs, where, and who is told
        self,
        parallelism: int,
        around: Surroundings,
        folder: Path,
        say: Callable[[RunEvent], None],
        on_callback: Callable[[Any], None],
        *,
        faults: Control,
    ) -> None:
        self._scheduler = scheduling.Scheduler(parallelism)
        self._around = around
        self._folder = folder
        self._say = say
        self._on_callback = on_callback
        self._faults = faults
        self._running: list[Running] = []
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self.errors: dict[tuple[str, str, str, int, int], str] = {}
        self.children: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.stalled: list[str] = []
        self.stacks: dict[tuple[str, str], dict[str, str]] = {}

    def run(self) -> None:
        """Go on until every run has ended, or nothing more can happen (see `stalled`)."""
        self._listen_to_children()
        seen: object = None
        before = scheduling.pulse()
        while True:
            if before.asking:
                self._scheduler.time_out_deferred()
            ended = scheduling.ended() if self._running else frozenset()
            busy = sum(not isinstance(one.process, TriggerTry) for one in self._running)
            for ti in self._scheduler.decide(busy, self._on_callback):
                self._begin(ti)
            self._adopt_consumers()
            now = scheduling.pulse()
            if before.deferred or now.deferred:
                self._begin_triggers()
            before = now
            if now.asking and people.answer_all(self._around.answer_of):
                continue
            # a task's state is known before its process ends: callbacks and listeners run after it
            if now.over and not self._running:
                break
            due = self._scheduler.next_due() if now.dated else None
            if due is None and not self._running:
                # a decision may only prepare the next one: it is a stall when a whole round changed nothing
                states = scheduling.states()
                if states != seen:
                    seen = states
                    continue
                asked = people.unanswered(self._around.answer_of)
                self.stalled = (
                    asked or self._scheduler.stalled() or ["the run does not end, and no task of it can start"]
                )
                break
            # what ends without a process (an empty task, a run) lets others go on, and wakes nobody
            if self._running and scheduling.ended() - ended:
                continue
            self._wait(due)

    def _listen_to_children(self) -> None:
        for end in (self._wake, self._woken):
            end.setblocking(False)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _begin(self, ti: Any) -> None:
        attempt = self._attempt(ti)
        self._faults.begin(attempt.name, attempt.number, attempt.run_id)
        process = TaskTry.begin(ti, self._around, attempt.log)
        self._faults.started(process.pid)
        self._follow(Running(attempt, process, ti))
        self._tell(attempt, "running")

    def _begin_triggers(self) -> None:
        """Follow the triggers of deferred tasks, and end those whose task no longer waits for them."""
        waiting = triggers.waiting()
        wanted = {trigger.id for _, trigger in waiting}
        followed = set()
        for one in self._running:
            if isinstance(one.process, TriggerTry):
                followed.add(one.process.trigger_id)
                if one.process.trigger_id not in wanted:
                    one.process.send_signal(signal.SIGKILL)
        for ti, trigger in waiting:
            if trigger.id not in followed:
                attempt = self._attempt(ti)
                self._follow(Running(attempt, TriggerTry.of(ti, trigger, self._around, attempt.log), ti))

    def _follow(self, one: Running) -> None:
        self._running.append(one)
        self._selector.register(one.process.fileno(), selectors.EVENT_READ)

    def _attempt(self, ti: Any) -> Attempt:
        name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
        log = self._folder / ti.dag_id / ti.run_id / name / f"{ti.try_number}.log"
        return Attempt(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number, name, log)

    def _wait(self, due: datetime | None) -> None:
        """Serve the processes until a decision may be due: one ended or triggered a DAG, or the moment has come."""
        pause = _IDLE if due is None else min(_IDLE, max(0.0, (due - datetime.now(UTC)).total_seconds()))
        until = time.monotonic() + pause
        triggered = len(self._around.triggered)
        while (left := until - time.monotonic()) > 0:
            if any(one.process.ended is not None for one in self._running):
                left = min(left, _AFTER_EXIT)
            self._selector.select(left)
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(4096)
            over = self._turn()
            for one in over:
                self._finish(one)
            if over or len(self._around.triggered) != triggered:
                return

    def _turn(self) -> list[Running]:
        for one in self._running:
            one.process.turn()
        return [one for one in self._running if one.process.over]

    def _finish(self, one: Running) -> None:
        self._selector.unregister(one.process.fileno())
        self._running.remove(one)
        one.process.close()
        if isinstance(one.process, TriggerTry):
            return
        self._faults.end()
        self._adopt_triggered(one)
        if crash := one.process.crash_in_words():
            self._scheduler.lose(one.ti, crash)
        state = records.read_task_state(one.ti)
        attempt = one.attempt
        error = None
        # the scheduler may have gone on to the next try while the process of this one was ending
        if not {state, one.process.outcome}.isdisjoint(("failed", "up_for_retry")):
            error = _cause(crash, tasklog.last_error(attempt.log))
            key = (attempt.dag_id, attempt.run_id, attempt.task_id, attempt.map_index, attempt.number)
            self.errors[key] = error or "it gave no error"
        self._tell(attempt, state or "none", time.monotonic() - one.since, error or "")

    def _adopt_triggered(self, one: Running) -> None:
        mine = [entry for entry in self._around.triggered if entry[0] == str(one.process.id)]
        parent = (one.attempt.dag_id, one.attempt.run_id)
        for entry in mine:
            self._around.triggered.remove(entry)
            self.children.setdefault(parent, []).append(entry[1:])

    def runs_of_events(self) -> list[tuple[str, str]]:
        """Queue the runs for which the awaited asset events are there, and return them."""
        self._scheduler.make_asset_runs()
        made = [one.run for one in self._scheduler.made]
        self._scheduler.made.clear()
        return made

    def _adopt_consumers(self) -> None:
        """Count the runs that asset events made as children of the run that told the last event."""
        for one in self._scheduler.made:
            if one.parent is not None:
                self.children.setdefault(one.parent, []).append(one.run)
        self._scheduler.made.clear()

    def _tell(self, attempt: Attempt, state: str, seconds: float | None = None, detail: str = "") -> None:
        self._say(
            RunEvent(
                kind="task",
                state=state,
                dag_id=attempt.dag_id,
                run_id=attempt.run_id,
                task=attempt.name,
                try_number=attempt.number,
                seconds=seconds,
                detail=detail,
            )
        )

    def stop(self) -> list[Attempt]:
        """Note the stack of every process, end them all, and return what was running."""
        for one in self._running:
            _signal(one.process.pid, signal.SIGUSR1)
        time_limit = time.monotonic() + 1.0
        for one in self._running:
            text = _await_text(one.process.stack_path, time_limit)
            stacks = self.stacks.setdefault((one.attempt.dag_id, one.attempt.run_id), {})
            stacks[one.attempt.name] = text or "the process did not show its stack"
        for signum, wait in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)):
            for one in self._running:
                if one.process._exit_code is None:
                    one.process.send_signal(signum)
            self._drain(time.monotonic() + wait)
        return [one.attempt for one in self._running]

    def _drain(self, until: float) -> None:
        while time.monotonic() < until and any(one.process._exit_code is None for one in self._running):
            self._selector.select(0.05)
            for one in self._running:
                one.process.turn()


def _cause(crash: str | None, logged: str | None) -> str | None:
    """Join how a process ended with what its log says: an exit code alone explains nothing."""
    if crash is None or logged is None or not crash.startswith("exit code") or "exited abnormally" in logged:
        return crash or logged
    return f"{crash}; the last error in its log: {logged}"


def _signal(pid: int, signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)


def _await_text(path: Path, until: float) -> str:
    """Return what faulthandler wrote; it writes from a signal handler, so the file may take a moment."""
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            text = path.read_text(errors="replace")
            if text.endswith("\n"):
                return text
        time.sleep(0.01)
    return ""
