from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

OUTSIDE = {"socket.connect": "the network", "socket.sendto": "the network", "sqlite3.connect": "a database"}


class Border:
    """Refuses what leaves the process while it is closed; audit hooks also see what C libraries of Python do."""

    def __init__(self) -> None:
        self.closed = False
        sys.addaudithook(self.audit)

    def audit(self, event: str, arguments: Any) -> None:
        if self.closed and event in OUTSIDE:
            raise PermissionError(
                f"a unit test may not use {OUTSIDE[event]} ({event} {arguments[1:]}): one that needs a service belongs "
                "in tests/jobs"
            )


@pytest.fixture(scope="session")
def border() -> Border:
    return Border()


@pytest.fixture(autouse=True)
def alone(request: pytest.FixtureRequest, border: Border) -> Iterator[None]:
    """No network and no database."""
    border.closed = True
    yield
    border.closed = False
