"""What a session lends to its clients: namespaces over the services, and the fork server that runs their tasks."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.models.run import ServiceHealth
from harness.models.service import ServiceEvent, ServiceRef, Slice
from harness.services.base import Service
from harness.session import reaper
from harness.session.fleet import Fleet, Publish
from harness.session.forkclient import AIRFLOW_MODULES, ForkServer
from harness.session.pool import MAIN, Holder, Instance, Lent, Pool
from harness.session.records import SessionRecord

Slices = dict[str, tuple[Service[Any], Slice]]
"""What a namespace has: service name -> the service as a whole, and the namespace's slice of it."""

CLOSE_WITHIN = 10.0
"""Seconds that a store has to remove a namespace's things; one that hangs keeps them until the session ends."""


class Lending:
    """Opens and closes namespaces, and starts the fork server once, when somebody first needs it.

    Args:
        fleet: the running services.
        record: who this session is.
        another: makes the fleet of one more instance of some services, given their names and its number.
    """

    def __init__(self, fleet: Fleet, record: SessionRecord, another: Callable[[tuple[str, ...], int], Fleet]) -> None:
        self._fleet = fleet
        self._record = record
        self._pool = Pool(fleet, another)
        self._numbers = itertools.count(1)
        self._open: dict[str, Slices] = {}
        self._lock = threading.Lock()
        self._main = threading.Lock()
        # one thread that lives as long as the session: the fork server dies with the thread that spawned it
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="fork-server")
        self._server: Future[ForkServer] | None = None
        self._workers = ThreadPoolExecutor(8, thread_name_prefix="lending")

    def open(
        self, name: str | None, holder: Holder, alone: Collection[str], publish: Publish
    ) -> tuple[str, dict[str, dict[str, Any]]]:
        """Open a namespace and return its name and the services as it sees them.

        Args:
            name: None for a fresh one; `main` for the services under their plain names; any other is shared by all
                who name it.
            holder: who asks.
            alone: services in which the namespace's names must be the declared ones.
            publish: takes the start of a further instance, and who is waited for; it may raise to give up.

        Raises:
            ServiceError: a further instance did not start, or none became free in time.
        """
        if name == MAIN:
            return MAIN, self._refs(self._open_main(publish))
        with self._lock:
            known = self._open.get(name) if name else None
            number = next(self._numbers)
        if name and known is not None:
            return name, self._refs(known)
        chosen = name or f"n{number}"
        lent = self._pool.take(chosen, holder, alone, publish, _told(self._fleet, publish))
        try:
            opened = self._workers.map(lambda one: _slice_of(one, f"n{number}"), lent.values())
            slices = {key: (one.service, slice) for (key, one), slice in zip(lent.items(), opened, strict=True)}
        except BaseException:
            self._pool.give_back(chosen)
            raise
        with self._lock:
            self._open[chosen] = slices
        return chosen, self._refs(slices)

    def _open_main(self, publish: Publish) -> Slices:
        """Return the services under their plain names; what is declared is made at the first time, and stays."""
        with self._main:
            if MAIN not in self._open:
                lent = self._pool.take(MAIN, Holder(0, f"the namespace {MAIN}"), (), publish)
                list(self._workers.map(lambda one: one.service.prepare(), (one for one in lent.values() if one.ours)))
                slices = {key: (one.service, one.service.whole()) for key, one in lent.items()}
                if any(not one.ours for one in lent.values()):
                    # what is not ours is used by one client at a time; to look at it is always allowed
                    self._pool.give_back(MAIN)
                    return slices
                with self._lock:
                    self._open[MAIN] = slices
            return self._open[MAIN]

    def _refs(self, slices: Slices) -> dict[str, dict[str, Any]]:
        """Describe services as plain data."""
        refs = {}
        for name, (service, slice) in slices.items():
            ref = ServiceRef(
                role=self._fleet.specs[name][0],
                spec=service.spec.model_dump(mode="json", by_alias=True),
                endpoint=service.endpoint,
                slice=slice,
            )
            refs[name] = ref.model_dump(mode="json")
        return refs

    def close(self, *names: str) -> None:
        """Remove namespaces' things from all stores, at the same time; idempotent, and never for long."""
        with self._lock:
            closed = [(name, self._open.pop(name)) for name in names if name in self._open]
        # threads of their own: one that hangs must not take a worker from those who open
        _finish([threading.Thread(target=self._close_one, args=item, daemon=True) for item in closed])

    def _close_one(self, name: str, slices: Slices) -> None:
        used = self._pool.of(name)
        closers = [
            threading.Thread(target=_close_slice, args=(used[service], whole, slice), daemon=True)
            for service, (whole, slice) in slices.items()
            # what is not ours stays as it is, and what was the namespace's alone is emptied as a whole
            if slice.prefix
        ]
        _finish(closers)
        self._pool.give_back(name)

    def health(self, namespace: str | None) -> list[ServiceHealth]:
        """Ask every service that a namespace uses for one round trip, now."""
        used: dict[str, Instance] = self._pool.of(namespace or MAIN)
        return list(self._workers.map(lambda name: used[name].fleet.health_of(name), used))

    def fleets(self) -> list[Fleet]:
        """Return all fleets, those of further instances among them."""
        return self._pool.fleets()

    def fork_server_soon(self) -> Future[ForkServer]:
        """Begin to start the fork server, once."""
        with self._lock:
            if self._server is None:
                self._server = self._spawner.submit(self._start_fork_server)
            return self._server

    def fork_server(self) -> Path:
        """Return the fork server's socket, when it is ready."""
        return Path(self.fork_server_soon().result().address)

    def _start_fork_server(self) -> ForkServer:
        folder = self._record.folder / "forkserver"
        folder.mkdir(mode=0o700)
        roles = {role for role, _ in self._fleet.specs.values()}
        clients = [module for role, module in PRELOAD.items() if role in roles]
        return ForkServer.start(folder=folder, preload=[*AIRFLOW_MODULES, *clients], owner=self._record.id)

    def memory(self) -> dict[str, int]:
        """Return the resident bytes of each service's processes, and of the session as a whole under `session`."""
        import psutil

        used: dict[str, int] = dict.fromkeys(self._fleet.specs, 0)
        for instance in self._pool.instances():
            for name in instance.names:
                running = instance.fleet.running.get(name)
                for pid in running.pids() if running is not None else ():
                    with suppress(psutil.Error):
                        used[name] += psutil.Process(pid).memory_info().rss
        used["session"] = 0
        for process in reaper.processes_of(self._record.id):
            with suppress(psutil.Error):
                used["session"] += process.memory_info().rss
        return used

    def stop(self, within: float) -> None:
        """End the fork server and forget the namespaces: the stores that hold them end with the session."""
        server = self._server
        if server is not None and server.done() and server.exception() is None:
            server.result().stop(within)
        self._spawner.shutdown(wait=False, cancel_futures=True)
        self._workers.shutdown(wait=False, cancel_futures=True)


