"""How a task asks an upstream over HTTP: with a deadline for each answer, retries for what may pass, and paging."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

#: seconds for one answer; an upstream that is silent for longer is asked again
ANSWER_WITHIN = 30.0

#: answers that the same question may not get the next time
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})


def http_client(conn_id: str) -> httpx.Client:
    """Return a client for an HTTP connection: addresses start at its host, and its extra is sent as headers."""
    from airflow.sdk import Connection

    found = Connection.get(conn_id)
    base = f"{found.host}:{found.port}" if found.port else str(found.host)
    if "://" not in base:
        base = f"{found.schema or 'http'}://{base}"
    login = (found.login, found.password or "") if found.login else None
    headers = {name: str(value) for name, value in found.extra_dejson.items()}
    return httpx.Client(base_url=base, auth=login, headers=headers, timeout=ANSWER_WITHIN, follow_redirects=True)


def get(client: httpx.Client, path: str, *, tries: int = 4, pause: float = 0.5, **params: Any) -> httpx.Response:
    """Ask, and ask again when the upstream was busy or the connection broke.

    Args:
        client: whom to ask.
        path: below the client's address.
        tries: how often at most.
        pause: seconds before the second try; doubled before each further one.
        params: the query.

    Raises:
        httpx.HTTPStatusError: the answer is an error, and asking again does not help or did not.
        httpx.TransportError: no answer came.
    """
    waits = wait_exponential(multiplier=pause, max=30)
    for attempt in Retrying(
        retry=retry_if_exception(_may_pass), stop=stop_after_attempt(tries), wait=waits, reraise=True
    ):
        with attempt:
            return client.get(path, params=params).raise_for_status()
    raise AssertionError("unreachable: the last try returns or raises")


def pages(client: httpx.Client, path: str, *, first: int = 1, **params: Any) -> Iterator[dict[str, Any]]:
    """Yield the items of all pages; a page is `{"items": [...], "next": number or null}`.

    Raises:
        ValueError: the upstream names a page that it has named before, which would never end.
    """
    page: int | None = first
    seen: set[int] = set()
    while page is not None:
        if page in seen:
            raise ValueError(f"{path} says that page {page} comes after itself")
        seen.add(page)
        answer = get(client, path, page=page, **params).json()
        yield from answer["items"]
        page = answer["next"]


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _MAY_PASS
    return isinstance(error, httpx.TransportError)
