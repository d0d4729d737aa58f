"""Starts the services of one environment together, and stops them together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.engines.base import Engine, Place, Running
from harness.engines.external import External
from harness.engines.shifted import for_launch, shifted_environ
from harness.environment.service import ServiceSpec
from harness.errors import HarnessError, ServiceError
from harness.models.run import ServiceHealth
from harness.models.service import ServiceEvent
from harness.services.base import Service
from harness.services.ready import wait_until_ready
from harness.services.registry import bind, service_type

Publish = Callable[[ServiceEvent], None]

#: seconds until what was killed is gone and its folders are removed
KILLED_WITHIN = 3.0


class Fleet:
    """The services of one session.

    Args:
        specs: service name -> (role, what the environment says).
        folder: the session's folder; each service gets one below it.
        cache: the user's cache folder.
        project: root of the project.
        session: the session's id.
        number: which instance of its services it is; goes behind their folders' names from the second on.
    """

    def __init__(  # noqa: PLR0913 - where it is and whose it is
        self,
        specs: Mapping[str, tuple[str, ServiceSpec]],
        *,
        folder: Path,
        cache: Path,
        project: Path,
        session: str,
        number: int = 1,
    ) -> None:
        self.specs = dict(specs)
        self.services: dict[str, Service[Any]] = {}
        self.running: dict[str, Running] = {}
        self.seconds: dict[str, float] = {}
        self._folder, self._cache, self._project, self._session = folder, cache, project, session
        self._suffix = f"-{number}" if number > 1 else ""
        self._stopping = threading.Event()
        # The threads live as long as the fleet: Linux ends a child with the *thread* that spawned it (prctl(2)).
        self._pool = ThreadPoolExecutor(max_workers=max(len(self.specs), 1), thread_name_prefix="service")

    def label(self, name: str) -> str:
        """Return what this instance of a service is called: `kafka`, `kafka-2`."""
        return f"{name}{self._suffix}"

    def start(self, publish: Publish) -> None:
        """Start all services at once, wait for each one's round trip, then introduce them to each other.

        Raises:
            HarnessError: the first thing that went wrong; the other services are stopped by then.
        """
        futures = [self._pool.submit(self._start_one, name, publish) for name in self.specs]
        try:
            _first_failure(futures)
            _first_failure([self._pool.submit(self._introduce, name) for name in self.services])
        except BaseException:
            self.stop(publish)
            raise

    def _start_one(self, name: str, publish: Publish) -> None:
        role, spec = self.specs[name]
        began = time.monotonic()

        def say(phase: str, detail: str = "") -> None:
            seconds = round(time.monotonic() - began, 3)
            publish(
                ServiceEvent.model_validate(
                    {"service": name, "engine": spec.engine, "phase": phase, "seconds": seconds, "detail": detail}
                )
            )

        say("starting")
        try:
            folder = self._folder / self.label(name)
            folder.mkdir()
            place = Place(
                folder,
                self._cache,
                self._project,
                self._session,
                report=lambda line: say("starting", line),
                environ=for_launch(shifted_environ(spec.clock)),
            )
            running = engine_for(role, spec).start(spec, place)
            self.running[name] = running
            if self._stopping.is_set():
                running.stop()
                raise ServiceError("stopped while it was starting", role=name, engine=spec.engine)
            service = bind(name, role, spec, running.endpoint)
            wait_until_ready(service, running, within=spec.start_timeout)
        except HarnessError as error:
            say("failed", str(error).splitlines()[0])
            raise
        self.services[name] = service
        self.seconds[name] = round(time.monotonic() - began, 3)
        say("ready")

    def _introduce(self, name: str) -> None:
        service = self.services[name]
        service.wire({peer: other for peer, other in self.services.items() if peer != name})

    def exclusive(self, name: str) -> bool:
        """Tell whether there is one copy of a service's content that is not ours to divide, fill or empty."""
        return self.specs[name][1].engine == "external"

    def stop(self, publish: Publish = lambda event: None, within: float = 10.0) -> None:
        """Stop everything that was started, at the same time, politely for `within` seconds; idempotent."""
        self._stopping.set()
        stoppers = []
        for name, running in list(self.running.items()):
            publish(ServiceEvent(service=name, engine=self.specs[name][1].engine, phase="stopping"))
            # threads of their own: the pool's may still be busy starting what is to be stopped
            stoppers.append(threading.Thread(target=running.stop, args=(within,), name=f"stop-{name}", daemon=True))
        until = time.monotonic() + within + KILLED_WITHIN
        for thread in stoppers:
            thread.start()
        for thread in stoppers:
            # what does not even end by force is left to the reaper
            thread.join(max(0.0, until - time.monotonic()))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def health(self) -> list[ServiceHealth]:
        """Ask every service for one round trip, now."""
        return [self.health_of(name) for name in self.specs]

    def health_of(self, name: str) -> ServiceHealth:
        """Ask one service for a round trip."""
        engine = self.specs[name][1].engine
        running, service = self.running.get(name), self.services.get(name)
        detail = "not started"
        if running is not None and service is not None:
            try:
                service.ping()
                detail = ""
            except Exception as error:  # noqa: BLE001 - whatever a client library raises, the answer is "no"
                detail = f"does not answer: {error}"
            if not running.alive():
                detail = "its process ended; last log lines: " + " / ".join(running.log_tail(3))
        return ServiceHealth(
            service=name, engine=engine, healthy=not detail, start_seconds=self.seconds.get(name), detail=detail
        )


def engine_for(role: str, spec: ServiceSpec) -> Engine:
    """Return the engine that the environment asks for; raises ServiceError when the role has no such engine."""
    if spec.engine == "external":
        return External()
    known = service_type(role).engines
    if spec.engine not in known:
        raise ServiceError(
            f"engine {spec.engine!r} does not serve the role {role}",
            role=role,
            engine=spec.engine,
            hint=f"it is served by: {', '.join([*known, 'external'])}",
        )
    module, _, name = known[spec.engine].partition(":")
    made: Engine = getattr(import_module(module), name)()
    return made


def _first_failure(futures: list[Future[None]]) -> None:
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()
