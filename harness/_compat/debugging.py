"""A task's process on the user's terminal: `breakpoint()`, IDE breakpoints, and a post-mortem when it raises.

Bridges: the supervisor takes a task's standard streams for its own sockets (the requests travel on descriptor 0), and
puts the task into a process group of its own, which may not read the terminal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Terminal:
    """The standard streams of the process that starts tasks, kept under other numbers."""

    streams: tuple[int, int, int]

    @classmethod
    def of_this_process(cls) -> Terminal:
        """Keep this process's streams for the next task."""
        return cls((os.dup(0), os.dup(1), os.dup(2)))

    def close(self) -> None:
        """Close the kept numbers in the process that started the task."""
        for fd in self.streams:
            os.close(fd)

    def take(self) -> None:
        """Give this process the terminal, and move the supervisor's socket out of its way; call it in the task."""
        from airflow.sdk.execution_time import task_runner

        requests = socket.socket(fileno=os.dup(0))
        decoder = task_runner.CommsDecoder[task_runner.ToTask, task_runner.ToSupervisor]
        task_runner.CommsDecoder = _Made(decoder, requests)
        # the supervisor's stream objects close their descriptors when they go: let them go before these are taken
        sys.stdin = sys.stdout = sys.stderr = None
        for number, fd in enumerate(self.streams):
            os.dup2(fd, number)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the terminal, until the process ends
        sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        _come_to_the_foreground()


class _Made:
    """Answers `CommsDecoder[A, B](log=...)` with a decoder on the moved socket."""

    def __init__(self, decoder: Any, requests: socket.socket) -> None:
        self._decoder, self._requests = decoder, requests

    def __getitem__(self, _: Any) -> Callable[..., Any]:
        return lambda **options: self._decoder(socket=self._requests, **options)


def _come_to_the_foreground() -> None:
    if not os.isatty(0):
        return
    # a background group that changes the foreground is sent SIGTTOU, which stops it
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.tcsetpgrp(0, os.getpgid(0))


_NO_ERRORS = (
    "TaskDeferred",
    "TaskAwaitingInput",
    "AirflowSkipException",
    "AirflowRescheduleException",
    "DownstreamTasksSkipped",
    "DagRunTriggerException",
)
"""Exceptions by which a task tells the task runner something; none of them is a failure."""


def watched(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the task runner's execute so that an exception opens a post-mortem on the terminal, and is then raised."""

    def with_post_mortem(context: Any, ti: Any, log: Any) -> Any:
        import pdb

        try:
            return execute(context=context, ti=ti, log=log)
        except Exception as error:
            if not {kind.__name__ for kind in type(error).__mro__}.intersection(_NO_ERRORS):
                pdb.post_mortem(error.__traceback__)
            raise

    return with_post_mortem
