"""One port of the proxy in front of one service, and the board that all ports of a run share."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from harness.faults.http_link import HttpLink
from harness.faults.kafka_watch import KafkaWatch
from harness.faults.link import HEAD, Cut, Link, Struck, WatchedLink, Write
from harness.faults.postgres_watch import PostgresLink
from harness.models.fault import Fault, Outage, TaskFault, WritePoint
from harness.session import processes

_RAISE_WITHIN = 60.0
"""Seconds in which a task must take an exception; one whose main thread is stuck in C code is killed instead."""
_PID_WITHIN = 10.0
"""Seconds between a task's first write and the news of its process id."""
_JVM = "Hadoop"
"""In the user agent of S3A: the client is not the task's own process."""
_QUIET = 0.3
"""Seconds without a request after which a JVM whose task was killed counts as quiet."""


@dataclass(frozen=True)
class Front:
    """What stands behind a port.

    Args:
        service: its name in the environment.
        role: which protocol it speaks.
        host: of the service.
        port: of the service.
        listen: the port to listen on; 0 lets the system choose.
        part: of a service with several ports, which one: an application's name.
    """

    service: str
    role: str
    host: str
    port: int
    listen: int = 0
    part: str = ""

    @property
    def name(self) -> str:
        return f"{self.service}/{self.part}" if self.part else self.service

    @property
    def http(self) -> bool:
        return self.role in ("s3", "http")


@dataclass(frozen=True)
class Weather:
    """What connections have to stand at the moment."""

    outage: Outage | None = None
    struck: Struck = None


@dataclass
class Turn:
    """One try of a task, as the proxy sees it."""

    task: str
    attempt: int
    strikes: Sequence[TaskFault] = ()
    pid: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    writes: list[WritePoint] = field(default_factory=list)
    fired: list[Fault] = field(default_factory=list)
    #: names of the services that something was sent to
    used: set[str] = field(default_factory=set)
    #: the write that struck came from a JVM, which lives on
    by_jvm: bool = False


class Board:
    """What all ports share: whose turn it is, how many writes it has made, and what strikes after which of them.

    Args:
        counts: writes are counted, so one passes after the other.
    """

    def __init__(self, *, counts: bool = True) -> None:
        self.counts = counts
        self.relays: list[Relay] = []
        self.current: Turn | None = None
        self.in_line = asyncio.Lock()
        self.heard = 0.0
        self._timers: list[asyncio.TimerHandle] = []
        self._last: asyncio.TimerHandle | None = None

    async def begin(self, task: str, attempt: int, faults: Iterable[Fault]) -> None:
        """Begin a try: its outages begin, its writes are counted from 1."""
        mine = [fault for fault in faults if isinstance(fault, TaskFault | Outage) and fault.hits(task, attempt)]
        strikes = [fault for fault in mine if isinstance(fault, TaskFault) and fault.moment == "at_write"]
        self.current = Turn(task, attempt, strikes)
        outages = {fault.service: fault for fault in mine if isinstance(fault, Outage)}
        for relay in self.relays:
            outage = outages.get(relay.front.service)
            if outage is None:
                continue
            await relay.change(Weather(outage))
            self.current.fired.append(outage)
            if outage.lasts is not None:
                self._timers.append(_later(outage.lasts, relay))

    def started(self, pid: int) -> None:
        """Take the process id of the try."""
        if self.current is not None:
            self.current.pid.set_result(pid)

    async def end(self) -> Turn | None:
        """End a try: all is well again; return what was seen of it."""
        turn, self.current = self.current, None
        for timer in [*self._timers, *([self._last] if self._last else [])]:
            timer.cancel()
        self._timers, self._last = [], None
        if turn is not None and turn.by_jvm:
            await self._until_quiet()
        for relay in self.relays:
            await relay.change(Weather())
        return turn

    async def _until_quiet(self) -> None:
        """Let a JVM that works on for a task that is gone run into refusals, before all is well again."""
        loop = asyncio.get_running_loop()
        until = loop.time() + 10.0
        while loop.time() < until and (left := self.heard + _QUIET - loop.time()) > 0:
            await asyncio.sleep(left)

    async def acknowledged(self, front: Front, write: Write, agent: str) -> Struck:
        """Count a write, and strike if this is the one."""
        turn = self.current
        if turn is None:
            return None
        operation, target = write
        ordinal = len(turn.writes) + 1
        turn.writes.append(
            WritePoint(
                task=turn.task,
                attempt=turn.attempt,
                ordinal=ordinal,
                service=front.service,
                role=front.role,
                operation=operation,
                target=target,
            )
        )
        fault = next((one for one in turn.strikes if one.write == ordinal), None)
        return None if fault is None else await self._strike(turn, fault, by_jvm=_JVM in agent)

    async def _strike(self, turn: Turn, fault: TaskFault, *, by_jvm: bool) -> Struck:
        turn.fired.append(fault)
        turn.by_jvm = by_jvm
        for relay in self.relays:
            await relay.change(Weather(relay.weather.outage, fault.how))
        pid = await asyncio.wait_for(turn.pid, _PID_WITHIN)
        if fault.how == "kill":
            processes.signal_tree(pid, signal.SIGKILL)
            raise Cut
        processes.send(pid, signal.SIGUSR2)
        self._last = asyncio.get_running_loop().call_later(_RAISE_WITHIN, processes.signal_tree, pid, signal.SIGKILL)
        return "raise"

    async def raised(self) -> None:
        """The task has taken its exception: let it handle it, and use its services for that."""
        if self._last is not None:
            self._last.cancel()
            self._last = None
        for relay in self.relays:
            await relay.change(Weather(relay.weather.outage))


