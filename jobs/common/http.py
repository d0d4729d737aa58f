"""How a task asks an upstream over HTTP: with a deadline for each answer, retries for what may pass, and paging."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

#: seconds for one answer; an upstream that is silent for longer is asked again
ANSWER_WITHIN = 30.0

#: seconds between two tries, whatever the upstream asks for; Airflow's own retries wait longer
LONGEST_PAUSE = 30.0

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
    """Ask, and ask again when the upstream was busy or the connection broke: when it says when, then.

    Args:
        client: whom to ask.
        path: below the client's address, or a whole address.
        tries: how often at most.
        pause: seconds before the second try; doubled before each further one.
        params: the query.

    Raises:
        httpx.HTTPStatusError: the answer is an error, and asking again does not help or did not.
        httpx.TransportError: no answer came.
    """
    for attempt in Retrying(
        retry=retry_if_exception(_may_pass), stop=stop_after_attempt(tries), wait=_Pause(pause), reraise=True
    ):
        with attempt:
            # no parameters must not take away those that the address has
            return client.get(path, params=params or None).raise_for_status()
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


def linked_pages(client: httpx.Client, path: str, **params: Any) -> Iterator[dict[str, Any]]:
    """Yield the results of all pages; a page is `{"results": [...], "next": address or null}`.

    Raises:
        ValueError: the upstream names a page that it has named before, which would never end; or one on another host,
            which would be given this client's credentials.
    """
    page = get(client, path, **params)
    seen = {str(page.url)}
    while True:
        answer = page.json()
        yield from answer["results"]
        following = answer["next"]
        if following is None:
            return
        if following in seen or httpx.URL(following).netloc != page.url.netloc:
            raise ValueError(f"{path} sends from {page.url} to {following}: in a circle, or away")
        seen.add(following)
        page = get(client, following)


class _Pause(wait_exponential):
    """Waits as long as the upstream asks for by `Retry-After` in seconds, else twice as long each time."""

    def __init__(self, first: float) -> None:
        super().__init__(multiplier=first, max=LONGEST_PAUSE)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.response.headers.get("retry-after", "") if isinstance(error, httpx.HTTPStatusError) else ""
        return min(float(asked), LONGEST_PAUSE) if asked.isdigit() else super().__call__(retry_state)


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _MAY_PASS
    return isinstance(error, httpx.TransportError)
