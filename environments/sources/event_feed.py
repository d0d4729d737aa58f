"""The click stream as the site's servers send it: keyed messages, some of which are broken; and who was not signed in.

Of the day's rows, every 25th is broken on its way, in one of four ways. Every 40th was made by someone who was not
signed in (a duplicate excepted): the identity service knows whom the session belongs to, but does not answer at once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from environments.sources.events import Event, EventSource


@dataclass(frozen=True)
class Sent:
    """One message: `number` of the row in its day, `timestamp` in milliseconds since 1970 UTC."""

    number: int
    key: bytes
    value: bytes
    timestamp: int


def feed(source: EventSource, day: date) -> list[Sent]:
    """Return the day's messages in the order of emission."""
    return [
        Sent(number, row.session_id.encode(), _on_the_wire(number, row), int(row.timestamp.timestamp() * 1000))
        for number, row in source.emitted(day)
    ]


def _on_the_wire(number: int, row: Event) -> bytes:
    whole = row.payload()
    if number % 25 != 24:
        return whole
    broken = (
        whole[: len(whole) // 2],
        b"\xff\xfe" + whole,
        whole.replace(f'"{row.revenue:.2f}"'.encode(), b'"-1.00"'),
        whole.replace(b'Z"}', b'"}'),
    )
    return broken[number // 25 % 4]


def refusals(session_id: str) -> int:
    """Return how often the identity service refuses to say whose session this is: 0 to 5 times."""
    return hashlib.blake2b(session_id.encode(), digest_size=1).digest()[0] % 6


async def session(request: Request) -> JSONResponse:
    """Say whose session it is; an overloaded service serves those first that have asked before."""
    session_id = request.path_params["session_id"]
    if int(request.headers.get("attempt", "1")) <= refusals(session_id):
        return JSONResponse({"error": "overloaded"}, status_code=503)
    _, _, rest = session_id.partition("s-")
    return JSONResponse({"user_id": rest.rpartition("-")[0]} if rest else {}, status_code=200 if rest else 404)


#: the identity service; it keeps nothing, so that tests at the same time do not disturb each other
app = Starlette(routes=[Route("/sessions/{session_id}", session)])