def _slice_of(lent: Lent, prefix: str) -> Slice:
    """Return the part of a service that a namespace has: all of it, or one under names of its own."""
    if not lent.ours:
        return lent.service.whole()
    if not lent.alone or not lent.service.named:
        return lent.service.open(prefix)
    lent.service.prepare()
    return lent.service.whole().model_copy(update={"alone": True})


def _close_slice(instance: Instance, whole: Service[Any], slice: Slice) -> None:
    # a service that died takes its namespaces along; that it died is reported by whoever uses it
    if not instance.alive():
        return
    bound: Service[Any] = type(whole)(whole.name, whole.spec, whole.endpoint, slice)
    try:
        bound.close()
    except Exception as error:  # noqa: BLE001 - every client library has errors of its own
        print(f"{whole.name}: {slice.prefix} was not removed: {error}", file=sys.stderr)  # noqa: T201 - the log


def _finish(threads: Iterable[threading.Thread], within: float = CLOSE_WITHIN) -> None:
    """Run threads at the same time, and wait for all of them for some seconds."""
    started = list(threads)
    until = time.monotonic() + within
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(max(0.0, until - time.monotonic()))


def _told(fleet: Fleet, publish: Publish) -> Callable[[str, str], None]:
    def waiting(service: str, detail: str) -> None:
        engine = fleet.specs[service.partition(", ")[0]][1].engine
        publish(ServiceEvent(service=service, engine=engine, phase="waiting", detail=detail))

    return waiting


PRELOAD = {
    "postgres": "psycopg",
    "kafka": "confluent_kafka",
    "spark": "pyspark.sql",
    # last: it looks at the files of all modules that are there
    "s3": "harness.runner.warm:warm_aws",
}
"""Client libraries that a service's tasks will import: loaded once in the fork server instead of in every child."""
