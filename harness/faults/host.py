"""The process or the thread that a proxy lives in, and the caller's side of it.

A run's proxy is a process: the run's own forks a child for each try, which a thread would not survive.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Self

from pydantic import TypeAdapter

from harness.errors import ServiceError
from harness.faults.relay import Board, Front, Relay
from harness.models.fault import Fault, WritePoint
from harness.session import forkchild, processes

_ANSWER_WITHIN = 30.0
"""Seconds for an answer of the proxy."""
_FAULTS: TypeAdapter[tuple[Fault, ...]] = TypeAdapter(tuple[Fault, ...])


@dataclass(frozen=True)
class Seen:
    """What the proxy saw of one try."""

    writes: tuple[WritePoint, ...] = ()
    fired: tuple[Fault, ...] = ()
    used: tuple[str, ...] = ()


class Proxy:
    """Ports in front of services; the answers to all methods come within a deadline.

    Args:
        fronts: what is to be had behind a port of its own; a port to listen on that is given must be free.
        counts: writes are counted, so they pass one after the other.
        thread: live in a thread of this process instead of a process.
    """

    def __init__(self, fronts: Sequence[Front], *, counts: bool = True, thread: bool = False) -> None:
        self._fronts = list(fronts)
        self._counts = counts
        self._thread = thread
        self._pid: int | None = None
        self._runner: threading.Thread | None = None
        self._line: Any = None
        #: name of the front (its service, and `/` its part) -> the port to use in its place
        self.ports: dict[str, int] = {}
        #: where a task tells that it has taken its exception
        self.news = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on all ports.

        Raises:
            ServiceError: a port is taken.
        """
        mine, theirs = socket.socketpair()
        mine.settimeout(_ANSWER_WITHIN)
        if self._thread:
            self._runner = threading.Thread(target=_host, args=(self._fronts, self._counts, theirs), daemon=True)
            self._runner.start()
        else:
            self._pid = os.fork()
            if self._pid == 0:
                mine.close()
                _become_host(self._fronts, self._counts, theirs)
            theirs.close()
        self._line = mine.makefile("rwb")
        mine.close()
        try:
            told = self._receive()
        except BaseException:
            self.stop()
            raise
        self.ports, self.news = told["ports"], told["news"]

    def begin(self, task: str, attempt: int, faults: Sequence[Fault]) -> None:
        """Begin a try: its outages begin, its writes are counted from 1, and strike those faults that hit it."""
        self._ask(do="begin", task=task, attempt=attempt, faults=_FAULTS.dump_python(tuple(faults), mode="json"))

    def started(self, pid: int) -> None:
        """Tell the process id of the try, for faults that strike it."""
        self._ask(do="started", pid=pid)

    def end(self) -> Seen:
        """End a try, and with it its outages; return what was seen of it."""
        told = self._ask(do="end")
        writes = tuple(WritePoint.model_validate(one) for one in told["writes"])
        return Seen(writes, _FAULTS.validate_python(told["fired"]), tuple(told["used"]))

    def stop(self) -> None:
        """End all connections and the process or thread; idempotent."""
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.close()
            self._line = None
        if self._runner is not None:
            self._runner.join(_ANSWER_WITHIN)
            self._runner = None
        if self._pid is not None:
            processes.send(self._pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            self._pid = None

    def _ask(self, **message: Any) -> dict[str, Any]:
        try:
            self._line.write(json.dumps(message).encode() + b"\n")
            self._line.flush()
        except OSError as error:
            raise ServiceError(f"the proxy of the faults is gone: {error}") from error
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        try:
            line = self._line.readline()
        except OSError as error:
            raise ServiceError(f"the proxy of the faults does not answer: {error}") from error
        told: dict[str, Any] = json.loads(line) if line else {"error": "it ended"}
        if "error" in told:
            raise ServiceError(f"the proxy of the faults failed: {told['error']}")
        return told


def tell_raised(port: int) -> None:
    """Tell the proxy that this task has taken its exception, and wait until the task may use its services again."""
    with socket.create_connection(("127.0.0.1", port), timeout=5.0) as line:
        line.recv(1)


def _become_host(fronts: Sequence[Front], counts: bool, line: socket.socket) -> NoReturn:
    code = 0
    try:
        processes.die_with_parent()
        signal.set_wakeup_fd(-1)
        # Ctrl-C is for the run, which ends its proxy when it has ended its tasks
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for signum in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(signum, signal.SIG_DFL)
        _host(fronts, counts, line)
    except BaseException:  # noqa: BLE001 - the last frame of the process; the caller hears that the line ended
        code = 1
    finally:
        forkchild.finish(code)


def _host(fronts: Sequence[Front], counts: bool, line: socket.socket) -> None:
    """Serve until the caller hangs up."""
    asyncio.run(_serve(fronts, counts, line))


async def _serve(fronts: Sequence[Front], counts: bool, line: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=line)
    board = Board(counts=counts)

    async def hear_raised(_: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        await board.raised()
        answer.write(b"1")
        answer.close()

    news = await asyncio.start_server(hear_raised, "127.0.0.1", 0)
    try:
        board.relays = [Relay(front, board) for front in fronts]
        for relay in board.relays:
            await relay.start()
    except OSError as error:
        await _say(writer, {"error": str(error)})
        return
    ports = {relay.front.name: relay.port for relay in board.relays}
    await _say(writer, {"ports": ports, "news": news.sockets[0].getsockname()[1]})
    try:
        while message := await reader.readline():
            await _say(writer, await _obey(board, json.loads(message)))
    finally:
        news.close()
        for relay in board.relays:
            await relay.stop()


async def _obey(board: Board, message: Mapping[str, Any]) -> dict[str, Any]:
    if message["do"] == "begin":
        await board.begin(message["task"], message["attempt"], _FAULTS.validate_python(message["faults"]))
    elif message["do"] == "started":
        board.started(message["pid"])
    else:
        turn = await board.end()
        if turn is not None:
            return {
                "writes": [write.model_dump(mode="json") for write in turn.writes],
                "fired": _FAULTS.dump_python(tuple(turn.fired), mode="json"),
                "used": sorted(turn.used),
            }
    return {"writes": [], "fired": [], "used": []}


async def _say(writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
    await writer.drain()