class Relay:
    """Listens on one port, and hands on to one service what the weather lets pass."""

    def __init__(self, front: Front, board: Board) -> None:
        self.front = front
        self.weather = Weather()
        self.changed = asyncio.Event()
        self._board = board
        self._links: dict[Link, asyncio.Task[None] | None] = {}
        self._server: asyncio.Server | None = None
        # bound and never listened on: the port stays ours while nothing listens on it
        self._reserved = _bound(front.listen)
        self.port = int(self._reserved.getsockname()[1])

    async def start(self) -> None:
        """Listen; raises OSError when somebody else listens on the port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, sock=_bound(self.port), limit=HEAD, backlog=128)

    async def stop(self) -> None:
        """Stop listening and end all connections."""
        await self._hush()
        tasks = [task for task in self._links.values() if task is not None]
        self._cut()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._reserved.close()

    async def change(self, weather: Weather) -> None:
        """Let other weather begin."""
        before, self.weather = self.weather, weather
        refuses = weather.outage is not None and weather.outage.kind == "refuse"
        if refuses:
            await self._hush()
        else:
            await self.start()
        # what was swallowed is lost, as for a client whose route is gone
        thawed = before.outage is not None and before.outage.kind == "blackhole" and weather.outage is None
        struck = weather.struck == "kill" and before.struck is None and not self.front.http
        if refuses or thawed or struck:
            self._cut()
        self.changed.set()
        self.changed = asyncio.Event()

    async def clear(self) -> None:
        """End the outage."""
        await self.change(Weather(None, self.weather.struck))

    def is_dead(self, agent: str) -> bool:
        """Tell whether a request of this user agent comes from a task that a fault has struck."""
        turn = self._board.current
        self._board.heard = asyncio.get_running_loop().time()
        lives_on = turn is not None and turn.by_jvm and _JVM in agent
        return self.weather.struck is not None or lives_on

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Let one write after the other pass: the one that is the last must not have company."""
        async with self._board.in_line if self._board.counts else nullcontext():
            yield

    def asked(self) -> None:
        """Note that the service was sent something."""
        if self._board.current is not None:
            self._board.current.used.add(self.front.service)

    async def acknowledged(self, write: Write, agent: str = "") -> Struck:
        """Count a write of this service; raises Cut where it is the one after which the task is killed."""
        return await self._board.acknowledged(self.front, write, agent)

    async def _hush(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _cut(self) -> None:
        for link in list(self._links):
            link.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = self._link(reader, writer)
        self._links[link] = asyncio.current_task()
        try:
            await link.serve()
            link.close()
        except (OSError, EOFError, asyncio.LimitOverrunError, ValueError):
            link.abort()
        except asyncio.CancelledError:
            link.abort()
        finally:
            del self._links[link]

    def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Link:
        if self.front.http:
            return HttpLink(self, reader, writer)
        if self.front.role == "postgres":
            return PostgresLink(self, reader, writer)
        return WatchedLink(self, reader, writer, KafkaWatch() if self.front.role == "kafka" else None)


def _later(seconds: float, relay: Relay) -> asyncio.TimerHandle:
    loop = asyncio.get_running_loop()
    return loop.call_later(seconds, lambda: loop.create_task(relay.clear()))


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made
