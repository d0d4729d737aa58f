"""Decides when a started service is ready: when its role's round trip succeeds, and not before."""

from __future__ import annotations

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
        ServiceError: what the service itself found wrong with its configuration.
    """
    began = time.monotonic()
    pause, tries = _FIRST_PAUSE, 0
    while True:
        tries += 1
        try:
            service.ping()
        except Exception as error:  # noqa: BLE001 - what a client library raises before its server is up is its own affair
            seen = error
        else:
            return
        waited = time.monotonic() - began
        if not running.alive():
            raise running.failure() or _crashed(service, running, waited)
        if waited + pause > within:
            raise _timeout(service, running, seen, f"{tries} round trips in {waited:.1f} s")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _crashed(service: Service[Any], running: Running, waited: float) -> ServiceError:
    return Crashed(
        f"its process ended {waited:.1f} s after it was started, before it answered",
        role=service.name,
        engine=service.endpoint.engine,
        log=running.log_tail(),
        hint="its last log lines say why" if running.log_tail(1) else "it wrote no log; start it by hand to see why",
    )


def _timeout(service: Service[Any], running: Running, seen: Exception, tried: str) -> ServiceError:
    what = (str(seen).strip().splitlines() or [""])[0]
    return StartTimeout(
        f"{service.endpoint.address} did not answer: tried {tried}; last seen: {type(seen).__name__}: {what}",
        role=service.name,
        engine=service.endpoint.engine,
        log=running.log_tail(),
        hint=f"on a slow machine raise services.{service.name}.start_timeout (now {service.spec.start_timeout:g} s)",
    )
