"""Decides when a started service is ready: when its role's round trip succeeds, and not before."""

from __future__ import annotations

import threading
import time
from typing import Any

from harness.engines.base import Running
from harness.errors import Crashed, ServiceError, StartTimeout
from harness.services.base import Service

#: seconds between two tries: short at first, when fast services become ready, and never long enough to be noticed
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.1


def wait_until_ready(service: Service[Any], running: Running, within: float) -> None:
    """Repeat `service.ping()` until it succeeds.

    Args:
        service: the role's view of the service.
        running: the service as its engine started it.
        within: seconds from now.

    Raises:
        Crashed: its process ended; with the end of its log.
        StartTimeout: it never answered; with what was tried, what was last seen, and the end of its log.
        ServiceError: why it ended or never answered, where its engine knows.
    """
    began = time.monotonic()
    pause, tries = _FIRST_PAUSE, 0
    seen: Exception | None = None
    attempt = _Attempt(service)
    while True:
        attempt.ended.wait(pause)
        waited = time.monotonic() - began
        if attempt.succeeded:
            return
        if not running.alive():
            raise _told(running.failure(), service) or _crashed(service, running, waited)
        if waited > within:
            tried = f"{tries + 1} x in {waited:.1f} s"
            raise _told(running.failure(), service) or _timeout(service, running, attempt.error or seen, tried)
        if attempt.ended.is_set():
            seen, tries, pause = attempt.error, tries + 1, min(pause * 1.5, _LONGEST_PAUSE)
            time.sleep(pause)
            attempt = _Attempt(service)


class _Attempt:
    """One ping in a thread of its own: a client library that hangs must not outlast the deadline."""

    def __init__(self, service: Service[Any]) -> None:
        self.ended = threading.Event()
        self.error: Exception | None = None
        self._answered = False
        threading.Thread(target=self._ping, args=(service,), name=f"ping-{service.name}", daemon=True).start()

    @property
    def succeeded(self) -> bool:
        return self.ended.is_set() and self._answered

    def _ping(self, service: Service[Any]) -> None:
        try:
            service.ping()
            self._answered = True
        except Exception as error:  # noqa: BLE001 - what a library raises before its server is up is its own affair
            self.error = error
        finally:
            self.ended.set()


def _told(failure: ServiceError | None, service: Service[Any]) -> ServiceError | None:
    if failure is not None:
        failure.role = service.name
    return failure


def _crashed(service: Service[Any], running: Running, waited: float) -> ServiceError:
    return Crashed(
        f"its process ended {waited:.1f} s after it was started, before it answered",
        role=service.name,
        engine=service.endpoint.engine,
        log=running.log_tail(),
        hint="its last log lines say why" if running.log_tail(1) else "it wrote no log; start it by hand to see why",
    )


def _timeout(service: Service[Any], running: Running, seen: Exception | None, tried: str) -> ServiceError:
    what = f"{type(seen).__name__}: {(str(seen).strip().splitlines() or [''])[0]}" if seen else "no answer at all"
    return StartTimeout(
        f"{service.endpoint.address} did not answer a round trip: tried {tried}; last seen: {what}",
        role=service.name,
        engine=service.endpoint.engine,
        log=running.log_tail(),
        hint=f"on a slow machine raise services.{service.name}.start_timeout (now {service.spec.start_timeout:g} s)",
    )
