"""The process that has imported Airflow and nothing of a project, and forks one child for each request.

It is the other process that keeps a deadline: one thread, one select loop, no code of the project's, so nothing that a
DAG does can keep it from ending that DAG. `forkclient` is its counterpart; `forkchild` is what a child does first.

The wire: a client sends one JSON line (`VERSION`, see `forkclient.Options`), then may send `{"cancel": true}`. The
child writes `{"event": ...}`, `{"result": ...}` or `{"error": ...}` lines; the server writes `{"exit": ...}` last, when
the child and all that it started are gone. A client that hangs up ends its child.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import psutil

from harness.session import forkchild, processes

VERSION = 1
PARENT_CHECK = 0.5
"""Seconds between two looks whether the parent still lives, where its pipe was inherited by somebody else."""
STACK_BYTES = 60_000


@dataclass
class Job:
    """One connection, and the child that was forked for it.

    Args:
        due: monotonic time of the next step against the child.
        steps: what is still to be done to a child that must end: signal, then seconds to wait.
        cause: why it must end: `deadline`, `cancelled` or `hangup`.
    """

    connection: socket.socket
    buffer: bytearray = field(default_factory=bytearray)
    fds: list[int] = field(default_factory=list)
    request: dict[str, Any] = field(default_factory=dict)
    pid: int | None = None
    due: float | None = None
    steps: list[tuple[signal.Signals, float]] = field(default_factory=list)
    cause: str | None = None


class Server:
    """The select loop.

    Args:
        listener: the bound socket.
        alive: file descriptor that reports the end of file when the parent is gone; None when nobody watches.
    """

    def __init__(self, listener: socket.socket, alive: int | None) -> None:
        self._listener = listener
        self._alive = alive
        self._parent = os.getppid()
        self._jobs: dict[int, Job] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._over = False

    def serve(self) -> None:
        """Serve until the parent is gone or a SIGTERM comes; then end every child."""
        processes.adopt_orphans()
        self._listen_to_signals()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        if self._alive is not None:
            self._selector.register(self._alive, selectors.EVENT_READ, self._parent_gone)
        try:
            while not self._over and os.getppid() == self._parent:
                for key, _ in self._selector.select(self._patience()):
                    key.data(key.fileobj)
                self._reap()
                self._advance()
        finally:
            processes.end_tree(os.getpid())

    def _listen_to_signals(self) -> None:
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # the terminal's Ctrl-C is the client's business: it cancels its own request
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._parent_gone)

    def _patience(self) -> float:
        dues = [job.due for job in self._jobs.values() if job.due is not None]
        return min([PARENT_CHECK, *(max(0.0, due - time.monotonic()) for due in dues)])

    def _woken(self, sock: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            sock.recv(4096)

    def _parent_gone(self, *_: Any) -> None:
        self._over = True

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        self._selector.register(connection, selectors.EVENT_READ, self._heard)
        self._jobs[connection.fileno()] = Job(connection)

    def _heard(self, connection: socket.socket) -> None:
        job = self._jobs[connection.fileno()]
        try:
            data, fds, _, _ = socket.recv_fds(connection, 1 << 16, 3)
        except OSError:
            data, fds = b"", []
        job.fds += fds
        if not data:
            self._hung_up(job)
            return
        job.buffer += data
        while (end := job.buffer.find(b"\n")) >= 0:
            line = bytes(job.buffer[:end])
            del job.buffer[: end + 1]
            self._understand(job, line)

    def _understand(self, job: Job, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            message = {}
        if job.pid is not None:
            if message.get("cancel"):
                self._end(job, "cancelled")
        elif message.get("version") != VERSION:
            words = f"this fork server speaks version {VERSION}, the request {message.get('version')!r}"
            self._say(job, {"error": {"type": "ConfigError", "message": words}})
            self._forget(job)
        else:
            job.request = message
            self._fork(job)

    def _fork(self, job: Job) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become(job)
        job.pid = pid
        for fd in job.fds:
            os.close(fd)
        deadline = job.request.get("deadline")
        job.due = None if deadline is None else time.monotonic() + float(deadline)

    def _become(self, job: Job) -> NoReturn:
        signal.set_wakeup_fd(-1)
        for other in self._jobs.values():
            if other is not job:
                other.connection.close()
        for end in (self._listener, self._wake_read, self._wake_write):
            end.close()
        self._selector.close()
        forkchild.become(job.request, job.connection, job.fds)

    def _end(self, job: Job, cause: str) -> None:
        if job.cause is not None or job.pid is None:
            return
        job.cause = cause
        interrupt, terminate = job.request.get("grace", (5.0, 3.0))
        job.steps = [(signal.SIGTERM, terminate), (signal.SIGKILL, 2.0)]
        if cause != "hangup":
            job.steps.insert(0, (signal.SIGINT, interrupt))
        job.due = time.monotonic()

    def _hung_up(self, job: Job) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(job.connection)
        if job.pid is None:
            self._forget(job)
        else:
            self._end(job, "hangup")

    def _advance(self) -> None:
        now = time.monotonic()
        for job in list(self._jobs.values()):
            if job.pid is None or job.due is None or job.due > now:
                continue
            if job.cause is None:
                # a stuck process shows its stack even when no Python code of its runs any more (faulthandler)
                if job.request.get("stack_file"):
                    processes.send(job.pid, signal.SIGUSR1)
                self._end(job, "deadline")
            step, wait = job.steps.pop(0) if job.steps else (signal.SIGKILL, 2.0)
            if step is signal.SIGINT:
                processes.send_group(job.pid, step)
            else:
                processes.signal_tree(job.pid, step)
            job.due = now + wait

    def _reap(self) -> None:
        for pid, status in _ended_children():
            job = next((each for each in self._jobs.values() if each.pid == pid), None)
            if job is not None:
                self._finish(job, status)

    def _finish(self, job: Job, status: int) -> None:
        """End what the child left, then tell its client; a child of nobody's is an orphan of this job's tree."""
        living = {each.pid for each in self._jobs.values() if each is not job and each.pid is not None}
        processes.end_children(but=living)
        code = os.waitstatus_to_exitcode(status)
        end = {
            "code": code if code >= 0 else None,
            "signal": signal.Signals(-code).name if code < 0 else None,
            "cause": job.cause,
            "stack": _stack(job),
        }
        self._say(job, {"exit": end})
        self._forget(job)

    def _say(self, job: Job, message: dict[str, Any]) -> None:
        # the child may have died in the middle of a line: the leading newline ends it
        with contextlib.suppress(OSError):
            job.connection.settimeout(1.0)
            job.connection.sendall(b"\n" + json.dumps(message).encode() + b"\n")

    def _forget(self, job: Job) -> None:
        fileno = job.connection.fileno()
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(job.connection)
        self._jobs.pop(fileno, None)
        job.connection.close()


def _ended_children() -> Iterator[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def _stack(job: Job) -> str:
    path = job.request.get("stack_file")
    if job.cause != "deadline" or not path or not Path(path).is_file():
        return ""
    return Path(path).read_bytes()[:STACK_BYTES].decode(errors="replace")


def preload(names: list[str]) -> list[str]:
    """Import modules, or call `module:function`; return a line for each that is not installed here."""
    missing = []
    for name in names:
        module, _, function = name.partition(":")
        try:
            found = importlib.import_module(module)
            if function:
                getattr(found, function)()
        except ImportError as error:
            missing.append(f"{name}: {error}")
    return missing


def main(arguments: list[str] | None = None) -> None:
    """Import, freeze, listen, serve; a line on stdout says when it is ready."""
    parser = argparse.ArgumentParser(prog="python -m harness.session.forkserver", description=__doc__)
    parser.add_argument("--socket", required=True, type=Path, help="where to listen; its folder must be private")
    parser.add_argument("--preload", default="", help="modules, comma-separated; module:function is called")
    parser.add_argument("--watch-stdin", action="store_true", help="end when stdin does")
    parser.add_argument("--owns", action="append", default=[], type=Path, help="folder that goes with the server")
    options = parser.parse_args(arguments)
    try:
        _serve(options)
    finally:
        # a parent that was killed cannot clean up after its server
        for folder in (options.socket.parent, *options.owns):
            shutil.rmtree(folder, ignore_errors=True)


def _serve(options: argparse.Namespace) -> None:
    missing = preload([name for name in options.preload.split(",") if name])
    psutil.Process().children()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(options.socket))
    listener.listen(64)
    alive = os.dup(0) if options.watch_stdin else None
    _leave_stdin()
    gc.collect()
    gc.freeze()
    ready = json.dumps({"ready": VERSION, "pid": os.getpid(), "missing": missing})
    with contextlib.suppress(BrokenPipeError):  # who was to read it is gone: the server ends at its first look
        print(ready, flush=True)  # noqa: T201 - the protocol
    Server(listener, alive).serve()


def _leave_stdin() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


if __name__ == "__main__":
    main()
