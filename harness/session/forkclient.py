"""Starting a fork server, and having it run a function in a child of its own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from harness import errors
from harness.errors import ConfigError, HarnessError, RunError, WorkerLost
from harness.session.forkserver import VERSION

AIRFLOW_MODULES: tuple[str, ...] = (
    "airflow",
    "airflow.sdk",
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.supervisor",
    "airflow.jobs.scheduler_job_runner",
    "airflow.serialization.serialized_objects",
    "airflow.dag_processing.dagbag",
    "airflow.api_fastapi.execution_api.routes",
    "airflow.providers.standard.operators.bash",
    "airflow.providers.standard.operators.python",
    "airflow.providers.standard.operators.empty",
    "airflow.providers.standard.operators.trigger_dagrun",
    "airflow.providers.standard.sensors.python",
    "airflow.providers.standard.triggers.temporal",
    "harness.runner.warm:warm",
)
_SOCKET_PATH_LIMIT = 100
"""Longest path of a unix socket that every system takes (104 bytes on macOS, 108 on Linux)."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """How a child runs.

    Args:
        deadline: seconds until it is ended from outside; None waits for ever.
        grace: seconds between INT and TERM, and between TERM and KILL.
        environ: variables to set; a value of None unsets one.
        cwd: its working folder.
        sys_path: put in front of the import path.
        memory_mb: limit of its data segment.
        output: file that stdout and stderr are appended to, where no `stdio` is passed.
        stack_file: where the stacks of its threads are written when the deadline passes.
    """

    deadline: float | None = None
    grace: tuple[float, float] = (5.0, 3.0)
    environ: Mapping[str, str | None] = field(default_factory=dict)
    cwd: str | None = None
    sys_path: Sequence[str] = ()
    memory_mb: int | None = None
    output: str | None = None
    stack_file: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How a child ended.

    Args:
        result: what the target returned.
        error: what it raised: type, message, hint, place, traceback.
        exit_code: None when a signal ended it.
        signal: name of the signal that ended it.
        cause: why it was ended from outside: `deadline`, `cancelled`, `hangup`.
        stack: stacks of its threads at the deadline.
    """

    result: Any = None
    error: dict[str, Any] | None = None
    exit_code: int | None = None
    signal: str | None = None
    cause: str | None = None
    stack: str = ""

    @property
    def finished(self) -> bool:
        """Tell whether the target returned."""
        return self.error is None and self.exit_code == 0 and self.cause is None

    def describe(self) -> str:
        """Say in words how it ended."""
        if self.error is not None:
            return f"{self.error['type']}: {self.error['message']}"
        if self.signal is not None:
            return f"killed by {self.signal}"
        return f"exit code {self.exit_code}"

    def raise_error(self) -> None:
        """Raise what the target raised: a HarnessError as itself, anything else as RunError; nothing if it did not."""
        if self.error is None:
            return
        kind = getattr(errors, self.error["type"], None)
        if not (isinstance(kind, type) and issubclass(kind, HarnessError)):
            raise RunError(f"{self.describe()}\n{self.error['traceback']}")
        if issubclass(kind, ConfigError):
            path, line, column = self.error.get("place") or (None, None, None)
            raise kind(self.error["message"], path=path, line=line, column=column, hint=self.error.get("hint"))
        raise kind(self.error["message"], hint=self.error.get("hint"))


class ForkClient:
    """Runs functions in children of the fork server at `address` (the path of its socket)."""

    def __init__(self, address: str) -> None:
        self.address = address

    def run(
        self,
        target: str,
        payload: Mapping[str, Any],
        on_event: Callable[[Event], None] = lambda event: None,
        *,
        options: Options = Options(),
        stdio: Sequence[int] = (),
    ) -> Outcome:
        """Run `module:function`, called with `payload` and a function that sends events, and wait for its end.

        Ctrl-C here interrupts the child, waits for its end, and is raised again.

        Args:
            target: where the function is; imported in the child only.
            payload: its argument; anything that JSON has.
            on_event: called with each event, in order.
            options: limits and surroundings of the child.
            stdio: three file descriptors that become its standard streams.

        Raises:
            WorkerLost: the fork server is not there, or ended before the child did.
        """
        request = {"version": VERSION, "target": target, "payload": payload, **asdict(options)}
        with self._connect() as connection:
            data = json.dumps(request, default=str).encode() + b"\n"
            # descriptors travel with the first byte; the rest may be too long for one message
            socket.send_fds(connection, [data[:1]], list(stdio))
            connection.sendall(data[1:])
            return self._follow(connection, on_event)

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(self.address)
        except OSError as error:
            connection.close()
            raise WorkerLost(f"no fork server answers at {self.address}: {error.strerror}") from error
        return connection

    def _follow(self, connection: socket.socket, on_event: Callable[[Event], None]) -> Outcome:
        seen: dict[str, Any] = {}
        interrupted: KeyboardInterrupt | None = None
        lines = connection.makefile("rb")
        while True:
            try:
                for message in _messages(lines):
                    if "event" in message:
                        on_event(message["event"])
                    else:
                        seen.update(message)
                break
            except KeyboardInterrupt as interrupt:
                if interrupted is not None:
                    raise
                interrupted = interrupt
                connection.sendall(b'{"cancel": true}\n')
        if interrupted is not None:
            raise interrupted
        if "exit" not in seen:
            if "error" in seen:
                return Outcome(error=seen["error"], exit_code=1)
            raise WorkerLost("the fork server ended while the run was going on")
        end = seen["exit"]
        return Outcome(seen.get("result"), seen.get("error"), end["code"], end["signal"], end["cause"], end["stack"])


