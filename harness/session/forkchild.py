"""What a forked child does before and after the work it was asked for."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import importlib
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from harness.session import processes

Emit = Callable[[dict[str, Any]], None]
Target = Callable[[dict[str, Any], Emit], Any]


def become(request: dict[str, Any], connection: socket.socket, fds: list[int], *, terminal: bool = False) -> NoReturn:
    """Turn a fresh fork into the worker for `request`, run its target, and end the process.

    Args:
        request: target, payload, surroundings and limits.
        connection: where events and the result are written.
        fds: what become its standard streams.
        terminal: stay in the caller's session and keep its streams, for a debugger.
    """
    code = 70
    say = _Line(connection)
    try:
        _settle(request, fds, terminal)
        code = _work(request, say)
    except BaseException as error:  # noqa: BLE001 - the last frame of the process: the client learns of anything
        say({"error": describe(error)})
    finally:
        finish(code)


def _settle(request: dict[str, Any], fds: list[int], terminal: bool) -> None:
    if not terminal:
        os.setsid()
    processes.die_with_parent()
    processes.adopt_orphans()
    # functions registered before the fork belong to the parent
    atexit._clear()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)
    if not terminal:
        _redirect(request, fds)
    _surround(request)
    dump_stacks_to(request.get("stack_file"))
    trace_coverage()


def _work(request: dict[str, Any], say: Emit) -> int:
    module, _, name = request["target"].partition(":")
    target: Target = getattr(importlib.import_module(module), name)
    try:
        result = target(request.get("payload") or {}, lambda event: say({"event": event}))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - reported to the client as data
        say({"error": describe(error)})
        return 1
    say({"result": result})
    return 0


def describe(error: BaseException) -> dict[str, Any]:
    """Render an exception as data; a HarnessError keeps its class and hint, so that the client can raise it again."""
    return {
        "type": type(error).__name__,
        "message": getattr(error, "message", None) or str(error),
        "hint": getattr(error, "hint", None),
        "place": [str(part) if isinstance(part, Path) else part for part in _place(error)],
        "traceback": "".join(traceback.format_exception(error)),
    }


def _place(error: BaseException) -> list[Any]:
    return [getattr(error, name, None) for name in ("path", "line", "column")]


def _redirect(request: dict[str, Any], fds: list[int]) -> None:
    if fds:
        for number, fd in enumerate(fds):
            os.dup2(fd, number)
            os.close(fd)
    elif request.get("output"):
        out = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.close(out)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - standard input of this process from now on
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, f"__{name}__", getattr(sys, name))


def _surround(request: dict[str, Any]) -> None:
    for name, value in (request.get("environ") or {}).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if "TZ" in (request.get("environ") or {}):
        time.tzset()
    if request.get("cwd"):
        os.chdir(request["cwd"])
    front = [path for path in request.get("sys_path") or [] if path]
    sys.path[:] = [*front, *(path for path in sys.path if path not in front)]
    if request.get("memory_mb"):
        _limit_memory(int(request["memory_mb"]))


def _limit_memory(megabytes: int) -> None:
    import resource

    # data, not address space: a process that merely maps much (a JVM, an allocator) is no offender
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))


def dump_stacks_to(path: str | None) -> None:
    """Make SIGUSR1 write the stacks of all threads to `path`, even while the process is stuck in C code."""
    if path is None:
        return
    file = open(path, "w")  # noqa: PTH123, SIM115 - faulthandler writes to it until the process ends
    faulthandler.register(signal.SIGUSR1, file=file, all_threads=True)


def trace_coverage() -> None:
    """Start coverage in this process when COVERAGE_PROCESS_START asks for it: a fork is a process of its own."""
    if not os.environ.get("COVERAGE_PROCESS_START"):
        return
    try:
        coverage = importlib.import_module("coverage")
    except ImportError:
        return
    running = coverage.Coverage.current()
    if running is not None:
        running.stop()
    coverage.process_startup.__dict__.pop("coverage", None)
    coverage.process_startup()


def finish(code: int) -> NoReturn:
    """End this process without the parent's exit functions, but with those that were registered since the fork."""
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


class _Line:
    """Writes one JSON object a line; safe from several threads."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def __call__(self, message: dict[str, Any]) -> None:
        if os.getpid() != self._pid:
            raise RuntimeError("only the process that was asked may write to the client")
        data = json.dumps(message, default=str).encode() + b"\n"
        # a client that hung up has had this process ended already: nobody is left to tell
        with self._lock, contextlib.suppress(OSError):
            self._connection.sendall(data)
