"""The process that owns the services of one session: it starts them, lends them, and stops them with the last lease.

A lease is an open connection that has attached. The kernel closes it when its process dies, however it dies, so
nothing needs to be counted down by anybody who might not get the chance.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.engines.jars import cache_dir
from harness.environment.installing import how_to_install
from harness.environment.service import ServiceSpec
from harness.errors import HarnessError, ServiceError
from harness.models.service import ServiceEvent
from harness.services.registry import service_type
from harness.session import reaper, records
from harness.session.fleet import Fleet
from harness.session.lending import Lending
from harness.session.pool import Holder
from harness.session.wire import Channel, ChannelClosed, Message

FIRST_LEASE_WITHIN = 8.0
"""Seconds that a new daemon waits for the client that started it."""

FORK_SERVER_ENDS_WITHIN = 3.0
SERVICES_END_WITHIN = 5.0
"""Seconds for an end in order; what is left then is killed. With the reaper's own, all stay well below 15."""


@dataclass
class Lease:
    """Who uses the session: one open connection."""

    channel: Channel
    pid: int
    command: str
    since: float
    namespaces: set[str] = field(default_factory=set)


class Daemon:
    """One session: its services, its leases, and the clock that runs when nobody holds one.

    Args:
        record: who this session is.
        order: what the client asked for: `{"services": {name: {"role", "spec"}}}`.
    """

    def __init__(self, record: records.SessionRecord, order: Message) -> None:
        self.record = record
        self._order = order
        self._changed = threading.Condition()
        self._events: list[ServiceEvent] = []
        self._ready = False
        self._failure: HarnessError | None = None
        self._leases: dict[int, Lease] = {}
        self._keep = 0.0
        self._idle_since: float | None = time.monotonic()
        self._had_lease = False
        self._over = threading.Event()
        self._fleet = self._make_fleet(tuple(order["services"]))
        self._lending = Lending(self._fleet, record, self._make_fleet)

    def _make_fleet(self, names: tuple[str, ...], number: int = 1) -> Fleet:
        specs: dict[str, tuple[str, ServiceSpec]] = {}
        for name in names:
            entry = self._order["services"][name]
            specs[name] = (entry["role"], service_type(entry["role"]).spec_type.model_validate(entry["spec"]))
        return Fleet(
            specs,
            number=number,
            folder=self.record.folder,
            cache=cache_dir(),
            project=Path(self.record.project),
            session=self.record.id,
        )

    # -- life

    def run(self) -> None:
        """Serve until the last lease is gone and its keep has run out, or a signal comes."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.record.socket))
        listener.listen(64)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, lambda *_: self._over.set())
        records.write_record(self.record)
        print("listening", flush=True)  # noqa: T201 - the client that started this process waits for the line
        sys.stdout.close()
        _thread(self._start_services, "start")
        _thread(lambda: self._accept(listener), "accept")
        _thread(self._guard_reaper, "reaper")
        self._wait_for_the_end()
        listener.close()
        self._stop()

    def _start_services(self) -> None:
        try:
            self._fleet.start(self._publish)
        except HarnessError as error:
            self._settle(error)
        except Exception as error:  # noqa: BLE001 - a client must learn of it, whatever it is
            words = f"the session could not be started: {type(error).__name__}: {error}"
            self._settle(ServiceError(words, hint=how_to_install(words)))
        else:
            self._settle(None)

    def _settle(self, failure: HarnessError | None) -> None:
        with self._changed:
            self._failure = failure
            self._ready = True
            self._changed.notify_all()

    def _publish(self, event: ServiceEvent) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def _wait_for_the_end(self) -> None:
        while not self._over.wait(0.1):
            self._end_what_hung_up()
            with self._changed:
                idle = self._idle_since
            patience = self._keep if self._had_lease else FIRST_LEASE_WITHIN
            if self._failure is not None:
                patience = 0.0  # a session that could not start is of no use to anybody
            if idle is not None and time.monotonic() - idle > patience:
                return

    def _guard_reaper(self) -> None:
        # should the reaper itself be killed, another takes its place
        watcher = self._order["reaper"]
        while not self._over.wait(0.5):
            if not reaper.watches(watcher):
                watcher, _ = reaper.watch(self.record.id)

    def _stop(self) -> None:
        self._over.set()
        (self.record.folder / "record.json").unlink(missing_ok=True)
        self._lending.stop(FORK_SERVER_ENDS_WITHIN)
        enders = [
            threading.Thread(target=fleet.stop, kwargs={"within": SERVICES_END_WITHIN}, daemon=True)
            for fleet in self._lending.fleets()
        ]
        for thread in enders:
            thread.start()
        for thread in enders:
            # each of them ends by itself, bounded
            thread.join()
        reaper.reap(self.record.id, spare=(os.getpid(),))
        # threads may still hang in a service's start: nothing of theirs is left to be waited for
        os._exit(0)

    # -- clients

    def _accept(self, listener: socket.socket) -> None:
        while not self._over.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            _thread(lambda sock=sock: self._serve(sock), "client")  # type: ignore[misc]

    def _serve(self, sock: socket.socket) -> None:
        channel = Channel(sock)
        lease_id = id(channel)
        try:
            channel.greet()
            while True:
                self._answer(channel, lease_id, channel.receive())
        except (ChannelClosed, json.JSONDecodeError, HarnessError):
            channel.close()
        finally:
            self._end_lease(lease_id)

    def _answer(self, channel: Channel, lease_id: int, request: Message) -> None:
        verbs: dict[str, Callable[[], Message]] = {
            "attach": lambda: self._attach(channel, lease_id, request),
            "open": lambda: self._open(channel, lease_id, request),
            "close": lambda: self._close(lease_id, request),
            "retain": lambda: self._retain(lease_id, request),
            "release": lambda: self._release(lease_id),
            "forkserver": lambda: {"address": str(self._lending.fork_server())},
            "health": lambda: {"health": [one.model_dump() for one in self._lending.health(request.get("namespace"))]},
            "log": lambda: self._log(request["service"]),
            "status": self._status,
            "stop": self._end,
        }
        try:
            channel.send({"ok": True, **verbs[request["do"]]()})
        except ChannelClosed:
            raise
        except ServiceError as error:
            parts = {"role": error.role, "engine": error.engine, "log": list(error.log)}
            channel.send(
                {"ok": False, "kind": type(error).__name__, "message": error.message, "hint": error.hint, **parts}
            )
        except Exception as error:  # noqa: BLE001 - one client's trouble must not end the others' session
            words = f"{type(error).__name__}: {error}"
            channel.send({"ok": False, "kind": "ServiceError", "message": words, "hint": how_to_install(words)})

    def _attach(self, channel: Channel, lease_id: int, request: Message) -> Message:
        with self._changed:
            if self._over.is_set():
                raise ChannelClosed("this session is ending")
            self._leases[lease_id] = Lease(channel, peer_pid(channel), request.get("command", ""), time.time())
            self._had_lease = True
            self._idle_since = None
        if request.get("fork_server"):
            self._lending.fork_server_soon()
        if not self._ready:
            for event in self._events_until_ready(channel):
                channel.send({"event": event.model_dump()})
        if self._failure is not None:
            raise self._failure
        # only now: who gave up while the services were starting does not want them kept
        self._keep = max(self._keep, float(request.get("keep") or 0))
        return {"session": self.record.id, "seconds": self._fleet.seconds}

    def _events_until_ready(self, channel: Channel) -> Iterator[ServiceEvent]:
        """Yield every event of the start, from the first, to a client that may come late or leave early."""
        sent = 0
        ready = False
        while not (ready and sent == len(self._events)):
            with self._changed:
                if not self._ready and len(self._events) == sent:
                    self._changed.wait(timeout=0.2)
                fresh, ready = self._events[sent:], self._ready
            if channel.hung_up():
                raise ChannelClosed("the client went away")
            yield from fresh
            sent += len(fresh)

    def _end_what_hung_up(self) -> None:
        """End the leases of clients that died while their request is still worked on, by a service that may hang."""
        with self._changed:
            gone = [lease_id for lease_id, lease in self._leases.items() if lease.channel.hung_up()]
        for lease_id in gone:
            _thread(lambda lease_id=lease_id: self._end_lease(lease_id), "hung-up")  # type: ignore[misc]

    def _end_lease(self, lease_id: int) -> None:
        with self._changed:
            lease = self._leases.pop(lease_id, None)
            if lease is None:
                return
            if not self._leases:
                self._idle_since = time.monotonic()
                if not self._keep:
                    # nobody comes back: the stores end with all that is in them, and need not be cleaned
                    self._over.set()
                    return
        self._lending.close(*lease.namespaces)

    def _release(self, lease_id: int) -> Message:
        """End a lease at its holder's word, so that who asks for the status next does not see it."""
        self._end_lease(lease_id)
        return {}

    def _open(self, channel: Channel, lease_id: int, request: Message) -> Message:
        with self._changed:
            lease = self._leases[lease_id]
        said: list[ServiceEvent] = []

        def publish(event: ServiceEvent) -> None:
            if channel.hung_up() or self._over.is_set():
                raise ChannelClosed("who waits for a namespace is gone")
            # who is waited for is asked twice a second, and told when it changes
            if event not in said[-1:]:
                said.append(event)
                channel.send({"event": event.model_dump()})

        holder = Holder(lease_id, f"process {lease.pid} ({lease.command})")
        name, services = self._lending.open(request.get("name"), holder, request.get("alone") or (), publish)
        if request.get("name") is None:
            with self._changed:
                there = lease_id in self._leases
                lease.namespaces.add(name)
            if not there:
                self._lending.close(name)
                raise ChannelClosed("the client went away while its namespace was made")
        return {"name": name, "services": services}

    def _close(self, lease_id: int, request: Message) -> Message:
        self._lending.close(request["name"])
        self._leases[lease_id].namespaces.discard(request["name"])
        return {}

    def _retain(self, lease_id: int, request: Message) -> Message:
        """Let a namespace outlive its lease, and the session with it for `keep` seconds of nobody's interest."""
        self._leases[lease_id].namespaces.discard(request["name"])
        self._keep = max(self._keep, float(request["keep"]))
        return {}

    def _status(self) -> Message:
        with self._changed:
            leases = [
                {
                    "pid": lease.pid,
                    "command": lease.command,
                    "since": lease.since,
                    "namespaces": sorted(lease.namespaces),
                }
                for lease in self._leases.values()
            ]
            idle = None if self._idle_since is None else time.monotonic() - self._idle_since
        return {
            "leases": leases,
            "idle": idle,
            "keep": self._keep,
            "ready": self._ready and self._failure is None,
            "memory": self._lending.memory(),
            "seconds": self._fleet.seconds,
        }

    def _log(self, service: str) -> Message:
        found = {
            fleet.label(name): one for fleet in self._lending.fleets() for name, one in list(fleet.running.items())
        }
        running = found.get(service)
        path = self.record.log if service == "daemon" else running.log_path() if running else None
        secrets = [secret for one in found.values() for secret in one.endpoint.secret_values()]
        return {"path": str(path) if path else None, "secrets": secrets, "names": [*found, "daemon"]}

    def _end(self) -> Message:
        self._over.set()
        return {}


def peer_pid(channel: Channel) -> int:
    """Return the process id at the other end of the connection, or 0 where the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0
    data = channel.peer(socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", data)[0])


def _thread(work: Callable[[], object], name: str) -> None:
    threading.Thread(target=work, name=name, daemon=True).start()


def main() -> None:
    """Run the session whose order comes on standard input as JSON.

    It is {"record": ..., "services": ..., "reaper": its process id, "alive": the file that tells it that we are}.
    """
    order = json.load(sys.stdin)
    os.set_inheritable(order["alive"], False)
    record = records.SessionRecord.model_validate({**order["record"], "pid": os.getpid()})
    Daemon(record, order).run()


if __name__ == "__main__":
    main()