def _messages(lines: Any) -> Iterator[dict[str, Any]]:
    while line := lines.readline():
        # a child that was killed in the middle of a line leaves half of one
        with contextlib.suppress(ValueError):
            message = json.loads(line)
            if isinstance(message, dict):
                yield message


class ForkServer:
    """A running fork server; ends with the process that started it.

    Use `start`, and the object as a context manager.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], address: Path, private: Path, missing: tuple[str, ...]
    ) -> None:
        self._process = process
        self._private = private
        self.address = str(address)
        self.missing = missing

    @classmethod
    def start(  # noqa: PLR0913 - keywords, all but one with a default
        cls,
        *,
        folder: Path,
        preload: Sequence[str] = AIRFLOW_MODULES,
        environ: Mapping[str, str] | None = None,
        owner: str = "fork",
        within: float = 300.0,
        owns: bool = False,
    ) -> ForkServer:
        """Start one and wait until it listens.

        Args:
            folder: for its log and for Airflow's home; made when it is not there.
            preload: modules to import before the first fork; one that is not installed is named in `missing`.
            environ: variables on top of this process's.
            owner: goes into the name of its private folder; a session's id lets the session's reaper find it.
            within: seconds until it must listen.
            owns: the folder goes with the server, also when who started it is killed.

        Raises:
            RunError: it ended or did not answer in time; with the end of its log.
        """
        folder.mkdir(parents=True, exist_ok=True)
        private = Path(tempfile.mkdtemp(prefix=f"harness-{owner}-"))
        address = private / "socket"
        log = folder / "forkserver.log"
        command = [sys.executable, "-m", "harness.session.forkserver", "--socket", str(address)]
        command += ["--owns", str(folder)] if owns else []
        with log.open("ab") as out:
            process = subprocess.Popen(
                [*command, "--watch-stdin", "--preload", ",".join(preload)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                bufsize=0,  # `select` does not see what a buffer holds: the answer could wait there behind another line
                env=_environment(folder, environ or {}),
                cwd=folder,
                start_new_session=True,
            )
        try:
            ready = _await_ready(process, within)
        except BaseException as error:
            _end(process)
            shutil.rmtree(private, ignore_errors=True)
            if isinstance(error, (TimeoutError, ValueError)):
                raise RunError(f"the fork server did not start: {error}\n{_tail(log)}") from error
            raise
        return cls(process, address, private, tuple(ready["missing"]))

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def client(self) -> ForkClient:
        """Return a client of this server."""
        return ForkClient(self.address)

    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self._process.poll() is None

    def stop(self, within: float = 15.0) -> None:
        """End it and every child of its, after `within` seconds by force; idempotent."""
        _end(self._process, within)
        shutil.rmtree(self._private, ignore_errors=True)

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    path = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        **airflow_environment(folder),
        "PYTHONPATH": f"{path}{os.pathsep}{root}" if path else root,
        **extra,
    }


def airflow_environment(folder: Path) -> dict[str, str]:
    """Return the settings of an Airflow that has its home in `folder` and writes nothing outside it.

    The log level is for Airflow's own doings; the runner gives its tasks theirs back.
    """
    home = folder / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/unused.db",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        # what tasks print passes through a logger of that name
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "task=INFO",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
    }


def _await_ready(process: subprocess.Popen[bytes], within: float) -> dict[str, Any]:
    assert process.stdout is not None
    until = time.monotonic() + within
    # an imported module may print; the answer is the first line that is ours
    while (left := until - time.monotonic()) > 0:
        readable, _, _ = select.select([process.stdout], [], [], left)
        if not readable:
            break
        line = process.stdout.readline()
        if not line:
            raise ValueError(f"it ended with exit code {process.wait(5)}")
        with contextlib.suppress(ValueError):
            message = json.loads(line)
            if isinstance(message, dict) and "ready" in message:
                return message
    raise TimeoutError(f"it did not listen within {within:.0f} s")


def _end(process: subprocess.Popen[bytes], within: float = 15.0) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2)


def _tail(log: Path, lines: int = 20) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(f"  | {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])
    return ""
