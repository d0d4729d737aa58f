"""What a session lends to its clients: namespaces over the services, and the fork server that runs their tasks."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.models.service import ServiceRef, Slice
from harness.services.base import Service
from harness.session import reaper
from harness.session.fleet import Fleet
from harness.session.forkclient import AIRFLOW_MODULES, ForkServer
from harness.session.records import SessionRecord

MAIN = "main"
"""The namespace in which every name is as the environment writes it."""

CLOSE_WITHIN = 10.0
"""Seconds that a store has to remove a namespace's things; one that hangs keeps them until the session ends."""


class Lending:
    """Opens and closes namespaces, and starts the fork server once, when somebody first needs it.

    Args:
        fleet: the running services.
        record: who this session is.
    """

    def __init__(self, fleet: Fleet, record: SessionRecord) -> None:
        self._fleet = fleet
        self._record = record
        self._numbers = itertools.count(1)
        self._open: dict[str, dict[str, Slice]] = {}
        self._lock = threading.Lock()
        # one thread that lives as long as the session: the fork server dies with the thread that spawned it
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="fork-server")
        self._server: Future[ForkServer] | None = None
        self._workers = ThreadPoolExecutor(8, thread_name_prefix="lending")

    def refs(self, slices: dict[str, Slice] | None = None) -> dict[str, dict[str, Any]]:
        """Describe the services as plain data, under `slices` or, without them, as a whole."""
        refs = {}
        for name, service in self._fleet.services.items():
            ref = ServiceRef(
                role=self._fleet.specs[name][0],
                spec=service.spec.model_dump(mode="json", by_alias=True),
                endpoint=service.endpoint,
                slice=(slices or {}).get(name, service.slice),
            )
            refs[name] = ref.model_dump(mode="json")
        return refs

    def open(self, name: str | None) -> tuple[str, dict[str, dict[str, Any]]]:
        """Open a namespace and return its name and the services as it sees them.

        Args:
            name: None for a fresh one; `main` for the whole services; any other is shared by all who name it.
        """
        if name == MAIN:
            return MAIN, self.refs()
        with self._lock:
            known = self._open.get(name) if name else None
            number = next(self._numbers)
        if name and known is not None:
            return name, self.refs(known)
        prefix = f"n{number}"
        divisible = {key: one for key, one in self._fleet.services.items() if not self._fleet.exclusive(key)}
        opened = self._workers.map(lambda item: (item[0], item[1].open(prefix)), divisible.items())
        slices = dict(opened)
        chosen = name or prefix
        with self._lock:
            self._open[chosen] = slices
        return chosen, self.refs(slices)

    def close(self, *names: str) -> None:
        """Remove namespaces' things from all stores, at the same time; idempotent, and never for long."""
        with self._lock:
            slices = [item for name in names for item in self._open.pop(name, {}).items()]
        # threads of their own: one that hangs must not take a worker from those who open
        closers = [threading.Thread(target=self._close_one, args=item, daemon=True) for item in slices]
        until = time.monotonic() + CLOSE_WITHIN
        for thread in closers:
            thread.start()
        for thread in closers:
            thread.join(max(0.0, until - time.monotonic()))

    def _close_one(self, service: str, slice: Slice) -> None:
        # a service that died takes its namespaces along; that it died is reported by whoever uses it
        if not self._fleet.running[service].alive():
            return
        whole = self._fleet.services[service]
        bound: Service[Any] = type(whole)(whole.name, whole.spec, whole.endpoint, slice)
        try:
            bound.close()
        except Exception as error:  # noqa: BLE001 - every client library has errors of its own
            print(f"{service}: {slice.prefix} was not removed: {error}", file=sys.stderr)  # noqa: T201 - the log

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

        used: dict[str, int] = {}
        for name, running in self._fleet.running.items():
            used[name] = 0
            for pid in running.pids():
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


PRELOAD = {
    "postgres": "psycopg",
    "kafka": "confluent_kafka",
    "spark": "pyspark.sql",
    # last: it looks at the files of all modules that are there
    "s3": "harness.runner.warm:warm_aws",
}
"""Client libraries that a service's tasks will import: loaded once in the fork server instead of in every child."""
