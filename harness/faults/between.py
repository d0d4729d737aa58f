"""A proxy for one test, without a run: `with faults.line(service) as line: line.service.client ...`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.faults.control import fronts_of, moved
from harness.faults.host import Proxy, Seen
from harness.models.fault import Outage
from harness.services.base import Service

_NAME = "line"


class Line:
    """A service as it is seen through a proxy.

    Args:
        service: for clients that shall meet the faults.
        proxy: between them.
    """

    def __init__(self, service: Service[Any], proxy: Proxy) -> None:
        self.service = service
        self._proxy = proxy

    @contextmanager
    def outage(self, kind: str = "refuse", **how: Any) -> Iterator[None]:
        """Let the service be away, or hardly there, inside the block; arguments as for `Outage`."""
        fault = Outage.model_validate({"service": self.service.name, "during": _NAME, "kind": kind, **how})
        with self._turn(fault):
            yield

    @contextmanager
    def recorded(self) -> Iterator[list[Seen]]:
        """Count the acknowledged writes inside the block; the block's list holds them when it ends."""
        found: list[Seen] = []
        self._proxy.begin(_NAME, 1, ())
        try:
            yield found
        finally:
            found.append(self._proxy.end())

    @contextmanager
    def _turn(self, fault: Outage) -> Iterator[None]:
        self._proxy.begin(_NAME, 1, (fault,))
        try:
            yield
        finally:
            self._proxy.end()


@contextmanager
def line(service: Service[Any]) -> Iterator[Line]:
    """Stand a proxy in front of a service for the length of the block.

    Raises:
        ConfigError: the service is external, or its broker has no free spare listener.
    """
    with fronts_of(service) as fronts, Proxy(fronts, thread=True) as proxy:
        behind = moved(service, proxy.ports)
        try:
            yield Line(behind, proxy)
        finally:
            behind.release()
