"""Asks the launch library for the launches of an interval."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx

from jobs.common.http import linked_pages

#: launches in one answer; the library gives no more than this
_PAGE = 50


def launches_between(client: httpx.Client, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return the launches whose time ("net", no earlier than) is in [start, end), in its order.

    The library's list of upcoming launches is about the moment of asking: a run of last week would get today's.

    Raises:
        httpx.HTTPError: the library did not answer, or refused.
    """
    interval = {"net__gte": start.isoformat(), "net__lt": end.isoformat()}
    return list(linked_pages(client, "/2.0.0/launch", limit=_PAGE, **interval))
