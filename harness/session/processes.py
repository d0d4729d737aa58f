"""Ending a process and all that it started, on systems with and without Linux's orphan adoption."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Collection

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, so that none escapes by a double fork (Linux, prctl(2))."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Ask for SIGKILL when the thread that forked this process ends (Linux, prctl(2)); call it in the child."""
    parent = os.getppid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def send(pid: int, signum: signal.Signals) -> None:
    """Signal one process; one that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signum)


def send_group(pid: int, signum: signal.Signals) -> None:
    """Signal the group that `pid` leads; one that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signum)


def tree(pid: int) -> list[psutil.Process]:
    """Return all descendants of a process, the process itself not included."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def signal_tree(pid: int, signum: signal.Signals) -> None:
    """Signal a process, its group and all its descendants, parents first."""
    below = tree(pid)
    send_group(pid, signum)
    send(pid, signum)
    for process in below:
        send(process.pid, signum)


def end_tree(pid: int) -> None:
    """Kill all descendants of a process, and those they fork meanwhile; the process itself stays."""
    for _ in range(50):
        below = tree(pid)
        for process in below:
            send(process.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(below, timeout=0.2)
        if not alive and not below:
            return


def end_children(but: Collection[int]) -> None:
    """Kill this process's children, with their trees, except the given ones."""
    for child in psutil.Process().children():
        if child.pid in but or child.status() == psutil.STATUS_ZOMBIE:
            continue
        end_tree(child.pid)
        send(child.pid, signal.SIGKILL)
