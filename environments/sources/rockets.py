"""A launch library and the hosts of its pictures, as pure functions of seed, size and date.

`/2.0.0/launch/` answers pages of launches, filtered by `net__gte` and `net__lt`; `/2.0.0/launch/upcoming/` those from
`TODAY` on, whatever was asked for. An address without its last slash is redirected. Known launches `i` of the day's `n`
have pictures that are no pictures; the others' come from `/media/`:

=====================================  ==================
what                                   which launches
=====================================  ==================
no picture is known (null)             i % 10 == 3
the same basename, another picture     i % 10 == 9: as i - 1
an address without a scheme            i % 15 == 7
a host that refuses connections        i % 15 == 11
a picture that is not there: 404       i % 15 == 14
an HTML page in place of a picture     i % 30 == 17
no launches at all                     all, on 2026-01-06
=====================================  ==================

A request says by the header `X-Volume` how many launches a day has. `POST /faults` scripts outages, for one namespace:
`{"path": "/media/", "status": 503, "times": 2, "headers": {"Retry-After": "0"}}`; without `times` until told otherwise.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

#: launches a day
VOLUMES = {"dev": 30, "test": 120, "acc": 1_200}
TODAY = date(2026, 1, 10)
QUIET = date(2026, 1, 6)
#: the longest page, whatever was asked for
PAGE = 50

_ROCKETS = ("Falcon 9 Block 5", "Long March 8", "Electron", "Soyuz 2.1b", "Vega")
_HTML = b"<html><title>no hotlinking</title></html>"


@dataclass(frozen=True)
class RocketSource:
    """One launch library. Args: seed: another seed is another library; launches: how many a day has."""

    seed: int = 42
    launches: int = VOLUMES["dev"]

    def day(self, day: date, media: str) -> list[dict[str, Any]]:
        """Return the day's launches in the order of their time; `media` is the address that pictures are below."""
        if day == QUIET:
            return []
        return [self._launch(day, i, media) for i in range(self.launches)]

    def _launch(self, day: date, i: int, media: str) -> dict[str, Any]:
        net = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=i * 86_400 // self.launches)
        launch_id = str(UUID(bytes=_draw(self.seed, day, i)[:16], version=4))
        rocket = _ROCKETS[i % len(_ROCKETS)]
        return {
            "id": launch_id,
            "url": f"{media.removesuffix('/media')}/2.0.0/launch/{launch_id}/",
            "launch_library_id": None if i % 3 == 0 else 2000 + i,
            "name": f"{rocket} | mission {day:%j}-{i}",
            "net": _zulu(net),
            "window_start": _zulu(net),
            "window_end": _zulu(net + timedelta(hours=3)),
            "image": self._image(day, i, rocket.split()[0], media),
            "infographic": None,
        }

    def _image(self, day: date, i: int, rocket: str, media: str) -> str | None:
        # the name of a picture that another launch's has too, at another place
        shared = i - 1 if i % 10 == 9 else i
        place = f"{media}/{day}/{i}/{rocket.lower() if shared == i else 'copy'}"
        name = f"{_ROCKETS[shared % len(_ROCKETS)].split()[0]}_{shared}.jpg_1440.jpg"
        if i % 10 == 3:
            return None
        if i % 15 == 7:
            return f"media.example/{name}"
        if i % 15 == 11:
            return f"http://127.0.0.1:1/{name}"  # a port that nobody may listen on without being root
        if i % 15 == 14:
            return f"{place}/missing/{name}"
        return f"{place}/page/{name}" if i % 30 == 17 else f"{place}/{name}"


def picture(path: str) -> bytes:
    """Return the picture at a path below `/media/`: a JPEG by its first and last bytes."""
    seed = hashlib.blake2b(path.encode(), digest_size=32).digest()
    return b"\xff\xd8\xff\xe0" + seed * (1 + seed[0] % 40) + b"\xff\xd9"


def _zulu(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _draw(*what: object) -> bytes:
    return hashlib.blake2b(repr(what).encode(), digest_size=16).digest()


class Faults(BaseHTTPMiddleware):
    """Answers with the scripted errors of the namespace that asks, those first that were scripted first."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self._scripts: dict[str, list[dict[str, Any]]] = defaultdict(list)

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        scripts, path = self._scripts[request.scope["root_path"]], _path(request)
        if (request.method, path) == ("POST", "/faults"):
            scripts.append(await request.json())
            return Response(status_code=204)
        if (request.method, path) == ("DELETE", "/faults"):
            scripts.clear()
            return Response(status_code=204)
        for script in scripts:
            if path.startswith(script["path"]) and script.get("times", 1) > 0:
                if "times" in script:
                    script["times"] -= 1
                return Response("scripted", status_code=script["status"], headers=script.get("headers", {}))
        return await call_next(request)


def _path(request: Request) -> str:
    return str(request.scope["path"]).removeprefix(request.scope["root_path"])


async def launches(request: Request) -> JSONResponse:
    """Answer `/2.0.0/launch/?net__gte=&net__lt=&limit=&offset=`."""
    try:
        since, until = (datetime.fromisoformat(request.query_params[name]) for name in ("net__gte", "net__lt"))
    except (KeyError, ValueError) as error:
        raise HTTPException(400, f"needs net__gte and net__lt as ISO 8601: {error}") from error
    found = _between(request, since, until)
    return _page(request, found)


async def upcoming(request: Request) -> JSONResponse:
    """Answer `/2.0.0/launch/upcoming/`: what is still to come today, which has nothing to do with any interval."""
    start = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)
    return _page(request, _between(request, start, start + timedelta(days=1)))


def _between(request: Request, since: datetime, until: datetime) -> list[dict[str, Any]]:
    source = RocketSource(launches=VOLUMES[request.headers.get("x-volume", "dev")])
    media = _address(request, "/media")
    days = [since.date() + timedelta(days=n) for n in range((until.date() - since.date()).days + 1)]
    found = [launch for day in days for launch in source.day(day, media)]
    return [launch for launch in found if since <= datetime.fromisoformat(launch["net"]) < until]


def _page(request: Request, found: list[dict[str, Any]]) -> JSONResponse:
    limit = min(int(request.query_params.get("limit", "10")), PAGE)
    offset = int(request.query_params.get("offset", "0"))
    more = offset + limit < len(found)
    following = request.url.include_query_params(limit=limit, offset=offset + limit)
    results = found[offset : offset + limit]
    return JSONResponse({"count": len(found), "next": str(following) if more else None, "results": results})


async def media(request: Request) -> Response:
    """Answer with a picture, or with what stands in the place of one."""
    path = _path(request)
    if "/missing/" in path:
        return JSONResponse({"detail": "Not found."}, status_code=404)
    if "/page/" in path:
        return Response(_HTML, media_type="text/html")
    return Response(picture(path), media_type="image/jpeg")


async def slashed(request: Request) -> RedirectResponse:
    """Send a client to the address that it meant."""
    return RedirectResponse(request.url.replace(path=f"{request.url.path}/"), status_code=301)


def _address(request: Request, path: str) -> str:
    """Return an address of this server itself; `Host` may name the proxy of a run, which later runs do not have."""
    host, port = request.scope["server"]
    return str(request.url.replace(hostname=host, port=port, path=f"{request.scope['root_path']}{path}", query=""))


app = Starlette(
    routes=[
        Route("/2.0.0/launch/", launches),
        Route("/2.0.0/launch/upcoming/", upcoming),
        Route("/2.0.0/launch", slashed),
        Route("/2.0.0/launch/upcoming", slashed),
        Route("/media/{path:path}", media),
    ],
    middleware=[Middleware(Faults)],
)
