"""Which supervisor answers for the tasks of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness._compat.task_requests import Supervisor


@contextmanager
def supervised(supervisor: Supervisor | None = None) -> Iterator[Supervisor]:
    """Answer in this block what tasks ask outside their process: XComs, variables, previous runs.

    The fixture `task_context` opens one for its test; the block is for code that has no fixtures.
    """
    from harness._compat import task_requests

    with task_requests.installed(supervisor or task_requests.Supervisor()) as answering:
        yield answering
