"""The one place that starts and ends the processes of embedded engines."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from harness.engines import launch
from harness.engines.base import Running
from harness.errors import ServiceError
from harness.models.service import Endpoint

#: how much of a log's end is read for its last lines, in bytes
_TAIL = 64 * 1024

#: seconds until a killed process is gone; one that sleeps in the kernel may take longer, and nobody can help that
_KILLED = 2.0

User = tuple[int, int]
"""A user id and a group id."""


class ServerProcess:
    """One server, leader of its own session and process group.

    Args:
        leader: the process; it stays unreaped until `stop`, so that its group's id cannot be given to another.
        log: where its output goes.
        stop_signal: what asks it politely to end.
    """

    def __init__(self, leader: subprocess.Popen[bytes], log: Path, stop_signal: signal.Signals) -> None:
        self.log = log
        self._leader = leader
        self._stop_signal = stop_signal
        self._process = psutil.Process(leader.pid)
        self._stopped = False

    @classmethod
    def spawn(  # noqa: PLR0913 - keywords, most with a default
        cls,
        argv: Sequence[str | Path],
        *,
        folder: Path,
        log: Path,
        env: Mapping[str, str] | None = None,
        user: User | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
        pass_fds: Sequence[int] = (),
    ) -> ServerProcess:
        """Start a server in its own session; its input is empty, its output is appended to `log`.

        Call it from a thread that lives as long as the server may: Linux sends `death_signal` when the *thread* that
        started a process ends (prctl(2)). Other systems have no such signal; there the session's reaper ends it.

        Args:
            argv: the command; a relative name is looked up on PATH.
            folder: its working directory.
            log: created when it is missing, with its folder.
            env: added to this process's environment.
            user: run as this user and group, without others; needs root.
            stop_signal: what asks it politely to end.
            death_signal: what it is sent when the process that started it is gone.
            pass_fds: open files that it inherits, under the same numbers.

        Raises:
            ServiceError: there is no such command, or the system refuses to start a process.
        """
        command = shutil.which(argv[0])
        if command is None:
            raise ServiceError(f"cannot start {argv[0]}: there is no such program, or it may not be executed")
        identity = [str(number) for number in user or (-1, -1)]
        launcher = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(int(death_signal)), *identity]
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with log.open("ab") as output:
                leader = subprocess.Popen(
                    [*launcher, command, *map(str, argv[1:])],
                    cwd=folder,
                    env={**os.environ, **(env or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=pass_fds,
                )
        except OSError as error:
            raise ServiceError(f"cannot start {argv[0]}: {error}") from error
        return cls(leader, log, stop_signal)

    @property
    def pid(self) -> int:
        return self._leader.pid

    def alive(self) -> bool:
        """Tell whether the server runs; it is not reaped by asking."""
        return not self._stopped and _runs(self._process)

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the server and its descendants."""
        return tuple(process.pid for process in (self._process, *self._descendants())) if self.alive() else ()

    def stop(self, within: float = 10.0) -> None:
        """Ask the group to end, wait `within` seconds, then kill the group and every descendant; idempotent."""
        if self._stopped:
            return
        family = self._descendants()
        self._signal_group(self._stop_signal)
        until = time.monotonic() + within
        while self.alive() and time.monotonic() < until:
            time.sleep(0.01)
        self._signal_group(signal.SIGKILL)
        for process in family:  # those that left the group, as Spark's Python workers do
            with contextlib.suppress(psutil.Error):
                process.kill()  # psutil compares start times: a reused id is left alone
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._leader.wait(_KILLED)
        until = time.monotonic() + _KILLED
        while any(map(_runs, family)) and time.monotonic() < until:
            time.sleep(0.002)
        self._stopped = True

    def log_tail(self, lines: int = 20, hide: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the last lines of the log, oldest first, with the texts of `hide` redacted."""
        return tail(self.log, lines, hide)

    def _descendants(self) -> list[psutil.Process]:
        try:
            return self._process.children(recursive=True)
        except psutil.Error:
            return []

    def _signal_group(self, signum: signal.Signals) -> None:
        # PermissionError: macOS gives it for a group of zombies
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._leader.pid, signum)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return False


class ProcessRunning(Running):
    """A service that is one process and its folders.

    Args:
        endpoint: where it is; its secrets are redacted in log lines.
        process: the server.
        remove: files and folders that go when it is stopped.
    """

    def __init__(self, endpoint: Endpoint, process: ServerProcess, remove: Sequence[Path] = ()) -> None:
        self.endpoint = endpoint
        self.process = process
        self._remove = tuple(remove)

    def alive(self) -> bool:
        return self.process.alive()

    def stop(self, within: float = 10.0) -> None:
        self.process.stop(within)
        for path in self._remove:
            remove(path)

    def log_tail(self, lines: int = 20) -> tuple[str, ...]:
        return self.process.log_tail(lines, self.endpoint.secret_values())

    def log_path(self) -> Path | None:
        return self.process.log

    def pids(self) -> tuple[int, ...]:
        return self.process.pids()


def remove(path: Path) -> None:
    """Remove a file or a folder with all in it; what is not there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def tail(path: Path, lines: int = 20, hide: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the last lines of a text file, oldest first, with the texts of `hide` redacted."""
    if lines <= 0 or not path.exists():
        return ()
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        text = file.read().decode(errors="replace")
    for secret in hide:
        text = text.replace(secret, "***")
    return tuple(text.splitlines()[-lines:])


def listening_socket() -> socket.socket:
    """Return a socket that listens on a free port of 127.0.0.1, for a server that inherits it (`pass_fds`).

    Nobody can take the port in between, and whoever connects before the server accepts just waits. The caller closes
    its own copy, so that connections are refused once the server is gone.
    """
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    return free_ports(1)[0]


def free_ports(count: int) -> tuple[int, ...]:
    """Return `count` different free TCP ports of 127.0.0.1.

    They are held together until all are known. Until a server takes them another process may be given the same ones;
    Linux makes that rare, since it prefers other ports for outgoing connections than for `bind` to port 0.
    """
    with contextlib.ExitStack() as held:
        found = []
        for _ in range(count):
            listener = held.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            found.append(int(listener.getsockname()[1]))
        return tuple(found)


def reserved_ports(count: int) -> tuple[tuple[int, ...], contextlib.ExitStack]:
    """Return `count` different free TCP ports of 127.0.0.1, and what keeps others from them until it is closed.

    The ports are bound and not listened on, so that nobody gets them by `bind` to port 0 or by an outgoing connection,
    however long a server takes to come up. One that binds with SO_REUSEADDR, as those of Java do, may have them.
    """
    held, found = contextlib.ExitStack(), []
    for _ in range(count):
        reserve = held.enter_context(socket.socket())
        reserve.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserve.bind(("127.0.0.1", 0))
        found.append(int(reserve.getsockname()[1]))
    return tuple(found), held


def random_password() -> str:
    """Return 144 random bits as letters, digits, `-` and `_`: safe in URLs, JDBC options and configuration files."""
    return secrets.token_urlsafe(18)
